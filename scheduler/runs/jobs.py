"""What each job has going: a due entry, a missed instant, a time that has come in; starts out.

Everything here is called inside a transaction, and changes after it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from scheduler.entry import Catchup, Entry, Overlap
from scheduler.run import Reason
from scheduler.runs import overlap, retry
from scheduler.runs.launcher import Claimed, Launches
from scheduler.runs.pending import Pending, PutOff, Retry, delays_others
from scheduler.schedule.catchup import earliest, is_too_late, mode, own_start, spaced, window_opens
from scheduler.schedule.tick import MINUTE
from scheduler.schedule.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from scheduler.run import Run
    from scheduler.runs.pauses import Pauses
    from scheduler.runs.supervisor import Supervisor
    from scheduler.runs.transaction import Transaction
    from scheduler.runs.waiting import Waiting
    from scheduler.schedule.catchup import Instants

_EVER = datetime.min.replace(tzinfo=UTC)


class Jobs:
    """Which run of a job may start, which waits for a time, another run or a place."""

    def __init__(
        self,
        transaction: Transaction,
        launches: Launches,
        planned: Launches,
        supervisor: Supervisor,
        waiting: Waiting,
        pauses: Pauses,
    ) -> None:
        self._transaction = transaction
        self._launches = launches
        self._planned = planned
        self._supervisor = supervisor
        self._slots = waiting.slots
        self._pauses = pauses
        self.instants: Instants = Timetable((), {})
        self._behind: set[str] = set()  # jobs whose newest start made up for a missed instant
        self.entries: Mapping[str, Entry] = {}
        self.waiting = waiting
        self.pending = self.waiting.pending
        self._queues = self.waiting.queues

    def must_defer(self, entry: Entry, instant: datetime) -> bool:
        """Say whether an entry that is due can't be begun before its minute without a look at it.

        Its job has a run under way, waiting or to be retried, or is paused, or it lacks a place.
        """
        job = entry.job
        return bool(
            self.is_running(job)
            or job in self.waiting
            or self._pauses.at(job, instant)
            or self._slots.obstacle(entry)
        )

    def is_running(self, job: str) -> bool:
        """Say whether a run of this job has begun and not ended, or is about to begin."""
        begun = self._slots.has_begun(job)  # in this commit
        starts = job in self._launches or job in self._planned
        return begun or starts or self._supervisor.runs(job)

    def is_under_way(self, job: str) -> bool:
        """Say whether a run of this job goes on, or would if it had a place."""
        return self.is_running(job) or job in self._slots

    # --- which entries there are -----------------------------------------------------------

    def drop_removed(self, entries: Mapping[str, Entry]) -> None:
        """Close what waits for a job that is none of these."""
        self.waiting.drop_removed(entries)

    def use(self, entries: Mapping[str, Entry], instants: Instants) -> None:
        """Go by these entries and their instants from now on."""
        self.entries = entries
        self.instants = instants
        self._slots.use(entries)
        self.waiting.backlogs.use(entries, instants)

    def stop(self) -> None:
        """Let nothing start any more; what waits is on disk, for the next daemon."""
        self.waiting.clear()

    # --- what begins -----------------------------------------------------------------------

    def begin(
        self,
        entry: Entry,
        run: Run,
        *,
        number: int = 1,
        first_start: datetime | None = None,
        queue: Launches | None = None,
    ) -> None:
        """Claim an attempt in the journal; not claimed (it has been before) means not started."""
        attempt = self._transaction.claim_attempt(run, number)
        if attempt is not None:
            self._slots.take(entry)
            add = (self._launches if queue is None else queue).add
            self._transaction.then(add, Claimed(entry, attempt, first_start))

    # --- what waits for a time -------------------------------------------------------------

    def start_pending(self, pending: Pending, now: datetime) -> None:
        """Begin what waited for this time, unless the machine slept past it."""
        entry = self.entries[pending.run.job]
        self.waiting.remove(pending)
        self._resume(entry, pending, now)

    def _resume(self, entry: Entry, pending: Pending, now: datetime) -> bool:
        """Begin what has waited for a time, or for another run; False if it does not begin."""
        own = earliest(entry, pending.run)
        if own is not None and own > now:
            self._wait_for(pending, own)
            return False
        if isinstance(pending, Retry):
            return self._try_again(entry, pending, now)
        if pending.made_up and window_opens(entry, now) > now:
            self.put_off(entry, replace(pending, due=window_opens(entry, now)))
            return False
        return self.place(entry, pending, now)

    def _try_again(self, entry: Entry, pending: Retry, now: datetime) -> bool:
        """Begin a run's next attempt, unless another run of the job goes on: then it waits."""
        reason = retry.expired(
            entry.settings.retry,
            pending.due,
            now,
            first_start=pending.first_start,
            next_instant=self._next_start_after(entry, pending),
        )
        if reason is not None:
            self.waiting.close(pending, reason)
            return False
        if self.is_under_way(entry.job) and entry.settings.overlap is not Overlap.ALLOW:
            self._transaction.keep(pending, Reason.OVERLAP)
            self._transaction.then(self._queues.add, pending)
            return False
        self.begin_next(entry, pending)
        return True

    def begin_next(self, entry: Entry, pending: Retry) -> None:
        """Begin a run's next attempt, or let it wait for a place."""
        if reason := self._slots.obstacle(entry):
            self._wait_for_slot(entry, pending, reason)
            return
        number, first_start = pending.number, pending.first_start
        self.begin(entry, pending.run, number=number, first_start=first_start)

    def next_start(self, entry: Entry, run: Run, ended: datetime) -> datetime | None:
        """Return when a later run of the job takes the place of this one's retries.

        At once if one waits; None while the job catches up, since new instants wait then, too. What
        the run itself ran past was skipped and takes nobody's place, unless runs of the job are
        allowed beside one another.
        """
        if self.waiting.has_later(run):
            return ended
        allowed = entry.settings.overlap is Overlap.ALLOW
        since = run.instant if allowed else max(run.instant, ended)
        return self._first_to_run(entry, since)

    def _next_start_after(self, entry: Entry, pending: Retry) -> datetime | None:
        """Return the same of a retry whose time has come.

        Had one of the minutes handled since then run, it would have taken the retry's place.
        """
        if self.waiting.has_later(pending.run):
            return pending.ended
        handled = self._transaction.last_handled or pending.ended
        return self._first_to_run(entry, max(pending.run.instant, pending.ended, handled))

    def _first_to_run(self, entry: Entry, since: datetime) -> datetime | None:
        backlog = self.waiting.backlogs.of(entry.job)
        if backlog is not None and backlog.delays_others:
            return None
        return self.instants.next_instant(entry, since)

    def space(self, now: datetime) -> None:
        """Let missed runs whose starts went by meanwhile start one after the other."""
        due = [each for each in self.pending.due(now) if isinstance(each, PutOff) and each.made_up]
        for missed, ticket in zip(due, spaced(len(due)), strict=True):
            self.waiting.move(missed, window_opens(self.entries[missed.run.job], now) + ticket)

    def put_off(self, entry: Entry, pending: PutOff) -> None:
        """Let a claimed run wait for its time."""
        self._transaction.put_off(entry, pending)
        self._transaction.then(self.pending.add, pending)

    # --- when the clock is set back ----------------------------------------------------------

    def set_back(self, by: timedelta, since: datetime | None, now: datetime) -> None:
        """Let what was to start wait for its time, `now` that the clock is set back `by` so much.

        What is of the minutes from `since` on comes again, and is let go of; None if none is.
        """
        for pending, _ in list(self.waiting.all()):
            if since is not None and self._is_since(pending.run, since):
                self.waiting.drop(pending, Reason.SET_BACK)
        self.waiting.set_back(by, self._own_time)
        self.waiting.backlogs.set_back(since)
        for start in list(self._launches):
            own = earliest(start.entry, start.attempt.run)
            if own is not None and own > now:
                self._take_back(start, own, now, comes_again=since is not None and own >= since)

    def _is_since(self, run: Run, since: datetime) -> bool:
        own = earliest(self.entries[run.job], run)
        return own is not None and own >= since

    def _own_time(self, pending: Pending) -> datetime:
        """Return before when what waits may not start."""
        entry, run = self.entries[pending.run.job], pending.run
        own = earliest(entry, run)
        if own is None:
            return _EVER
        return own_start(entry, own) if isinstance(pending, PutOff) else own

    def _take_back(
        self, start: Claimed, own: datetime, now: datetime, *, comes_again: bool
    ) -> None:
        """Let an attempt that was just to start wait for its own time, unless that comes again."""
        self._transaction.then(self._launches.drop, start)
        if comes_again:
            self._transaction.cancel_attempt(start.attempt, Reason.SET_BACK)
            return
        run, number = start.attempt.run, start.attempt.number
        self._transaction.requeue(start.attempt, own)
        pending: Pending = PutOff(run, own, made_up=False)
        if number > 1:
            pending = Retry(run, number, own, start.first_start or now, now)
        self._transaction.then(self.pending.add, pending)

    def _wait_for(self, pending: Pending, own: datetime) -> None:
        """Let a run wait for its own time, since the clock was set back meanwhile."""
        waiting = replace(pending, due=own)
        self._transaction.keep(waiting)
        self._transaction.then(self.pending.add, waiting)

    # --- what is overtaken -------------------------------------------------------------------

    def supersede(self, entry: Entry, start: PutOff) -> None:
        """Close what waits for a time or a place and is overtaken by a run that really runs."""
        for pending in (*self.waiting.timed(entry.job), *self._slots.of(entry.job)):
            if self._gives_way(entry, pending, start):
                self.waiting.drop(pending, Reason.SUPERSEDED)

    def supersede_retries(self, entry: Entry) -> None:
        """Close the retries that wait for a time or a place: a run by hand takes their place."""
        for pending in self.waiting.of(entry.job):
            if isinstance(pending, Retry):
                self.waiting.drop(pending, Reason.SUPERSEDED)

    def _gives_way(self, entry: Entry, pending: Pending, start: PutOff) -> bool:
        """Say whether a run that waits is overtaken by another one's start.

        A retry is not by one that is itself only made up for; nor is what is made up for by one
        that no schedule asked for.
        """
        if pending.run.order >= start.run.order:  # else this minute has been begun before
            return False
        if isinstance(pending, Retry):
            return not start.made_up
        is_scheduled = earliest(entry, start.run) is not None
        return pending.made_up and mode(entry) is Catchup.LATEST and is_scheduled

    # --- what meets another run --------------------------------------------------------------

    def place(self, entry: Entry, start: PutOff, now: datetime) -> bool:
        """Let a claimed run in beside what its job still has going: see `overlap`.

        Returns whether it begins, or waits for nothing but a slot.
        """
        verdict = overlap.decide(
            entry.settings.overlap,
            too_late=self._is_too_late(entry, start, now),
            busy=self._is_busy(entry, start),
            late=delays_others(start) or now - start.due >= MINUTE,
            catching_up=self.is_catching_up(entry),
            queued=entry.job in self._queues or entry.job in self.waiting.backlogs,
            planned=entry.job in self._planned,
        )
        match verdict:
            case overlap.Start():
                self.begin_first(entry, start)
            case overlap.Skip(reason):
                self.waiting.close(start, reason)
            case overlap.Queue():
                self.supersede(entry, start)
                self._queue(start)
            case overlap.Replace():
                self.supersede(entry, start)
                self._replace(entry, start)
            case _:
                assert_never(verdict)
        return isinstance(verdict, overlap.Start)

    def _is_busy(self, entry: Entry, start: PutOff) -> bool:
        """Say whether a run of the job goes on that this one meets: one that gives way does not."""
        job = entry.job
        if self.is_running(job):
            return True
        if any(not self._gives_way(entry, each, start) for each in self._slots.of(job)):
            return True
        backlog = self.waiting.backlogs.of(job)
        is_behind = backlog is not None and backlog.next < start.run.instant
        return is_behind and earliest(entry, start.run) is not None

    def is_catching_up(self, entry: Entry) -> bool:
        """Say whether what comes in time waits, since the job runs what came too late.

        With `replace` it takes the place of a single run that is late; it never does where all
        missed instants are wanted.
        """
        job, backlog = entry.job, self.waiting.backlogs.of(entry.job)
        if backlog is not None and backlog.delays_others:
            return True
        if mode(entry) is not Catchup.ALL and entry.settings.overlap is Overlap.REPLACE:
            return False
        in_line = (each for each in self._slots.of(job) if mode(entry) is not Catchup.LATEST)
        return (
            job in self._behind
            or self._queues.delays_others(job)
            or any(map(delays_others, in_line))
        )

    def _queue(self, start: PutOff) -> None:
        """Let a run wait for another one to end."""
        self._transaction.keep(start, Reason.OVERLAP)
        self._transaction.then(self._queues.add, start)

    def _replace(self, entry: Entry, start: PutOff) -> None:
        """Let a run take the place of what goes on or waits: in line, in its turn."""
        ticket = self._slots.ticket_of(entry.job)
        self.waiting.drop_queue(entry.job, Reason.REPLACED)
        for running in self._supervisor.of(entry.job):
            if running.stop_reason is None:
                self._transaction.terminate(running.attempt.run, Reason.REPLACED)
                self._transaction.then(self._supervisor.terminate, running, Reason.REPLACED)
        for begun in self._launches.of(entry.job):  # they have no process yet
            self._transaction.cancel_attempt(begun.attempt, Reason.REPLACED)
            self._transaction.then(self._launches.drop, begun)
        if self._supervisor.runs(entry.job):
            self._queue(start)
        else:
            self.begin_first(entry, start, ticket)

    def _wait_for_slot(
        self, entry: Entry, pending: Pending, reason: Reason, ticket: int | None = None
    ) -> None:
        """Let a run wait for a place."""
        self._transaction.wait_for_slot(entry, pending, reason)
        self._slots.wait_for_slot(entry, pending, reason, ticket)

    def begin_first(self, entry: Entry, start: PutOff, ticket: int | None = None) -> None:
        """Begin a run, in the place of what it overtakes, or let it wait for a place."""
        self.supersede(entry, start)
        if reason := self._slots.obstacle(entry):
            self._wait_for_slot(entry, start, reason, ticket)
            return
        self.begin(entry, start.run)
        self._transaction.then(
            self._behind.add if delays_others(start) else self._behind.discard, entry.job
        )

    def is_late(self, job: str) -> None:
        """Remember that the run that goes on should have run long before."""
        self._behind.add(job)

    def _is_too_late(self, entry: Entry, start: PutOff, now: datetime) -> bool:
        """Say whether CRON_WITHIN is over, counted from its own time when it was claimed."""
        own = own_start(entry, start.run.instant) if start.made_up else start.due
        return is_too_late(entry, own, now, made_up=start.made_up)

    def start_waiting(self, now: datetime) -> None:
        """Begin who waits for a place that is free, then who waits for a job that is."""
        for pending in self._slots.admissible(self.entries):
            self.waiting.remove(pending)
            self._resume(self.entries[pending.run.job], pending, now)
        for job in self._queues:
            if not self.is_under_way(job):
                self._start_queued(self.entries[job], now)

    def _start_queued(self, entry: Entry, now: datetime) -> None:
        for waiting in self.waiting.queued(entry.job):
            self.waiting.remove(waiting)
            if self._resume(entry, waiting, now):
                return
