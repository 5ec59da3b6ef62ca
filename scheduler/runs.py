"""What is under way: due entries in; claimed, started, decided on and journalled runs out.

The daemon owns one `Runs`, and it owns every run that has not come to its end: claimed for the
coming minute, running, waiting for an earlier one, or waiting to be retried.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from scheduler import retry, wording
from scheduler.launches import Launches, Start, Started, output_of
from scheduler.model import (
    Attempt,
    Decision,
    Done,
    Ending,
    Entry,
    GiveUp,
    Lost,
    NotStarted,
    Outcome,
    Overlap,
    Reason,
    Reboot,
    RetryAt,
    Run,
    State,
    TimedOut,
)
from scheduler.retries import Pending, Retries
from scheduler.watch import Running, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from scheduler.clock import Clock
    from scheduler.journal import Journal, OpenRun
    from scheduler.log import Log
    from scheduler.process import Ended, Spawner

    NextInstant = Callable[[Entry, datetime], datetime | None]


class Runs:
    """Everything that has begun and not ended; see DESIGN: the life of a run."""

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        spawner: Spawner,
        state: Path,
        log: Log,
        spread: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._spawner = spawner
        self._log = log
        self._spread = spread
        self._planned = Launches(clock, spawner, state)  # for a minute that has not come
        self._launches = Launches(clock, spawner, state)
        self._watch = Watch(clock, spawner)
        self._entries: Mapping[str, Entry] = {}
        self._next_instant: NextInstant = lambda _entry, _after: None
        self._held: list[Entry] = []  # due at the planned minute, but their job is busy
        self._waiting: dict[str, list[Run]] = {}  # by job, in the order of their instants
        self._retries = Retries()
        self._endings: list[tuple[Running, Ending]] = []  # seen, and not yet in the journal

    def busy(self) -> int:
        """Return how many attempts have a process."""
        return len(self._watch)

    # --- the flow, in the order in which the loop asks for it ------------------------------

    def follow(self, entries: Mapping[str, Entry], next_instant: NextInstant) -> None:
        """Go by these entries from now on; what runs is untouched, what waits may lose its job."""
        self._entries = entries
        self._next_instant = next_instant
        waiting = [job for job in self._waiting if job not in entries]
        retried = self._retries.strangers(entries)
        if not waiting and not retried:
            return
        with self._journal.transaction():
            for job in waiting:
                self._drop_waiting(job, Reason.REMOVED)
            for job in retried:
                self._drop_retries(job, Reason.REMOVED)

    def plan(self, entries: Iterable[Entry], instant: datetime) -> None:
        """Claim and prepare what is due at `instant`, before it; who is busy is held for `fire`."""
        with self._journal.transaction():
            for entry in entries:
                if self._is_busy(entry.job):
                    self._held.append(entry)
                else:
                    self._begin(entry, self._claim(entry, instant), queue=self._planned)
        self._planned.prepare()

    def fire(self, instant: datetime, *, late: bool = False) -> None:
        """Start what was planned for `instant`, then see who may start beside an earlier run.

        A `late` minute is run as if in time: a run then waits for the one before it, since it is
        only the hurry that makes them meet.
        """
        self._launches.take(self._planned)
        self.start()
        held, self._held = self._held, []
        with self._journal.transaction():
            for entry in held:
                self._admit(entry, instant, late=late)
            self._journal.set_last_tick(instant)
        self.start()

    def start(self) -> None:
        """Start what is ready; journal and log it after the burst."""
        burst = [(started, _running(started)) for started in self._launches.begin()]
        for started, running in burst:
            if not isinstance(started.result, NotStarted):
                self._watch.add(running)
        if not burst:
            return
        with self._journal.transaction():
            for started, running in burst:
                self._take_in(started, running)

    def start_retries(self) -> None:
        """Start the retries whose time has come."""
        due = self._retries.due(self._clock.now())
        if not due:
            return
        with self._journal.transaction():
            for pending in due:
                entry = self._entries[pending.run.job]
                self._begin(entry, pending.run, pending.number, pending.first_start)
        self.start()

    def settle(self) -> None:
        """Take in what ended, decide what follows, and start who waited for it."""
        children = [(self._watch.remove(ended.pid), ended) for ended in self._spawner.ended()]
        now = self._clock.now()
        self._endings += [(running, _ending(running, ended, now)) for running, ended in children]
        self._endings += [(r, Ending(_fated(r, Lost()), now)) for r in self._watch.vanished()]
        if not self._endings:
            return
        with self._journal.transaction():
            for running, ending in self._endings:
                self._close(running, ending)
            self._let_in()
        self._endings.clear()
        self.start()

    def enforce(self) -> None:
        """End who is over its time."""
        self._watch.enforce()

    def next_wake(self) -> datetime | None:
        """Return when something here is due next; None if nothing is."""
        now = self._clock.now()
        if self._launches:
            return now
        wait = self._watch.next_signal()
        signal = None if wait is None else now + timedelta(seconds=wait)
        wakes = (self._retries.next_due(), signal)
        return min((wake for wake in wakes if wake is not None), default=None)

    def at_reboot(self, entries: Iterable[tuple[Entry, str]], instant: datetime) -> None:
        """Start @reboot entries, and remember the boot that each ran for."""
        with self._journal.transaction():
            for entry, boot in entries:
                self._begin(entry, self._claim(entry, instant))
                self._journal.set_booted(entry.job, boot)
        self.start()

    # --- stopping and starting again -------------------------------------------------------

    def cancel(self) -> None:
        """Let go of everything that has no process yet; retries stay due on disk.

        What is planned for a minute that has not come is released: that minute is still owed, and
        a daemon that starts again in time runs it.
        """
        self._held.clear()
        self._retries.clear()
        why = NotStarted(Reason.STOPPED.value)
        with self._journal.transaction():
            for attempt in self._planned.cancel():
                self._journal.release(attempt.run)
            for attempt in self._launches.cancel():
                self._journal.ended(attempt, Ending(why, self._clock.now()))
                self._finish(attempt.run, State.SKIPPED, Reason.STOPPED)
            for job in list(self._waiting):
                self._drop_waiting(job, Reason.STOPPED)

    def end_all(self) -> None:
        """Send every running attempt its next signal: SIGTERM, and SIGKILL when asked again."""
        self._watch.end_all()

    def resume(self, left: Iterable[OpenRun]) -> None:
        """Settle what an earlier daemon left open: watch what lives, retry or close the rest."""
        with self._journal.transaction():
            for open_run in left:
                self._resume(open_run)
        self.start()

    def _resume(self, left: OpenRun) -> None:
        run, now = left.run, self._clock.now()
        entry = self._entries.get(run.job)
        if not left.attempts:
            self._finish(run, State.SKIPPED, Reason.STOPPED)
            return
        last, first_start = left.attempts[-1], left.attempts[0].started or now
        if last.ended is not None:
            self._resume_retry(run, left.due or now, last.number + 1, first_start)
            return
        process = Running(
            entry or _unknown(run),
            Attempt(run, last.number),
            last.pid or 0,
            last.started or now,
            first_start,
            adopted=last.pid_started,
        )
        if last.pid_started is None or self._spawner.started_at(process.pid) != last.pid_started:
            self._close(process, Ending(Lost(), now))
        else:
            self._watch.add(process)
            self._log.info("adopted", job=run.job, run=run.number, pid=process.pid)

    def _resume_retry(self, run: Run, due: datetime, number: int, first_start: datetime) -> None:
        entry = self._entries.get(run.job)
        following = None if entry is None else self._next_instant(entry, run.instant)
        if entry is None:
            self._finish(run, State.FAILED, Reason.REMOVED)
        elif following is not None and following <= self._clock.now():
            self._finish(run, State.FAILED, Reason.SUPERSEDED)
        else:
            self._retries.add(Pending(run, number, due, first_start))

    # --- one run ---------------------------------------------------------------------------

    def _is_busy(self, job: str) -> bool:
        return self._watch.runs(job) or job in self._waiting or job in self._retries

    def _claim(self, entry: Entry, instant: datetime) -> Run | None:
        return self._journal.claim(entry.job, instant, entry.zone.key)

    def _begin(
        self,
        entry: Entry,
        run: Run | None,
        number: int = 1,
        first_start: datetime | None = None,
        queue: Launches | None = None,
    ) -> None:
        """Claim an attempt in the journal; not claimed (it has been before) means not started."""
        if run is None:
            return
        attempt = self._journal.claim_attempt(run, number, output_of(Attempt(run, number)))
        if attempt is not None:
            (self._launches if queue is None else queue).add(Start(entry, attempt, first_start))

    def _admit(self, entry: Entry, instant: datetime, *, late: bool) -> None:
        """Let a due entry in beside what its job still has going, as its CRON_OVERLAP says."""
        self._drop_retries(entry.job, Reason.SUPERSEDED)
        overlap = entry.settings.overlap
        if not self._watch.runs(entry.job) or overlap is Overlap.ALLOW:
            self._begin(entry, self._claim(entry, instant))
        elif not late and self._is_full(entry):
            if self._journal.skip(entry.job, instant, entry.zone.key, Reason.OVERLAP):
                self._log.info("skipped", job=entry.job, reason=Reason.OVERLAP.value)
        elif run := self._claim(entry, instant):
            if overlap is Overlap.REPLACE and not late:
                self._drop_waiting(entry.job, Reason.REPLACED)
                self._watch.replace(entry.job)
            self._waiting.setdefault(entry.job, []).append(run)

    def _is_full(self, entry: Entry) -> bool:
        """Say whether a busy job lets no further run wait."""
        overlap = entry.settings.overlap
        return overlap is Overlap.SKIP or (overlap is Overlap.QUEUE and entry.job in self._waiting)

    def _let_in(self) -> None:
        """Begin the next waiting run of each job that has nothing running any more."""
        for job in [job for job in self._waiting if not self._watch.runs(job)]:
            runs = self._waiting[job]
            self._begin(self._entries[job], runs.pop(0))
            if not runs:
                del self._waiting[job]

    def _take_in(self, started: Started, running: Running) -> None:
        """Journal what became of a start."""
        if isinstance(started.result, NotStarted):
            self._close(running, Ending(started.result, started.at))
            return
        attempt, pid = running.attempt, running.pid
        self._journal.started(attempt, started.at, pid, self._spawner.started_at(pid))
        self._log.info("started", **wording.start_facts(running.entry, attempt, pid))

    def _close(self, running: Running, ending: Ending) -> None:
        """Journal an ending and what follows it."""
        run, number = running.attempt.run, running.attempt.number
        self._journal.ended(running.attempt, ending)
        decision = self._decide(running, ending)
        match decision:
            case Done():
                self._journal.finish(run, State.SUCCEEDED)
            case RetryAt(at):
                self._journal.retry(run, at)
                self._retries.add(Pending(run, number + 1, at, running.first_start))
            case GiveUp(reason):
                self._journal.finish(run, State.FAILED, reason)
            case _:
                assert_never(decision)
        record = self._log.warning if isinstance(decision, GiveUp) else self._log.info
        message = "succeeded" if isinstance(decision, Done) else "failed"
        record(message, **wording.end_facts(running.attempt, running.started, ending, decision))

    def _decide(self, running: Running, ending: Ending) -> Decision:
        entry = self._entries.get(running.attempt.run.job)
        if running.fate is Reason.REPLACED:
            return GiveUp(Reason.REPLACED)
        if retry.succeeded((entry or running.entry).settings, ending.outcome):
            return Done()  # most do; for them nobody searches the next instant
        if entry is None:
            return GiveUp(Reason.REMOVED)
        return retry.decide(
            entry.settings,
            running.attempt.number,
            ending.outcome,
            ended=ending.ended,
            first_start=running.first_start,
            next_instant=self._next_start(entry, ending.ended),
            spread=self._spread(),
        )

    def _next_start(self, entry: Entry, after: datetime) -> datetime | None:
        """Return when the job's next run starts: at once if one waits, else at its next instant."""
        return after if entry.job in self._waiting else self._next_instant(entry, after)

    def _finish(self, run: Run, state: State, reason: Reason) -> None:
        """Close a run that has no process."""
        self._journal.finish(run, state, reason)
        message = "skipped" if state is State.SKIPPED else "failed"
        self._log.info(message, job=run.job, run=run.number, reason=reason.value)

    def _drop_waiting(self, job: str, reason: Reason) -> None:
        for run in self._waiting.pop(job, ()):
            self._finish(run, State.SKIPPED, reason)

    def _drop_retries(self, job: str, reason: Reason) -> None:
        for pending in self._retries.drop(job):
            self._finish(pending.run, State.FAILED, reason)


def _running(started: Started) -> Running:
    start = started.start
    pid = 0 if isinstance(started.result, NotStarted) else started.result
    first_start = start.first_start or started.at
    return Running(start.entry, start.attempt, pid, started.at, first_start)


def _ending(running: Running, ended: Ended, now: datetime) -> Ending:
    return Ending(_fated(running, ended.outcome), now, ended.cpu_s, ended.memory_bytes)


def _fated(running: Running, outcome: Outcome) -> Outcome:
    """Return the outcome, which is the timeout's where that is what ended it."""
    return running.fate if isinstance(running.fate, TimedOut) else outcome


def _unknown(run: Run) -> Entry:
    """Return an entry for a run that no crontab knows any more."""
    return Entry(run.job, Reboot(), "", ZoneInfo("UTC"), "")
