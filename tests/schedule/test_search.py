"""When an expression is due, above all where a zone's clock changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise, takewhile
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import reference
from clock_changes import CASES, NOTES, Case
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st
from schedules import MINUTE, UTC_ZONE, comes, due, expression

from scheduler.schedule.dst import is_due
from scheduler.schedule.search import Instant, following, preceding

if TYPE_CHECKING:
    from scheduler.entry import Expression

HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")


def is_the_same_in_croniter(text: str) -> bool:
    """Say whether it has no day field that names every value without a star: a star to croniter."""
    asked = expression(text)
    _, _, days, _, weekdays = text.split()
    return (len(asked.days) < 31 or days[0] == "*") and (
        len(asked.weekdays) < 7 or weekdays[0] == "*"
    )


EXPRESSIONS = reference.expressions().filter(comes)
TIMES = reference.expressions(every_day=True)
PLAIN = reference.expressions(special=False).filter(comes).filter(is_the_same_in_croniter)


def coming(asked: Expression, zone: ZoneInfo, start: datetime, end: datetime) -> list[Instant]:
    """Return what `following` finds in [start, end)."""
    return list(takewhile(lambda each: each.at < end, following(asked, zone, start - MINUTE)))


def instants(found: list[Instant]) -> list[datetime]:
    return [each.at for each in found]


def dates(text: str, year: int, count: int) -> str:
    found = following(expression(text), UTC_ZONE, datetime(year, 1, 1, tzinfo=UTC) - MINUTE)
    return " ".join(f"{each.at:%Y-%m-%d}" for each in islice(found, count))


# --- clock changes -------------------------------------------------------------------------------


def rows(rule: str, direction: str) -> pytest.MarkDecorator:
    """The cases of one row of the README's table of local clock changes, in one direction."""
    cases = [case for case in CASES if (case.rule, case.direction) == (rule, direction)]
    assert cases
    return pytest.mark.parametrize("case", cases, ids=str)


def holds(case: Case) -> None:
    asked = expression(case.text)
    found = due(asked, case.zone, case.start, case.end)
    assert " ".join(map(case.show, found)) == case.expected, case.why
    assert instants(coming(asked, case.zone, case.start, case.end)) == found


@rows("fixed times", "forward")
def test_fixed_times_in_spring(case: Case) -> None:
    holds(case)


@rows("fixed times", "back")
def test_fixed_times_in_autumn(case: Case) -> None:
    holds(case)


@rows("a star in the minute or hour field", "forward")
def test_a_star_in_the_minute_or_hour_field_in_spring(case: Case) -> None:
    holds(case)


@rows("a star in the minute or hour field", "back")
def test_a_star_in_the_minute_or_hour_field_in_autumn(case: Case) -> None:
    holds(case)


@rows("a lone star in the hour field", "forward")
def test_a_lone_star_in_the_hour_field_in_spring(case: Case) -> None:
    holds(case)


@rows("a lone star in the hour field", "back")
def test_a_lone_star_in_the_hour_field_in_autumn(case: Case) -> None:
    holds(case)


@rows("three hours or more", "forward")
def test_three_hours_or_more_in_spring(case: Case) -> None:
    holds(case)


@rows("three hours or more", "back")
def test_three_hours_or_more_in_autumn(case: Case) -> None:
    holds(case)


@pytest.mark.parametrize("case", [c for c in CASES if not c.text.startswith("@")], ids=str)
def test_the_brute_force_reference_agrees_with_the_table(case: Case) -> None:
    minutes = (case.end - case.start) // MINUTE
    found = reference.due_minutes(case.text, case.zone, case.start, minutes)
    assert " ".join(map(case.show, found)) == case.expected, case.why


@pytest.mark.parametrize(("name", "changed"), [(n, at) for n in reference.CHANGES for at in reference.CHANGES[n]])  # fmt: skip
def test_the_clock_changes_of_the_properties_are_real(name: str, changed: datetime) -> None:
    zone = ZoneInfo(name)
    offsets = {(changed + n * MINUTE).astimezone(zone).utcoffset() for n in (-1, 0)}
    assert len(offsets) == (1 if name == "UTC" else 2)


@settings(max_examples=150)
@given(EXPRESSIONS, reference.changes(), st.integers(-8, 3))
def test_random_expressions_are_due_when_brute_force_says_so(
    text: str, change: tuple[ZoneInfo, datetime], hours: int
) -> None:
    zone, changed = change
    start = changed + hours * HOUR
    asked = expression(text)
    found = due(asked, zone, start, start + 6 * HOUR)
    assert found == reference.due_minutes(text, zone, start, 6 * 60)


@settings(max_examples=100)
@given(TIMES, reference.changes())
def test_random_times_of_every_day_are_due_when_brute_force_says_so(
    text: str, change: tuple[ZoneInfo, datetime]
) -> None:
    zone, changed = change
    start = changed - 3 * HOUR
    found = due(expression(text), zone, start, start + 7 * HOUR)
    assert found == reference.due_minutes(text, zone, start, 7 * 60)


# --- the days ------------------------------------------------------------------------------------

DAYS = [  # expression, from, the first dates, why
    ("0 0 13 * 5", 2027, "2027-01-01 2027-01-08 2027-01-13 2027-01-15", "two plain day fields: either"),
    ("0 0 13 * *", 2027, "2027-01-13 2027-02-13 2027-03-13", "a weekday that starts with a star: both"),
    ("0 0 * * 5", 2027, "2027-01-01 2027-01-08 2027-01-15", "a day that starts with a star: both"),
    ("0 0 */2 * 1", 2027, "2027-01-11 2027-01-25 2027-02-01", "*/2 starts with one too: odd Mondays"),
    ("0 0 1-31/2 * 1", 2027, "2027-01-01 2027-01-03 2027-01-04", "the same days without it: either"),
    ("0 0 13 * */2", 2027, "2027-02-13 2027-03-13 2027-04-13", "*/2 in the weekdays: both"),
    ("0 0 1,* * 1", 2027, "2027-01-01 2027-01-02 2027-01-03", "a star that is not in front: either"),
    ("0 0 *,1 * 1", 2027, "2027-01-04 2027-01-11 2027-01-18", "one that is: both"),
    ("0 0 1-31 * 1", 2027, "2027-01-01 2027-01-02 2027-01-03", "every day without a star: either"),
    ("0 0 13 * 0-6", 2027, "2027-01-01 2027-01-02 2027-01-03", "every weekday without a star: either"),
    ("0 0 * * 7", 2027, "2027-01-03 2027-01-10 2027-01-17", "7 is Sunday"),
    ("0 0 * * 5-7", 2027, "2027-01-01 2027-01-02 2027-01-03 2027-01-08", "at the end of a range too"),
    ("0 0 L * *", 2027, "2027-01-31 2027-02-28 2027-03-31 2027-04-30", "the last day of each month"),
    ("0 0 L 2 *", 2026, "2026-02-28 2027-02-28 2028-02-29", "in a leap year as well"),
    ("0 0 15,L 2 *", 2027, "2027-02-15 2027-02-28 2028-02-15 2028-02-29", "beside a plain day"),
    ("0 0 L * 1", 2027, "2027-01-04 2027-01-11 2027-01-18 2027-01-25 2027-01-31", "or a weekday"),
    ("0 0 L * */7", 2027, "2027-01-31 2027-02-28 2027-10-31", "last days that are Sundays"),
    ("0 0 * * fri#2", 2027, "2027-01-08 2027-02-12 2027-03-12", "the second Friday"),
    ("0 0 * * fri#1", 2027, "2027-01-01 2027-02-05 2027-03-05", "the first may be the 1st"),
    ("0 0 * * fri#5", 2027, "2027-01-29 2027-04-30 2027-07-30", "not every month has a fifth"),
    ("0 0 * * friL", 2027, "2027-01-29 2027-02-26 2027-03-26", "every month has a last"),
    ("0 0 * * sunL", 2027, "2027-01-31 2027-02-28 2027-03-28", "which may be the last day"),
    ("0 0 * * L5", 2027, "2027-01-29 2027-02-26 2027-03-26", "written the other way"),
    ("0 0 * * mon,friL", 2027, "2027-01-04 2027-01-11 2027-01-18 2027-01-25 2027-01-29", "in a list"),
    ("0 0 13 * fri#2", 2027, "2027-01-08 2027-01-13 2027-02-12 2027-02-13", "either, as for plain weekdays"),
    ("0 0 */13 * fri#2", 2027, "2027-05-14 2028-01-14 2028-04-14", "both: the second Friday is a 14th"),
    ("0 0 29 2 *", 2027, "2028-02-29 2032-02-29 2036-02-29", "leap days"),
    ("0 0 29 2 *", 2097, "2104-02-29 2108-02-29", "2100 is not a leap year"),
    ("0 0 * 2 fri#5", 2027, "2036-02-29 2064-02-29", "a leap day that is a Friday"),
    ("0 0 29 2 */7", 2027, "2032-02-29 2060-02-29 2088-02-29 2128-02-29", "a Sunday, across 2100"),
    ("0 0 31 * *", 2027, "2027-01-31 2027-03-31 2027-05-31", "months without a 31st are skipped"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "year", "expected", "why"), DAYS)
def test_the_two_day_fields_name_these_dates(text: str, year: int, expected: str, why: str) -> None:
    assert dates(text, year, len(expected.split())) == expected, why


@pytest.mark.parametrize(("text", "year", "expected", "why"), DAYS)
def test_brute_force_names_the_same_dates(text: str, year: int, expected: str, why: str) -> None:
    found = islice(reference.dates(text, year), len(expected.split()))
    assert " ".join(map(str, found)) == expected, why


# --- the search ----------------------------------------------------------------------------------

moments = st.datetimes(datetime(2000, 1, 1), datetime(2037, 12, 1), timezones=st.just(UTC))


@settings(max_examples=60)
@given(EXPRESSIONS, reference.changes(), st.integers(-30, 5))
def test_the_search_finds_the_minutes_that_are_due_around_a_clock_change(
    text: str, change: tuple[ZoneInfo, datetime], hours: int
) -> None:
    zone, changed = change
    start = changed + hours * HOUR
    asked = expression(text)
    end = start + 12 * HOUR
    assert instants(coming(asked, zone, start, end)) == due(asked, zone, start, end)


@settings(max_examples=60)
@given(EXPRESSIONS, st.sampled_from(sorted(reference.CHANGES)), moments)
def test_the_search_finds_the_minutes_that_are_due_on_any_day(
    text: str, name: str, moment: datetime
) -> None:
    zone, asked = ZoneInfo(name), expression(text)
    first = next(following(asked, zone, moment)).at
    start, end = first - 6 * HOUR, first + 6 * HOUR
    assert instants(coming(asked, zone, start, end)) == due(asked, zone, start, end)


@settings(max_examples=100)
@given(EXPRESSIONS, st.sampled_from(sorted(reference.CHANGES)), moments)
def test_what_the_search_finds_is_later_in_order_and_due(
    text: str, name: str, moment: datetime
) -> None:
    zone, asked = ZoneInfo(name), expression(text)
    found = [moment, *(each.at for each in islice(following(asked, zone, moment), 8))]
    assert all(one < other for one, other in pairwise(found))
    assert all(is_due(asked, zone, at) and at == at.replace(second=0) for at in found[1:])


@settings(max_examples=60)
@given(EXPRESSIONS, reference.changes(), st.integers(-60, 60))
def test_the_search_goes_on_from_anywhere_as_if_it_had_begun_earlier(
    text: str, change: tuple[ZoneInfo, datetime], minutes: int
) -> None:
    zone, changed = change
    asked, later = expression(text), changed + minutes * MINUTE
    end = later + 2 * HOUR
    early = coming(asked, zone, changed - 2 * HOUR, end)
    assert [each for each in early if each.at > later] == coming(asked, zone, later + MINUTE, end)


@settings(max_examples=100)
@given(PLAIN, moments)
def test_the_search_and_croniters_agree_on_random_years(text: str, moment: datetime) -> None:
    other = croniter(text, moment, implement_cron_bug=True)  # its name for the rule of the star
    found = instants(list(islice(following(expression(text), UTC_ZONE, moment), 10)))
    assert found == [other.get_next(datetime) for _ in range(10)]


@settings(max_examples=60)
@given(PLAIN, moments)
def test_the_tick_and_croniters_search_agree_on_random_years(text: str, moment: datetime) -> None:
    other = croniter(text, moment, implement_cron_bug=True)
    start = other.get_next(datetime)
    end = start + 6 * HOUR
    found = [start, *takewhile(lambda at: at < end, iter(lambda: other.get_next(datetime), None))]
    assert due(expression(text), UTC_ZONE, start, end) == found


@settings(max_examples=100)
@given(EXPRESSIONS, reference.changes(), st.integers(-8, 20))
def test_the_search_backwards_finds_the_same_minutes_the_newest_first(
    text: str, change: tuple[ZoneInfo, datetime], hours: int
) -> None:
    zone, changed = change
    asked, end = expression(text), changed + hours * HOUR
    start = end - 12 * HOUR
    found = takewhile(lambda at: at >= start, preceding(asked, zone, end))
    assert list(found) == due(asked, zone, start, end)[::-1]


@settings(max_examples=60)
@given(EXPRESSIONS, st.sampled_from(sorted(reference.CHANGES)), moments)
def test_the_search_backwards_is_the_search_forwards_turned_round(
    text: str, name: str, moment: datetime
) -> None:
    zone, asked = ZoneInfo(name), expression(text)
    found = [each.at for each in islice(following(asked, zone, moment), 6)]
    back = preceding(asked, zone, found[-1] + timedelta(seconds=1))
    assert list(islice(back, 6)) == found[::-1]


def test_the_search_begins_after_the_moment_itself() -> None:
    asked = expression("0 12 * * *")
    noon = datetime(2027, 6, 1, 12, tzinfo=UTC)
    assert next(following(asked, UTC_ZONE, noon)).at == noon + 24 * HOUR
    assert next(following(asked, UTC_ZONE, noon - timedelta(microseconds=1))).at == noon
    assert next(following(asked, UTC_ZONE, noon + timedelta(seconds=59))).at == noon + 24 * HOUR


def test_the_search_takes_a_moment_in_any_zone_and_answers_in_utc() -> None:
    moment = datetime(2027, 6, 1, 12, tzinfo=NEW_YORK)
    found = next(following(expression("0 9 * * *"), BERLIN, moment)).at
    assert (found, found.tzinfo) == (datetime(2027, 6, 2, 7, tzinfo=UTC), UTC)


@pytest.mark.parametrize(
    "asked",
    [
        replace(expression("0 0 1 2 *"), days=frozenset({30})),
        replace(
            expression("0 0 1 2 *"), weekdays=frozenset(), nth_weekdays=frozenset({(1, 5)})
        ),  # no 1st is a fifth Monday
    ],
    ids=["no such date", "no such weekday"],
)
def test_the_search_ends_where_nothing_ever_comes(asked: Expression) -> None:
    assert list(following(asked, BERLIN, datetime(2027, 1, 1, tzinfo=UTC))) == []


LAST = [  # expression, zone, its last instant, why
    ("30 23 * * *", "UTC", "9999-12-31T23:30+00:00", "the last day of the calendar is one of it"),
    ("* * * * *", "UTC", "9999-12-31T23:59+00:00", "to its last minute"),
    ("30 23 * * *", "Asia/Tokyo", "9999-12-31T23:30+09:00", "east of UTC it is over earlier"),
    ("0 0 1 1 *", "Pacific/Kiritimati", "9999-01-01T00:00+14:00", "whatever is asked for"),
    ("30 18 * * *", "America/New_York", "9999-12-31T18:30-05:00", "west of it the calendar of UTC is what ends"),
    ("30 19 * * *", "America/New_York", "9999-12-30T19:30-05:00", "and with it the last evening"),
    ("30 23 L 12 */5", "UTC", "9999-12-31T23:30+00:00", "a Friday, as it happens"),
    ("0 0 29 2 *", "UTC", "9996-02-29T00:00+00:00", "the last leap day"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "name", "last", "why"), LAST)
def test_the_search_ends_with_the_calendar(text: str, name: str, last: str, why: str) -> None:
    at = datetime.fromisoformat(last)
    before = list(following(expression(text), ZoneInfo(name), at - 30 * HOUR))
    assert before[-1].at == at, why
    end = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    assert list(following(expression(text), ZoneInfo(name), end)) == []


# --- the notes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "name", "after", "note", "why"), NOTES)
def test_a_note_says_what_a_clock_change_did(
    text: str, name: str, after: str, note: str, why: str
) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next(following(expression(text), ZoneInfo(name), moment)).note == note, why
