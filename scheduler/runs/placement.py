"""Lets claimed runs in beside what their job has going: they start, wait, replace or are closed.

`Placement` owns the entries in force and which jobs run behind time; the runs are the table's. The
loop's verbs and requests by hand call it, inside a commit. Invariant: of a job whose runs may not
overlap no run starts while another goes on, and none before its own instant.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from scheduler.entry import Catchup, Entry, Overlap
from scheduler.run import Reason
from scheduler.runs import overlap, retry
from scheduler.runs.live_run import Phase
from scheduler.schedule.catchup import mode, spaced
from scheduler.schedule.misfire import earliest, is_too_late, own_start, window_opens
from scheduler.schedule.tick import MINUTE
from scheduler.schedule.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from scheduler.run import Run
    from scheduler.runs.backlogs import Backlogs
    from scheduler.runs.launcher import Launcher
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.pauses import Pauses
    from scheduler.runs.slots import Slots
    from scheduler.runs.supervisor import Supervisor
    from scheduler.runs.table import RunTable
    from scheduler.runs.transaction import Transaction
    from scheduler.schedule.catchup import Instants

_EVER = datetime.min.replace(tzinfo=UTC)


class Placement:
    """See the module."""

    def __init__(
        self,
        transaction: Transaction,
        table: RunTable,
        slots: Slots,
        launcher: Launcher,
        supervisor: Supervisor,
        backlogs: Backlogs,
        pauses: Pauses,
    ) -> None:
        self._transaction = transaction
        self._launcher = launcher
        self._supervisor = supervisor
        self.pauses = pauses
        self._behind: set[str] = set()  # jobs whose newest start made up for a missed instant
        self.table = table
        self.slots = slots
        self.backlogs = backlogs
        self.instants: Instants = Timetable((), {})
        self.entries: Mapping[str, Entry] = {}

    def must_defer(self, entry: Entry, instant: datetime) -> bool:
        """Say whether an entry that is due can't be begun before its minute without a look at it.

        Its job has a run under way, waiting or to be retried, or is paused, or it lacks a slot.
        """
        job = entry.job
        return bool(
            self.table.of(job)
            or job in self.backlogs
            or self.pauses.at(job, instant)
            or self.slots.obstacle(entry)
        )

    # --- which entries there are -----------------------------------------------------------

    def drop_removed(self, entries: Mapping[str, Entry]) -> None:
        """Close what waits for a job that is none of these."""
        for job in self.table.jobs():
            if job not in entries:
                for live in self.table.waiting_of(job):
                    self._transaction.close(live, Reason.REMOVED)
        self.backlogs.drop_removed(entries)

    def still_needed(self, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return the entries that are none of these any more, and of whose jobs something waits."""
        waits = {*self.table.jobs(), *(each.job for each in self.backlogs.all())}
        gone = waits - entries.keys()
        return {job: self.entries[job] for job in gone if job in self.entries}

    def use(self, entries: Mapping[str, Entry], instants: Instants) -> None:
        """Go by these entries and their instants; who waits in line keeps its ticket."""
        self.entries = entries
        self.instants = instants
        self.slots.use(entries)
        for live in self.table.waiting():
            self.table.put(replace(live, entry=entries.get(live.job, live.entry)))
        self.backlogs.use(entries, instants)

    def drop_waiting(self, job: str, reason: Reason) -> None:
        """Close whatever waits of a job."""
        for live in self.table.waiting_of(job):
            self._transaction.close(live, reason)
        self.backlogs.drop(job, reason)

    # --- what waits for a time -------------------------------------------------------------

    def start_due(self, live: LiveRun, now: datetime) -> None:
        """Begin what waited for this time, unless the machine slept past it."""
        if self.table.get(live.run.number) is live:  # what began before it may have closed it
            self.resume(live, now)

    def resume(self, live: LiveRun, now: datetime) -> bool:
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
        return self.place(live, now)

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
        if self.table.is_under_way(live.job) and entry.settings.overlap is not Overlap.ALLOW:
            self._transaction.wait_for_run(live)
            return False
        self.begin_retry(live)
        return True

    def begin_retry(self, live: LiveRun) -> None:
        """Begin a run's next attempt, or let it wait for a slot."""
        if reason := self.slots.obstacle(live.entry):
            self._transaction.wait_for_slot(live, reason)
        else:
            self._transaction.begin(live)

    def next_start(self, entry: Entry, run: Run, ended: datetime) -> datetime | None:
        """Return when a later run of the job takes the place of this one's retries.

        At once if one waits; None while the job catches up, since new instants wait then, too. What
        the run itself ran past was skipped and takes nobody's place, unless runs of the job are
        allowed beside one another.
        """
        if self.table.has_later(run):
            return ended
        allowed = entry.settings.overlap is Overlap.ALLOW
        since = run.instant if allowed else max(run.instant, ended)
        return self._first_to_run(entry, since)

    def _next_start_after(self, live: LiveRun) -> datetime | None:
        """Return the same of a retry whose time has come.

        Had one of the minutes handled since then run, it would have taken the retry's place.
        """
        ended = live.ended or live.due
        if self.table.has_later(live.run):
            return ended
        handled = self._transaction.last_handled or ended
        return self._first_to_run(live.entry, max(live.run.instant, ended, handled))

    def _first_to_run(self, entry: Entry, since: datetime) -> datetime | None:
        backlog = self.backlogs.of(entry.job)
        if backlog is not None and backlog.delays_others:
            return None
        return self.instants.next_instant(entry, since)

    def space(self, now: datetime) -> None:
        """Let missed runs whose starts went by meanwhile start one after the other."""
        due = [each for each in self.table.due(now) if each.made_up and not each.is_retry]
        for missed, turn in zip(due, spaced(len(due)), strict=True):
            self._transaction.wait(replace(missed, due=window_opens(missed.entry, now) + turn))

    # --- when the clock is set back ----------------------------------------------------------

    def set_back(self, by: timedelta, since: datetime | None, now: datetime) -> None:
        """Let what was to start wait for its time, `now` that the clock is set back `by` so much.

        What is of the minutes from `since` on comes again, and is closed; None if none is.
        """
        for live in self.table.waiting():
            if since is not None and self._is_since(live, since):
                self._transaction.close(live, Reason.SET_BACK)
        for live in self.table.all_timed():  # elapsed time counts
            due = max(live.due + by, self._earliest_start(live))
            self._transaction.wait(replace(live, due=due))
        self.backlogs.set_back(since)
        for live in self.table.starting():
            own = earliest(live.entry, live.run)
            if own is not None and own > now:
                self._take_back(live, own, now, comes_again=since is not None and own >= since)

    def _is_since(self, live: LiveRun, since: datetime) -> bool:
        own = earliest(live.entry, live.run)
        return own is not None and own >= since

    def _earliest_start(self, live: LiveRun) -> datetime:
        """Return before when what waits may not start."""
        own = earliest(live.entry, live.run)
        if own is None:
            return _EVER
        return own if live.is_retry else own_start(live.entry, own)

    def _take_back(self, live: LiveRun, own: datetime, now: datetime, *, comes_again: bool) -> None:
        """Let an attempt that was just to start wait for its own time, unless that comes again."""
        if comes_again:
            self.cancel(live, Reason.SET_BACK)
            return
        self._transaction.effect(self._launcher.forget, live.run.number)
        waits = replace(live, made_up=False, late=False)
        if live.is_retry:
            waits = replace(waits, first_start=live.first_start or now, ended=now)
        self._transaction.requeue(waits, own)

    # --- what is overtaken -------------------------------------------------------------------

    def supersede(self, start: LiveRun) -> None:
        """Close what waits for a time or a slot and is overtaken by a run that really runs."""
        for live in (*self.table.timed(start.job), *self.table.in_line(start.job)):
            if self._gives_way(live, start):
                self._transaction.close(live, Reason.SUPERSEDED)

    def supersede_retries(self, entry: Entry) -> None:
        """Close the retries that wait for a time or a slot: a run by hand takes their place."""
        for live in self.table.waiting_of(entry.job):
            if live.is_retry:
                self._transaction.close(live, Reason.SUPERSEDED)

    def _gives_way(self, live: LiveRun, start: LiveRun) -> bool:
        """Say whether a run that waits is overtaken by another one's start.

        A retry is not by one that is itself only made up for; nor is what is made up for by one
        that no schedule asked for.
        """
        if live.run.order >= start.run.order:  # else this minute has been begun before
            return False
        if live.is_retry:
            return not start.made_up
        is_scheduled = earliest(start.entry, start.run) is not None
        return live.made_up and mode(start.entry) is Catchup.LATEST and is_scheduled

    # --- what meets another run --------------------------------------------------------------

    def place(self, start: LiveRun, now: datetime) -> bool:
        """Let a claimed run in beside what its job still has going: see `overlap`.

        Returns whether it begins, or waits for nothing but a slot.
        """
        entry, job = start.entry, start.job
        verdict = overlap.decide(
            entry.settings.overlap,
            too_late=self._is_too_late(start, now),
            busy=self._is_busy(start),
            late=start.delays_others or now - start.due >= MINUTE,
            catching_up=self.is_catching_up(entry),
            queued=bool(self.table.queued(job)) or job in self.backlogs,
            planned=self.table.plans(job),
        )
        match verdict:
            case overlap.Start():
                self.begin_first(start)
            case overlap.Skip(reason):
                self._transaction.close(start, reason)
            case overlap.Queue():
                self.supersede(start)
                self._transaction.wait_for_run(start)
            case overlap.Replace():
                self.supersede(start)
                self._replace(start)
            case _:
                assert_never(verdict)
        return isinstance(verdict, overlap.Start)

    def _is_busy(self, start: LiveRun) -> bool:
        """Say whether a run of the job goes on that this one meets: one that gives way does not."""
        job = start.job
        if self.table.is_running(job):
            return True
        if any(not self._gives_way(each, start) for each in self.table.in_line(job)):
            return True
        backlog = self.backlogs.of(job)
        is_behind = backlog is not None and backlog.next < start.run.instant
        return is_behind and earliest(start.entry, start.run) is not None

    def is_catching_up(self, entry: Entry) -> bool:
        """Say whether what comes in time waits, since the job runs what came too late.

        With `replace` it takes the place of a single run that is late; it never does where all
        missed instants are wanted.
        """
        job, backlog = entry.job, self.backlogs.of(entry.job)
        if backlog is not None and backlog.delays_others:
            return True
        if mode(entry) is not Catchup.ALL and entry.settings.overlap is Overlap.REPLACE:
            return False
        before = self.table.queued(job)
        if mode(entry) is not Catchup.LATEST:
            before += self.table.in_line(job)
        return job in self._behind or any(each.delays_others for each in before)

    def _replace(self, start: LiveRun) -> None:
        """Let a run take the place of what goes on or waits: in line, with its ticket."""
        job = start.job
        in_line = self.table.in_line(job)
        ticket = in_line[0].ticket if in_line else None
        for live in (*self.table.queued(job), *in_line):
            self._transaction.close(live, Reason.REPLACED)
        self.backlogs.drop(job, Reason.REPLACED)
        ends = False
        for live in self.table.of(job):
            if live.phase is Phase.STARTING:  # it has no process yet
                self.cancel(live, Reason.REPLACED)
            elif not live.is_waiting:
                ends = True
                self.terminate(live, Reason.REPLACED)
        if ends:
            self._transaction.wait_for_run(start)
        else:
            self.begin_first(start, ticket)

    def cancel(self, live: LiveRun, reason: Reason) -> None:
        """Close a run whose attempt is claimed and has no process yet."""
        self._transaction.cancel_attempt(live, reason)
        self._transaction.effect(self._launcher.forget, live.run.number)

    def terminate(self, live: LiveRun, reason: Reason) -> None:
        """End a run's process, unless it is being ended already."""
        running = self._supervisor.find(live.run.number)
        if running is not None and running.stop_reason is None:
            self._transaction.terminate(live, reason)
            self._transaction.effect(self._supervisor.terminate, running, reason)

    def begin_first(self, start: LiveRun, ticket: int | None = None) -> None:
        """Begin a run, in the place of what it overtakes, or let it wait for a slot."""
        self.supersede(start)
        if reason := self.slots.obstacle(start.entry):
            self._transaction.wait_for_slot(start, reason, ticket)
        elif self._transaction.begin(start):
            change = self._behind.add if start.delays_others else self._behind.discard
            self._transaction.effect(change, start.job)

    def is_late(self, job: str) -> None:
        """Remember that the run that goes on should have run long before."""
        self._behind.add(job)

    def _is_too_late(self, start: LiveRun, now: datetime) -> bool:
        """Say whether CRON_WITHIN is over, counted from its own time when it was claimed."""
        own = own_start(start.entry, start.run.instant) if start.made_up else start.due
        return is_too_late(start.entry, own, now, made_up=start.made_up)

    def start_waiting(self, now: datetime) -> None:
        """Begin who waits for a slot that is free, then who waits for a job that is."""
        for live in self.slots.admissible():
            self.resume(live, now)
        for job in self.table.queues():
            if not self.table.is_under_way(job):
                self._start_queued(job, now)

    def _start_queued(self, job: str, now: datetime) -> None:
        for live in self.table.queued(job):
            if self.table.get(live.run.number) is live and self.resume(live, now):
                return
