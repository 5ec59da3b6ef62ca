"""A job's line and a date of its zone in, its instants of that day out, or what tells of none."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from scheduler.entry import Expression
from scheduler.schedule import days
from scheduler.schedule.tick import MINUTE

if TYPE_CHECKING:
    from datetime import date

    from scheduler.entry import Entry
    from scheduler.schedule.timetable import Timetable


def instants(timetable: Timetable, entry: Entry, day: date, start: datetime) -> list[datetime]:
    """Return the instants of a day, which begins at `start` (UTC)."""
    found = []
    at = timetable.next_instant(entry, start - MINUTE)
    while at is not None and at.astimezone(entry.zone).date() == day:
        found.append(at)
        at = timetable.next_instant(entry, at)
    return found


def telling(timetable: Timetable, entry: Entry, day: date, start: datetime) -> datetime:
    """Return the minute of a day without instants that tells why there are none.

    It is one that day rules took away, or else the first time of day that the schedule names.
    """
    if taken := instants(timetable, days.plain(entry), day, start):
        return taken[0]
    if not isinstance(entry.schedule, Expression):
        return start
    clock = time(min(entry.schedule.hours), min(entry.schedule.minutes))
    return datetime.combine(day, clock, entry.zone).astimezone(UTC)
