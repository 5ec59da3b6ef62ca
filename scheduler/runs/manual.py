"""What users do to runs and jobs by hand: a request in, what was done or why not out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler import suggestions
from scheduler.entry import Overlap
from scheduler.journal.columns import SECOND
from scheduler.pause import Paused
from scheduler.run import Reason, Run, State
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule.misfire import earliest
from scheduler.text import shortened
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import RunRow
    from scheduler.runs.admission import Admission
    from scheduler.runs.outcomes import Outcomes
    from scheduler.runs.replacement import Replacement
    from scheduler.runs.supervisor import Running, Supervisor
    from scheduler.runs.transaction import Transaction
    from scheduler.runs.waiting import Waiting
    from scheduler.system.clock import Clock


@dataclass(frozen=True, slots=True)
class ByHandResult:
    """Which run a request was about, and which attempt it came to; 0 where that has none."""

    run: Run
    attempt: int = 0


class Manual:
    """What users do by hand; what makes no sense returns a Refused, and nothing is done then.

    Owns nothing; the runs and the pauses are the table's. Whoever answers requests calls it, with
    no commit open. Invariant: all but the signal of a kill is on disk before it is done.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        transaction: Transaction,
        admission: Admission,
        replacement: Replacement,
        waiting: Waiting,
        supervisor: Supervisor,
        outcomes: Outcomes,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._transaction = transaction
        self._table = transaction.table
        self._admission = admission
        self._replacement = replacement
        self._waiting = waiting
        self._supervisor = supervisor
        self._outcomes = outcomes
        self._pauses = admission.pauses

    def trigger(self, job: str) -> ByHandResult | Refused:
        """Start a run of a job now, by hand, within CRON_OVERLAP, pools and limits."""
        entry = self._admission.entries.get(job)
        if entry is None:
            return self._unknown([job])
        if entry.settings.overlap is Overlap.SKIP and self._table.is_under_way(job):
            return _busy(job)
        with self._transaction.commit():
            run = self._claim(entry, self._clock.now())
        return ByHandResult(run, 1)

    def _claim(self, entry: Entry, now: datetime) -> Run:
        """Admit a run that its user asked for, now; its instant is the first second not taken."""
        second, run = now.replace(microsecond=0), None
        self._replacement.supersede_retries(entry.job)
        while run is None:
            if second.second:  # a whole minute is the schedule's, now or when a clock is set back
                run = self._transaction.claim_by_hand(entry, second)
            second += SECOND
        self._admission.place(LiveRun(run, entry, Phase.WAIT_TIME, now), now)
        return run

    def retry(self, number: int) -> ByHandResult | Refused:
        """Start the next attempt of a run now: one that waits for it, or one that is over."""
        row = self._journal.queries.run(number)
        if row is None:
            return Refused("no-such-run", f"There is no run {number}; meridian history lists them")
        if refused := _never_again(row):
            return refused
        entry = self._admission.entries.get(row.run.job)
        if entry is None:
            return Refused("no-such-job", f"{row.run.job} is no longer in a crontab")
        own = earliest(entry, row.run)
        if own is not None and own > self._clock.now():
            return _to_come(row.run)
        if row.state is State.SCHEDULED:
            return self._start_now(entry, number)
        return self._again(entry, row)

    def kill(self, number: int) -> ByHandResult | Refused:
        """End a run, or let go of it where it waits; it is not tried again."""
        live = self._table.get(number)
        if live is not None and self._has_no_process(live):
            self._outcomes.record()  # its end, and what follows: it may be tried again
            live = self._table.get(number)
        if live is not None:
            return self._end(live)
        row = self._journal.queries.run(number)
        if row is None:
            return Refused("no-such-run", f"There is no run {number}; meridian history lists them")
        if row.state is State.SCHEDULED:
            return self._close_on_disk(row)
        return Refused("over", f"Run {number} of {row.run.job} is over: {row.state}")

    def _has_no_process(self, live: LiveRun) -> bool:
        """Say whether a run has begun and nobody supervises it: it has ended, or is hidden."""
        has_begun = live.phase in (Phase.RUNNING, Phase.STOPPING)
        return has_begun and self._supervisor.find(live.run.number) is None

    def _end(self, live: LiveRun) -> ByHandResult | Refused:
        """End a run, in whatever phase it is."""
        running = self._supervisor.find(live.run.number)
        if self._has_no_process(live) or (running is not None and not running.pid):
            return _hidden(live.run)
        if running is not None:
            self._terminate(live, running)
            return ByHandResult(live.run, live.attempt)
        with self._transaction.commit():
            if live.is_waiting:
                self._transaction.close(live, Reason.KILLED)
            else:
                self._replacement.cancel(live, Reason.KILLED)
            self._waiting.start_free(self._clock.now())
        return ByHandResult(live.run)

    def _close_on_disk(self, row: RunRow) -> ByHandResult:
        """Close a run that waits for the next daemon, since this one begins nothing new."""
        state = State.FAILED if row.attempts else State.SKIPPED
        entry = self._admission.entries.get(row.run.job)
        with self._transaction.commit():
            self._transaction.close_open(row.run, state, Reason.KILLED, entry)
        return ByHandResult(row.run)

    def _terminate(self, live: LiveRun, running: Running) -> None:
        """End an attempt; a job that fills the disk can be ended though the journal refuses."""
        try:
            with self._transaction.commit():
                self._transaction.terminate(live, Reason.KILLED)
        finally:
            self._supervisor.terminate(running, Reason.KILLED)

    def pause(self, jobs: Sequence[str], until: datetime | None, note: str) -> Refused | None:
        """Start nothing of these jobs by their schedules; what waits of them is let go of."""
        now = self._clock.now()
        if refused := self._refuse_unknown(jobs):
            return refused
        if until is not None and until <= now:
            return Refused("past", f"{until:%Y-%m-%d %H:%M:%S} UTC is over: name a time to come")
        with self._transaction.commit():
            for job in jobs:
                self._pauses.pause(Paused(job, now, until, note))
                for live in self._table.waiting_of(job):
                    self._transaction.close(live, Reason.PAUSED)
                self._admission.backlogs.drop(job, Reason.PAUSED)
                self._admission.unplan_job(job)
        return None

    def resume(self, jobs: Sequence[str]) -> Refused | None:
        """Let these jobs go by their schedules again, from the next minute on."""
        now = self._clock.now()
        going = [job for job in jobs if self._pauses.at(job, now) is None]
        if refused := self._refuse_unknown(going):
            return refused
        if going:
            return Refused("not-paused", f"{_listed(going)} is not paused")
        with self._transaction.commit():
            for job in jobs:
                self._pauses.resume(job)
        return None

    # --- retry ---------------------------------------------------------------------------------

    def _start_now(self, entry: Entry, number: int) -> ByHandResult | Refused:
        """Let a run that waits for a time wait no longer."""
        live = self._table.get(number)
        if live is None or not live.is_waiting:
            return Refused("running", f"Run {number} of {entry.job} is just being started")
        if live.phase is not Phase.WAIT_TIME:
            why = "waits for its turn: an earlier run of the job, or a slot"
            return Refused("in-line", f"Run {number} {why}; it starts when there is room")
        if entry.settings.overlap is not Overlap.ALLOW and self._table.is_under_way(entry.job):
            return _busy(entry.job)
        with self._transaction.commit():
            self._begin_again(live, self._clock.now())
        return ByHandResult(live.run, live.attempt)

    def _again(self, entry: Entry, row: RunRow) -> ByHandResult | Refused:
        """Open a run again that is over."""
        if entry.settings.overlap is not Overlap.ALLOW and self._table.is_under_way(entry.job):
            return _busy(entry.job)
        now, number = self._clock.now(), len(row.attempts) + 1
        ended = max(now, row.attempts[-1].ended or now) if row.attempts else None
        again = LiveRun(row.run, entry, Phase.WAIT_TIME, now, number, first_start=now, ended=ended)
        with self._transaction.commit():
            self._transaction.reopen(row.run, now)
            self._begin_again(again, now)
        return ByHandResult(row.run, number)

    def _begin_again(self, live: LiveRun, now: datetime) -> None:
        """Begin a run's next attempt at once."""
        self._transaction.drop(live.run.number)
        if live.is_retry:
            self._admission.begin_retry(replace(live, due=now))
        else:
            self._admission.place(replace(live, due=now, made_up=False, late=False), now)

    # --- names -----------------------------------------------------------------------------------

    def _refuse_unknown(self, jobs: Iterable[str]) -> Refused | None:
        unknown = [job for job in jobs if job not in self._admission.entries]
        return self._unknown(unknown) if unknown else None

    def _unknown(self, jobs: Sequence[str]) -> Refused:
        hint = suggestions.job(jobs[0], self._admission.entries)
        return Refused("no-such-job", f"There is no job {_listed(map(shortened, jobs))}; {hint}")


def _never_again(row: RunRow) -> Refused | None:
    """Say why a run has no further attempt, whatever its user wishes."""
    number, job = row.run.number, row.run.job
    if row.until is not None:
        why = "stands for several instants that were left out"
        return Refused("not-one-run", f"Row {number} {why}; meridian trigger {job} runs the job")
    if row.state is State.RUNNING:
        return Refused("running", f"Run {number} of {job} is running")
    if row.state is State.SUCCEEDED:
        message = f"Run {number} of {job} succeeded; meridian trigger {job} runs it again"
        return Refused("succeeded", message)
    return None


def _to_come(run: Run) -> Refused:
    """Say that the clock was set back: no run starts before its instant, even if it has failed."""
    at, job = f"{run.instant:%Y-%m-%d %H:%M}", run.job
    why = f"is of {at} UTC, which is still to come"
    return Refused("to-come", f"Run {run.number} {why}; meridian trigger {job} runs the job now")


def _hidden(run: Run) -> Refused:
    why = "its process is hidden from this user, as a set-uid program's can be"
    return Refused("hidden", f"Run {run.number} can't be ended: {why}; root can end it")


def _busy(job: str) -> Refused:
    why = "is under way, and CRON_OVERLAP lets no other run of it begin"
    return Refused("overlap", f"A run of {job} {why}; meridian status shows it")


def _listed(jobs: Iterable[str]) -> str:
    return ", ".join(jobs)
