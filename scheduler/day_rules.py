"""On which days an entry runs: what CRON_FROM, _UNTIL, _EXCEPT, _ONLY and _EXCEPT_MOVE come to.

All frozen, with no behaviour but a look-up. Days are dates of the wall clock in the entry's zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    MonthDay = tuple[int, int]

HOLIDAYS = "holidays:"  # what the source of a country's begins with

_LONGEST_MONTH = 31


class DayMove(StrEnum):
    """Where the instants of an excluded day go: to the nearest later or earlier day that runs."""

    NEXT = "next"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates of a file or of a country's holidays, in a few bytes a year.

    `source` is what the crontab calls it. Each year from `first_year` on is a number whose bits are
    its days; before and after these years it has no date.
    """

    source: str
    first_year: int = 0
    years: tuple[int, ...] = ()

    def has(self, day: date) -> bool:
        """Say whether a date is in it."""
        number = day.year - self.first_year
        return 0 <= number < len(self.years) and bool(self.years[number] >> _bit(day) & 1)

    def dates_in(self, year: int) -> int:
        """Return how many dates it has in a year."""
        number = year - self.first_year
        return self.years[number].bit_count() if 0 <= number < len(self.years) else 0

    def has_after(self, day: date) -> bool:
        """Say whether a date in it is still to come."""
        number = day.year - self.first_year
        if number < 0:
            return any(self.years)
        if number >= len(self.years):
            return False
        return bool(self.years[number] >> _bit(day) + 1) or any(self.years[number + 1 :])


def calendar_of(source: str, dates: Iterable[date]) -> Calendar:
    """Return the calendar of these dates."""
    years: dict[int, int] = {}
    for day in dates:
        years[day.year] = years.get(day.year, 0) | 1 << _bit(day)
    if not years:
        return Calendar(source)
    first, last = min(years), max(years)
    return Calendar(source, first, tuple(years.get(year, 0) for year in range(first, last + 1)))


def _bit(day: date) -> int:
    return (day.month - 1) * _LONGEST_MONTH + day.day - 1


@dataclass(frozen=True, slots=True)
class DaySet:
    """The days that one value names: `text` is how it is written.

    `weekdays` and `nth_weekdays` are as in Expression. `ranges` are of dates, both ends included;
    `yearly` ones of (month, day), which may go over New Year. `workdays` are which days of a month
    are meant of those that CRON_EXCEPT leaves: 1 is the first, -1 the last.
    """

    text: str
    weekdays: frozenset[int] = frozenset()
    nth_weekdays: frozenset[tuple[int, int]] = frozenset()
    ranges: tuple[tuple[date, date], ...] = ()
    yearly: tuple[tuple[MonthDay, MonthDay], ...] = ()
    workdays: frozenset[int] = frozenset()
    calendars: tuple[Calendar, ...] = ()


@dataclass(frozen=True, slots=True)
class Period:
    """Days that are so many `days`, or else `months`, apart; the `first` of them is a date.

    A month that is too short has its last day instead: a period of one month from 31 January has
    28 February and 31 March.
    """

    first: date
    days: int = 0
    months: int = 0


@dataclass(frozen=True, slots=True)
class DayRules:
    """Which of the days that a schedule names count; equal ones are one shared object.

    It is alive from `since` to `until`, both included; None is no end. On days that are `excepted`,
    and on all but the `only` ones, it does not run; `move` says where these instants go instead.
    With `left_out` it is the other way round: then just those instants count that such a day takes
    away and nothing makes up for. Of a `period` no other days count: anacron's jobs have one.
    """

    since: date | None = None
    until: date | None = None
    excepted: DaySet | None = None
    only: DaySet | None = None
    move: DayMove | None = None
    left_out: bool = False
    period: Period | None = None
