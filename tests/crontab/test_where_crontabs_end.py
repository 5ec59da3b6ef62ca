"""What is said of a crontab where something is missing, twice there, or behind its end."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.crontab import lexer, setting_values
from scheduler.crontab.job_names import derived, renamed
from scheduler.crontab.percent import still_open
from scheduler.crontab.program_name import program
from scheduler.crontab.zone_changes import Move, ZoneChange
from scheduler.entry import Entry
from scheduler.errors import BadValue
from scheduler.run import Attempt, Run
from scheduler.runs import messages
from scheduler.schedule import zone_data
from scheduler.schedule.expression import parse


def test_a_place_behind_the_schedule_is_the_end_of_its_line() -> None:
    assert lexer.schedule_offset("0  9 * * *", 0, 2) == 3
    assert lexer.schedule_offset("0 9", 0, 99) == 3


def test_a_program_stands_behind_the_end_of_the_options() -> None:
    assert program("nice -n 5 -- backup -x") == "backup"
    assert program("sudo -- backup") == "backup"


def test_a_name_of_an_earlier_version_is_known_by_its_hash() -> None:
    name = derived("0 9 * * *", "/usr/bin/backup -x", stdin=None, zone="", user=None)
    entry = Entry(name, parse("0 9 * * *"), "0 9 * * *", ZoneInfo("UTC"), "/usr/bin/backup -x")
    old = name.replace("backup", "usr-bin-backup-x")
    assert old != name
    assert list(renamed([old, "other", name], {name: entry})) == [(old, name)]


def test_a_zone_in_other_letters_is_none_though_the_disk_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zone_data, "named", lambda _: ZoneInfo("Europe/Berlin"))
    with pytest.raises(BadValue) as raised:
        setting_values.zone("europe/berlin")
    assert raised.value.code == "unknown-zone"


def test_a_run_that_comes_no_more_is_said_to_come_never() -> None:
    at = datetime(2027, 3, 28, 1, tzinfo=UTC)
    change = ZoneChange("Europe/Berlin", 1, (Move("a", at, None),))
    assert "to never" in str(change)


def test_processes_that_were_left_are_counted_in_words() -> None:
    attempt = Attempt(Run(7, "a", utc(2027, 3, 1)), 1)
    one, two = (messages.left_facts(attempt, number) for number in (1, 2))
    assert (one["processes"], one["say"]) == (1, "left 1 process behind, which got SIGTERM too")
    assert two["say"] == "left 2 processes behind, which got SIGTERM too"


def test_a_quote_without_its_end_is_open_at_the_end() -> None:
    assert still_open("echo 'a %") == "'"
    assert still_open("echo 'a' %") == ""


@pytest.mark.parametrize("text", ["1", "1023", "1K", "1025", "3M", "2G", "7T"])
def test_a_size_is_written_as_it_is_read(text: str) -> None:
    assert setting_values.sized(setting_values.size(text)) == text
