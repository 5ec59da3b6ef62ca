"""The entries in force and a peer in, what of them that peer may know of out: for snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.status import Crontabs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.entry import Entry
    from scheduler.peer import Peer
    from scheduler.schedule.timetable import Timetable
    from scheduler.status import CrontabFile


@dataclass(frozen=True, slots=True)
class VisibleEntries:
    """What of the entries in force one may know of: all that is an admin's, and a user's own.

    Of the crontabs, a user sees their own table of the spool; an entry that runs as them may stand
    in one of root's, too, of which they see that entry alone.
    """

    entries: Mapping[str, Entry]
    timetable: Timetable
    crontabs: Crontabs
    files: tuple[CrontabFile, ...]

    @property
    def zones(self) -> frozenset[str]:
        """The names of the zones of these entries."""
        return frozenset(entry.zone.key for entry in self.entries.values())


def to(peer: Peer, in_force: EntriesInForce) -> VisibleEntries:
    """Return what this peer may know of."""
    if peer.is_admin:
        crontabs = summary(in_force)
        return VisibleEntries(in_force.entries, in_force.timetable, crontabs, in_force.files)
    entries = {job: entry for job, entry in in_force.entries.items() if peer.owns(entry.user)}
    files = tuple(each for each in in_force.files if peer.owns(each.user))
    crontabs = Crontabs(
        entries=len(entries),
        zones=len({entry.zone.key for entry in entries.values()}),
        problems=in_force.errors_in({each.file for each in files}),
        kept=sum(peer.owns(entry.user) for entry in in_force.kept),
    )
    return VisibleEntries(entries, in_force.timetable.of(entries.values()), crontabs, files)


def summary(in_force: EntriesInForce) -> Crontabs:
    """Return what there is of entries in all."""
    return Crontabs(
        entries=len(in_force.entries),
        zones=len(in_force.zones),
        problems=in_force.refused,
        kept=len(in_force.kept),
    )
