"""What each job has going: a due entry, a waiting run, an ending in; claimed starts, retries out.

Everything here is called inside a commit of the ledger, and changes after it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler import retry
from scheduler.launches import Launches, Start
from scheduler.model import Decision, Done, Entry, GiveUp, Overlap, Reason, RetryAt, State
from scheduler.retries import Pending, Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from scheduler.ledger import Ledger
    from scheduler.model import Ending, Run
    from scheduler.watch import Running, Watch

    NextInstant = Callable[[Entry, datetime], datetime | None]


class Jobs:
    """Which run of a job may start, which waits, and which is tried again."""

    def __init__(
        self, ledger: Ledger, launches: Launches, watch: Watch, spread: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._launches = launches
        self._watch = watch
        self._spread = spread
        self._next_instant: NextInstant = lambda _entry, _after: None
        self._waiting: dict[str, list[Run]] = {}  # by job, in the order of their instants
        self.entries: Mapping[str, Entry] = {}
        self.retries = Retries()

    def is_busy(self, job: str) -> bool:
        """Say whether a run of this job is under way, waits, or is to be retried."""
        return self._is_running(job) or job in self._waiting or job in self.retries

    def _is_running(self, job: str) -> bool:
        return self._watch.runs(job) or job in self._launches

    # --- which entries there are -----------------------------------------------------------

    def weed(self, entries: Mapping[str, Entry]) -> None:
        """Close what waits for a job that is none of these."""
        for job in [job for job in self._waiting if job not in entries]:
            self._drop_waiting(job, Reason.REMOVED)
        for job in self.retries.strangers(entries):
            for pending in self.retries.of(job):
                self._drop(pending, Reason.REMOVED)

    def follow(self, entries: Mapping[str, Entry], next_instant: NextInstant) -> None:
        """Go by these entries from now on."""
        self.entries = entries
        self._next_instant = next_instant

    def stop(self) -> None:
        """Close what waits, and let nothing start any more; retries stay due on disk."""
        for job in self._waiting:
            self._drop_waiting(job, Reason.STOPPED)
        self._ledger.then(self.retries.clear)

    # --- what starts -----------------------------------------------------------------------

    def begin(
        self,
        entry: Entry,
        run: Run | None,
        number: int = 1,
        first_start: datetime | None = None,
        queue: Launches | None = None,
    ) -> None:
        """Claim an attempt in the journal; not claimed (it has been before) means not started."""
        attempt = None if run is None else self._ledger.claim_attempt(run, number)
        if attempt is not None:
            add = (self._launches if queue is None else queue).add
            self._ledger.then(add, Start(entry, attempt, first_start))

    def admit(self, entry: Entry, instant: datetime, *, late: bool) -> None:
        """Let a due entry in beside what its job still has going, as its CRON_OVERLAP says.

        If it is `late` it waits its turn, whatever that says.
        """
        for pending in self.retries.of(entry.job):
            if pending.run.instant < instant:  # else this minute has been begun before
                self._drop(pending, Reason.SUPERSEDED)
        overlap = entry.settings.overlap
        if not self._is_running(entry.job) or overlap is Overlap.ALLOW:
            self.begin(entry, self._ledger.claim(entry, instant))
        elif not late and self._is_full(entry):
            self._ledger.skip(entry, instant, Reason.OVERLAP)
        elif run := self._ledger.claim(entry, instant):
            if overlap is Overlap.REPLACE and not late:
                self._drop_waiting(entry.job, Reason.REPLACED)
                self._ledger.then(self._watch.replace, entry.job)
            self._ledger.then(self._wait, run)

    def _is_full(self, entry: Entry) -> bool:
        """Say whether a busy job lets no further run wait."""
        overlap = entry.settings.overlap
        return overlap is Overlap.SKIP or (overlap is Overlap.QUEUE and entry.job in self._waiting)

    def let_in(self) -> None:
        """Begin the next waiting run of each job that has nothing running any more."""
        for job, runs in self._waiting.items():
            if not self._is_running(job):
                self.begin(self.entries[job], runs[0])
                self._ledger.then(self._move_up, job)

    def _wait(self, run: Run) -> None:
        self._waiting.setdefault(run.job, []).append(run)

    def _move_up(self, job: str) -> None:
        self._waiting[job] = self._waiting[job][1:]
        if not self._waiting[job]:
            del self._waiting[job]

    def try_again(self, pending: Pending, now: datetime) -> None:
        """Begin a run's next attempt, unless the machine slept past the time for it."""
        run, entry = pending.run, self.entries[pending.run.job]
        reason = retry.lapsed(
            entry.settings.retry,
            pending.due,
            now,
            first_start=pending.first_start,
            next_instant=self._next_start(entry, run, pending.ended),
        )
        if reason is not None:
            self._drop(pending, reason)
            return
        self._ledger.then(self.retries.remove, pending)
        self.begin(entry, run, pending.number, pending.first_start)

    # --- what ended ------------------------------------------------------------------------

    def close(self, running: Running, ending: Ending) -> None:
        """Decide what follows an ending, and journal both."""
        decision = self._decide(running, ending)
        self._ledger.ended(running, ending, decision)
        if isinstance(decision, RetryAt):
            run, number = running.attempt.run, running.attempt.number + 1
            pending = Pending(run, number, decision.at, running.first_start, ending.ended)
            self._ledger.then(self.retries.add, pending)

    def _decide(self, running: Running, ending: Ending) -> Decision:
        run = running.attempt.run
        entry = self.entries.get(run.job)
        if running.fate is Reason.REPLACED:
            return GiveUp(Reason.REPLACED)
        if retry.succeeded((entry or running.entry).settings, ending.outcome):
            return Done()  # most do, and for them nobody searches the next instant
        if entry is None:
            return GiveUp(Reason.REMOVED)
        return retry.decide(
            entry.settings,
            running.attempt.number,
            ending.outcome,
            ended=ending.ended,
            first_start=running.first_start,
            next_instant=self._next_start(entry, run, ending.ended),
            spread=self._spread(),
        )

    def _next_start(self, entry: Entry, run: Run, ended: datetime) -> datetime | None:
        """Return when a later run of the job takes the place of this one's retries.

        At once if one waits. What the run itself ran past was skipped and takes nobody's place,
        unless runs of the job are allowed beside one another.
        """
        if entry.job in self._waiting:
            return ended
        allowed = entry.settings.overlap is Overlap.ALLOW
        return self._next_instant(entry, run.instant if allowed else max(run.instant, ended))

    def _drop_waiting(self, job: str, reason: Reason) -> None:
        for run in self._waiting.get(job, ()):
            self._ledger.close(run, State.SKIPPED, reason)
        self._ledger.then(self._waiting.pop, job, None)

    def _drop(self, pending: Pending, reason: Reason) -> None:
        self._ledger.close(pending.run, State.FAILED, reason)
        self._ledger.then(self.retries.remove, pending)
