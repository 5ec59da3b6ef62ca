"""`@every`: an interval, its anchor and an instant in, the next instant out, or the one before.

An interval goes by no wall clock. What CRON_EXCEPT and its like take away is whole days of the
entry's zone: the instants of the others stay where they are.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from scheduler.schedule import days, dst
from scheduler.schedule.tick import MINUTE
from scheduler.text import LAST_DAY

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.day_rules import DayRules
    from scheduler.entry import Every

_INSTANT = timedelta.resolution
_DAY = timedelta(days=1)
_LONGEST_SEARCH = 366 * 50  # days
_MIDNIGHT = time()


def interval_after(anchor: datetime, minutes: int, after: datetime) -> datetime | None:
    """Return the first instant strictly later than `after` of an interval counted from `anchor`.

    The anchor itself is none. None where the calendar ends first.
    """
    length = minutes * MINUTE
    steps = max(0, (after - anchor) // length) + 1
    return anchor + steps * length if steps <= (LAST_DAY - anchor) // length else None


def interval_before(anchor: datetime, minutes: int, before: datetime) -> datetime | None:
    """Return its newest instant strictly earlier than `before`; the anchor itself is none."""
    steps = -((anchor - before) // (minutes * MINUTE)) - 1
    return anchor + steps * minutes * MINUTE if steps > 0 else None


def following(every: Every, zone: ZoneInfo, anchor: datetime, after: datetime) -> datetime | None:
    """Return the first instant later than `after` on a day that counts; None if there is none."""
    at = interval_after(anchor, every.minutes, after)
    while at is not None and not is_due(every, zone, at):
        day = _next_day(every, _day(zone, at))
        if day is None:
            return None
        at = interval_after(anchor, every.minutes, max(at, _leap(zone, at, day) - _INSTANT))
    return at


def preceding(every: Every, zone: ZoneInfo, anchor: datetime, before: datetime) -> datetime | None:
    """Return the newest instant before `before` on a day that counts; None if there is none."""
    at, rules = interval_before(anchor, every.minutes, before), every.day_rules
    while at is not None and rules is not None and not is_due(every, zone, at):
        day = _previous_day(rules, _day(zone, at), _day(zone, anchor))
        if day is None:
            return None
        at = interval_before(anchor, every.minutes, min(at, _leap_back(zone, at, day)))
    return at


def number(every: Every, zone: ZoneInfo, first: datetime, last: datetime) -> int:
    """Return how many instants there are from `first`, which is of the interval, to `last`."""
    length = every.minutes * MINUTE
    if every.day_rules is None:
        return (last - first) // length + 1
    found, at = 0, first
    while at <= last:
        end = min(last, _last_of_day(zone, at))
        steps = (end - at) // length
        if is_due(every, zone, at):
            found += steps + 1
        at += (steps + 1) * length
    return found


def is_due(every: Every, zone: ZoneInfo, at: datetime) -> bool:
    """Say whether an instant of the interval lies on a day that counts."""
    rules = every.day_rules
    return rules is None or days.counts(rules, _day(zone, at), _any_day)


def _any_day(_day: date) -> bool:
    return True


def _day(zone: ZoneInfo, at: datetime) -> date:
    return at.astimezone(zone).date()


def _next_day(every: Every, day: date) -> date | None:
    rules = every.day_rules
    if rules is None or (rules.until is not None and day >= rules.until):
        return None
    if rules.since is not None and day < rules.since - _DAY:
        day = rules.since - _DAY
    for _ in range(_LONGEST_SEARCH):
        if day >= LAST_DAY.date():
            return None
        day += _DAY
        if days.counts(rules, day, _any_day):
            return day
    return None


def _previous_day(rules: DayRules, day: date, first: date) -> date | None:
    if rules.until is not None and day > rules.until + _DAY:
        day = rules.until + _DAY
    while day >= first and (rules.since is None or day > rules.since):
        day -= _DAY
        if days.counts(rules, day, _any_day):
            return day
    return None


def _leap(zone: ZoneInfo, at: datetime, day: date) -> datetime:
    """Return the first minute of a later day, or the clock change before it: a date may return."""
    start = _start(zone, day)
    return start if start <= at else dst.first_change(zone, at, start) or start


def _leap_back(zone: ZoneInfo, at: datetime, day: date) -> datetime:
    """Return the end of an earlier day, or the clock change behind it."""
    end = _start(zone, day + _DAY, fold=1)
    return end if end >= at else dst.last_change(zone, end, at) or end


def _last_of_day(zone: ZoneInfo, at: datetime) -> datetime:
    """Return the last minute from `at` on without another date between."""
    ends = (_start(zone, _day(zone, at) + _DAY, fold=fold) for fold in (0, 1))
    end = min((each for each in ends if each > at), default=at + MINUTE)
    return (dst.first_change(zone, at, end) or end) - MINUTE


def _start(zone: ZoneInfo, day: date, fold: int = 0) -> datetime:
    return datetime.combine(day, _MIDNIGHT, zone).replace(fold=fold).astimezone(UTC)
