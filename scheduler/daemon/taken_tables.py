"""The tables that another cron ran: what of them it has run already is not this daemon's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.system.crontab_loader import TakenTables

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.entry import Entry


class TakenOver:
    """Knows which entries are of cron's tables, and until when another cron ran these.

    Owns the last minute that was the other's. The entries in force call it. Invariant: no instant
    of such an entry in that minute, or before it, runs here or is made up for.
    """

    def __init__(self) -> None:
        self.tables = TakenTables()
        self._until: datetime | None = None

    def read(self, tables: TakenTables, minute: datetime) -> None:
        """Go by what was read now."""
        if tables.was_crons and not self.tables.files:
            self._until = minute
        self.tables = tables

    def left(self, due: list[Entry], minute: datetime) -> list[Entry]:
        """Return what of these entries, due at a minute, the other has not run."""
        return due if self._until is None or minute > self._until else self._own(due)

    def missing(self, entries: Iterable[Entry], last: datetime) -> Iterable[Entry]:
        """Return the entries that may have missed something in minutes after `last`."""
        return entries if self._until is None or last >= self._until else self._own(entries)

    def unbooted(self, entries: list[Entry]) -> list[Entry]:
        """Return what of these @reboot entries nobody has run since the machine booted."""
        return self._own(entries) if self.tables.has_rebooted else entries

    def _own(self, entries: Iterable[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.file not in self.tables.files]
