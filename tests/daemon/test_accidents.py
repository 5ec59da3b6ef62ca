"""A daemon in trouble: whatever its journal refuses, and wherever it is killed, no run is lost."""

from __future__ import annotations

import asyncio
import io
import json
import random
from dataclasses import dataclass, field
from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING

import pytest
from fakes import Act, FakeClock
from frail_journal import FrailJournal
from memory_library import MemoryLibrary
from world import World, line, when

from scheduler.daemon.log_once import LogOnce
from scheduler.errors import JournalError
from scheduler.run import Exited, NotStarted
from scheduler.runs.events import StartsRecovered, StartsRefused
from scheduler.runs.launcher import StartTrouble
from scheduler.runs.log_listener import LogListener
from scheduler.runs.transaction import Transaction
from scheduler.system.log import open_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from scheduler.runs.events import Event

pytestmark = pytest.mark.slow  # a kill at every commit

FAILS = Act(outcome=Exited(1))

# One of each: it succeeds, it is retried, it waits for itself, it replaces itself, it is skipped,
# it is taken out of the crontab while it runs, waits to run, or waits to be retried.
MINUTES = "0-2 12 * * *"
LINES = (
    line("well", MINUTES)
    + line("retried", MINUTES, retry_delay="5s")
    + line("superseded", "0,2 12 * * *", retry_delay="110s")
    + line("queued", "0-1 12 * * *", overlap="queue")
    + line("replaced", "0-1 12 * * *", overlap="replace")
    + line("skipped", "0-1 12 * * *")
    + line("every", "@every 2m")
)
REMOVED = line("gone", "0-1 12 * * *", overlap="queue") + line(
    "never", "0 12 * * *", retry_delay="55s"
)
ACTS = {
    "retried": [FAILS, Act(lasts=3)],
    "superseded": [FAILS],
    "queued": [Act(lasts=75)],
    "replaced": [Act(lasts=70)],
    "skipped": [Act(lasts=80)],
    "gone": [Act(lasts=90)],
    "never": [FAILS],
}
JOBS = ("well", "retried", "superseded", "queued", "replaced", "skipped", "every", "gone", "never")


def a_world() -> World:
    world = World(LINES + REMOVED, "11:59:58", ACTS)
    world.edit_at("12:00:20", LINES + line("late", "2 12 * * *"))
    world.reload_at("12:00:20")
    world.edit_at("12:00:40", LINES + REMOVED)
    # The second stop is the next daemon's, where the first was the end of one.
    world.stop_at("12:03:40", "12:03:55")
    return world


def outcomes(world: World) -> dict[str, list[str]]:
    """What became of each run, without when its retry was due."""
    return {job: [told.split(" -> ")[0] for told in world.history(job)] for job in JOBS}


@cache
def in_peace() -> tuple[int, dict[str, list[str]]]:
    """How many statements the journal takes when nothing happens, and what it tells then."""
    world = a_world()
    world.run()
    return statements(world), outcomes(world)


def some(total: int) -> range:
    """Every fourth number up to this one, from a place that changes from run to run."""
    return range(random.randint(1, 4), total + 1, 4)


def statements(world: World) -> int:
    assert isinstance(world.journal, FrailJournal)
    return world.journal.statements


def happens(world: World, number: int, accident: Callable[[], None]) -> None:
    assert isinstance(world.journal, FrailJournal)
    world.journal.accidents[number] = accident


def refuse() -> None:
    raise JournalError("the disk is full")


def test_in_peace() -> None:
    """What the accidents are measured by."""
    assert in_peace()[1] == {
        "well": ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0", "12:02 succeeded: exit 0"],
        "retried": [f"12:0{n} succeeded: exit 1, exit 0" for n in range(3)],
        "superseded": ["12:00 failed (superseded): exit 1, exit 1", "12:02 scheduled: exit 1"],
        "queued": ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0"],
        "replaced": ["12:00 failed (replaced): signal 15", "12:01 succeeded: exit 0"],
        "skipped": ["12:00 succeeded: exit 0", "12:01 skipped (overlap): -"],
        "every": ["12:01 succeeded: exit 0", "12:03 succeeded: exit 0"],
        "gone": ["12:00 succeeded: exit 0", "12:01 succeeded: exit 0"],
        "never": ["12:00 failed (no longer in a crontab): exit 1"],
    }


def test_a_refusal_of_the_journal_changes_nothing_that_it_tells() -> None:
    """Each statement fails once: what it was part of is done again, a second later."""
    total, told = in_peace()
    for number in some(total):
        world = a_world()
        happens(world, number, refuse)
        try:
            world.run()
        except JournalError:
            assert not world.spawner.launched  # it was refused before the first minute
            continue
        assert [said["error"] for said in world.said("journal")] == ["the disk is full"], number
        assert outcomes(world) == told, number


def test_wherever_the_daemon_is_killed_no_run_is_lost_and_none_is_doubled() -> None:
    """Before each statement of its journal; the next daemon comes at once."""
    total, told = in_peace()
    for number in some(total):
        world = a_world()
        happens(world, number, world.kill)
        world.crashes().run()
        assert accounted(world) == {job: list(map(instant, told[job])) for job in JOBS}, number


@pytest.mark.parametrize("number", range(1, 18))
def test_wherever_a_start_is_the_last_thing_it_did(number: int) -> None:
    world = a_world()
    world.spawner.then = lambda: world.kill() if len(world.spawner.launched) == number else None
    world.crashes().run()
    _, told = in_peace()
    assert accounted(world) == {job: list(map(instant, told[job])) for job in JOBS}


def accounted(world: World) -> dict[str, list[str]]:
    """The instants of each job's runs, which are over, or have a retry to come."""
    for job in JOBS:
        for outcome in world.history(job):
            assert "open" not in outcome, outcome
            assert " running" not in outcome, outcome
            assert " scheduled" not in outcome or " -> " in outcome, outcome
    return {job: list(map(instant, told)) for job, told in outcomes(world).items()}


def instant(outcome: str) -> str:
    return outcome.split(" ", maxsplit=1)[0]


def test_a_journal_that_refuses_for_long_is_asked_once_a_second_and_catches_up() -> None:
    """Five minutes of a full disk: what it kept is started late, in order; it is said once."""
    world = World(line("job", "* * * * *"), "12:00:10")
    assert isinstance(world.journal, FrailJournal)
    world.at("12:00:30", lambda: setattr(world.journal, "is_full", True))
    world.at("12:04:30", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("12:05:30")
    assert world.history("job") == [f"12:0{n} succeeded: exit 0" for n in range(6)]
    assert [len(world.said(told)) for told in ("journal", "recovered")] == [1, 1]
    assert 240 < world.journal.statements < 1000, "two at each asking"


def test_each_thing_that_the_journal_says_in_one_trouble_is_told_once() -> None:
    world = World(line("job", "* * * * *"), "12:00:10")
    refusals = cycle(("the disk is full", "disk I/O error"))

    def refuse_again() -> None:
        if world.clock.now() < when("12:03"):
            happens(world, statements(world) + 1, refuse_again)
            raise JournalError(next(refusals))

    world.at("12:00:30", lambda: happens(world, statements(world) + 1, refuse_again))
    world.runs_until("12:04:30")
    assert [said["error"] for said in world.said("journal")] == [
        "the disk is full",
        "disk I/O error",
    ]
    assert len(world.said("recovered")) == 1
    assert world.history("job") == [f"12:0{n} succeeded: exit 0" for n in range(5)]


def test_that_nothing_is_asked_of_the_journal_is_no_end_of_its_trouble() -> None:
    """What was refused need not be asked for again at once: an old run's removal is not."""
    log = io.StringIO()
    opened = open_log("json", log)
    log_once = LogOnce(FakeClock(when("12:00")), LogListener(opened).hear)
    for refusals, is_taken in ((["locked"], False), ([], False), (["locked"], True), ([], False)):
        log_once.refused(refusals, takes=is_taken)
    assert log_once.refusal == "locked"
    log_once.refused([], takes=True)
    told = [json.loads(line)["message"] for line in log.getvalue().splitlines()]
    assert told == ["journal", "recovered"]
    assert log_once.refusal == ""


@dataclass
class Starts:
    """A listener that wants to know whether jobs can start."""

    heard: list[Event] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        if isinstance(event, StartsRefused | StartsRecovered):
            self.heard.append(event)


NO_ROOM = Act(outcome=NotStarted("no new process: no memory", by_system=True))


def test_a_system_without_room_for_processes_is_told_once() -> None:
    """That others of the same burst find room is no end of it."""
    text = line("first", "* * * * *") + line("job", "0-4 12 * * *", retries=0)
    listener = Starts()
    world = World(text, acts={"job": [NO_ROOM]}, in_loop=(listener,))
    world.runs_until("12:09:30")
    assert [type(each) for each in listener.heard] == [StartsRefused, StartsRecovered]
    assert [said["error"] for said in world.said("starts")] == [str(NO_ROOM.outcome)[13:]]
    assert len(world.said("recovered")) == 1


def test_what_a_job_itself_keeps_from_starting_is_no_trouble_of_the_system() -> None:
    act = Act(outcome=NotStarted("its SHELL '/no/such': No such file or directory"))
    world = World(line("job", "* * * * *", retries=0), acts={"job": [act]})
    assert world.runs_until("12:02:30").said("starts") == []


def test_a_process_is_supervised_before_anything_else_may_fail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(lasts=30)]})

    def fails(*_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError("a bug")

    monkeypatch.setattr(StartTrouble, "saw", fails)
    world.stop_at("12:02")
    asyncio.run(world.daemon.run())
    assert len(world.said("bug")) == 1
    assert world.starts("job") == ["12:00:00"], "it was not taken for one that has not started"
    assert world.history("job") == ["12:00 succeeded: exit 0"]


def test_a_refusal_at_the_very_end_is_made_good() -> None:
    world = World(line("job", "0 12 * * *"), acts={"job": [Act(lasts=35)]})
    world.at("12:00:34", lambda: happens(world, statements(world) + 1, refuse))
    world.runs_until("12:00:30")
    assert len(world.said("journal")) == 1
    assert world.history("job") == ["12:00 succeeded: exit 0"]


def test_a_pause_after_trouble_is_not_made_longer_by_the_clock() -> None:
    world = World(line("job", "* * * * *", timeout="20s"), "12:00:10", {"job": [Act(lasts=99)]})
    assert isinstance(world.journal, FrailJournal)
    world.at("12:00:12", lambda: happens(world, statements(world) + 1, refuse))
    world.reload_at("12:00:12")
    world.set_clock_at("12:00:13", "11:00", stop="11:00:40")
    world.run()
    assert world.signals() == [("11:00:17", 15)]


def test_a_bug_in_one_minute_is_logged_and_the_next_minute_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(line("job", "* * * * *") + line("odd", "1 12 * * *"), "12:00:10")
    handled = Transaction.handled

    def fails_at_one(transaction: Transaction, minute: datetime) -> None:
        if minute == when("12:01"):
            raise RuntimeError("a bug")
        handled(transaction, minute)

    monkeypatch.setattr(Transaction, "handled", fails_at_one)
    world.stop_at("12:02:30")
    asyncio.run(world.daemon.run())
    assert world.starts("job") == ["12:00:10", "12:01:00", "12:02:00"]
    (said,) = world.said("bug")
    assert said["error"] == "RuntimeError('a bug')"
    assert "fails_at_one" in said["trace"]


def test_a_crontab_that_breaks_the_reader_leaves_the_old_one_in_force(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(line("job", "* * * * *"), "12:00:10")

    def breaks() -> None:
        raise RuntimeError("a bug")

    world.at(
        "12:00:30", lambda: monkeypatch.setattr(MemoryLibrary, "load", lambda _shelf: breaks())
    )
    world.edit_at("12:00:30", "")
    world.stop_at("12:02:30")
    asyncio.run(world.daemon.run())
    assert world.starts("job") == ["12:00:10", "12:01:00", "12:02:00"]
    assert len(world.said("bug")) == 1


@pytest.mark.parametrize("number", range(1, 14))
def test_a_new_line_is_known_though_the_journal_refuses_what_the_edit_closes(number: int) -> None:
    """Its minutes may come before the edit is tried again, and wait behind one another."""
    world = World(line("old", "0 6 * * *"), acts={"new": [Act(lasts=90)]})

    def hang() -> None:
        world.clock.advance(240)
        refuse()

    def edit() -> None:
        world.edit(line("new", "1-3 12 * * *"))
        world.journal.accidents[world.journal.statements + number] = hang
        world.daemon.reload()

    world.at("12:00:30", edit)
    world.runs_until("12:30")
    was_read_before = 0 if number < 9 else 3
    assert len(world.starts("new")) == was_read_before
