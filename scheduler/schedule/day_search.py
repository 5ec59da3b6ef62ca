"""Where days are excepted, an expression and a wall-clock time in, the next one it names out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import MAXYEAR, MINYEAR, datetime, time, timedelta
from typing import TYPE_CHECKING

from scheduler.schedule.dates import matches_day
from scheduler.schedule.tick import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from scheduler.day_rules import DayRules
    from scheduler.entry import Expression

RAREST = 50  # years: a leap day on one weekday, across 2100, comes after 40
_MIDNIGHT = time()


class DaySearch:
    """A search on naive wall time, day by day, for an expression with day rules.

    Owns the times of its day; nothing changes between two questions. `search` calls it.
    """

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._times = sorted(h * 60 + m for h in expression.hours for m in expression.minutes)
        rules = expression.day_rules
        self._since = None if rules is None else _begin(rules)
        self._until = None if rules is None else rules.until

    def after(self, wall: datetime) -> datetime | None:
        """Return the first wall-clock minute after this one; None if none comes for fifty years."""
        last = min(wall.year + RAREST, MAXYEAR - 1)
        day = _later(wall, self._since)
        low = bisect_right(self._times, (wall - day) // MINUTE)
        while day.year <= last and not _is_before(self._until, day.date()):
            if low < len(self._times) and matches_day(self._expression, day):
                return _at(day, self._times, low)
            day, low = day + DAY, 0
        return None

    def before(self, wall: datetime) -> datetime | None:
        """Return the last wall-clock minute before this one; None if there is none so far back."""
        first = max(wall.year - RAREST, MINYEAR + 1)
        day = _earlier(wall, self._until)
        high = bisect_left(self._times, (wall - day) // MINUTE)
        while day.year >= first and not _is_before(day.date(), self._since):
            if high and matches_day(self._expression, day):
                return _at(day, self._times, high - 1)
            day, high = day - DAY, len(self._times)
        return None


def _begin(rules: DayRules) -> date | None:
    """Return the first day that may count; None: there is none before all others."""
    begins = (rules.since, None if rules.period is None else rules.period.first)
    return max((day for day in begins if day is not None), default=None)


def _later(wall: datetime, since: date | None) -> datetime:
    """Return the day of a time, or the first that may count if it is later."""
    day = _midnight(wall.date())
    return day if since is None else max(day, _midnight(since))


def _earlier(wall: datetime, until: date | None) -> datetime:
    """Return the day of a time, or that of CRON_UNTIL if it is earlier."""
    day = _midnight(wall.date())
    return day if until is None else min(day, _midnight(until))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, _MIDNIGHT)


def _at(day: datetime, times: Sequence[int], place: int) -> datetime:
    return day + timedelta(minutes=times[place])


def _is_before(one: date | None, two: date | None) -> bool:
    return one is not None and two is not None and one < two
