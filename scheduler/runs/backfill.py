"""Runs what is in the backlogs: instants that came too late in, claimed runs out, in their order.

`Backfill` owns nothing; the backlogs are the table's. The loop's verbs call it, inside a commit but
for `due_next`. Invariant: while a job has a backlog, the first attempts of its scheduled runs begin
in the order of their instants, and nothing is drawn before it can begin: what waits costs no memory
and no rows.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.entry import Overlap
from scheduler.run import Reason
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule import backlog as rules
from scheduler.schedule.catchup import first_in_time, period, spaced
from scheduler.schedule.misfire import earliest, own_start, window_opens

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.runs.admission import Admission
    from scheduler.runs.backlogs import Backlogs
    from scheduler.runs.transaction import Transaction
    from scheduler.schedule.backlog import Backlog

JOBS_AT_ONCE = 20  # jobs that are drawn for in one commit: the loop has other work, too


class Backfill:
    """See the module: of each job it draws one run after the other."""

    def __init__(self, transaction: Transaction, admission: Admission, backlogs: Backlogs) -> None:
        self._transaction = transaction
        self._table = transaction.table
        self._admission = admission
        self._backlogs = backlogs

    def due(self, now: datetime) -> list[str]:
        """Return the jobs of which a run may be drawn now, the oldest first, but not too many."""
        # With thousands of jobs only those whose time has come may cost more than a look.
        come = (each for each in self._backlogs.all() if self._backlogs.wait_of(each.job) <= now)
        free = (each for each in rules.oldest_first(come) if not self._is_blocked(each))
        return [each.job for each in islice(free, JOBS_AT_ONCE)]

    def due_next(self) -> datetime | None:
        """Return when the next run may be drawn; None if none may before another has ended."""
        by_wait = sorted(self._backlogs.all(), key=lambda each: self._backlogs.wait_of(each.job))
        free = (each.job for each in by_wait if not self._is_blocked(each))
        return next(map(self._backlogs.wait_of, free), None)

    def draw(self, job: str, now: datetime) -> None:
        """Begin the next run of a job's backlog, if its time has come."""
        entry = self._admission.entries[job]
        backlog = self._trimmed(entry, now)
        if backlog is None:
            return
        own = own_start(entry, backlog.next)
        is_made_up = backlog.is_made_up and now > own
        if own > now:
            self._backlogs.wait(job, own)
        elif is_made_up and window_opens(entry, now) > now:
            self._backlogs.wait(job, window_opens(entry, now) + self._turn(job))
        else:
            self._begin(entry, backlog, own, is_made_up=is_made_up)
            pace = period(self._backlogs.all()) if is_made_up else timedelta(0)
            self._backlogs.wait(job, now + pace)

    def _begin(self, entry: Entry, backlog: Backlog, own: datetime, *, is_made_up: bool) -> None:
        """Claim the next run, and let it begin or wait for a place."""
        run = self._transaction.claim(entry, backlog.next, owed=True)
        self._backlogs.advance(backlog, gone=0 if run is None else 1)
        if run is not None:
            late = backlog.delays_others
            start = LiveRun(run, entry, Phase.WAIT_TIME, own, made_up=is_made_up, late=late)
            if is_made_up:  # a crash between here and its start must not make it one in time
                self._transaction.wait(start)
            self._admission.begin(start)

    def _turn(self, job: str) -> timedelta:
        """Return after how long it is a job's turn when many may begin at once."""
        jobs = [each.job for each in rules.oldest_first(self._backlogs.all())]
        return spaced(len(jobs))[jobs.index(job)]

    def _trimmed(self, entry: Entry, now: datetime) -> Backlog | None:
        """Return a job's backlog without what is too late by now.

        Instants that were missed and those that waited behind them are judged apart: the hours of
        START_HOURS_RANGE count for the first alone.
        """
        while (backlog := self._backlogs.of(entry.job)) is not None:
            is_made_up, last = backlog.is_made_up, backlog.last
            if backlog.missed is not None and is_made_up:
                last = backlog.missed
            first = first_in_time(
                entry, backlog.next, last, now, self._admission.instants, made_up=is_made_up
            )
            if first == backlog.next:
                break
            beyond = first or self._admission.instants.next_instant(entry, last)
            self._backlogs.drop_until(backlog, beyond, Reason.TOO_LATE)
        return self._backlogs.of(entry.job)

    def _is_blocked(self, backlog: Backlog) -> bool:
        """Say whether another run of the job has to begin, or to end, before the next is drawn."""
        job, entry = backlog.job, self._admission.entries[backlog.job]
        if entry.settings.overlap is not Overlap.ALLOW and self._table.is_under_way(job):
            return True
        if self._table.in_line(job) or self._table.queued(job):
            return True
        return any(
            not each.is_retry
            and each.run.instant < backlog.next
            and earliest(entry, each.run) is not None
            for each in self._table.timed(job)
        )
