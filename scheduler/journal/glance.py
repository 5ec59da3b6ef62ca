"""A journal in, which of its runs are in trouble, and its last minute, out: nothing more.

Most looks at a daemon find nothing wrong. They go without what makes runs of rows, which takes
longer to load than the answer.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scheduler.journal.columns import instant, maybe, number, seconds, whole, whole_instant
from scheduler.journal.connection import Connection, first
from scheduler.journal.migrations import bring_up_to_date, scripts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from scheduler.journal.rows import RunRow

_AHEAD = timedelta(seconds=30)  # of runs by hand: each has a second of its own, the next free one
_DAY = timedelta(days=1)


class Glance:
    """The part of the journal that is looked at most; it can be had without the others.

    Owns: nothing but its way to the connection. Called by: `status`. Invariant: it changes nothing.
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

    def failing(self, now: datetime) -> list[RunRow]:
        """Return, for each job whose newest finished run failed, that run, by their jobs' names.

        Runs of a clock's wrong future are not the newest.

        Runs that were ended on purpose (by hand, by a stop, by their successor) do not count.
        """
        return self._connection.read(_runs, "failing", now=whole(now + _AHEAD))

    def failing_since(self, job: str, now: datetime) -> tuple[int, datetime | None]:
        """Return how many finished runs of a job have failed on end by now, and the first instant.

        They are those that `failing` counts.
        """
        ((times, since),) = self._connection.read(
            _counted, "failing_since", job=job, now=whole(now + _AHEAD)
        )
        return times, since

    def retrying(self) -> list[RunRow]:
        """Return the runs that wait for another attempt."""
        return self._connection.read(_runs, "retrying")

    def failed_alerts(self, now: datetime) -> int:
        """Return how many alerts were given up in the last day."""
        return self._count("count_failed", since=seconds(now - _DAY), until=seconds(now))

    def retried_alerts(self) -> int:
        """Return how many alerts wait to be tried again."""
        return self._count("count_tried")

    def _count(self, name: str, **values: float) -> int:
        found: int = self._connection.rows(name, **values)[0][0]
        return found

    def last_tick(self) -> datetime | None:
        """Return the last minute handled; None before the first."""
        return first(self._connection.read(_instants, "last_tick"))


Rows = list[tuple[Any, ...]]


def _instants(rows: Rows) -> list[datetime]:
    return [instant(row[0]) for row in rows]


def _counted(rows: Rows) -> list[tuple[int, datetime | None]]:
    return [(number(value), maybe(whole_instant, at)) for value, at in rows]


def _runs(rows: Rows) -> list[RunRow]:
    """Return runs from rows of the view; what makes them is loaded where there are some."""
    if not rows:
        return []
    found: list[RunRow] = import_module("scheduler.journal.run_decoding").runs(rows)
    return found
