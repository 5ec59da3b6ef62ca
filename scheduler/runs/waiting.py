"""Who waits gets its turn: runs that wait for a time, a run or a slot in, runs that begin out.

`Waiting` owns nothing; the runs are the table's. The loop's verbs call it, inside a commit.
Invariant: a retry begins only before the job's next instant, and no run before its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.entry import Overlap
from scheduler.runs import retry
from scheduler.runs.live_run import Phase
from scheduler.schedule.catchup import spaced
from scheduler.schedule.misfire import earliest, window_opens

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.run import Run
    from scheduler.runs.admission import Admission
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.slots import Slots
    from scheduler.runs.transaction import Transaction


class Waiting:
    """See the module."""

    def __init__(self, transaction: Transaction, admission: Admission, slots: Slots) -> None:
        self._transaction = transaction
        self._table = transaction.table
        self._admission = admission
        self._slots = slots

    def start_due(self, live: LiveRun, now: datetime) -> None:
        """Begin what waited for this time, unless the machine slept past it."""
        if self._table.get(live.run.number) is live:  # what began before it may have closed it
            self._resume(live, now)

    def start_free(self, now: datetime) -> None:
        """Begin who waits for a slot that is free, then who waits for a job that is."""
        for live in self._slots.admissible():
            self._resume(live, now)
        for job in self._table.queues():
            if not self._table.is_under_way(job):
                self._start_queued(job, now)

    def _start_queued(self, job: str, now: datetime) -> None:
        for live in self._table.queued(job):
            if self._table.get(live.run.number) is live and self._resume(live, now):
                return

    def _resume(self, live: LiveRun, now: datetime) -> bool:
        """Begin what has waited for a time, or for another run; False if it does not begin."""
        self._transaction.drop(live.run.number)  # it is in nobody's way, least of all its own
        own = earliest(live.entry, live.run)
        if own is not None and own > now:  # the clock was set back meanwhile
            self._transaction.wait(replace(live, phase=Phase.WAIT_TIME, due=own, reason=None))
            return False
        if live.is_retry:
            return self._try_again(live, now)
        if live.made_up and window_opens(live.entry, now) > now:
            self._transaction.put_off(replace(live, due=window_opens(live.entry, now)))
            return False
        return self._admission.place(live, now)

    # --- retries ---------------------------------------------------------------------------------

    def _try_again(self, live: LiveRun, now: datetime) -> bool:
        """Begin a run's next attempt, unless another run of the job goes on: then it waits."""
        entry, first_start = live.entry, live.first_start or now
        reason = retry.expired(
            entry.settings.retry,
            live.due,
            now,
            first_start=first_start,
            next_instant=self._next_start_after(live),
        )
        if reason is not None:
            self._transaction.close(live, reason)
            return False
        if self._table.is_under_way(live.job) and entry.settings.overlap is not Overlap.ALLOW:
            self._transaction.wait_for_run(live)
            return False
        self._admission.begin_retry(live)
        return True

    def next_start(self, entry: Entry, run: Run, ended: datetime) -> datetime | None:
        """Return when a later run of the job takes the place of this one's retries.

        At once if one waits; None while the job catches up, since new instants wait then, too. What
        the run itself ran past was skipped and takes nobody's place, unless runs of the job are
        allowed beside one another.
        """
        if self._table.has_later(run):
            return ended
        allowed = entry.settings.overlap is Overlap.ALLOW
        since = run.instant if allowed else max(run.instant, ended)
        return self._first_to_run(entry, since)

    def _next_start_after(self, live: LiveRun) -> datetime | None:
        """Return the same of a retry whose time has come.

        Had one of the minutes handled since then run, it would have taken the retry's place.
        """
        ended = live.ended or live.due
        if self._table.has_later(live.run):
            return ended
        handled = self._table.last_handled or ended
        return self._first_to_run(live.entry, max(live.run.instant, ended, handled))

    def _first_to_run(self, entry: Entry, since: datetime) -> datetime | None:
        backlog = self._table.backlogs.get(entry.job)
        if backlog is not None and backlog.delays_others:
            return None
        return self._admission.instants.next_instant(entry, since)

    # --- missed runs -----------------------------------------------------------------------------

    def space(self, now: datetime) -> None:
        """Let missed runs whose starts went by meanwhile start one after the other."""
        some = [each for each in self._table.due(now) if each.made_up and not each.is_retry]
        for missed, turn in zip(some, spaced(len(some)), strict=True):
            due = window_opens(missed.entry, now) + turn
            self._transaction.wait(replace(missed, due=due, reason=None))
