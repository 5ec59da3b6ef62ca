"""How many instants lie in a stretch of time, without a look at each: a schedule in, a number out.

A schedule, a zone and two of its instants come in. It costs a look at each day, and at each minute
of the hours after a clock change.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from scheduler.entry import Every, Expression
from scheduler.schedule import dst, intervals
from scheduler.schedule.dates import matches_day
from scheduler.schedule.dst import LONGEST_SHIFT, is_due
from scheduler.schedule.tick import DAY, MINUTE

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry

_MONTH = timedelta(days=30)
_LAST_MINUTE = 24 * 60 - 1


def number(entry: Entry, first: datetime, last: datetime) -> int:
    """Return how many instants there are from `first`, which is one, to `last`."""
    match entry.schedule:
        case Expression() as expression:
            return _due(expression, entry.zone, first, last)
        case Every() as every:
            return intervals.number(every, entry.zone, first, last)
        case _:
            return 0


def nth_last(entry: Entry, first: datetime, last: datetime, count: int) -> datetime:
    """Return the first of the newest `count` instants from `first` to `last`, which both are ones.

    `first` if there are not more.
    """
    match entry.schedule:
        case Expression() as expression:
            return _nth_last(expression, entry.zone, first, last, count)
        case Every() as every:
            return _nth_last_of(every, entry.zone, first, last, count)
        case _:
            return first


def _nth_last_of(
    every: Every, zone: ZoneInfo, first: datetime, last: datetime, count: int
) -> datetime:
    length = every.minutes * MINUTE
    low, high = 0, (last - first) // length  # the wanted one is not before, and not after
    if every.day_rules is None:
        return first + max(low, high - count + 1) * length
    while low < high:
        middle = (low + high + 1) // 2
        if intervals.number(every, zone, first + middle * length, last) >= count:
            low = middle
        else:
            high = middle - 1
    return first + low * length


def _nth_last(
    expression: Expression, zone: ZoneInfo, first: datetime, last: datetime, count: int
) -> datetime:
    end, wanted = last, count
    while True:
        start = max(first, end - _MONTH)
        found = _due(expression, zone, start, end)
        if found >= wanted:
            return _halved(expression, zone, start, end, wanted)
        if start == first:
            return first
        end, wanted = start - MINUTE, wanted - found


def _halved(
    expression: Expression, zone: ZoneInfo, start: datetime, end: datetime, count: int
) -> datetime:
    """Return the last minute from which on there are so many instants, `end` included."""
    low, high = 0, (end - start) // MINUTE
    while low < high:
        middle = (low + high + 1) // 2
        if _due(expression, zone, start + middle * MINUTE, end) >= count:
            low = middle
        else:
            high = middle - 1
    return start + low * MINUTE


def _due(expression: Expression, zone: ZoneInfo, start: datetime, end: datetime) -> int:
    """Return in how many minutes from `start` to `end` the expression is due.

    After a clock change each is looked at for as long as it may repeat what was shown before.
    """
    found, minute, looked = 0, start, start - LONGEST_SHIFT - MINUTE
    while minute <= end:
        change = dst.first_change(zone, looked, end)
        calm = end if change is None else change - MINUTE
        if minute <= calm:
            found += _in_step(expression, _shown(zone, minute), _shown(zone, calm))
            minute = calm + MINUTE
        if change is None:
            break
        after = min(end, change + LONGEST_SHIFT)
        while minute <= after:
            found += is_due(expression, zone, minute)
            minute += MINUTE
        looked = change
    return found


def _in_step(expression: Expression, start: datetime, end: datetime) -> int:
    """Return the same for wall-clock minutes (naive) between which no clock is changed."""
    times = _times(expression.minutes, expression.hours)
    found, day = 0, start.replace(hour=0, minute=0)
    while day <= end:
        if matches_day(expression, day):
            low = start.hour * 60 + start.minute if day <= start else 0
            high = end.hour * 60 + end.minute if day + DAY > end else _LAST_MINUTE
            found += bisect_right(times, high) - bisect_left(times, low)
        day += DAY
    return found


@lru_cache(maxsize=64)
def _times(minutes: frozenset[int], hours: frozenset[int]) -> list[int]:
    return sorted(hour * 60 + minute for hour in hours for minute in minutes)


def _shown(zone: ZoneInfo, minute: datetime) -> datetime:
    return minute.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0, fold=0)
