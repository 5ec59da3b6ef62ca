"""The coming minute: its due entries in, prepared starts and entries that it must look at out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.runs.jobs import Jobs
    from scheduler.runs.launcher import Launches
    from scheduler.runs.transaction import Ledger


class Prepared:
    """What is claimed and prepared for a minute that has not come; inside a commit of the ledger.

    `starts` begin when it comes; `held` are entries that are due then and not claimed yet.
    """

    def __init__(self, ledger: Ledger, jobs: Jobs, starts: Launches) -> None:
        self._ledger = ledger
        self._jobs = jobs
        self.starts = starts
        self.held: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self.held or self.starts)

    def claim(self, entries: Iterable[Entry], instant: datetime, *, late: bool) -> None:
        """Claim what is due at `instant`, and hold the others.

        Those are the entries that something keeps from a start, those that start later than their
        instant, and all of a minute that is `late`.
        """
        held: list[Entry] = []
        for entry in entries:
            if late or entry.delay or self._jobs.is_held(entry, instant):
                held.append(entry)
            elif run := self._ledger.claim(entry, instant):
                self._jobs.begin(entry, run, queue=self.starts)
        self._ledger.then(self._hold, held)

    def hold(self, job: str) -> None:
        """Take back what is claimed of a job: the minute itself sees what becomes of it."""
        for start in self.starts.of(job):
            self._ledger.release(start.attempt.run)
            self._ledger.then(self.starts.drop, start)
            self._ledger.then(lambda entry=start.entry: self.held.append(entry))

    def undo(self) -> None:
        """Take back everything: the minute is owed again."""
        for attempt in self.starts.attempts():
            self._ledger.release(attempt.run)
        self._ledger.then(self.starts.cancel)
        self._ledger.then(self._hold, [])

    def done(self) -> None:
        """Hold nothing any more: the minute has seen to it."""
        self._ledger.then(self._hold, [])

    def _hold(self, entries: list[Entry]) -> None:
        self.held = entries
