"""A zone and a stretch of time in, the minute at which the zone's clock is changed in it out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.schedule.tick import MINUTE

if TYPE_CHECKING:
    from datetime import datetime
    from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


def first(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
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


def last(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """Return the last such minute; see `first`."""
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
