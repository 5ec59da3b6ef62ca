"""Runs without a process, by what they wait for: in when they can't go on, out when they may.

Everything here is called inside a transaction, and changes after it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from scheduler.run import Reason, State
from scheduler.runs.backlogs import Backlogs
from scheduler.runs.pending import Pending, PendingRuns, PutOff
from scheduler.runs.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime, timedelta

    from scheduler.entry import Entry
    from scheduler.run import Run
    from scheduler.runs.slots import Slots
    from scheduler.runs.transaction import Dropped, Transaction


class Waiting:
    """What waits for a time (`pending`), another run of its job (`queues`) or a place (`slots`).

    Of a run one thing waits, in one of them. What is not claimed yet is in `backlogs`.
    """

    def __init__(self, transaction: Transaction, dropped: Dropped, slots: Slots) -> None:
        self._transaction = transaction
        self._dropped = dropped
        self.pending = PendingRuns()
        self.queues = Queues()
        self.slots = slots
        self.backlogs = Backlogs(transaction)

    def __contains__(self, job: str) -> bool:
        lists = (self.pending, self.queues, self.slots, self.backlogs)
        return any(job in each for each in lists)

    def of(self, job: str) -> list[Pending]:
        """Return whatever waits of this job, and is not dropped."""
        return [*self.timed(job), *self.queued(job), *self.slots.of(job)]

    def timed(self, job: str) -> list[Pending]:
        """Return what waits for a time, and is not dropped."""
        return [each for each in self.pending.of(job) if each not in self._dropped]

    def queued(self, job: str) -> list[Pending]:
        """Return what waits for another run of this job, in order, and is not dropped."""
        return [each for each in self.queues.of(job) if each not in self._dropped]

    def find(self, run: int) -> Pending | None:
        """Return what waits of the run of this number; None if nothing does."""
        some = (each for each, _ in self.all() if each not in self._dropped)
        return next((each for each in some if each.run.number == run), None)

    def all(self) -> Iterator[tuple[Pending, Reason | None]]:
        """Yield everything that waits, and for what: None is a time."""
        yield from ((each, None) for each in self.pending.all())
        yield from ((each, Reason.OVERLAP) for each in self.queues.all())
        yield from ((each.pending, each.reason) for each in self.slots.all())

    def __len__(self) -> int:
        return sum(1 for _ in self.all())

    def has_later(self, run: Run) -> bool:
        """Say whether a later run of the same job waits for its turn."""
        return self.queues.has_later(run) or self.slots.has_later(run)

    def clear(self) -> None:
        """Let go of everything: it is on disk."""
        for each in (self.pending, self.queues, self.slots, self.backlogs):
            self._transaction.then(each.clear)

    # --- what goes -----------------------------------------------------------------------------

    def drop_removed(self, jobs: Mapping[str, Entry]) -> None:
        """Close what waits for a job that is none of these."""
        lists = (self.pending, self.queues, self.slots)
        for job in set(chain.from_iterable(each.unknown_jobs(jobs) for each in lists)):
            for pending in self.of(job):
                self.drop(pending, Reason.REMOVED)
        self.backlogs.drop_removed(jobs)

    def drop_all(self, job: str, reason: Reason) -> None:
        """Close whatever waits of this job."""
        for pending in self.of(job):
            self.drop(pending, reason)
        self.backlogs.drop(job, reason)

    def drop_queue(self, job: str, reason: Reason) -> None:
        """Close what waits for another run of this job, or for a place."""
        for waiting in (*self.queued(job), *self.slots.of(job)):
            self.drop(waiting, reason)
        self.backlogs.drop(job, reason)

    def drop(self, pending: Pending, reason: Reason) -> None:
        """Close a run that waits."""
        self.close(pending, reason)
        self.remove(pending)

    def close(self, pending: Pending, reason: Reason) -> None:
        """Close a run that does not wait any more: one that never began is skipped."""
        state = State.SKIPPED if isinstance(pending, PutOff) else State.FAILED
        self._transaction.close(pending.run, state, reason)

    def remove(self, pending: Pending) -> None:
        """Let a run wait no more, wherever it does: for this commit at once, then for good."""
        if pending in self._dropped:
            return
        job = pending.run.job
        lists = (self.pending, self.queues, self.slots)
        holder = next(each for each in lists if pending in each.of(job))
        self._dropped.add(pending)
        self._transaction.then(holder.remove, pending)

    # --- what the clock does to it ---------------------------------------------------------------

    def move(self, pending: Pending, due: datetime) -> None:
        """Let what waits for a time wait for another one."""
        moved = replace(pending, due=due)
        self._transaction.keep(moved)
        self.remove(pending)
        self._transaction.then(self.pending.add, moved)

    def set_back(self, by: timedelta, earliest: Callable[[Pending], datetime]) -> None:
        """Move what waits for a time with a clock that was set back: elapsed time counts.

        `earliest` says for each before when it may not start: its own time.
        """
        for pending in self.pending.all():
            if pending not in self._dropped:
                self.move(pending, max(pending.due + by, earliest(pending)))
