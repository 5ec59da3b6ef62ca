"""CRON_EXCEPT and CRON_ONLY: which days each form names, and what is refused and where."""

from __future__ import annotations

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.crontab import day_values, parser
from scheduler.crontab.calendar_lines import FIRST_DATE, LAST_DATE, MOST_LINES, read
from scheduler.day_rules import Calendar, calendar_of
from scheduler.errors import BadValue
from scheduler.schedule.days import has

GOOD = [
    # text, dates that it names, dates that it does not, reason
    ("2027-12-24", "2027-12-24", "2026-12-24 2027-12-25", "a date"),
    ("2027-12-24..2027-12-31", "2027-12-24 2027-12-31", "2027-12-23 2028-01-01", "both ends included"),
    ("12-24", "2027-12-24 1999-12-24", "2027-12-25", "of every year"),
    ("12-24..01-06", "2027-12-24 2028-01-06 2027-01-01", "2027-12-23 2027-01-07", "over New Year"),
    ("03-01..03-31", "2027-03-31", "2027-04-01", "within a year"),
    ("02-29", "2028-02-29", "2027-03-01 2027-02-28", "in leap years alone"),
    ("sat,sun", "2027-05-01 2027-05-02", "2027-05-03", "days of the week"),
    ("Sat, SUN", "2027-05-01 2027-05-02", "2027-05-03", "in any case, with a blank"),
    ("mon-fri", "2027-05-03 2027-05-07", "2027-05-01 2027-05-08", "a range of them"),
    ("fri-sun", "2027-05-02", "2027-05-03", "one that ends on Sunday"),
    ("fri#2", "2027-10-08", "2027-10-01 2027-10-15", "the second Friday"),
    ("friL", "2027-10-29", "2027-10-22", "the last"),
    ("sat,2027-05-03,12-24", "2027-05-01 2027-05-03 2027-12-24", "2027-05-04", "several forms"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "named", "others", "reason"), GOOD, ids=[row[0] for row in GOOD])
def test_a_value_names_its_days(text: str, named: str, others: str, reason: str) -> None:
    for value in (day_values.excepted(text), day_values.only(text)):
        assert all(has(value, date.fromisoformat(day)) for day in named.split()), reason
        assert not any(has(value, date.fromisoformat(day)) for day in others.split()), reason


BAD = [
    # text, code, offset, a part of the hint, reason
    ("saturday", "bad-day", 0, "did you mean sat?", "weekdays have three letters"),
    ("sat sun", "bad-day", 0, "a comma", "blanks part nothing"),
    ("sat,,sun", "empty-item", 4, "comma", "nothing between two commas"),
    ("sat,", "empty-item", 4, "comma", "nothing behind the last"),
    ("6", "bad-date", 0, "2027-03-28", "a number is no day"),
    ("2027-13-01", "bad-date", 0, "", "no such month"),
    ("sat, 2027-12-24..2027-12-01", "bad-date", 5, "", "ends before it starts"),
    ("2027-12-24..12-31", "bad-date", 12, "", "one end has a year"),
    ("13-01", "bad-date", 0, "12-24", "no such month"),
    ("02-30", "bad-date", 0, "12-24", "no such day in any year"),
    ("24.12.", "bad-date", 0, "", "another land's way to write it"),
    ("fri#6", "out-of-range", 0, "", "no month has six Fridays"),
    ("sun-mon-tue", "bad-day", 0, "", "no range"),
    ("12/24", "bad-date", 0, "12-24 for every year", "a date of another land, and no file's path"),
    ("sat,12/24/2027", "bad-date", 4, "2027-12-24", "with its year"),
    ("sat,https://x/y.ics", "bad-day", 4, "let a job download it", "an address"),
    ("holidays:", "unknown-holidays", 0, "such as holidays:DE-BY", "no country"),
    ("holiday", "bad-day", 0, "holidays:", "misspelt"),
    ("easter", "bad-day", 0, "holidays:DE-BY", "what there is"),
    ("workday", "bad-day", 0, "write workday#1 for the first", "which one of them"),
]


@pytest.mark.parametrize(
    ("text", "code", "offset", "hint", "reason"), BAD, ids=[row[0] for row in BAD]
)
def test_a_bad_day_is_refused_at_its_place(
    text: str, code: str, offset: int, hint: str, reason: str
) -> None:
    for read_one in (day_values.excepted, day_values.only):
        with pytest.raises(BadValue) as caught:
            read_one(text)
        found = caught.value
        assert (found.offset, hint in found.hint) == (offset, True), (reason, found.hint)
        assert found.code == code, reason


CONTRADICTIONS = [
    # in front of the schedule, a part of what is said, reason
    ("CRON_FROM=2027-02-01 CRON_UNTIL=2027-01-31", "is before CRON_FROM", "it would never run"),
    ("CRON_ONLY=workday#1", "there is none", "nobody says which days are none"),
    ("CRON_EXCEPT=sat,workday#1", "a working day is one that is not excepted", "it goes in a circle"),
    ("CRON_EXCEPT=sat CRON_ONLY=workday#32", "no month has", "a month ends before"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "reason"), CONTRADICTIONS)
def test_what_contradicts_itself_refuses_its_entry(text: str, said: str, reason: str) -> None:
    table = parser.parse(f"{text} 0 9 * * * x\n".encode(), file="f", zone=ZoneInfo("UTC"))
    assert table.entries == (), reason
    assert any(said in problem.message for problem in table.problems), table.problems


MOVES_NOTHING = [
    # line, whether it is warned about, reason
    ("CRON_EXCEPT_MOVE=next 0 9 * * * x", True, "no day is taken away"),
    ("CRON_EXCEPT_MOVE=next CRON_UNTIL=2090-01-01 0 9 * * * x", True, "nor by an end"),
    ("CRON_EXCEPT_MOVE=next CRON_EXCEPT=sat @every 9h x", True, "an interval has no time of day"),
    ("CRON_EXCEPT_MOVE=next CRON_EXCEPT=sat @reboot x", True, "nor has a boot"),
    ("CRON_EXCEPT_MOVE=next CRON_EXCEPT=sat 0 9 * * * x", False, "as it should be"),
    ("CRON_EXCEPT_MOVE=next CRON_ONLY=sat 0 9 * * * x", False, "so is this"),
]


@pytest.mark.parametrize(("line", "is_warned", "reason"), MOVES_NOTHING)
def test_a_move_that_moves_nothing_is_warned_about(line: str, is_warned: bool, reason: str) -> None:
    table = parser.parse(f"{line}\n".encode(), file="f", zone=ZoneInfo("UTC"))
    assert len(table.entries) == 1, table.problems
    assert ([each.code for each in table.problems] == ["moves-nothing"]) is is_warned, reason


def test_equal_rules_are_one_object() -> None:
    text = b"CRON_EXCEPT=sat,sun\n0 9 * * * a\n0 9 * * * b\nCRON_EXCEPT=sat,sun 0 9 * * * c\n"
    one, two, three = parser.parse(text, file="f", zone=ZoneInfo("UTC")).entries
    assert one.schedule is two.schedule is three.schedule


def test_without_a_value_a_setting_of_days_has_its_default_again() -> None:
    text = b"CRON_EXCEPT=sat\n0 9 * * * a\nCRON_EXCEPT=\n0 9 * * * b\n"
    one, two = parser.parse(text, file="f", zone=ZoneInfo("UTC")).entries
    assert one.schedule.day_rules is not None
    assert two.schedule.day_rules is None


# --- calendar files ------------------------------------------------------------------------------

FILE = b"""\xef\xbb\xbf# the office is closed

2027-05-14 Bridge day   # after Ascension Day
2027-12-24..2027-12-31\r
  06-24 Midsummer
02-29
"""


def test_a_file_of_dates_has_a_date_or_a_range_a_line() -> None:
    found = read(FILE, "off.txt")
    assert {date(2027, 5, 14), date(2027, 12, 24), date(2027, 12, 31)} <= found
    assert {date(year, 6, 24) for year in range(1970, 2101)} <= found
    assert {each.year for each in found if (each.month, each.day) == (2, 29)} == {
        *range(1972, 2097, 4)
    }
    assert date(2027, 5, 15) not in found


BAD_FILES = [
    # bytes, where, reason
    (b"2027-01-01\n  2027-02-30 x\n", "f:2:3", "no such day"),
    (b"New Year\n", "f:1:1", "no date"),
    (b"2027-01-01\nab\xff\n", "f:2:3", "no text"),
    (b"2027-12-24..2027-12-01\n", "f:1:1", "ends before it starts"),
    (b"2027-12-24..2027-12\n", "f:1:13", "its second end is no date"),
    (b"1969-12-31\n", "f:1:1", "before all that is known"),
    (b"0001-01-01..9999-12-31\n", "f:1:1", "all that there is"),
]


@pytest.mark.parametrize(("data", "place", "reason"), BAD_FILES)
def test_a_bad_line_of_a_calendar_file_says_where(data: bytes, place: str, reason: str) -> None:
    with pytest.raises(BadValue, match=place) as caught:
        read(data, "f")
    assert str(caught.value).startswith(f"{place}: "), reason


def test_a_calendar_has_its_dates_and_no_others() -> None:
    dates = {date(1999, 12, 31), date(2027, 1, 1), date(2028, 2, 29)}
    calendar = calendar_of("x", dates)
    days = [date.fromordinal(n) for n in range(date(1998, 1, 1).toordinal(), 740_800)]
    assert {day for day in days if calendar.has(day)} == dates
    assert [calendar.has_after(day) for day in (date(1990, 1, 1), date(2028, 2, 28))] == [True] * 2
    assert [calendar.has_after(day) for day in (date(2028, 2, 29), date(2050, 1, 1))] == [False] * 2
    assert not Calendar("empty").has_after(date(2027, 1, 1))


DAYS = st.dates(FIRST_DATE, LAST_DATE)
LINES = st.one_of(
    st.tuples(DAYS, DAYS).map(lambda ends: f"{min(ends)}..{max(ends)}"),
    st.tuples(DAYS, DAYS).map(lambda ends: f"{ends[0]:%m-%d}..{ends[1]:%m-%d}"),
    DAYS.map(str),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(LINES, max_size=4))
def test_a_file_has_the_days_that_brute_force_finds(lines: list[str]) -> None:
    sets = [day_values.dates(each) for each in lines]
    every = (FIRST_DATE + n * timedelta(days=1) for n in range(MOST_LINES))
    expected = {day for day in every if any(has(each, day) for each in sets)}
    assert read("\n".join(lines).encode(), "f") == expected


@pytest.mark.parametrize("line", ["1970-01-01..2100-12-31\n", "01-01..12-31\n", "12-25..12-24\n"])
def test_lines_that_overlap_cost_no_more_than_others(line: str) -> None:
    """Each by itself names every day: a quarter of an hour, if each were looked at for each."""
    assert len(read(line.encode() * MOST_LINES, "f")) == MOST_LINES


def test_a_file_has_at_most_a_line_for_each_day() -> None:
    text = b"# head\n\n" + b"2027-05-06 # May\n" * (MOST_LINES + 1)
    with pytest.raises(BadValue) as caught:
        read(text, "f")
    assert caught.value.code == "bad-calendar"
    said = f"f:{MOST_LINES + 3}:1: more lines than days from 1970-01-01 to 2100-12-31"
    assert caught.value.message == said
