"""The bytes of a calendar file in, its dates out: a date, or a range of them, a line.

What stands behind a date is its name, `#` begins a comment. `12-24` is every year's.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from scheduler.crontab import day_values
from scheduler.errors import BadValue
from scheduler.schedule.days import has
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.day_rules import DaySet

FIRST_DATE, LAST_DATE = (
    date(1970, 1, 1),
    date(2100, 12, 31),
)  # as of an audit: far ahead all is a guess

_DAY = timedelta(days=1)


def read(data: bytes, file: str) -> frozenset[date]:
    """Return the dates of a file; BadValue, with the place in its sentence, for a bad line."""
    found: set[date] = set()
    yearly: list[DaySet] = []
    for number, line in enumerate(_text(data, file).splitlines(), 1):
        words = line.partition("#")[0].split(None, 1)
        if not words:
            continue
        column = line.index(words[0]) + 1
        try:
            days = _days(words[0])
        except BadValue as bad:
            place = f"{file}:{number}:{column + bad.offset}"
            raise BadValue(bad.code, f"{place}: {bad.message}", hint=bad.hint) from bad
        if days.yearly:
            yearly.append(days)
        for first, last in days.ranges:
            found.update(_between(first, last))
    if yearly:
        found.update(
            day for day in _between(FIRST_DATE, LAST_DATE) if any(has(each, day) for each in yearly)
        )
    return frozenset(found)


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


def _between(first: date, last: date) -> Iterator[date]:
    for n in range((last - first).days + 1):
        yield first + n * _DAY
