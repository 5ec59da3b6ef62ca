"""anacron's periods: how often a job is to run, and its last run in, the days it is due out.

By anacron(8), a job is due on a day if it did not run in the `period` days before that day; the
stamp has the date on which it ran last.
"""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from scheduler.day_rules import Period

_DAY = timedelta(days=1)
_MONTHS_OF_YEAR = 12  # of a year
_DAYS_OF_LEAP_YEAR = 366  # days of a year


def due_from(days: int, months: int, last: date | None, today: date) -> Period:
    """Return the days on which a job is due that ran on `last`; None is never.

    It is so many days, or else months (1 or 12), from one run to the next. What was due before
    `today` is due today. So is a job whose last run is still to come: then the clock was wrong.
    """
    if last is None or last > today:
        return Period(today, days, months)
    due = _after_months(last, months, today) if months else last + days * _DAY
    return Period(max(due, today), days, months)


def has(period: Period, day: date) -> bool:
    """Say whether a day is one of the period's."""
    first = period.first
    if day < first:
        return False
    if not period.months:
        return (day - first).days % max(period.days, 1) == 0
    months = (day.year - first.year) * _MONTHS_OF_YEAR + day.month - first.month
    return months % period.months == 0 and day.day == min(first.day, _length(day))


def _after_months(last: date, months: int, today: date) -> date:
    """Return the first day, from today on, that is due by anacron's rule for months and years.

    It is as long after the last run as the month (or year) before it has days, or as its own has.
    """
    day = max(today, last + _DAY)
    for _ in range(_DAYS_OF_LEAP_YEAR + 1):
        passed = (day - last).days
        if passed >= _before(day, months) or passed == _own(day, months):
            break
        day += _DAY
    return day


def _own(day: date, months: int) -> int:
    return _length(day) if months == 1 else _length_of_year(day.year)


def _before(day: date, months: int) -> int:
    if months == 1:
        return _length(day.replace(day=1) - _DAY)
    return _length_of_year(day.year - 1)


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _length_of_year(year: int) -> int:
    return _DAYS_OF_LEAP_YEAR if calendar.isleap(year) else _DAYS_OF_LEAP_YEAR - 1
