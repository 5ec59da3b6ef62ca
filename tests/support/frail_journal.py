"""A real journal in memory to which a test lets accidents happen: a full disk, a kill."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.journal.connection import Connection
from scheduler.journal.journal import Journal
from scheduler.runs.table import RunTable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from datetime import datetime

# Statements of the tests themselves, and what comes after an accident.
_SPARED = ("rollback", "run", "history_of_job", "pauses")


class _Overheard(Connection):
    """A connection that tells of each statement before it is executed."""

    def __init__(self, connection: Connection, before: Callable[[str], None]) -> None:
        super().__init__(connection._sqlite, connection.name, path=connection.path)
        self._before = before

    def do(self, name: str, **values: str | float | None) -> sqlite3.Cursor:
        self._before(name)
        return super().do(name, **values)


class FrailJournal(Journal):
    """A journal that something happens to before the statement of a certain number."""

    def __init__(self, connection: Connection) -> None:
        self.statements = 0
        self.accidents: dict[int, Callable[[], None]] = {}
        self.is_full = False
        self.is_looked_at = False  # by a test, to which nothing happens
        super().__init__(_Overheard(connection, self._before))

    def _before(self, name: str) -> None:
        if not self.is_looked_at and name not in _SPARED:
            self.statements += 1
            self.accidents.pop(self.statements, lambda: None)()
            if self.is_full:
                raise JournalError("the disk is full")

    def live(self, now: datetime) -> RunTable:
        """Return the table of runs that this journal tells of; it is the test that asks."""
        with self._a_look():
            return RunTable.from_journal(self, {}, now)

    def unstarted(self) -> set[int]:
        """Return the open runs of whose first attempt it has no start; it is the test that asks."""
        with self._a_look():
            rows = self.unfinished()
        return {row.run.number for row in rows if row.attempts and not row.attempts[0].started}

    @contextmanager
    def _a_look(self) -> Iterator[None]:
        self.is_looked_at = True
        try:
            yield
        finally:
            self.is_looked_at = False
