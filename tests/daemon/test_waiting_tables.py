"""Tables of users whose calendars are not read yet: their entries wait, and nobody else's."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Event
from typing import TYPE_CHECKING

import pytest
from made_machine import MadeMachine
from spawner_stages import eventually
from users import OWNER, new_folder

from scheduler.daemon.entries import EntriesInForce
from scheduler.day_rules import calendar_of
from scheduler.entry import Severity
from scheduler.journal.journal import Journal
from scheduler.system import accounts, calendar_reader
from scheduler.system.accounts import Account
from scheduler.system.calendars import CalendarReading, CalendarSource
from scheduler.system.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.privileged  # tables of root and of users

NOW = datetime(2027, 5, 1, tzinfo=UTC)
THEIRS = "CRON_EXCEPT=off.txt 0 9 * * * {}\n0 4 * * * plain\n"
OTHERS = ["main", "plain"]


@dataclass
class Reader:
    """Reads users' calendars when it may go on, on a clock of its own; woken by what is read."""

    seconds: float = 0.0
    goes_on: Event = field(default_factory=Event)
    woken: Event = field(default_factory=Event)
    asked: list[CalendarSource] = field(default_factory=list)

    def read(self, source: CalendarSource, _read: object) -> CalendarReading:
        self.asked.append(source)
        assert self.goes_on.wait(60)
        return CalendarReading(calendar_of(source.place, ()))


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    alice = Account("alice", OWNER, OWNER, (OWNER,), "/")
    monkeypatch.setattr(accounts, "uid_of", {"root": 0, "alice": OWNER}.get)
    monkeypatch.setattr(accounts, "find", {"alice": alice}.get)
    found = Reader()
    monkeypatch.setattr(calendar_reader, "read_calendar", found.read)
    yield found
    found.goes_on.set()


@pytest.fixture
def machine() -> Iterator[MadeMachine]:
    with new_folder(0) as root:
        made = MadeMachine(root)
        made.writes("etc/crontab", "0 2 * * * root main\n")
        made.user_writes("alice", THEIRS.format("first"), owner=OWNER)
        yield made


@pytest.fixture
def in_force(machine: MadeMachine, reader: Reader) -> Iterator[EntriesInForce]:
    with closing(machine.crontabs()) as crontabs, closing(Journal.in_memory()) as journal:
        crontabs.wake_by(reader.woken.set)
        crontabs._reader._monotonic = lambda: reader.seconds
        yield EntriesInForce(crontabs, journal, Log(logging.getLogger("waiting")), None)


def commands(in_force: EntriesInForce) -> list[str]:
    return sorted(entry.command for entry in in_force.entries.values())


def test_at_the_start_all_wait_for_a_users_calendar_for_a_moment(
    in_force: EntriesInForce, reader: Reader
) -> None:
    """So that what its entries missed is made up for."""
    assert not in_force.read(NOW)
    assert in_force.is_reading()
    reader.goes_on.set()
    assert reader.woken.wait(60)
    assert in_force.read(NOW)
    assert commands(in_force) == ["first", *OTHERS]


def test_a_users_calendar_that_hangs_keeps_no_other_entry_waiting(
    in_force: EntriesInForce, reader: Reader
) -> None:
    assert not in_force.read(NOW)
    eventually(lambda: reader.asked)
    reader.seconds = 10.0
    assert not in_force.is_reading()
    assert in_force.read(NOW)
    assert commands(in_force) == OTHERS
    waiting = [each for each in in_force.news(NOW).problems if each.code == "unread-calendar"]
    assert [(each.line, each.severity) for each in waiting] == [(1, Severity.WARNING)]
    assert in_force.refused == 0, "no error"
    reader.goes_on.set()
    assert reader.woken.wait(60), "the crontabs are to be read again"
    assert in_force.read(NOW)
    assert commands(in_force) == ["first", *OTHERS]


def test_a_table_saved_each_second_goes_on_with_what_is_known_of_its_calendars(
    in_force: EntriesInForce, reader: Reader, machine: MadeMachine
) -> None:
    in_force.read(NOW)
    reader.goes_on.set()
    assert reader.woken.wait(60)
    assert in_force.read(NOW)
    reader.goes_on.clear()
    for second in range(5):
        machine.user_writes("alice", THEIRS.format(f"version{second}"), owner=OWNER)
        assert in_force.changed()
        assert in_force.read(NOW)
        assert commands(in_force) == sorted([*OTHERS, f"version{second}"])
    assert len(reader.asked) == 1
    assert not in_force.changed()

    reader.seconds = 60.0
    machine.user_writes("alice", THEIRS.format("later"), owner=OWNER)
    assert in_force.read(NOW)
    assert commands(in_force) == sorted([*OTHERS, "version4"]), "the last good version"
    eventually(lambda: len(reader.asked) == 2)
    reader.goes_on.set()


def test_a_calendar_that_counted_though_it_may_have_changed_is_read_a_minute_later(
    in_force: EntriesInForce, reader: Reader, machine: MadeMachine
) -> None:
    in_force.read(NOW)
    reader.goes_on.set()
    assert reader.woken.wait(60)
    in_force.read(NOW)
    machine.user_writes("alice", THEIRS.format("second"), owner=OWNER)
    in_force.read(NOW)
    assert not in_force.changed()
    reader.seconds = 60.0
    reader.woken.clear()
    assert in_force.changed()
    assert in_force.read(NOW)
    assert reader.woken.wait(60)
    assert in_force.read(NOW)
    assert (commands(in_force), len(reader.asked)) == (sorted([*OTHERS, "second"]), 2)
    assert not in_force.changed()
