"""Days on which an entry does not run, against brute force: over ten years, in odd zones."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import day_reference
import pytest
import reference
from day_reference import Written
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.crontab import parser
from scheduler.day_rules import Calendar, calendar_of
from scheduler.entry import Entry, Every, Expression
from scheduler.schedule import counting, day_words, days
from scheduler.schedule.dst import is_due
from scheduler.schedule.search import following, preceding
from scheduler.schedule.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
START = datetime(2027, 3, 1, tzinfo=UTC)
TEN_YEARS = (date(2024, 1, 1), date(2033, 12, 31))
ZONES = (  # on both sides of the date line, and with halves and quarters of an hour
    *("Pacific/Kiritimati", "Pacific/Pago_Pago", "Asia/Kolkata", "Europe/Berlin"),
    *("America/St_Johns", "Australia/Lord_Howe", "America/Nuuk", "Pacific/Chatham"),
)
RANDOMS = st.integers(0, 2**32).map(Random)


def calendars(source: str) -> Calendar:
    return calendar_of(source, day_reference.holidays(source.partition(":")[2]))


def entry_of(schedule: str, rules: Written, zone: str = "UTC") -> Entry:
    text = f"CRON_TZ={zone} {rules.assignments()} {schedule} x\n"
    read = parser.parse(text.encode(), file="t", zone=ZoneInfo(zone), calendars=calendars)
    assert not [each for each in read.problems if each.severity == "error"], read.problems
    return read.entries[0]


def expression_of(entry: Entry) -> Expression:
    assert isinstance(entry.schedule, Expression)
    return entry.schedule


def ends(zone: ZoneInfo) -> tuple[datetime, datetime]:
    first, last = TEN_YEARS
    start = datetime.combine(first, datetime.min.time(), zone)
    return start.astimezone(UTC), (start + (last - first + DAY)).astimezone(UTC)


@given(RANDOMS)
@settings(max_examples=20, deadline=None)
def test_over_ten_years_it_runs_on_the_days_that_brute_force_finds(random: Random) -> None:
    """Forwards, backwards, counted, and what is left out as well."""
    rules, zone = day_reference.random_days(random, 2029), random.choice(ZONES)
    fields = reference.random_text(random, every_day=random.random() < 0.5).split()
    schedule = " ".join(("30", "7", *fields[2:]))  # at which no clock here is changed
    kept, left_out = day_reference.on_days(schedule, rules, *TEN_YEARS)
    entry = entry_of(schedule, rules, zone)
    asked, (start, end) = expression_of(entry), ends(entry.zone)
    found = [each.at for each in coming(asked, entry.zone, start, end)]
    assert [at.astimezone(entry.zone).date() for at in found] == sorted(kept)
    back = takewhile(lambda at: at >= start, preceding(asked, entry.zone, end))
    assert list(back) == found[::-1]
    if found:
        assert counting.number(entry, found[0], found[-1]) == len(found)
        nth = random.randint(1, len(found))
        assert counting.nth_last(entry, found[0], found[-1], nth) == found[-nth]
    other = days.left_out(entry)
    away = [] if other is None else coming(expression_of(other), entry.zone, start, end)
    assert [each.at.astimezone(entry.zone).date() for each in away] == sorted(left_out)


def coming(asked: Expression, zone: ZoneInfo, start: datetime, end: datetime) -> Iterator:  # type: ignore[type-arg]
    return takewhile(lambda each: each.at < end, following(asked, zone, start - MINUTE))


@given(RANDOMS, reference.changes(), st.sampled_from((True, False)))
@settings(max_examples=60, deadline=None)
def test_at_a_clock_change_it_runs_in_the_minutes_that_brute_force_finds(
    random: Random, change: tuple[ZoneInfo, datetime], every_day: bool
) -> None:
    """Gaps and overlaps, also across midnight: the day is the one that the schedule names."""
    zone, at = change
    schedule = reference.random_text(random, every_day=every_day)
    rules = day_reference.random_days(random, at.year)
    start, minutes = at - 2 * DAY, 4 * 1440
    around = (at.date() - 5 * DAY, at.date() + 5 * DAY)
    kept, left_out = day_reference.on_days(schedule, rules, *around)
    entry = entry_of(schedule, rules, zone.key)
    asked, table = expression_of(entry), Timetable((entry,), {})
    shown = reference.walk(zone, start, minutes)
    expected = [each.at for each in shown if day_reference.is_due(schedule, each, kept)]
    assert [each.at for each in shown if is_due(asked, zone, each.at)] == expected
    assert [each.at for each in shown if table.due(each.at)] == expected
    away = {each.at for each in shown if day_reference.is_due(schedule, each, left_out)}
    taken = [each.at for each in shown if table.excluded(each.at)]
    assert taken == sorted(away - set(expected))


@given(RANDOMS)
@settings(max_examples=40, deadline=None)
def test_an_interval_keeps_its_step_and_leaves_out_whole_days(random: Random) -> None:
    """Also where clocks change at midnight, and a date is shown in two pieces (St John's, 2011)."""
    zone, at = random.choice(
        [*((each, found[0]) for each, found in reference.CHANGES.items()), ST_JOHNS]
    )
    rules = day_reference.random_days(random, at.year)
    minutes = random.choice((7, 60, 90, 1440, 2000))
    step = minutes * MINUTE
    entry = entry_of(f"@every {minutes}m", rules, zone)
    anchor = at - 9 * DAY + random.randint(0, 5000) * MINUTE
    last = at + 12 * DAY
    table = Timetable((entry,), {entry.job: anchor})
    grid = [anchor + n * step for n in range(1, (last - anchor) // step)]
    alive = [each for each in grid if day_reference.is_alive(rules, _date(each, zone))]
    due = [each for each in alive if not day_reference.is_taken_away(rules, _date(each, zone))]
    assert [each for each in grid if table.due(each)] == due
    away = sorted(set(alive) - set(due))
    assert [each for each in grid if table.excluded(each)] == away
    assert isinstance(entry.schedule, Every)
    at_last = due[-1] if due else grid[-1]
    for after in (anchor, *random.sample(grid, min(20, len(grid)))):
        expected = next((each for each in due if each > after), None)
        found = table.next_instant(entry, after)
        assert found == expected or (expected is None and (found is None or found > at_last))
        earlier = [each for each in due if each < after]
        assert table.last_instant(entry, after) == (earlier[-1] if earlier else None)
    if due:
        assert counting.number(entry, due[0], due[-1]) == len(due)
        nth = random.randint(1, len(due))
        assert counting.nth_last(entry, due[0], due[-1], nth) == due[-nth]


ST_JOHNS = ("America/St_Johns", datetime(2010, 11, 7, 2, 31, tzinfo=UTC))  # at 00:01


def _date(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


MOVED = [
    # schedule, settings, from, what it runs on, reason
    ("0 9 1 * *", Written("sat,sun", move="next"), "2027-05-01", "Mon 2027-05-03", "over a weekend"),
    ("0 9 1 * *", Written("sat,sun", move="previous"), "2027-04-15", "Fri 2027-04-30", "into the month before"),
    ("0 9 31 1 *", Written("sat,sun", move="next"), "2027-01-30", "Mon 2027-02-01", "into a month that the fields do not name"),
    ("0 9 * * *", Written("12-24..01-01", move="next"), "2027-12-24", "Sun 2028-01-02", "many days are one run"),
    ("0 9 1 * *", Written(only="wed", move="next"), "2027-05-01", "Wed 2027-05-05", "to a day of CRON_ONLY"),
    ("0 9 * * *", Written("sat,sun", "workday#1"), "2027-05-01", "Mon 2027-05-03", "the first working day"),
    ("0 9 * * *", Written("sat,sun", "workdayL"), "2027-10-02", "Fri 2027-10-29", "the last"),
    ("0 9 * * *", Written("sat,sun,holidays:DE-BY", "workday#1"), "2027-01-01", "Mon 2027-01-04", "after New Year's Day"),
    ("0 9 * * *", Written(only="fri#2"), "2027-10-01", "Fri 2027-10-08", "the second Friday"),
    ("0 9 * * *", Written(only="02-29"), "2027-01-01", "Tue 2028-02-29", "a leap day alone"),
]  # fmt: skip


@pytest.mark.parametrize(("schedule", "rules", "since", "day", "reason"), MOVED)
def test_an_excluded_day_goes_where_it_is_told(
    schedule: str, rules: Written, since: str, day: str, reason: str
) -> None:
    entry = entry_of(schedule, rules, "Europe/Berlin")
    start = datetime.fromisoformat(since).replace(tzinfo=entry.zone)
    found = next(following(expression_of(entry), entry.zone, start))
    assert f"{found.at.astimezone(entry.zone):%a %Y-%m-%d}" == day, reason


def test_a_run_in_the_gap_at_midnight_is_one_of_the_day_before() -> None:
    """Nuuk, 2027: Saturday 23:00 is followed by Sunday 00:00."""
    gap = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
    for excepted, is_run in (("sun", True), ("sat", False)):
        entry = entry_of("30 23 * * *", Written(excepted), "America/Nuuk")
        table = Timetable((entry,), {})
        assert bool(table.due(gap)) is is_run, excepted
        assert bool(table.excluded(gap)) is not is_run, excepted


def test_without_day_rules_a_timetable_has_nothing_excluded() -> None:
    entry = entry_of("* * * * *", Written(since="2027-01-01"))
    table = Timetable((entry,), {})
    assert not days.has_days_off(entry)
    assert table.excluded(datetime(2026, 1, 1, tzinfo=UTC)) == []


LAST_DAYS = """
CRON_EXCEPT=12-31 CRON_EXCEPT_MOVE=next 0 9 31 12 * x
CRON_EXCEPT=12-31 @every 1d y
CRON_UNTIL=2027-03-05 @every 2d z
"""


def test_where_the_calendar_ends_nothing_is_moved_or_searched() -> None:
    moved, interval, over = parser.parse(LAST_DAYS.encode(), file="t", zone=ZoneInfo("UTC")).entries
    rules = moved.schedule.day_rules
    assert rules is not None
    assert days.target(rules, date.max) is None
    assert days.target(replace(rules, until=date(2027, 12, 31)), date(2027, 12, 31)) is None
    assert days.target(rules, date(2027, 12, 31)) == date(2028, 1, 1)
    table = Timetable((interval, over), dict.fromkeys((interval.job, over.job), START))
    assert table.next_instant(interval, datetime(9999, 12, 30, tzinfo=UTC)) is None
    assert table.next_instant(over, START + DAY * 30) is None
    assert table.last_instant(over, START + DAY * 30) == datetime(2027, 3, 5, tzinfo=UTC)


def test_of_a_day_that_nothing_takes_away_there_is_nothing_to_say() -> None:
    (entry,) = parser.parse(
        b"CRON_EXCEPT=12-31 0 9 * * * x\n", file="t", zone=ZoneInfo("UTC")
    ).entries
    assert entry.schedule.day_rules is not None
    assert day_words.why_not(entry.schedule.day_rules, date(2027, 5, 1), UTC) == ""


@pytest.mark.parametrize(
    ("zone", "day", "said"),
    [
        ("Pacific/Apia", "2011-12-29", ", a date that Pacific/Apia never had: it is not run"),
        ("Pacific/Fakaofo", "2011-12-29", ", a date that Pacific/Fakaofo never had: it is not run"),
        ("Pacific/Apia", "2011-12-28", ""),  # the date after it was there
        ("Europe/Berlin", "2011-12-29", ""),
        ("Africa/Cairo", "2023-04-27", ""),  # its midnight was not, and the rest of the date was
        ("Etc/GMT+12", "9999-12-30", ""),  # where the calendar ends
    ],
)
def test_a_run_that_is_moved_to_a_date_that_never_was_is_told(
    zone: str, day: str, said: str
) -> None:
    """Samoa went over the date line at the end of 29 December 2011: the 31st came next."""
    line = f"CRON_EXCEPT={day} CRON_EXCEPT_MOVE=next 0 0,12 * * * x\n"
    (entry,) = parser.parse(line.encode(), file="t", zone=ZoneInfo(zone)).entries
    assert entry.schedule.day_rules is not None
    why = day_words.why_not(entry.schedule.day_rules, date.fromisoformat(day), entry.zone)
    assert why.endswith(f"(CRON_EXCEPT_MOVE){said}")
    if said:
        gone = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=entry.zone)
        coming = Timetable((entry,), {}).next_instant(entry, gone - DAY)
        assert coming is not None
        assert coming.astimezone(entry.zone).isoformat()[:10] == "2011-12-31"  # its own


def test_where_there_is_no_folder_a_calendar_is_refused() -> None:
    read = parser.parse(b"CRON_EXCEPT=holidays:DE 0 9 * * * x\n", file="t", zone=ZoneInfo("UTC"))
    assert [each.code for each in read.problems] == ["no-calendar"]
