"""An expression and a date in, whether it runs on that date out; and whether it names any at all.

The two day fields go by crontab(5): either may match, or both must where one begins with `*`. What
they name, the entry's day rules (see `days`) may take away or move.
"""

from __future__ import annotations

import calendar
from functools import partial
from typing import TYPE_CHECKING

from scheduler.schedule import days

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date, datetime

    from scheduler.entry import Expression

_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY = 2


def matches_day(expression: Expression, day: datetime) -> bool:
    """Say whether the expression runs on this date: its fields name it, and its day rules agree."""
    rules = expression.day_rules
    if rules is None:
        return names_day(expression, day)
    return days.counts(rules, day.date(), partial(names_day, expression))


def names_day(expression: Expression, day: date) -> bool:
    """Say whether the fields name this date, by crontab(5)'s rule for the two day fields."""
    if day.month not in expression.months:
        return False
    length = calendar.monthrange(day.year, day.month)[1]
    weekday = day.isoweekday() % 7
    by_day = day.day in expression.days or (expression.last_day and day.day == length)
    by_weekday = (
        weekday in expression.weekdays
        or (weekday, (day.day + 6) // 7) in expression.nth_weekdays
        or (day.day + 7 > length and (weekday, -1) in expression.nth_weekdays)
    )
    return (by_day and by_weekday) if expression.days_rule == "and" else (by_day or by_weekday)


def comes(expression: Expression) -> bool:
    """Return whether any year has a day for it.

    No year needs to be looked at: over the 14 kinds of year each date falls on each weekday.
    """
    if expression.days_rule == "or":
        return True
    if expression.weekdays and min(expression.days, default=31) <= 28:
        return True
    return any(
        _is_nth(expression, day, length)
        for length in _lengths(expression.months)
        for day in (*expression.days, *((length,) if expression.last_day else ()))
        if day <= length
    )


def longest(months: Collection[int]) -> tuple[int, int]:
    """Return the last day that one of these months has in every year, and in a leap year."""
    usual = max(_LENGTHS[month - 1] for month in months)
    return usual, max(_lengths(months))


def _lengths(months: Collection[int]) -> set[int]:
    lengths = {_LENGTHS[month - 1] for month in months}
    return lengths | {29} if _FEBRUARY in months else lengths


def _is_nth(expression: Expression, day: int, length: int) -> bool:
    ordinals = {n for _, n in expression.nth_weekdays}
    return bool(
        expression.weekdays
        or (day - 1) // 7 + 1 in ordinals
        or (day > length - 7 and -1 in ordinals)
    )
