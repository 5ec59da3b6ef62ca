"""The bytes of a calendar file in, its dates out: a date, or a range of them, a line.

What stands behind a date is its name, `#` begins a comment. `12-24` is every year's.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from scheduler.crontab import day_values
from scheduler.errors import BadValue
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.day_rules import DaySet, MonthDay

FIRST_DATE, LAST_DATE = (
    date(1970, 1, 1),
    date(2100, 12, 31),
)  # as of an audit: far ahead all is a guess

_DAY = timedelta(days=1)
MOST_LINES = (LAST_DATE - FIRST_DATE).days + 1
_LEAP_YEAR = 2024

_Range = tuple[date, date]  # both ends included


def read(data: bytes, file: str) -> frozenset[date]:
    """Return the dates of a file; BadValue, with the place in its sentence, for a bad line."""
    ranges: list[_Range] = []
    yearly: list[_Range] = []
    lines = enumerate(_text(data, file).splitlines(), 1)
    named = ((number, line, line.partition("#")[0].split(None, 1)) for number, line in lines)
    for count, (number, line, words) in enumerate((each for each in named if each[2]), 1):
        place = f"{file}:{number}:{line.index(words[0]) + 1}"
        if count > MOST_LINES:
            message = f"{place}: more lines than days from {FIRST_DATE} to {LAST_DATE}"
            raise BadValue("bad-calendar", message, hint="write 2027-12-24..2027-12-31 for a range")
        try:
            days = _days(words[0])
        except BadValue as bad:
            place = f"{file}:{number}:{line.index(words[0]) + 1 + bad.offset}"
            raise BadValue(bad.code, f"{place}: {bad.message}", hint=bad.hint) from bad
        ranges += days.ranges
        yearly += (each for ends in days.yearly for each in _in_leap_year(*ends))
    if found := {(day.month, day.day) for day in _days_of(yearly)}:
        every = _days_of([(FIRST_DATE, LAST_DATE)])
        return frozenset(_days_of(ranges)) | {d for d in every if (d.month, d.day) in found}
    return frozenset(_days_of(ranges))


def _in_leap_year(first: MonthDay, last: MonthDay) -> tuple[_Range, ...]:
    """Return a range of every year as one of a leap year; two where it goes over New Year."""
    begin, end = date(_LEAP_YEAR, *first), date(_LEAP_YEAR, *last)
    if begin <= end:
        return ((begin, end),)
    return ((begin, date(_LEAP_YEAR, 12, 31)), (date(_LEAP_YEAR, 1, 1), end))


def _days_of(ranges: Iterable[_Range]) -> Iterator[date]:
    """Yield the days of ranges, each once, however the ranges overlap."""
    reached = date.min
    for first, last in sorted(ranges):
        begin = max(first, reached + _DAY)
        for n in range((last - begin).days + 1):
            yield begin + n * _DAY
        reached = max(reached, last)


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        place = f"{file}:{number}:{column}"
        raise BadValue("bad-date", f"{place}: this is no text", hint="a date a line") from error


def _days(word: str) -> DaySet:
    found = day_values.dates(word)
    for first, last in found.ranges:
        if first < FIRST_DATE or last > LAST_DATE:
            message = f"{shortened(word)} is not between {FIRST_DATE} and {LAST_DATE}"
            raise BadValue("bad-date", message)
    return found
