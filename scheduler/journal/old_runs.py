"""Runs that may be too old to keep: which they are, and their removal from the journal.

What is too old is decided in `retention`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.journal import decoding, run_decoding
from scheduler.journal.columns import seconds, whole
from scheduler.journal.connection import Connection, first

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.rows import OldRun


class OldRuns:
    """The part of the journal that finds what is no longer kept, and removes it.

    Owns: nothing but its way to the connection. Called by: `Pruning`. Invariant: a run that is not
    over is neither found nor removed.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def next_job(self, after: str) -> str | None:
        """Return the first job behind this name that has a run which is over."""
        return first(self._connection.read(decoding.words, "next_job", job=after))

    def nth_newest(self, job: str, number: int) -> tuple[int, datetime] | None:
        """Return era and instant of the last of a job's `number` newest runs that are over.

        None if there are not so many.
        """
        return first(self._connection.read(decoding.paths, "nth_newest", job=job, number=number))

    def eras_of(self, job: str) -> list[int]:
        """Return the numbers of the eras in which a job has runs that are over, in order."""
        return self._connection.read(decoding.numbers, "eras_of", job=job)

    def newest(self, job: str, now: datetime) -> frozenset[int]:
        """Return the numbers of a job's newest finished run, and of the newest with an attempt."""
        return frozenset(self._connection.read(decoding.numbers, "newest", job=job, now=whole(now)))

    def before(self, job: str, instant: datetime, *, limit: int, era: int = 0) -> list[OldRun]:
        """Return a job's oldest runs of an era that are over, with all instants before this."""
        values = {"era": era, "instant": whole(instant), "limit": limit}
        return self._connection.read(run_decoding.old_runs, "before", job=job, **values)

    def forget(self, number: int) -> None:
        """Keep a run that is over, and its attempts, no longer."""
        self._connection.change("forget", run=number)

    def forget_jumps(self, before: datetime, *, keep: int, limit: int) -> int:
        """Keep no jumps before an instant, nor more than `keep`; return how many went by now.

        At most `limit` do at once.
        """
        values = {"instant": whole(before), "keep": keep, "limit": limit}
        return self._connection.do("forget_jumps", **values).rowcount

    def knows(self, number: int, attempt: int, output: str) -> bool:
        """Tell whether the output of this path is that of an attempt."""
        return bool(self._connection.rows("knows", run=number, attempt=attempt, output=output))

    def reckoning(self) -> datetime | None:
        """Return how late it was for the age of runs when it was last told."""
        return first(self._connection.read(decoding.instants, "reckoning"))

    def set_reckoning(self, at: datetime) -> None:
        """Remember how late it is for the age of runs."""
        self._connection.do("set_reckoning", at=seconds(at))
