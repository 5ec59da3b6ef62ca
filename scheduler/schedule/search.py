"""Expression, zone and instant in, the next instants at which it is due out, or those before.

croniter jumps along the wall clock, or `day_search` where days are excepted; the clock-change rule
is `dst`'s, which has the last word.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from croniter import CroniterBadDateError, croniter

from scheduler.schedule import days, dst
from scheduler.schedule.dates import comes, matches_day, names_day
from scheduler.schedule.day_search import RAREST, DaySearch
from scheduler.schedule.dst import applies, is_due, wall_time, walls
from scheduler.schedule.tick import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from scheduler.entry import Expression
    from scheduler.schedule.dst import Wall


_MOVED_TOLD = 3  # days from which an instant was moved that are named


@dataclass(frozen=True, slots=True)
class Instant:
    """A coming instant (UTC) and, where a clock change has a hand in it, a note in words."""

    at: datetime
    note: str = ""


def following(expression: Expression, zone: ZoneInfo, after: datetime) -> Iterator[Instant]:
    """Yield the instants strictly later than `after`, in order.

    It ends with the calendar, or where nothing comes for fifty years (then nothing ever does).
    croniter jumps along the wall clock, a zone's own clock changes are stepped onto one by one,
    and `is_due` has the last word, so that this search and the tick cannot disagree.
    """
    with suppress(OverflowError):  # behind the last day, or in a zone whose last day is over
        yield from _following(expression, zone, after)


def _following(expression: Expression, zone: ZoneInfo, after: datetime) -> Iterator[Instant]:
    minute = after.astimezone(UTC).replace(second=0, microsecond=0)
    search = _wall_search(expression)
    while True:
        shown = minute.astimezone(zone)
        wall = search.after(wall_time(shown))
        if wall is None:
            return
        candidate = minute + (wall - wall_time(shown))
        minute = dst.first_change(zone, minute, candidate) or candidate
        if is_due(expression, zone, minute):
            yield Instant(minute, _note(expression, zone, minute))


def preceding(expression: Expression, zone: ZoneInfo, before: datetime) -> Iterator[datetime]:
    """Yield the instants strictly earlier than `before`, the newest first; see `following`."""
    minute = before.astimezone(UTC).replace(second=0, microsecond=0)
    if minute < before:
        minute += MINUTE
    search = _wall_search(expression)
    while minute.year > MINYEAR + 1:
        shown = minute.astimezone(zone)
        wall = search.before(wall_time(shown))
        if wall is None:
            return
        candidate = minute - (wall_time(shown) - wall)
        # On both sides of a clock change, since either may answer for what the other skips.
        change = dst.last_change(zone, candidate, minute)
        stops = (candidate,) if change is None else (change, change - MINUTE)
        for stop in stops:
            if stop < minute and is_due(expression, zone, stop):
                yield stop
        minute = stops[-1]


class _WallSearch:
    """croniter on naive wall time, for an expression whose dialect our parser has settled.

    Owns a croniter, whose place is set anew by each question, so that all who ask for one
    expression share a search. `following` and `preceding` call it. It may answer more than the
    expression asks, never less: where the day fields have what croniter does not mix (`L` or `#`
    beside plain values), it is given every day, and the days are sifted here.
    """

    def __init__(self, expression: Expression) -> None:
        self._expression = expression
        self._comes = comes(expression)
        text, day_or = _settled(expression)
        self._croniter = croniter(text, datetime(2000, 1, 1), day_or=day_or)  # noqa: DTZ001 (naive wall time is the point)

    def after(self, wall: datetime) -> datetime | None:
        last = min(wall.year + RAREST, MAXYEAR)
        while self._comes:
            self._croniter.set_current(wall, force=True)
            try:
                found: datetime = self._croniter.get_next(datetime)
            except (CroniterBadDateError, OverflowError, ValueError):
                return None
            if found.year > last:
                return None
            if matches_day(self._expression, found):
                return found
            wall = found.replace(hour=23, minute=59)
        return None

    def before(self, wall: datetime) -> datetime | None:
        first = max(wall.year - RAREST, MINYEAR + 1)
        while self._comes:
            self._croniter.set_current(wall, force=True)
            try:
                found: datetime = self._croniter.get_prev(datetime)
            except (CroniterBadDateError, OverflowError, ValueError):
                return None
            if found.year < first:
                return None
            if matches_day(self._expression, found):
                return found
            wall = found.replace(hour=0, minute=0)
        return None


# A search keeps nothing between two questions, so all that ask for one expression share it.
@lru_cache(maxsize=1024)
def _wall_search(expression: Expression) -> _WallSearch | DaySearch:
    return _WallSearch(expression) if expression.day_rules is None else DaySearch(expression)


def _settled(expression: Expression) -> tuple[str, bool]:
    """Write the expression in the part of croniter's dialect that means one thing only."""
    days = _listed(expression.days, 1, 31)
    weekdays = _listed(expression.weekdays, 0, 6)
    special = expression.last_day or bool(expression.nth_weekdays)
    either = expression.days_rule == "or"
    if special or (either and "*" in (days, weekdays)):
        days = weekdays = "*"
    fields = (
        _listed(expression.minutes, 0, 59),
        _listed(expression.hours, 0, 23),
        days,
        _listed(expression.months, 1, 12),
        weekdays,
    )
    return " ".join(fields), either


def _listed(values: frozenset[int], low: int, high: int) -> str:
    if len(values) == high - low + 1:
        return "*"
    return ",".join(str(value) for value in sorted(values))


def _note(expression: Expression, zone: ZoneInfo, minute: datetime) -> str:
    shown = walls(zone, minute)
    told = (_of_clock(expression, shown), _of_days(expression, shown))
    return "; ".join(filter(None, told))


def _of_clock(expression: Expression, shown: tuple[Wall, ...]) -> str:
    wall = shown[-1]
    if wall.repeated:
        return f"the clock goes back: the second {wall.time:%H:%M}"
    missed = [each.time for each in shown if each.gap and applies(expression, each)]
    if not missed:
        return ""
    also = ", with its own run" if applies(expression, wall) else ""
    times = f"{missed[0]:%H:%M}" + (f" and {len(missed) - 1} more" if missed[1:] else "")
    return f"the clock goes forward: stands for {times}{also}"


def _of_days(expression: Expression, shown: tuple[Wall, ...]) -> str:
    """Return which excluded days' instants were moved here."""
    rules = expression.day_rules
    if rules is None or rules.move is None:
        return ""
    day = next(wall.time.date() for wall in shown if applies(expression, wall))
    found = [each for each in days.moved_to(rules, day) if names_day(expression, each)]
    if not found:
        return ""
    those = ", ".join(f"{each:%a %Y-%m-%d}" for each in found[:_MOVED_TOLD])
    more = f" and {len(found) - _MOVED_TOLD} more" if found[_MOVED_TOLD:] else ""
    also = ", with its own run" if names_day(expression, day) else ""
    return f"moved from {those}{more}{also}"
