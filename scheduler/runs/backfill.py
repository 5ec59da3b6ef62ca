"""Runs what is in the backlogs: instants that came too late in, claimed runs out, in their order.

Its calls stand inside a transaction, but for `due_next`. It keeps that the first attempts
of a job's scheduled runs begin in the order of their instants while it has a backlog, and that
nothing is drawn before it can begin: what waits costs no memory and no rows.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.entry import Catchup, Overlap
from scheduler.run import Reason
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule import backlog as rules
from scheduler.schedule.catchup import first_in_time, mode, period, spaced
from scheduler.schedule.misfire import earliest, own_start, window_opens

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.runs.placement import Placement
    from scheduler.runs.transaction import Transaction
    from scheduler.schedule.backlog import Backlog

AT_ONCE = 20  # jobs that are drawn for in one commit: the loop has other work, too


class Backfill:
    """Draws from the backlogs one run after the other of each job."""

    def __init__(self, transaction: Transaction, placement: Placement) -> None:
        self._transaction = transaction
        self._placement = placement
        self._table = placement.table
        self._backlogs = placement.backlogs

    # --- what goes behind ------------------------------------------------------------------------

    def takes(self, entry: Entry, instant: datetime, now: datetime, *, late: bool) -> bool:
        """Say whether a new instant of an entry has to wait behind others of its job."""
        backlog, is_alone = self._backlogs.of(entry.job), entry.settings.overlap is Overlap.ALLOW
        is_busy = self._table.is_under_way(entry.job)
        is_catching_up = self._placement.is_catching_up(entry)
        if own_start(entry, instant) > now and not is_catching_up:
            return False  # it waits for its own time, behind those before it
        if backlog is not None:
            return late or is_catching_up or is_alone or not is_busy
        if is_busy and not is_alone and (late or is_catching_up):
            return True
        return any(
            not each.is_retry and self._is_before(each, instant, now, late=late)
            for each in self._table.timed(entry.job)
        )

    def _is_before(self, waits: LiveRun, instant: datetime, now: datetime, *, late: bool) -> bool:
        """Say whether a claimed run that waits for its time has to begin before a new instant.

        One that is put off to hours to come has only if all missed instants are wanted.
        """
        if earliest(waits.entry, waits.run) is None or waits.run.instant >= instant:
            return False
        if waits.made_up:
            return mode(waits.entry) is Catchup.ALL
        return late or waits.due <= now

    def add(self, entry: Entry, instant: datetime, *, late: bool) -> None:
        """Let a new instant wait behind the others; a `late` one holds up those behind it."""
        behind = rules.behind(self._backlogs.of(entry.job), entry, instant, late=late)
        self._backlogs.put(behind)

    def make_up(self, entry: Entry, backlog: Backlog, first: datetime) -> None:
        """Let missed instants be made up for, the oldest not before `first`."""
        counted = self._backlogs.counted(entry, backlog)
        self._backlogs.put(counted)
        self._backlogs.wait(entry.job, first)
        self._transaction.catches_up(entry, counted)

    # --- what is drawn ---------------------------------------------------------------------------

    def due(self, now: datetime) -> list[str]:
        """Return the jobs of which a run may be drawn now, the oldest first, but not too many."""
        # With thousands of jobs only those whose time has come may cost more than a look.
        come = (each for each in self._backlogs.all() if self._backlogs.wait_of(each.job) <= now)
        free = (each for each in rules.oldest_first(come) if not self._is_blocked(each))
        return [each.job for each in islice(free, AT_ONCE)]

    def due_next(self) -> datetime | None:
        """Return when the next run may be drawn; None if none may before another has ended."""
        by_wait = sorted(self._backlogs.all(), key=lambda each: self._backlogs.wait_of(each.job))
        free = (each.job for each in by_wait if not self._is_blocked(each))
        return next(map(self._backlogs.wait_of, free), None)

    def draw(self, job: str, now: datetime) -> None:
        """Begin the next run of a job's backlog, if its time has come."""
        entry = self._placement.entries[job]
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
            self._placement.begin_first(start)

    def _turn(self, job: str) -> timedelta:
        """Return after how long it is a job's turn when many may begin at once."""
        jobs = [each.job for each in rules.oldest_first(self._backlogs.all())]
        return spaced(len(jobs))[jobs.index(job)]

    def _trimmed(self, entry: Entry, now: datetime) -> Backlog | None:
        """Return a job's backlog without what is too late by now.

        Instants that were missed and those that waited behind them are judged apart: the hours of
        START_HOURS_RANGE hold for the first alone.
        """
        while (backlog := self._backlogs.of(entry.job)) is not None:
            is_made_up, last = backlog.is_made_up, backlog.last
            if backlog.missed is not None and is_made_up:
                last = backlog.missed
            first = first_in_time(
                entry, backlog.next, last, now, self._placement.instants, made_up=is_made_up
            )
            if first == backlog.next:
                break
            beyond = first or self._placement.instants.next_instant(entry, last)
            self._backlogs.drop_until(backlog, beyond, Reason.TOO_LATE)
        return self._backlogs.of(entry.job)

    def _is_blocked(self, backlog: Backlog) -> bool:
        """Say whether another run of the job has to begin, or to end, before the next is drawn."""
        job, entry = backlog.job, self._placement.entries[backlog.job]
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
