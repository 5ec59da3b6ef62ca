"""What clock changes do to entries: the changes found, the words, and that silence is true."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.crontab import parser
from scheduler.entry import Entry, Expression
from scheduler.schedule import dates
from scheduler.schedule import expression as expressions
from scheduler.schedule.dst import is_due
from scheduler.schedule.dst_audit import (
    FIRST_YEAR,
    LAST_YEAR,
    Change,
    ChangeEffect,
    audit,
    changes,
    finding,
)

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
ZONES = sorted(available_timezones())


def expression(text: str) -> Expression:
    parsed = expressions.parse(text)
    assert isinstance(parsed, Expression)
    return parsed


def change_of(zone: str, heading: str) -> Change:
    """The change of a zone whose words begin like this, such as `Sun 2027-03-28`."""
    (found,) = (
        each
        for year in (int(heading[4:8]),)
        for each in changes(ZoneInfo(zone), year)
        if str(each).startswith(heading)
    )
    return found


# --- the changes of a zone -----------------------------------------------------------------------

CHANGES = [
    ("Europe/Berlin", 2027, ["Sun 2027-03-28 02:00-03:00 is skipped", "Sun 2027-10-31 02:00-03:00 comes twice"], "an hour each"),
    ("Europe/Dublin", 2027, ["Sun 2027-03-28 01:00-02:00 is skipped", "Sun 2027-10-31 01:00-02:00 comes twice"], "winter is the exception: clocks count"),
    ("Australia/Lord_Howe", 2027, ["Sun 2027-04-04 01:30-02:00 comes twice", "Sun 2027-10-03 02:00-02:30 is skipped"], "half an hour, in the south"),
    ("Antarctica/Troll", 2027, ["Sun 2027-03-28 01:00-03:00 is skipped", "Sun 2027-10-31 01:00-03:00 comes twice"], "two hours"),
    ("Asia/Beirut", 2027, ["Sun 2027-03-28 00:00-01:00 is skipped", "Sat 2027-10-30 23:00-24:00 comes twice"], "at midnight"),
    ("America/Asuncion", 2023, ["Sat 2023-03-25 23:00-24:00 comes twice", "Sun 2023-10-01 00:00-01:00 is skipped"], "at midnight, in the south"),
    ("America/Nuuk", 2027, ["Sat 2027-03-27 23:00-24:00 is skipped", "Sat 2027-10-30 23:00-24:00 comes twice"], "up to midnight"),
    ("Africa/Casablanca", 2027, ["Sun 2027-02-07 02:00-03:00 comes twice", "Sun 2027-03-14 02:00-03:00 is skipped"], "back for Ramadan"),
    ("Africa/Casablanca", 2030, ["Sun 2030-02-10 02:00-03:00 is skipped", "Sun 2030-12-22 02:00-03:00 comes twice"], "which wanders across the years"),
    ("Africa/Cairo", 2010, ["Fri 2010-04-30 00:00-01:00 is skipped", "Tue 2010-08-10 23:00-24:00 comes twice", "Fri 2010-09-10 00:00-01:00 is skipped", "Thu 2010-09-30 23:00-24:00 comes twice (the new time stays)"], "summer with a Ramadan in it: four"),
    ("America/Mexico_City", 2022, ["Sun 2022-04-03 02:00-03:00 is skipped", "Sun 2022-10-30 01:00-02:00 comes twice (the new time stays)"], "its last summer"),
    ("Asia/Amman", 2022, ["Fri 2022-02-25 00:00-01:00 is skipped (the new time stays)"], "summer for ever"),
    ("Asia/Almaty", 2024, ["Thu 2024-02-29 23:00-24:00 comes twice (the new time stays)"], "a new standard time"),
    ("America/Caracas", 2016, ["Sun 2016-05-01 02:30-03:00 is skipped (the new time stays)"], "half an hour forward again"),
    ("America/Caracas", 2007, ["Sun 2007-12-09 02:30-03:00 comes twice (the new time stays)"], "half an hour back"),
    ("Asia/Kathmandu", 1986, ["Wed 1986-01-01 00:00-00:15 is skipped (the new time stays)"], "the first minutes of a year"),
    ("Asia/Kathmandu", 1985, [], "are not of the year before, though UTC is still in it"),
    ("Antarctica/Casey", 2009, ["Sun 2009-10-18 02:00-05:00 does not exist here"], "three hours forward"),
    ("Antarctica/Casey", 2010, ["Thu 2010-03-04 23:00 to Fri 2010-03-05 02:00 comes twice (the new time stays)"], "three hours back, across midnight"),
    ("Pacific/Apia", 2011, ["Sat 2011-04-02 03:00-04:00 comes twice", "Sat 2011-09-24 03:00-04:00 is skipped", "Fri 2011-12-30 does not exist here"], "a day that never was"),
    ("Pacific/Kiritimati", 1994, ["Sat 1994-12-31 does not exist here (the new time stays)"], "it was of the old year"),
    ("Pacific/Kiritimati", 1995, [], "not of the new"),
    ("Africa/Monrovia", 1972, ["Fri 1972-01-07 00:00-00:45 is skipped (the new time stays)"], "44 minutes and a half, as minutes see it"),
    ("Asia/Tokyo", 2027, [], "no change at all"),
    ("Etc/GMT+3", 2027, [], "nor ever"),
    ("Europe/London", 1970, [], "a year within British standard time"),
    ("Europe/London", 2100, ["Sun 2100-03-28 01:00-02:00 is skipped", "Sun 2100-10-31 01:00-02:00 comes twice"], "as far as anybody asks"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "year", "expected", "why"), CHANGES)
def test_the_clock_changes_of_a_year(zone: str, year: int, expected: list[str], why: str) -> None:
    assert [str(each) for each in changes(ZoneInfo(zone), year)] == expected, why


def test_a_change_carries_its_instant_and_shift() -> None:
    forward, back = changes(ZoneInfo("Australia/Lord_Howe"), 2028)
    forward, back = back, forward
    assert (forward.kind, forward.shift_minutes) == ("forward", 30)
    assert (back.kind, back.shift_minutes) == ("back", -30)
    assert forward.at == datetime(2028, 9, 30, 15, 30, tzinfo=UTC)
    assert back.at == datetime(2028, 4, 1, 15, 0, tzinfo=UTC)


def test_only_whole_dates_go_without_times() -> None:
    noon = datetime(2027, 7, 1, 12)
    at = noon.replace(tzinfo=UTC)
    change = Change(ZoneInfo("UTC"), at, "forward", noon, noon + 24 * HOUR, stays=False)
    assert str(change) == "Thu 2027-07-01 12:00 to Fri 2027-07-02 12:00 does not exist here"


def shown(zone: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, second=0, fold=0)


years = st.integers(FIRST_YEAR, LAST_YEAR)


@settings(max_examples=25)
@given(st.sampled_from(ZONES), years)
def test_every_change_of_every_zone_is_found(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    start = datetime(year, 1, 3, tzinfo=UTC)
    hours = [start + n * HOUR for n in range(360 * 24)]
    moved = [
        (one, other)
        for one, other in pairwise(hours)
        if shown(zone, other) - shown(zone, one) != HOUR
    ]
    found = [each for each in changes(zone, year) if start < each.at <= hours[-1]]
    assert len(found) == len(moved)
    for change, (one, other) in zip(found, moved, strict=True):
        assert one < change.at <= other
        jump = shown(zone, change.at) - shown(zone, change.at - MINUTE) - MINUTE
        assert jump == change.shift_minutes * MINUTE
        assert abs(jump) == change.end - change.start


# --- what happens, in words ----------------------------------------------------------------------


class Pair(NamedTuple):
    """A zone with a change of each kind, and rows: expression | forward | back | why."""

    zone: str
    forward: str
    back: str
    rows: str


PAIRS = (
    Pair(
        "Europe/Berlin",
        "Sun 2027-03-28",
        "Sun 2027-10-31",
        """
        30 2 * * *      | 02:30 runs at 03:00 instead | 02:30 runs the first time only (at 00:30 UTC) | made up for right after; once
        0 2 * * *       | 02:00 runs at 03:00 instead | 02:00 runs the first time only (at 00:00 UTC) | the first touched minute
        59 2 * * *      | 02:59 runs at 03:00 instead | 02:59 runs the first time only (at 00:59 UTC) | and the last
        59 1 * * *      | | | the minute before either
        0 3 * * *       | | | and the one after
        0,30 2 * * *    | one run at 03:00 stands for 02:00 and 02:30 | 02:00 and 02:30 run the first time only | two in one
        0,20,40 2 * * * | one run at 03:00 stands for 02:00, 02:20 and 02:40 | 02:00, 02:20 and 02:40 run the first time only | three in one
        0 2,3 * * *     | 02:00 and 03:00 are one run, at 03:00 | 02:00 runs the first time only (at 00:00 UTC) | its own run is there already
        0,30 2,3 * * *  | 02:00, 02:30 and 03:00 are one run, at 03:00 | 02:00 and 02:30 run the first time only | 03:30 is an ordinary one
        */30 2 * * *    | one run at 03:00 stands for 02:00 and 02:30 | 02:00 and 02:30 run both times: 4 runs instead of 2 | a star follows elapsed time
        0 */2 * * *     | 02:00 runs at 03:00 instead | 02:00 runs both times, 60 minutes apart | and so does this one
        0 0/2 * * *     | 02:00 runs at 03:00 instead | 02:00 runs the first time only (at 00:00 UTC) | the same hours without a star
        0 */3 * * *     | | | names no touched hour
        * 2 * * *       | one run at 03:00 stands for 02:00, 02:01 … 02:59 (60 times) | 02:00, 02:01 … 02:59 (60 times) run both times: 120 runs instead of 60 | too many to spell out
        30 * * * *      | | 02:30 runs both times, 60 minutes apart | hourly: goes on in step
        */20 * * * *    | | 02:00, 02:20 and 02:40 run both times: 6 runs instead of 3 | nothing is skipped
        30 0-23 * * *   | | 02:30 runs the first time only (at 00:30 UTC) | every hour, written out, is in step too; without a star it does not repeat
        0 0-22 * * *    | 02:00 and 03:00 are one run, at 03:00 | 02:00 runs the first time only (at 00:00 UTC) | hours that are not all are the wall clock's
        30 2 28 3 *     | 02:30 runs at 03:00 instead | | this date
        30 2 27 3 *     | | | not its neighbour
        30 2 * * sun    | 02:30 runs at 03:00 instead | 02:30 runs the first time only (at 00:30 UTC) | both are Sundays
        30 2 * * mon-fri | | | so working days are safe
        """,
    ),
    Pair(
        "Australia/Lord_Howe",  # 02:00-02:30 is skipped, 01:30-02:00 comes twice
        "Sun 2027-10-03",
        "Sun 2027-04-04",
        """
        15 2 * * *   | 02:15 runs at 02:30 instead | | half an hour
        45 1 * * *   | | 01:45 runs the first time only (at 14:45 UTC) | half an hour
        */15 2 * * * | 02:00, 02:15 and 02:30 are one run, at 02:30 | | 02:45 is an ordinary one
        15 * * * *   | 02:15 runs at 02:30 instead | | a half-hour gap throws an hourly job out of step
        0 * * * *    | 02:00 runs at 02:30 instead | | 30 minutes before 03:00
        45 * * * *   | | 01:45 runs both times, 30 minutes apart | in spring every 45 is there
        */30 * * * * | | 01:30 runs both times, 30 minutes apart | every half hour stays in step
        * * * * *    | | 01:30, 01:31 … 01:59 (30 times) run both times: 60 runs instead of 30 | and every minute
        """,
    ),
    Pair(
        "Antarctica/Troll",  # two hours: 01:00-03:00
        "Sun 2027-03-28",
        "Sun 2027-10-31",
        """
        30 1 * * *   | 01:30 runs at 03:00 instead | 01:30 runs the first time only (at 23:30 UTC) | the first hour
        30 1,2 * * * | one run at 03:00 stands for 01:30 and 02:30 | 01:30 and 02:30 run the first time only | both
        30 * * * *   | | 01:30 and 02:30 run both times: 4 runs instead of 2 | hourly
        0 */2 * * *  | 02:00 runs at 03:00 instead | 02:00 runs both times, 120 minutes apart | 04:00 is an ordinary one
        """,
    ),
    Pair(
        "Asia/Beirut",  # at midnight: 00:00-01:00 of the new day, 23:00-24:00 of the old
        "Sun 2027-03-28",
        "Sat 2027-10-30",
        """
        @daily        | 00:00 runs at 01:00 instead | | a midnight that is skipped; in autumn it comes once
        30 23 * * *   | | 23:30 runs the first time only (at 20:30 UTC) | the hour before midnight
        30 23 * * sun | | | is still Saturday's
        0 0 1 * *     | | | the dates are not the first
        """,
    ),
    Pair(
        "America/Nuuk",  # 23:00-24:00 of Saturday, either way
        "Sat 2027-03-27",
        "Sat 2027-10-30",
        """
        30 23 * * *    | 23:30 runs at Sun 00:00 instead | 23:30 runs the first time only (at 00:30 UTC) | on the next day
        0 23,0 * * *   | 23:00 and Sun 00:00 are one run, at Sun 00:00 | 23:00 runs the first time only (at 00:00 UTC) | with that day's own
        30 * * * *     | | 23:30 runs both times, 60 minutes apart | hourly: goes on in step
        30 * 27 3 *    | 23:30 does not run | | hourly, but the day is over with the gap
        30 * 28 3 *    | | | and the next one is whole
        30 * 30 10 *   | | 23:30 runs both times, 60 minutes apart | the repeated hour is the old day's
        """,
    ),
    Pair(
        "Antarctica/Casey",  # three hours: 02:00-05:00, and 23:00-02:00 across midnight
        "Sun 2009-10-18",
        "Thu 2010-03-04",
        """
        30 2 * * *  | 02:30 does not run | | three hours are a new time: nothing is made up for
        0,30 3 * * * | 03:00 and 03:30 do not run | | however many
        0 3,5 * * * | 03:00 does not run | | whatever runs after it
        30 23 * * * | | 23:30 runs the first time only (at 12:30 UTC) | back by three hours it is an overlap
        30 0 * * *  | | Fri 00:30 runs the first time only (at 13:30 UTC) | on either side of midnight
        30 * * * *  | | 23:30, Fri 00:30 and Fri 01:30 run both times: 6 runs instead of 3 | hourly: goes on in step
        """,
    ),
    Pair(
        "Pacific/Apia",  # the whole of that Friday; an hour in the next autumn
        "Fri 2011-12-30",
        "Sun 2012-04-01",
        """
        30 3 * * *  | 03:30 does not run | 03:30 runs the first time only (at 13:30 UTC) | a day that never was, an hour that was twice
        0 3 * * fri | 03:00 does not run | | the week had no Friday
        0 3 31 12 * | | | the next day is whole
        0 * * * *   | | 03:00 runs both times, 60 minutes apart | hourly: goes on in step
        0 * * * fri | 00:00, 01:00 … 23:00 (24 times) do not run | | but not on a day that is not there
        """,
    ),
    Pair(
        "Europe/Dublin",  # 01:00-02:00, either way
        "Sun 2027-03-28",
        "Sun 2027-10-31",
        """
        30 1 * * *   | 01:30 runs at 02:00 instead | 01:30 runs the first time only (at 00:30 UTC) | clocks count, not which is called summer time
        30 * * * *   | | 01:30 runs both times, 60 minutes apart | hourly
        """,
    ),
    Pair(
        "Africa/Casablanca",  # back for Ramadan, forward after it
        "Sun 2027-03-14",
        "Sun 2027-02-07",
        """
        30 2 * * *   | 02:30 runs at 03:00 instead | 02:30 runs the first time only (at 01:30 UTC) | the year begins in summer time
        """,
    ),
)


def rows() -> list[tuple[str, str, str, str, str]]:
    """Each row twice: zone, change, expression, what is expected, why."""
    found = []
    for pair in PAIRS:
        for line in pair.rows.strip().splitlines():
            text, forward, back, why = (cell.strip() for cell in line.split("|"))
            found.append((pair.zone, pair.forward, text, forward, why))
            found.append((pair.zone, pair.back, text, back, why))
    return found


@pytest.mark.parametrize(("zone", "heading", "text", "expected", "why"), rows())
def test_what_a_clock_change_does_is_said_in_words(
    zone: str, heading: str, text: str, expected: str, why: str
) -> None:
    found = finding(expression(text), change_of(zone, heading))
    assert ("" if found is None else found.what) == expected, why


# --- the facts behind the words ------------------------------------------------------------------


def utc(*texts: str) -> tuple[datetime, ...]:
    return tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts)


def local(*texts: str) -> tuple[datetime, ...]:
    return tuple(map(datetime.fromisoformat, texts))


FACTS = [
    ("Europe/Berlin", "Sun 2027-03-28", "0,30 2 * * *", utc("2027-03-28T01:00"), local("2027-03-28T02:00", "2027-03-28T02:30"), "made up for in one run"),
    ("Europe/Berlin", "Sun 2027-10-31", "0,30 2 * * *", utc("2027-10-31T00:00", "2027-10-31T00:30"), local("2027-10-31T02:00", "2027-10-31T02:30"), "not a second time"),
    ("Europe/Berlin", "Sun 2027-10-31", "*/30 2 * * *", utc("2027-10-31T00:00", "2027-10-31T00:30", "2027-10-31T01:00", "2027-10-31T01:30"), (), "both times: nothing is skipped"),
    ("Pacific/Apia", "Fri 2011-12-30", "0 2 * * *", (), local("2011-12-30T02:00"), "lost"),
    ("Pacific/Apia", "Fri 2011-12-30", "@daily", utc("2011-12-30T10:00"), local("2011-12-30T00:00"), "lost, with Saturday's own run right after"),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "heading", "text", "runs", "skipped", "why"), FACTS)
def test_a_finding_carries_its_runs_and_what_is_skipped(
    zone: str,
    heading: str,
    text: str,
    runs: tuple[datetime, ...],
    skipped: tuple[datetime, ...],
    why: str,
) -> None:
    found = finding(expression(text), change_of(zone, heading))
    assert found is not None
    assert (found.runs, found.skipped) == (runs, skipped), why
    assert str(found) == f"{found.change}: {found.what}"


@st.composite
def random_changes(draw: st.DrawFn) -> Change:
    """Draw a change of any zone in any year; one of Berlin's where there is none."""
    name, year = draw(st.sampled_from(ZONES)), draw(years)
    found = list(changes(ZoneInfo(name), year)) or list(changes(ZoneInfo("Europe/Berlin"), year))
    return draw(st.sampled_from(found or list(changes(ZoneInfo("Europe/Berlin"), 2027))))


def well_known_changes() -> st.SearchStrategy[Change]:
    """Draw a change of the kinds that there are, the rare ones as often as the common."""
    return st.sampled_from(
        [
            change
            for name, instants in reference.CHANGES.items()
            for year in sorted({at.year for at in instants})
            for change in changes(ZoneInfo(name), year)
        ]
    )


def comes(text: str) -> bool:
    """Say whether there is such a date at all."""
    return dates.comes(expression(text))


any_texts = st.one_of(reference.expressions(every_day=True), reference.expressions().filter(comes))
any_changes = st.one_of(random_changes(), well_known_changes())


def due_between(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    asked = expression(text)
    minutes = (start + n * MINUTE for n in range((end - start) // MINUTE))
    return [at for at in minutes if is_due(asked, zone, at)]


def asked_between(text: str, start: datetime, end: datetime) -> Counter[datetime]:
    """The wall-clock times from `start` on that an ordinary day would run at."""
    minutes = (start + n * MINUTE for n in range((end - start) // MINUTE))
    return Counter(wall for wall in minutes if reference.asks_for(text, wall))


@settings(max_examples=150)
@given(any_texts, any_changes)
def test_a_findings_runs_are_those_of_the_daemon_and_what_is_skipped_has_none(
    text: str, change: Change
) -> None:
    found = finding(expression(text), change)
    if found is None:
        return
    length = change.end - change.start
    forward = change.kind == "forward"
    start, end = (
        (change.at, change.at + MINUTE) if forward else (change.at - length, change.at + length)
    )
    assert list(found.runs) == due_between(text, change.zone, start, end)
    seen = Counter(shown(change.zone, at) for at in found.runs)
    asked = asked_between(text, change.start, change.end)
    assert all(seen[wall] == (0 if forward else 1) for wall in found.skipped)
    assert set(asked) >= set(found.skipped)
    assert forward or all(seen[wall] == 2 for wall in set(asked) - set(found.skipped))


@settings(max_examples=150)
@given(any_texts, any_changes)
def test_silence_is_true(text: str, change: Change) -> None:
    """No finding: what runs around the change is what the wall clock alone would suggest.

    Or, when it goes forward, what the old time would have suggested: an hourly job in step.
    """
    if finding(expression(text), change) is not None:
        return
    zone, length = change.zone, change.end - change.start
    start, end = change.at - length - 3 * HOUR, change.at + length + 3 * HOUR
    runs = due_between(text, zone, start, end)
    suggested = asked_between(text, shown(zone, start), shown(zone, end))
    if not asked_between(text, change.start, change.end):
        assert Counter(shown(zone, at) for at in runs) == suggested
        return
    assert (change.kind, expression(text).every_hour) == ("forward", True)
    rhythm = max(length, HOUR)
    after = change.at + rhythm
    in_step = asked_between(text, change.start, change.start + rhythm)
    assert [at for at in runs if change.at <= at < after] == [
        change.at + (wall - change.start) for wall in in_step
    ]
    later = asked_between(text, shown(zone, after), shown(zone, end))
    assert [shown(zone, at) for at in runs if at >= after] == list(later)


# --- entries -------------------------------------------------------------------------------------


def entry(job: str, text: str, zone: str) -> Entry:
    return Entry(job, expressions.parse(text), text, ZoneInfo(zone), "x")


def test_an_audit_is_in_the_order_of_time_and_counts_what_it_looked_at() -> None:
    found = audit(
        [
            entry("berlin", "30 2 * * *", "Europe/Berlin"),
            entry("noon", "0 12 * * *", "Europe/Berlin"),
            entry("york", "30 2 * * *", "America/New_York"),
            entry("tokyo", "30 2 * * *", "Asia/Tokyo"),
            entry("again", "30 2 * * *", "Europe/Berlin"),
        ],
        2027,
    )
    assert [(each.job, f"{one.change.at:%m-%d}") for each, one in found.found] == [
        ("york", "03-14"),  # in autumn New York's 02:30 is an ordinary one
        ("berlin", "03-28"),
        ("again", "03-28"),
        ("berlin", "10-31"),
        ("again", "10-31"),
    ]
    assert (found.year, found.touched, found.entries) == (2027, 3, 5)
    assert (found.changing_zones, found.zones) == (2, 3)


@pytest.mark.parametrize("text", ["@every 90m", "@every 1d", "@reboot"])
def test_what_follows_no_wall_clock_is_not_touched(text: str) -> None:
    found = audit([entry("a", text, "Europe/Berlin")], 2027)
    assert (found.found, found.touched, found.entries, found.zones) == ((), 0, 1, 1)


def test_zones_that_change_at_one_instant_stay_apart() -> None:
    names = ("Europe/Berlin", "Europe/Paris", "Europe/Berlin", "Europe/Paris")
    found = audit([entry(str(n), "30 2 * * *", name) for n, name in enumerate(names)], 2027)
    assert [each.job for each, _ in found.found] == ["0", "2", "1", "3", "0", "2", "1", "3"]


def test_entries_of_one_schedule_and_zone_are_looked_at_once() -> None:
    found = audit([entry(str(n), "30 2 * * *", "Europe/Berlin") for n in range(3)], 2027)
    once: set[int] = {id(one) for _, one in found.found}
    assert len(once) == 2
    assert all(isinstance(one, ChangeEffect) for _, one in found.found)


def test_nothing_is_found_where_there_is_nothing() -> None:
    found = audit([], 2027)
    assert (found.found, found.touched, found.entries, found.zones) == ((), 0, 0, 0)


def test_a_change_on_a_day_off_does_nothing_to_an_entry() -> None:
    """Both changes of Berlin's clock are on a Sunday."""
    line = b"0 2 * * * a\nCRON_EXCEPT=sun 0 2 * * * b\nCRON_ONLY=sun 0 2 * * * c\n"
    table = parser.parse(line, file="f", zone=ZoneInfo("Europe/Berlin"))
    found = audit(table.entries, 2027).found
    assert [entry.command for entry, _ in found] == ["a", "c", "a", "c"]
