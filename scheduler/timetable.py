"""All entries, arranged by the minute they want: a UTC minute in, the due entries out.

A tick costs one look per zone and per distinct interval, then only what is due: entries are
filed under zone, then under the minute of the day, then under the days they name, so the many
that want another minute are never touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.due import applies, following, walls
from scheduler.model import Entry, Every, Expression, Reboot
from scheduler.tick import MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

_MINUTES_A_DAY = 24 * 60

# Expressions that share their minute and hour sets, each with its entries.
_Pattern = dict[Expression, list[Entry]]


class Timetable:
    """What is due when; built once per reload and never changed.

    `anchors` says, for each job with an `@every` schedule, from which instant its interval counts.
    """

    def __init__(self, entries: Iterable[Entry], anchors: Mapping[str, datetime]) -> None:
        self.entries = tuple(entries)
        self._anchors = anchors
        self.at_reboot = tuple(e for e in self.entries if isinstance(e.schedule, Reboot))
        self._zones: dict[ZoneInfo, dict[int, list[_Pattern]]] = {}
        self._intervals: dict[int, dict[int, list[tuple[datetime, Entry]]]] = {}
        patterns: dict[tuple[ZoneInfo, frozenset[int], frozenset[int]], _Pattern] = {}
        for entry in self.entries:
            match entry.schedule:
                case Expression() as expression:
                    key = (entry.zone, expression.minutes, expression.hours)
                    patterns.setdefault(key, {}).setdefault(expression, []).append(entry)
                case Every(minutes=interval):
                    anchor = anchors[entry.job]
                    phases = self._intervals.setdefault(interval, {})
                    phases.setdefault(_number(anchor) % interval, []).append((anchor, entry))
                case Reboot():
                    pass  # its minute is the boot, not the clock's
        for (zone, minutes, hours), pattern in patterns.items():
            day = self._zones.setdefault(zone, {})
            for hour in hours:
                for minute in minutes:
                    day.setdefault(hour * 60 + minute, []).append(pattern)

    def due(self, minute: datetime) -> list[Entry]:
        """Return the entries that are due at this UTC minute, each once."""
        found: list[Entry] = []
        for zone, day in self._zones.items():
            chosen: dict[Expression, list[Entry]] = {}
            for wall in walls(zone, minute):
                for pattern in day.get(wall.time.hour * 60 + wall.time.minute, ()):
                    chosen.update(
                        (expression, entries)
                        for expression, entries in pattern.items()
                        if applies(expression, wall)
                    )
            for entries in chosen.values():
                found.extend(entries)
        number = _number(minute)
        for interval, phases in self._intervals.items():
            found.extend(e for anchor, e in phases.get(number % interval, ()) if anchor < minute)
        return found

    def next_instant(self, entry: Entry, after: datetime) -> datetime | None:
        """Return the entry's first instant strictly later than `after`; None if there is none."""
        match entry.schedule:
            case Expression() as expression:
                coming = next(following(expression, entry.zone, after), None)
                return None if coming is None else coming.at
            case Every(minutes=interval):
                anchor = self._anchors[entry.job]
                steps = max(0, (after - anchor) // (interval * MINUTE))
                return anchor + (steps + 1) * interval * MINUTE
            case Reboot():
                return None

    def upcoming(self, after: datetime) -> Iterator[tuple[datetime, list[Entry]]]:
        """Yield the minutes of the next day at which something is due, with what is."""
        for n in range(1, _MINUTES_A_DAY + 1):
            minute = after + n * MINUTE
            if entries := self.due(minute):
                yield minute, entries


def _number(minute: datetime) -> int:
    return int(minute.timestamp()) // 60
