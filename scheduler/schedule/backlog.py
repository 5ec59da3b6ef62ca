"""The instants of a job that are still to run, one after the other: a stretch, never a list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.entry import Entry


@dataclass(frozen=True, slots=True)
class Backlog:
    """All instants of a job from `next` to `last`, both included; there are `left` of them.

    Those up to `missed` were missed and are made up for. Those up to `late` came when they were
    not in time any more. The others came in time, and wait behind these. None: there are none.
    `schedule` and `zone` are what the instants are of: another schedule has others.
    """

    job: str
    schedule: str
    zone: str
    next: datetime
    last: datetime
    left: int
    missed: datetime | None = None
    late: datetime | None = None

    @property
    def delays_others(self) -> bool:
        """Whether a new instant waits behind it, whatever CRON_OVERLAP says."""
        return self.late is not None and self.next <= self.late

    @property
    def is_made_up(self) -> bool:
        """Whether the next of them was missed."""
        return self.missed is not None and self.next <= self.missed

    def is_of(self, entry: Entry) -> bool:
        """Say whether these are instants of this entry as its line stands now."""
        return (self.schedule, self.zone) == (entry.schedule_text, entry.zone.key)


def oldest_first(backlogs: Iterable[Backlog]) -> list[Backlog]:
    """Return backlogs in the order of the next instant of each."""
    return sorted(backlogs, key=lambda each: (each.next, each.job))


def of_missed(entry: Entry, first: datetime, last: datetime, left: int) -> Backlog:
    """Return the backlog of instants that were missed."""
    text, zone = entry.schedule_text, entry.zone.key
    return Backlog(entry.job, text, zone, first, last, left, missed=last, late=last)


def behind(backlog: Backlog | None, entry: Entry, instant: datetime, *, late: bool) -> Backlog:
    """Return the backlog with a new instant at its end; None is an empty one."""
    if backlog is None:
        text, zone = entry.schedule_text, entry.zone.key
        backlog = Backlog(entry.job, text, zone, instant, instant, 0)
    edge = instant if late else backlog.late
    return replace(backlog, last=instant, left=backlog.left + 1, late=edge)


def from_instant(backlog: Backlog, instant: datetime | None, *, gone: int) -> Backlog | None:
    """Return what is left from an instant on, `gone` fewer; None if nothing is."""
    if instant is None or instant > backlog.last:
        return None
    return replace(backlog, next=instant, left=max(1, backlog.left - gone))


def until(backlog: Backlog, last: datetime, left: int) -> Backlog:
    """Return what is left up to an instant of it, `left` of them."""
    return replace(
        backlog,
        last=last,
        left=left,
        missed=None if backlog.missed is None else min(backlog.missed, last),
        late=None if backlog.late is None else min(backlog.late, last),
    )
