"""The clock-change rule (DST): expression, zone and UTC minute in, whether it is due then out.

A zone's clock that is set forward leaves a gap, local times that no clock shows; one that is set
back makes an overlap, local times that are shown twice (PEP 495 calls the second pass `fold`).

The rule is Debian's (cron(8)) for gaps of less than three hours and overlaps of three at most, with
its holes closed: an entry is made up for after a gap, star or not, unless it names every hour and
the gap is of whole hours. The README's table of rules has it in words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.schedule.dates import matches_day
from scheduler.schedule.tick import DAY, MINUTE

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from scheduler.entry import Expression

HOUR = timedelta(hours=1)
LONGEST_SHIFT = timedelta(hours=3)  # cron's: a gap of it is a new time, an overlap is one no more
_EPOCH_HERE = datetime(1970, 1, 1)  # noqa: DTZ001 (naive wall time is the point)


@dataclass(frozen=True, slots=True)
class Wall:
    """One minute as a wall clock in some zone shows it (`time` is naive).

    `gap`: how long the gap is that it lies in, so that no clock showed it; nought for none.
    `repeated`: it lies in an overlap, and is shown for the second time.
    """

    time: datetime
    gap: timedelta = timedelta(0)
    repeated: bool = False


def walls(zone: ZoneInfo, minute: datetime) -> tuple[Wall, ...]:
    """Return the wall-clock minutes that this UTC minute answers for, the shown one last.

    There is one, except right after a gap: then the minutes in the gap come with it. A gap counts
    in minutes that no tick shows, so one that the clock skips only in part is among them.
    """
    shown = wall_time(minute.astimezone(zone))
    gap = shown - wall_time((minute - MINUTE).astimezone(zone)) - MINUTE
    if not timedelta(0) < gap < LONGEST_SHIFT:
        return (Wall(shown, repeated=_is_repeated(shown, zone, minute)),)
    skipped = (Wall(shown - gap + n * MINUTE, gap=gap) for n in range(gap // MINUTE))
    return (*skipped, Wall(shown))


def applies(expression: Expression, wall: Wall) -> bool:
    """Say whether the expression asks for this wall-clock minute, clock changes considered."""
    if wall.gap and expression.every_hour and not wall.gap % HOUR:
        return False  # it stays in step: the next shown hour has the same minute sixty minutes on
    if wall.repeated and not expression.elapsed:
        return False  # it had its run in the first pass
    time = wall.time
    return (
        time.minute in expression.minutes
        and time.hour in expression.hours
        and matches_day(expression, time)
    )


def is_due(expression: Expression, zone: ZoneInfo, minute: datetime) -> bool:
    """Say whether the expression is due at this UTC minute in this zone."""
    return any(applies(expression, wall) for wall in walls(zone, minute))


def wall_time(local: datetime) -> datetime:
    """Return what a wall clock shows, to the minute: a naive time."""
    return local.replace(tzinfo=None, second=0, microsecond=0, fold=0)


def _is_repeated(shown: datetime, zone: ZoneInfo, minute: datetime) -> bool:
    """Say whether a clock set back by three hours at most has shown this wall minute before.

    Offsets may have seconds (local mean time): then the first pass may have had no tick in it.
    """
    local = minute.astimezone(zone)
    first, second = shown.replace(tzinfo=zone).utcoffset(), local.utcoffset()
    if first is None or second is None or not timedelta(0) < first - second <= LONGEST_SHIFT:
        return False
    earlier = -((first - (shown - _EPOCH_HERE)) // MINUTE) * MINUTE + _EPOCH_HERE.replace(
        tzinfo=UTC
    )
    return earlier < minute and wall_time(earlier.astimezone(zone)) == shown


# --- where the clock changes ---------------------------------------------------------------------


def first_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the first minute in (start, end] whose UTC offset is not that of the one before.

    None if there is none. Looks once a day, then halves the day: no zone changes its clock and
    back within one.
    """
    if _never_changes(zone):
        return None
    offset = start.astimezone(zone).utcoffset()
    before = start
    while before < end:
        after = end if end - before <= DAY else before + DAY
        if after.astimezone(zone).utcoffset() != offset:
            return _halve(zone, before, after, offset)
        before = after
    return None


def last_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the last such minute; see `first_change`."""
    if _never_changes(zone):
        return None
    offset = end.astimezone(zone).utcoffset()
    after = end
    while after > start:
        before = start if after - start <= DAY else after - DAY
        earlier = before.astimezone(zone).utcoffset()
        if earlier != offset:
            return _halve(zone, before, after, earlier)
        after = before
    return None


def _never_changes(zone: ZoneInfo) -> bool:
    return zone.utcoffset(None) is not None


def _halve(zone: ZoneInfo, before: datetime, after: datetime, offset: timedelta | None) -> datetime:
    while after - before > MINUTE:
        middle = before + (after - before) // MINUTE // 2 * MINUTE
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def first_difference(
    one: ZoneInfo, two: ZoneInfo, start: datetime, end: datetime
) -> datetime | None:
    """Return the first minute from `start` to `end` at which the two show different times.

    None if there is none.
    """
    at: datetime | None = start.astimezone(UTC).replace(second=0, microsecond=0)
    while at is not None:
        if at.astimezone(one).utcoffset() != at.astimezone(two).utcoffset():
            return at
        coming = (first_change(zone, at, end) for zone in (one, two))
        at = min((each for each in coming if each is not None), default=None)
    return None
