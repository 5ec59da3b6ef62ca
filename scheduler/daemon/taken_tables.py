"""The tables that another cron ran: what of them it has run already is not this daemon's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.schedule.tick import MINUTE, minute_of
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

    def read(self, tables: TakenTables) -> None:
        """Go by what was read now: calendars may have delayed that since the tables were taken."""
        if tables.until is not None and not self.tables.files:
            self._until = minute_of(tables.until)
        self.tables = tables

    def rewind(self, minute: datetime) -> None:
        """Let time come again from this minute on: the clock had been wrong."""
        if self._until is not None and self._until >= minute:
            self._until = minute - MINUTE

    def left(self, due: list[Entry], minute: datetime) -> list[Entry]:
        """Return what of these entries, due at a minute, the other has not run."""
        return due if self._until is None or minute > self._until else self._own(due)

    def missing(self, entries: Iterable[Entry], last: datetime) -> Iterable[tuple[Entry, datetime]]:
        """Return the entries with the minutes after which each may have missed something.

        That is `last`; of what the other ran, its own last minute, if that is later.
        """
        until = last if self._until is None else max(last, self._until)
        for entry in entries:
            yield entry, until if entry.file in self.tables.files else last

    def unbooted(self, entries: list[Entry]) -> list[Entry]:
        """Return what of these @reboot entries nobody has run since the machine booted."""
        return self._own(entries) if self.tables.has_rebooted else entries

    def _own(self, entries: Iterable[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.file not in self.tables.files]
