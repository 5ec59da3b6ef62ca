"""Every clock change of every zone from 2000 to 2037, found by asking the zones themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

if TYPE_CHECKING:
    from collections.abc import Iterator

MINUTE = timedelta(minutes=1)
STEP = timedelta(days=4)  # the two changes nearest to one another are a week apart: Boa Vista, 2000
FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)


class ClockChange(NamedTuple):
    """A clock change: its first UTC minute, the UTC offsets before and from then on."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def shift(self) -> timedelta:
        """How far the clock goes forward, or back if this is negative."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Clock:
    """What all zones show whose clocks change alike: one of them, and the changes."""

    zone: ZoneInfo
    changes: tuple[ClockChange, ...]


@lru_cache(maxsize=1)
def clocks() -> tuple[Clock, ...]:
    """Return every clock there is once, whatever links and namesakes it has; none stands still."""
    looks = [FIRST + n * STEP for n in range((LAST - FIRST) // STEP + 1)]
    found: dict[tuple[ClockChange, ...], ZoneInfo] = {}
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        found.setdefault(tuple(_tickets(zone, looks)), zone)
    return tuple(Clock(zone, changes) for changes, zone in found.items() if changes)


@lru_cache(maxsize=1)
def changes() -> dict[ClockChange, ZoneInfo]:
    """Return every clock change there is, and one of the zones that make it."""
    return {change: clock.zone for clock in clocks() for change in clock.changes}


def _tickets(zone: ZoneInfo, looks: list[datetime]) -> Iterator[ClockChange]:
    offsets = [look.astimezone(zone).utcoffset() for look in looks]
    for n, (before, after) in enumerate(pairwise(offsets)):
        if before != after and before is not None and after is not None:
            yield ClockChange(_halve(zone, looks[n], looks[n + 1], before), before, after)


def _halve(zone: ZoneInfo, before: datetime, after: datetime, offset: timedelta) -> datetime:
    """Return the first minute in (before, after] without this offset."""
    while after - before > MINUTE:
        middle = before + (after - before) // (2 * MINUTE) * MINUTE
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
