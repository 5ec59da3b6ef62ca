"""Day rules and a date in, whether the schedule counts on it out.

A date is one of the wall clock in the entry's zone, and the one that the schedule names: a run of
Saturday 23:30 that a clock change puts at 00:00 on Sunday is one of Saturday.
"""

from __future__ import annotations

import calendar
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from scheduler.day_rules import DayMove, DayRules, DaySet
from scheduler.schedule import periods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from scheduler.entry import Entry, Schedule

MOST_MOVED = 366  # days that an instant is moved by at most

_DAY = timedelta(days=1)
_LEAP_YEAR = 2024


def counts(rules: DayRules, day: date, named: Callable[[date], bool]) -> bool:
    """Say whether a schedule has instants on this day; `named` says whether its fields name a day.

    Those that are moved to the day are among them.
    """
    if rules.left_out:
        return is_excluded(rules, day) and named(day) and target(rules, day) is None
    if not is_open(rules, day):
        return False
    return named(day) or any(map(named, moved_to(rules, day)))


def is_alive(rules: DayRules, day: date) -> bool:
    """Say whether the day lies between CRON_FROM and CRON_UNTIL, and is one of the period's."""
    if rules.period is not None and not periods.has(rules.period, day):
        return False
    if rules.since is not None and day < rules.since:
        return False
    return rules.until is None or day <= rules.until


def is_excluded(rules: DayRules, day: date) -> bool:
    """Say whether CRON_EXCEPT or CRON_ONLY takes the day away from an entry that is alive."""
    return is_alive(rules, day) and _is_barred(rules, day)


def is_open(rules: DayRules, day: date) -> bool:
    """Say whether the entry is alive on the day, and nothing takes it away."""
    return is_alive(rules, day) and not _is_barred(rules, day)


def target(rules: DayRules, day: date) -> date | None:
    """Return where the instants of an excluded day go by CRON_EXCEPT_MOVE; None: nowhere."""
    if rules.move is None:
        return None
    step = _DAY if rules.move is DayMove.NEXT else -_DAY
    for each in _walked(day, step):
        if not is_alive(rules, each):
            return None
        if not _is_barred(rules, each):
            return each
    return None


def moved_to(rules: DayRules, day: date) -> Iterator[date]:
    """Yield the excluded days whose instants go to this open one, the nearest first."""
    if rules.move is None:
        return
    step = -_DAY if rules.move is DayMove.NEXT else _DAY
    for each in _walked(day, step):
        if not is_excluded(rules, each):
            return
        yield each


def has_days_off(entry: Entry) -> bool:
    """Say whether CRON_EXCEPT or CRON_ONLY takes days away from the entry."""
    rules = entry.schedule.day_rules
    return rules is not None and (rules.excepted is not None or rules.only is not None)


def left_out(entry: Entry) -> Entry | None:
    """Return an entry whose instants are those that its days take away; None if there are none."""
    if not has_days_off(entry):
        return None
    return replace(entry, schedule=_turned(entry.schedule))


def plain(entry: Entry) -> Entry:
    """Return an entry whose instants are those that the schedule names, whatever the day."""
    return replace(entry, schedule=_without(entry.schedule))


@lru_cache(maxsize=8192)
def _without(schedule: Schedule) -> Schedule:
    return replace(schedule, day_rules=None)


@lru_cache(maxsize=8192)
def _turned(schedule: Schedule) -> Schedule:
    rules = schedule.day_rules or DayRules()
    return replace(schedule, day_rules=replace(rules, left_out=True))


def is_open_at(entry: Entry, at: datetime) -> bool:
    """Say whether an entry without a time of its own (`@reboot`) may run at this instant."""
    rules = entry.schedule.day_rules
    return rules is None or is_open(rules, at.astimezone(entry.zone).date())


def is_excluded_at(entry: Entry, at: datetime) -> bool:
    """Say whether the day of this instant is one that CRON_EXCEPT or CRON_ONLY takes away."""
    rules = entry.schedule.day_rules
    return rules is not None and is_excluded(rules, at.astimezone(entry.zone).date())


def is_month_day(month: int, day: int) -> bool:
    """Say whether a year has such a day; 29 February is one."""
    return 1 <= month <= 12 and 1 <= day <= calendar.monthrange(_LEAP_YEAR, month)[1]


def has(some: DaySet, day: date) -> bool:
    """Say whether a set has the day, but for its `workdays`."""
    weekday = day.isoweekday() % 7
    if weekday in some.weekdays or any(each.has(day) for each in some.calendars):
        return True
    if some.nth_weekdays and _nths(weekday, day) & some.nth_weekdays:
        return True
    if any(first <= day <= last for first, last in some.ranges):
        return True
    return any(_is_within((day.month, day.day), *ends) for ends in some.yearly)


def _nths(weekday: int, day: date) -> set[tuple[int, int]]:
    found = {(weekday, (day.day + 6) // 7)}
    return found | {(weekday, -1)} if day.day + 7 > _length(day) else found


def _is_within(day: tuple[int, int], first: tuple[int, int], last: tuple[int, int]) -> bool:
    if first <= last:
        return first <= day <= last
    return day >= first or day <= last


def _is_barred(rules: DayRules, day: date) -> bool:
    if _is_excepted(rules, day):
        return True
    only = rules.only
    return only is not None and not (has(only, day) or _is_workday(rules, only, day))


def _is_excepted(rules: DayRules, day: date) -> bool:
    return rules.excepted is not None and has(rules.excepted, day)


def _is_workday(rules: DayRules, only: DaySet, day: date) -> bool:
    """Say whether it is one of the days of its month that are counted without the excepted ones."""
    if not only.workdays:
        return False
    month = [day.replace(day=number) for number in range(1, _length(day) + 1)]
    work = [each for each in month if not _is_excepted(rules, each)]
    return any(_nth(work, number) == day for number in only.workdays)


def _nth(days: list[date], number: int) -> date | None:
    place = number - 1 if number > 0 else number
    return days[place] if -len(days) <= place < len(days) else None


def _length(day: date) -> int:
    return calendar.monthrange(day.year, day.month)[1]


def _walked(day: date, step: timedelta) -> Iterator[date]:
    """Yield the days after this one, as far as an instant may be moved and the calendar goes."""
    for _ in range(MOST_MOVED):
        if day in (date.min, date.max):
            return
        day += step
        yield day
