"""Claims what is due in the coming minute before it comes, so that it can start on time.

`Prepared` owns the entries that it has deferred: something keeps them from a start, so the minute
itself looks at them. What it has claimed is in the table. The loop's verbs call it, in a commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.runs.live_run import LiveRun, Phase

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.runs.launcher import Launcher
    from scheduler.runs.placement import Placement
    from scheduler.runs.table import RunTable
    from scheduler.runs.transaction import Transaction


class Prepared:
    """See the module."""

    def __init__(
        self, transaction: Transaction, table: RunTable, placement: Placement, launcher: Launcher
    ) -> None:
        self._transaction = transaction
        self._table = table
        self._placement = placement
        self._launcher = launcher
        self.deferred: list[Entry] = []

    def __bool__(self) -> bool:
        return bool(self.deferred) or self._table.has_planned()

    def claim(self, entries: Iterable[Entry], instant: datetime, *, late: bool) -> None:
        """Claim what is due at `instant`, and defer the others.

        Those are the entries that something keeps from a start, those that start later than their
        instant, and all of a minute that is `late`.
        """
        deferred: list[Entry] = []
        for entry in entries:
            if late or entry.delay or self._placement.must_defer(entry, instant):
                deferred.append(entry)
            elif run := self._transaction.claim(entry, instant):
                live = LiveRun(run, entry, Phase.STARTING, instant)
                self._transaction.begin(live, planned=True)
        self._transaction.assign(self, "deferred", deferred)

    def unprepare(self, job: str) -> None:
        """Take back what is claimed of a job: the minute itself sees what becomes of it."""
        taken = [live for live in self._table.of(job) if self._table.is_planned(live.run.number)]
        for live in taken:
            self._release(live)
        entries = [*self.deferred, *(live.entry for live in taken)]
        self._transaction.assign(self, "deferred", entries)

    def undo(self) -> None:
        """Take back everything: the minute is owed again."""
        for live in self._table.planned():
            self._release(live)
        self._transaction.assign(self, "deferred", [])

    def done(self) -> None:
        """Defer nothing any more: the minute has seen to it."""
        self._transaction.assign(self, "deferred", [])

    def _release(self, live: LiveRun) -> None:
        self._transaction.release(live.run)
        self._transaction.effect(self._launcher.forget, live.run.number)
