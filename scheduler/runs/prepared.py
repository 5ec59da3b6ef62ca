"""The coming minute: its due entries in, prepared starts and entries that it must look at out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.runs.jobs import Jobs
    from scheduler.runs.launcher import Launches
    from scheduler.runs.transaction import Transaction


class Prepared:
    """What is claimed and prepared for a minute that has not come; inside a transaction.

    `starts` begin when it comes; `deferred` are entries that are due then and not claimed yet.
    """

    def __init__(self, transaction: Transaction, jobs: Jobs, starts: Launches) -> None:
        self._transaction = transaction
        self._jobs = jobs
        self.starts = starts
        self.deferred: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self.deferred or self.starts)

    def claim(self, entries: Iterable[Entry], instant: datetime, *, late: bool) -> None:
        """Claim what is due at `instant`, and hold the others.

        Those are the entries that something keeps from a start, those that start later than their
        instant, and all of a minute that is `late`.
        """
        deferred: list[Entry] = []
        for entry in entries:
            if late or entry.delay or self._jobs.must_defer(entry, instant):
                deferred.append(entry)
            elif run := self._transaction.claim(entry, instant):
                self._jobs.begin(entry, run, queue=self.starts)
        self._transaction.then(self._defer, deferred)

    def unprepare(self, job: str) -> None:
        """Take back what is claimed of a job: the minute itself sees what becomes of it."""
        for start in self.starts.of(job):
            self._transaction.release(start.attempt.run)
            self._transaction.then(self.starts.drop, start)
            self._transaction.then(lambda entry=start.entry: self.deferred.append(entry))

    def undo(self) -> None:
        """Take back everything: the minute is owed again."""
        for attempt in self.starts.attempts():
            self._transaction.release(attempt.run)
        self._transaction.then(self.starts.cancel)
        self._transaction.then(self._defer, [])

    def done(self) -> None:
        """Hold nothing any more: the minute has seen to it."""
        self._transaction.then(self._defer, [])

    def _defer(self, entries: list[Entry]) -> None:
        self.deferred = entries
