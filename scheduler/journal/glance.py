"""A journal in, whether anything of it is in trouble, and its last minute, out: nothing more.

Most looks at a daemon find nothing wrong. They go without what makes runs of rows, which takes
longer to load than the answer.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.journal.columns import instant, seconds, whole
from scheduler.journal.connection import Connection, first
from scheduler.journal.migrations import bring_up_to_date, scripts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import Any

AHEAD = timedelta(seconds=30)  # of runs by hand: each has a second of its own, the next free one

_DAY = timedelta(days=1)


class Glance:
    """The part of the journal that is looked at most, without the others.

    Owns: nothing but its way to the connection. Called by: `status`. Invariant: it changes nothing,
    and answers as `Queries` and `DaemonState` do.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def at(cls, path: Path) -> Iterator[Glance]:
        """Open the journal at `path` to be read.

        Raises JournalError for one that is missing, damaged or of another version.
        """
        connection = Connection.open(path, readonly=True)
        try:
            bring_up_to_date(connection, scripts())
            yield cls(connection)
        finally:
            connection.close()

    def has_failing(self, now: datetime) -> bool:
        """Say whether there is a job whose newest finished run failed."""
        return bool(self._connection.rows("failing", now=whole(now + AHEAD)))

    def has_retrying(self) -> bool:
        """Say whether a run waits for another attempt."""
        return bool(self._connection.rows("retrying"))

    def failed_alerts(self, now: datetime) -> int:
        """Return how many alerts were given up in the last day."""
        return self._count("count_failed", since=seconds(now - _DAY))

    def retried_alerts(self) -> int:
        """Return how many alerts wait to be tried again."""
        return self._count("count_tried")

    def _count(self, name: str, **values: float) -> int:
        found: int = self._connection.rows(name, **values)[0][0]
        return found

    def last_tick(self) -> datetime | None:
        """Return the last minute handled; None before the first."""
        return first(self._connection.read(_instants, "last_tick"))


def _instants(rows: list[tuple[Any, ...]]) -> list[datetime]:
    return [instant(row[0]) for row in rows]
