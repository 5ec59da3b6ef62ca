"""When an expression is due: expression, zone and UTC minute in; yes or no, or the next, out.

The rule of local clock changes is `walls` and `applies`, and stands in the README's table of rules.
It is Debian's rule (cron(8)) for clocks that go forward by less than three hours, or back by three
at most, with its holes closed: an entry is made up for after a gap, star or not, unless it
names every hour and the gap is of whole hours.
"""

from __future__ import annotations

import calendar
from contextlib import suppress
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from croniter import CroniterBadDateError, croniter

from scheduler.schedule import dst
from scheduler.schedule.possible_dates import comes
from scheduler.schedule.tick import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

    from scheduler.entry import Expression

HOUR = timedelta(hours=1)
LONGEST_SHIFT = timedelta(hours=3)  # cron's: a gap of it is a new time, an overlap is one no more
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 (naive wall time is the point)
RAREST = 50  # years: a leap day on one weekday, across 2100, comes after 40


@dataclass(frozen=True, slots=True)
class Wall:
    """One minute as a wall clock in some zone shows it (`time` is naive).

    `skipped`: the length of the gap if a clock change jumped over it, so that no clock showed it.
    `repeated`: the clock was set back and shows it for the second time.
    """

    time: datetime
    skipped: timedelta = timedelta(0)
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Instant:
    """A coming instant (UTC) and, where a clock change has a hand in it, a note in words."""

    at: datetime
    note: str = ""


def walls(zone: ZoneInfo, minute: datetime) -> tuple[Wall, ...]:
    """Return the wall-clock minutes that this UTC minute answers for, the shown one last.

    There is one, except right after a gap: then the skipped minutes come with it. A gap counts in
    minutes that no tick shows, so one that the clock skips only in part is among them.
    """
    shown = _wall(minute.astimezone(zone))
    gap = shown - _wall((minute - MINUTE).astimezone(zone)) - MINUTE
    if not timedelta(0) < gap < LONGEST_SHIFT:
        return (Wall(shown, repeated=_is_repeated(shown, zone, minute)),)
    skipped = (Wall(shown - gap + n * MINUTE, skipped=gap) for n in range(gap // MINUTE))
    return (*skipped, Wall(shown))


def applies(expression: Expression, wall: Wall) -> bool:
    """Say whether the expression asks for this wall-clock minute, clock changes considered."""
    if wall.skipped and expression.every_hour and not wall.skipped % HOUR:
        return False  # it stays in step: the next shown hour has the same minute sixty minutes on
    if wall.repeated and not expression.elapsed:
        return False  # it had its run in the first pass
    time = wall.time
    return (
        time.minute in expression.minutes
        and time.hour in expression.hours
        and matches_day(expression, time)
    )


def matches_day(expression: Expression, day: datetime) -> bool:
    """Say whether the expression names this date, by crontab(5)'s rule for the two day fields."""
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


def is_due(expression: Expression, zone: ZoneInfo, minute: datetime) -> bool:
    """Say whether the expression is due at this UTC minute in this zone."""
    return any(applies(expression, wall) for wall in walls(zone, minute))


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
        wall = search.after(_wall(shown))
        if wall is None:
            return
        candidate = minute + (wall - _wall(shown))
        minute = dst.first(zone, minute, candidate) or candidate
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
        wall = search.before(_wall(shown))
        if wall is None:
            return
        candidate = minute - (_wall(shown) - wall)
        # On both sides of a clock change, since either may answer for what the other skips.
        change = dst.last(zone, candidate, minute)
        stops = (candidate,) if change is None else (change, change - MINUTE)
        for stop in stops:
            if stop < minute and is_due(expression, zone, stop):
                yield stop
        minute = stops[-1]


class _WallSearch:
    """croniter on naive wall time, for an expression whose dialect our parser has settled.

    It may answer more than the expression asks (never less): where the day fields hold what
    croniter does not mix (`L` or `#` beside plain values), it is given every day, and days are
    sifted here.
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
_wall_search = lru_cache(maxsize=1024)(_WallSearch)


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


def _wall(local: datetime) -> datetime:
    return local.replace(tzinfo=None, second=0, microsecond=0, fold=0)


def _is_repeated(shown: datetime, zone: ZoneInfo, minute: datetime) -> bool:
    """Say whether a clock set back by three hours at most has shown this wall minute before.

    Offsets may have seconds (local mean time): then the first pass may have had no tick in it.
    """
    local = minute.astimezone(zone)
    first, second = shown.replace(tzinfo=zone).utcoffset(), local.utcoffset()
    if first is None or second is None or not timedelta(0) < first - second <= LONGEST_SHIFT:
        return False
    earlier = -((first - (shown - _EPOCH)) // MINUTE) * MINUTE + _EPOCH.replace(tzinfo=UTC)
    return earlier < minute and _wall(earlier.astimezone(zone)) == shown


def _note(expression: Expression, zone: ZoneInfo, minute: datetime) -> str:
    shown = walls(zone, minute)
    wall = shown[-1]
    if wall.repeated:
        return f"the clock goes back: the second {wall.time:%H:%M}"
    missed = [each.time for each in shown if each.skipped and applies(expression, each)]
    if not missed:
        return ""
    also = ", with its own run" if applies(expression, wall) else ""
    times = f"{missed[0]:%H:%M}" + (f" and {len(missed) - 1} more" if missed[1:] else "")
    return f"the clock goes forward: stands for {times}{also}"
