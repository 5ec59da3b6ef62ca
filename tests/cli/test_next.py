"""next: the coming runs, for people and for programs."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from commands import rows

from scheduler.journal.journal import Journal
from scheduler.schedule.tick import minute_of
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from conftest import Person


GOOD = "CRON_TZ=Asia/Tokyo\n0 9 * * 1-5 echo open\n"


def test_no_run_is_shown_of_an_entry_that_is_refused(person: Person) -> None:
    file = person.file("CRON_NAME=theirs 0 9 * * * nobody echo hi\nCRON_NAME=x @daily me x\n")
    listed = person.types("list", "--system-format", file)
    (row,) = (line for line in listed.stdout.splitlines() if "theirs" in line)
    assert "refused" in row
    coming = person.types("next", "--system-format", file)
    assert "theirs" not in coming.stdout
    for result in (listed, coming):
        assert "jobs of other users (nobody) are a system daemon" in result.stderr
        assert result.exit_code == 1


def test_next_says_which_entries_a_bad_setting_refuses(person: Person) -> None:
    result = person.types("next", person.file("CRON_TZ=Mars\n@daily x\nCRON_TZ=\n@daily y\n"))
    assert "there is no time zone 'Mars'; so 1 entry below is refused: line 2" in result.stderr


SPRING = ("--from", "2027-03-27 12:00", "--until", "2027-03-30")


def test_next_merges_entries_in_the_order_of_time(person: Person) -> None:
    file = person.file("CRON_NAME=a\n0 6,18 * * * x\nCRON_NAME=b\n0 12 * * * y\n")
    found = rows(person.types("next", "--json", "--from", "2027-01-01", "-n", "4", file))
    assert [(row["at"], row["job"]) for row in found] == [
        ("2027-01-01T05:00:00Z", "a"),
        ("2027-01-01T11:00:00Z", "b"),
        ("2027-01-01T17:00:00Z", "a"),
        ("2027-01-02T05:00:00Z", "a"),
    ]


def test_next_has_the_runs_of_one_instant_in_the_order_of_the_file(person: Person) -> None:
    """Though entries of one schedule and zone are searched together."""
    lines = ["0 9 * * * a", "@every 1h b", "0 9 * * * c", "0 6,9 * * * d", "0 9 * * * e"]
    file = person.file("CRON_TZ=UTC\n" + "".join(f"CRON_NAME={x[-1]} {x}\n" for x in lines))
    at_eight = ("--from", "2027-06-01T08:00Z", "--until", "2027-06-01T09:01Z")
    found = [row["job"] for row in rows(person.types("next", *at_eight, "--json", file))]
    assert found == ["a", "b", "c", "d", "e"]


def test_after_the_clock_was_set_back_nothing_is_announced_that_has_been(person: Person) -> None:
    """What the daemon waits out `next` and `list` do not promise."""
    file = person.file("CRON_NAME=job * * * * * x\n")
    person.state.mkdir(exist_ok=True)
    now = RealClock().now()
    handled = minute_of(now) + timedelta(minutes=40)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        journal.daemon_state.set_last_tick(handled)
    (first,) = rows(person.types("next", "--json", "-n", "1", file))
    assert first["at"] == f"{handled + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    listed = person.types("list", file).stdout.splitlines()[1]
    here = (handled + timedelta(minutes=1)).astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{here:%H:%M}" in listed
    past = rows(person.types("next", "--json", "--from", "2027-01-01", "-n", "1", file))
    assert [row["at"] for row in past] == ["2026-12-31T23:00:00Z"]


def test_next_for_programs_has_both_times_and_says_what_a_clock_change_did(person: Person) -> None:
    file = person.file("CRON_NAME=night\n30 2 * * * x\n")
    found = rows(person.types("next", "--json", *SPRING, file))
    assert [row["local"] for row in found] == [
        "2027-03-28T03:00:00+02:00",
        "2027-03-29T02:30:00+02:00",
    ]
    first = found[0]
    assert first.pop("note")
    assert first == {
        "at": "2027-03-28T01:00:00Z",
        "local": "2027-03-28T03:00:00+02:00",
        "zone": "Europe/Berlin",
        "job": "night",
        "user": None,
        "file": file,
        "line": 2,
    }
    assert found[1]["note"] == ""


def test_next_says_when_a_spread_run_starts(person: Person) -> None:
    file = person.file("CRON_SPREAD=1h\nCRON_NAME=a 30 2 * * * x\nCRON_NAME=b @every 1h x\n")
    spring = person.types("next", file, "--from", "2027-03-28", "-n", "3", "--json")
    autumn = person.types("next", file, "--from", "2027-10-31", "-n", "3", "--json")
    again = person.types("next", file, "--from", "2027-03-28", "-n", "3", "--json")
    assert again.stdout == spring.stdout
    notes = {row["job"]: row["note"] for row in rows(spring)}
    assert re.fullmatch(
        r"the clock goes forward: stands for 02:30; starts at 03:\d\d:\d\d, spread", notes["a"]
    )
    assert re.fullmatch(r"counted from .*; starts at \d\d:\d\d:\d\d, spread", notes["b"])
    late = {row["job"]: row["note"] for row in rows(autumn)}
    assert re.fullmatch(r"starts at 0[23]:\d\d:\d\d, spread", late["a"])


def test_next_shows_each_run_in_its_zone_and_in_ones_own(person: Person) -> None:
    words = ("next", "--from", "2027-01-04", "-n", "1", person.file(GOOD))
    _, run = person.types(*words).stdout.splitlines()
    assert run.startswith("Mon 2027-01-04 09:00  Asia/Tokyo  Mon 2027-01-04 01:00")


def test_from_is_inside_and_until_is_not(person: Person) -> None:
    file = person.file("0 * * * * x\n")
    found = rows(
        person.types("next", "--json", "--from", "2027-01-01 09:00", "--until", "11:00", file)
    )
    assert [row["local"][11:16] for row in found] == ["09:00", "10:00"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 10),  # as many as a person wants to see
        (("-n", "25"), 25),
        (("--until", "2027-01-01 00:01", "-n", "9" * 9), 1),  # as many as there are
        (("-n", "0"), 0),
        (("--until", "2027-01-01 01:00"), 60),  # all of a time that was asked for
        (("--until", "2027-01-01 01:00", "-n", "7"), 7),
    ],
)
def test_how_many_runs_next_shows(person: Person, options: tuple[str, ...], count: int) -> None:
    file = person.file("* * * * * x\n")
    words = ("next", "--json", "--from", "2027-01-01", *options, file)
    assert len(rows(person.types(*words))) == count


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2027-03-28T01:00:00Z", "2027-03-28T01:00:00Z"),
        ("2027-03-28 03:00 +0200", "2027-03-28T01:00:00Z"),
        ("28 March 2027 3am", None),  # one form of many
        ("2027-03-28 02:30", "2027-03-28T01:30:00Z"),  # in the gap: an hour on
        ("2027-10-31 02:30", "2027-10-31T00:30:00Z"),  # twice: the first
        ("2027-01-01 09:00 JST", None),  # whose JST?
        ("2027-01-01 09:00 EST", None),  # and whose EST?
        ("the day after", None),
        ("2027-13-01", None),
        ("9" * 30, None),
        ("0001-01-01", None),  # the calendar ends there: nothing can be worked out
        ("9999-12-30T12:00:00Z", "9999-12-30T12:00:00Z"),
        ("9999-12-31T23:59-12:00", None),
        ("", None),
    ],
)
def test_times_are_read_as_people_type_them(person: Person, typed: str, at: str | None) -> None:
    file = person.file("* * * * * x\n")
    result = person.types("next", "--json", "-n", "1", "--from", typed, file)
    if at is None:
        assert result.exit_code == 2
        assert re.search("--from: '.*' is no time", result.stderr)
    else:
        assert rows(result)[0]["at"] == at


@pytest.mark.parametrize(
    ("options", "echo"),
    [
        (("--from", "2027-01-04 09:00"), "From Mon 2027-01-04 09:00 Europe/Berlin\n"),
        (
            ("--from", "2027-01-04T09:00Z", "--until", "1d"),
            "From Mon 2027-01-04 10:00 until Tue 2027-01-05 10:00 Europe/Berlin\n",
        ),
        (
            ("--from", "2027-01-04 09:00", "--until", "mon 9:30:10"),
            "From Mon 2027-01-04 09:00 until Mon 2027-01-04 09:30:10 Europe/Berlin\n",
        ),
        ((), ""),
    ],
)
def test_a_time_that_was_typed_is_echoed_with_its_zone(
    person: Person, options: tuple[str, ...], echo: str
) -> None:
    file = person.file("* * * * * x\n")
    assert person.types("next", *options, file).stderr == echo
    assert person.types("next", *options, file, "--json").stderr == ""


def test_a_time_that_no_clock_shows_or_twice_is_told(person: Person) -> None:
    file = person.file("* * * * * x\n")
    spring = person.types("next", "--from", "2027-03-28 02:30", "--json", file).stderr
    assert spring.startswith("warning: no clock of Europe/Berlin shows 02:30")
    autumn = person.types("next", "--from", "2027-10-31 02:30", "--json", file).stderr
    assert autumn.startswith("warning: clocks of Europe/Berlin show 02:30 of 2027-10-31 twice")


def test_an_interval_counts_from_where_the_journal_says(person: Person) -> None:
    file = person.file("CRON_NAME=a\n@every 90m x\n")
    words = ("next", "--json", "--from", "2027-01-01T12:00Z", "-n", "2", file)
    fresh = rows(person.types(*words))
    assert [row["at"] for row in fresh] == ["2027-01-01T13:30:00Z", "2027-01-01T15:00:00Z"]
    assert "first start" in fresh[0]["note"]
    person.state.mkdir()
    journal = Journal.open(person.state / "journal.db")
    journal.daemon_state.set_anchor("a", 90, datetime(2027, 1, 1, 10, 10, tzinfo=UTC))
    journal.close()
    known = rows(person.types(*words))
    assert [row["at"] for row in known] == ["2027-01-01T13:10:00Z", "2027-01-01T14:40:00Z"]
    assert known[0]["note"] == ""
    on_time = person.types("next", "--json", "--from", "2027-01-01T13:10Z", "-n", "1", file)
    assert rows(on_time)[0]["at"] == "2027-01-01T13:10:00Z"


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        ("0 0 29 2 *", "9996-02-28T23:00:00Z"),
        ("@every 3650d", "9990-05-22T22:00:00Z"),
        ("30 23 * * *", "9999-12-30T22:30:00Z"),
    ],
)
def test_a_listing_ends_with_the_calendar(person: Person, schedule: str, last: str) -> None:
    """But for its last day, which zones east of UTC can't show."""
    words = ("next", "--json", "--from", "9980-05-25", "-n", "10000")
    found = rows(person.types(*words, person.file(f"{schedule} x\n")))
    assert found[-1]["at"] == last
    late = person.types("next", "--from", "9999-12-30 23:45", person.file(f"{schedule} x\n"))
    assert "Nothing runs in that time." in late.stderr


def test_what_runs_at_boot_is_mentioned_beside(person: Person) -> None:
    result = person.types("next", person.file("CRON_NAME=up\n@reboot x\n"))
    assert "At the next boot: up" in result.stderr
    assert "Nothing runs" in result.stderr
    assert result.exit_code == 0
