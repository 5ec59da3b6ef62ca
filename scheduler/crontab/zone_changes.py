"""Entries before and after a zone's data changed in, whose next runs move, and in words, out.

And two databases that have one zone: the first time from which they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from scheduler.codec import stamp
from scheduler.entry import Expression, Problem, Severity
from scheduler.schedule import dst, zone_data
from scheduler.schedule.upcoming import first_instants
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry

_MOVES_TOLD = 3  # entries that are told by name
_LOOKED_AHEAD = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Move:
    """A job's next run by the old data and by the new; None where none comes."""

    job: str
    before: datetime | None
    after: datetime | None


@dataclass(frozen=True, slots=True)
class ZoneChange:
    """What became of a zone's entries with its new data: how many there are, and which move."""

    zone: str
    entries: int
    moved: tuple[Move, ...]

    def facts(self) -> dict[str, Any]:
        """Return the same for machines."""
        moved = [
            {"job": each.job, "before": _stamp(each.before), "after": _stamp(each.after)}
            for each in self.moved
        ]
        return {"zone": self.zone, "entries": self.entries, "moved": moved}

    def __str__(self) -> str:
        """Return `zone data of Africa/Casablanca changed: the next run of 1 of 3 entries moves`."""
        head = f"zone data of {self.zone} changed:"
        if not self.moved:
            return f"{head} {counted(self.entries, 'entry')}, and no next run moves"
        told = "; ".join(map(_told, self.moved[:_MOVES_TOLD]))
        more = f"; and {len(self.moved) - _MOVES_TOLD} more" if self.moved[_MOVES_TOLD:] else ""
        of = f"of {len(self.moved)} of {counted(self.entries, 'entry')}"
        return f"{head} the next run {of} moves: {told}{more}"


def between(
    before: Mapping[str, Entry], after: Mapping[str, Entry], now: datetime
) -> Iterator[ZoneChange]:
    """Yield what changed for each zone of which there is new data; both mappings are by job."""
    same = [
        (before[job], entry)
        for job, entry in after.items()
        if job in before and _has_new_data(before[job], entry)
    ]
    for zone in sorted({entry.zone.key for _, entry in same}):
        pairs = [(one, two) for one, two in same if two.zone.key == zone]
        old = first_instants((one for one, _ in pairs), now, None)
        new = first_instants((two for _, two in pairs), now, None)
        moves = (
            Move(entry.job, _shown(was, one), _shown(will_be, entry))
            for (one, entry), was, will_be in zip(pairs, old, new, strict=True)
            if was != will_be
        )
        yield ZoneChange(zone, len(pairs), tuple(moves))


def conflicts(zones: Iterable[str], now: datetime) -> Iterator[Problem]:
    """Yield a warning for each zone that two databases tell differently within a year from now."""
    for name in sorted(zones):
        pair = zone_data.pair(name)
        at = None if pair is None else dst.first_difference(*pair, now, now + _LOOKED_AHEAD)
        if pair is not None and at is not None:
            yield _conflict(name, pair, at)


def _conflict(name: str, pair: tuple[ZoneInfo, ZoneInfo], at: datetime) -> Problem:
    machine, package = (f"UTC{at.astimezone(zone).isoformat()[-6:]}" for zone in pair)
    differ = f"the machine's data and those of {zone_data.PACKAGE} differ from {at:%Y-%m-%d} on"
    message = f"{name}: {differ}, {machine} and {package}; the machine's are gone by"
    hint = "update the older of the two; meridian status names their versions"
    file = str(zone_data.file_of(name))
    return Problem(file, 0, 0, Severity.WARNING, "zone-data-differ", message, hint)


def _has_new_data(one: Entry, two: Entry) -> bool:
    is_same = one.schedule == two.schedule and one.zone.key == two.zone.key
    return is_same and one.zone is not two.zone and isinstance(two.schedule, Expression)


def _shown(at: datetime | None, entry: Entry) -> datetime | None:
    """Return the instant, as the entry's zone shows it by the data that it was found with."""
    return None if at is None else at.astimezone(entry.zone)


def _told(move: Move) -> str:
    return f"{move.job} from {_time(move.before)} to {_time(move.after)}"


def _stamp(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)


def _time(at: datetime | None) -> str:
    if at is None:
        return "never"
    return f"{at:%a %Y-%m-%d %H:%M}{at.isoformat()[-6:]} ({at.astimezone(UTC):%H:%M} UTC)"
