"""What each job has going: a due entry, a waiting run, an ending in; claimed starts, retries out.

Everything here is called inside a commit of the ledger, and changes after it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler import retry
from scheduler.catchup import is_too_late, mode
from scheduler.launches import Launches, Start
from scheduler.model import Catchup, Decision, Done, Entry, GiveUp, Overlap, Reason, RetryAt, State
from scheduler.pending import Pending, PendingRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from scheduler.catchup import LeftOut, MadeUp
    from scheduler.ledger import Ledger
    from scheduler.model import Ending, Run
    from scheduler.watch import Running, Watch

    NextInstant = Callable[[Entry, datetime], datetime | None]


class Jobs:
    """Which run of a job may start, which waits, and which is tried again."""

    def __init__(
        self, ledger: Ledger, launches: Launches, watch: Watch, draw: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._launches = launches
        self._watch = watch
        self._draw = draw
        self._next_instant: NextInstant = lambda _entry, _after: None
        self._waiting: dict[str, list[Run]] = {}  # by job, in the order of their instants
        self.entries: Mapping[str, Entry] = {}
        self.pending = PendingRuns()

    def is_busy(self, job: str) -> bool:
        """Say whether a run of this job is under way, waits, or is to be retried."""
        return self._is_running(job) or job in self._waiting or job in self.pending

    def _is_running(self, job: str) -> bool:
        return self._watch.runs(job) or job in self._launches

    # --- which entries there are -----------------------------------------------------------

    def weed(self, entries: Mapping[str, Entry]) -> None:
        """Close what waits for a job that is none of these."""
        for job in [job for job in self._waiting if job not in entries]:
            self._drop_waiting(job, Reason.REMOVED)
        for job in self.pending.strangers(entries):
            for pending in self.pending.of(job):
                self._drop(pending, Reason.REMOVED)

    def follow(self, entries: Mapping[str, Entry], next_instant: NextInstant) -> None:
        """Go by these entries from now on."""
        self.entries = entries
        self._next_instant = next_instant

    def stop(self) -> None:
        """Close what waits, and let nothing start any more; what was put off stays due on disk."""
        for job in self._waiting:
            self._drop_waiting(job, Reason.STOPPED)
        self._ledger.then(self.pending.clear)

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

    def admit(self, entry: Entry, instant: datetime, now: datetime, *, late: bool) -> None:
        """Let a due entry in: at once, after its delay, or beside what its job has going."""
        for pending in self.pending.of(entry.job):
            if self._gives_way(entry, pending, instant):
                self._drop(pending, Reason.SUPERSEDED)
        run = self._ledger.claim(entry, instant)
        if run is None:
            return
        start = instant + timedelta(seconds=entry.delay)
        if start > now and entry.delay:
            self._put_off(entry, run, start)
        else:
            self._place(entry, run, now, late=late)

    def make_up(self, missed: MadeUp) -> None:
        """Claim a run for an instant that was missed; its start is on disk."""
        if run := self._ledger.claim(missed.entry, missed.instant):
            self._put_off(missed.entry, run, missed.start)

    def leave_out(self, left_out: LeftOut) -> None:
        """Journal instants that are not made up for; one that has a row already keeps it."""
        while not self._ledger.skip(left_out):
            first = self._next_instant(left_out.entry, left_out.first)
            if first is None or first > left_out.last:
                return
            left_out = replace(left_out, first=first)

    def start_pending(self, pending: Pending, now: datetime) -> None:
        """Begin what was put off, unless the machine slept past the time for it."""
        run, entry = pending.run, self.entries[pending.run.job]
        if pending.number == 1:
            self._ledger.then(self.pending.remove, pending)
            self._place(entry, run, now, late=_is_made_up(entry, pending))
            return
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
        self._ledger.then(self.pending.remove, pending)
        self.begin(entry, run, pending.number, pending.first_start)

    def let_in(self, now: datetime) -> None:
        """Begin the next waiting run of each job that has nothing running any more."""
        for job in self._waiting:
            if not self._is_running(job):
                self._let_in(self.entries[job], now)

    def _let_in(self, entry: Entry, now: datetime) -> None:
        runs = self._waiting[entry.job]
        late = 0
        while late < len(runs) and is_too_late(entry, runs[late].instant, now):
            self._ledger.close(runs[late], State.SKIPPED, Reason.TOO_LATE)
            late += 1
        if late < len(runs):
            self.begin(entry, runs[late])
        self._ledger.then(self._move_up, entry.job, late + 1)

    def _gives_way(self, entry: Entry, pending: Pending, instant: datetime) -> bool:
        """Say whether a run that was put off is overtaken by the instant that is now due."""
        if pending.run.instant >= instant:  # else this minute has been begun before
            return False
        is_retry = pending.number > 1
        return is_retry or (_is_made_up(entry, pending) and mode(entry) is not Catchup.ALL)

    def _put_off(self, entry: Entry, run: Run, start: datetime) -> None:
        self._ledger.put_off(entry, run, start)
        self._ledger.then(self.pending.add, Pending(run, 1, start, start, start))

    def _place(self, entry: Entry, run: Run, now: datetime, *, late: bool) -> None:
        """Let a claimed run in beside what its job still has going, as its CRON_OVERLAP says.

        If it is `late` it waits its turn, whatever that says: it is only the hurry that makes
        runs meet that were hours apart.
        """
        overlap = entry.settings.overlap
        if is_too_late(entry, run.instant, now):
            self._ledger.close(run, State.SKIPPED, Reason.TOO_LATE)
        elif not self._is_running(entry.job) or overlap is Overlap.ALLOW:
            self.begin(entry, run)
        elif not late and self._is_full(entry):
            self._ledger.close(run, State.SKIPPED, Reason.OVERLAP)
        else:
            if overlap is Overlap.REPLACE and not late:
                self._drop_waiting(entry.job, Reason.REPLACED)
                self._ledger.then(self._watch.replace, entry.job)
            self._ledger.then(self._wait, run)

    def _is_full(self, entry: Entry) -> bool:
        """Say whether a busy job lets no further run wait.

        With CRON_CATCHUP=all none is lost to those that are being made up for.
        """
        overlap, waits = entry.settings.overlap, entry.job in self._waiting
        if waits and entry.settings.catchup is Catchup.ALL:
            return False
        return overlap is Overlap.SKIP or (overlap is Overlap.QUEUE and waits)

    def _wait(self, run: Run) -> None:
        self._waiting.setdefault(run.job, []).append(run)

    def _move_up(self, job: str, number: int) -> None:
        self._waiting[job] = self._waiting[job][number:]
        if not self._waiting[job]:
            del self._waiting[job]

    # --- what ended ------------------------------------------------------------------------

    def close(self, running: Running, ending: Ending) -> None:
        """Decide what follows an ending, and journal both."""
        decision = self._decide(running, ending)
        self._ledger.ended(running, ending, decision)
        if isinstance(decision, RetryAt):
            run, number = running.attempt.run, running.attempt.number + 1
            pending = Pending(run, number, decision.at, running.first_start, ending.ended)
            self._ledger.then(self.pending.add, pending)

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
            draw=self._draw(),
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
        state = State.SKIPPED if pending.number == 1 else State.FAILED
        self._ledger.close(pending.run, state, reason)
        self._ledger.then(self.pending.remove, pending)


def _is_made_up(entry: Entry, pending: Pending) -> bool:
    """Say whether a first attempt was put off for more than the entry's own delay."""
    return pending.due > pending.run.instant + timedelta(seconds=entry.delay)
