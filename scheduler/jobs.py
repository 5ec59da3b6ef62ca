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
from scheduler.pending import Pending, PendingRuns, PutOff, Retry
from scheduler.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from scheduler.catchup import Instants, LeftOut, MadeUp
    from scheduler.ledger import Ledger
    from scheduler.model import Ending, Run
    from scheduler.record import RunRow
    from scheduler.watch import Running, Watch


class Jobs:
    """Which run of a job may start, which waits, and which is tried again."""

    def __init__(
        self, ledger: Ledger, launches: Launches, watch: Watch, draw: Callable[[], float]
    ) -> None:
        self._ledger = ledger
        self._launches = launches
        self._watch = watch
        self._draw = draw
        self._instants: Instants = Timetable((), {})
        self._waiting: dict[str, list[PutOff]] = {}  # for an earlier run, in the order they came
        self._behind: set[str] = set()  # jobs whose newest start made up for a missed instant
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

    def follow(self, entries: Mapping[str, Entry], instants: Instants) -> None:
        """Go by these entries and their instants from now on."""
        self.entries = entries
        self._instants = instants

    def stop(self, now: datetime) -> None:
        """Let nothing start any more; what waits is due on disk, for the next daemon."""
        for runs in self._waiting.values():
            for waiting in runs:
                self._ledger.keep(replace(waiting, due=now))
        self._ledger.then(self._waiting.clear)
        self._ledger.then(self.pending.clear)

    def shift(self, by: timedelta) -> None:
        """Move what waits for a time with a clock that was set back: elapsed time counts."""
        for pending in self.pending.all():
            moved = replace(pending, due=pending.due + by)
            self._ledger.keep(moved)
            self._ledger.then(self.pending.remove, pending)
            self._ledger.then(self.pending.add, moved)

    # --- what starts -----------------------------------------------------------------------

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
        attempt = self._ledger.claim_attempt(run, number)
        if attempt is not None:
            add = (self._launches if queue is None else queue).add
            self._ledger.then(add, Start(entry, attempt, first_start))

    def _begin_first(self, entry: Entry, run: Run, *, late: bool) -> None:
        """Begin a run, and remember whether it makes up for a missed instant."""
        self.begin(entry, run)
        self._ledger.then(self._behind.add if late else self._behind.discard, entry.job)

    def admit(self, entry: Entry, instant: datetime, now: datetime, *, late: bool) -> None:
        """Let a due entry in: at once, after its delay, or beside what its job has going."""
        self._supersede(entry, instant)
        run = self._ledger.claim(entry, instant)
        if run is None:
            return
        start = instant + timedelta(seconds=entry.delay)
        if start > now and entry.delay:
            self._put_off(entry, PutOff(run, start, made_up=False))
        else:
            self._place(entry, run, now, late=late)

    def make_up(self, missed: MadeUp) -> None:
        """Claim a run for an instant that was missed; its start is on disk."""
        if run := self._ledger.claim(missed.entry, missed.instant):
            is_late = missed.start > missed.instant + timedelta(seconds=missed.entry.delay)
            self._put_off(missed.entry, PutOff(run, missed.start, made_up=is_late))

    def leave_out(self, left_out: LeftOut) -> None:
        """Journal instants that are not made up for; one that has a row already keeps it."""
        while not self._ledger.skip(left_out):
            first = self._instants.next_instant(left_out.entry, left_out.first)
            if first is None or first > left_out.last:
                return
            left_out = replace(left_out, first=first)

    def start_pending(self, pending: Pending, now: datetime) -> None:
        """Begin what waited for this time, unless the machine slept past it."""
        entry = self.entries[pending.run.job]
        if isinstance(pending, PutOff):
            self._ledger.then(self.pending.remove, pending)
            self._supersede(entry, pending.run.instant)
            self._place(entry, pending.run, now, late=pending.made_up)
        else:
            self._try_again(entry, pending, now)

    def _try_again(self, entry: Entry, pending: Retry, now: datetime) -> None:
        reason = retry.lapsed(
            entry.settings.retry,
            pending.due,
            now,
            first_start=pending.first_start,
            next_instant=self._next_start(entry, pending.run, pending.ended),
        )
        if reason is not None:
            self._drop(pending, reason)
            return
        self._ledger.then(self.pending.remove, pending)
        number, first_start = pending.number, pending.first_start
        self.begin(entry, pending.run, number=number, first_start=first_start)

    def let_in(self, now: datetime) -> None:
        """Begin the next waiting run of each job that has nothing running any more."""
        for job in self._waiting:
            if not self._is_running(job):
                self._let_in(self.entries[job], now)

    def _let_in(self, entry: Entry, now: datetime) -> None:
        runs = self._waiting[entry.job]
        late = 0
        while late < len(runs) and is_too_late(entry, runs[late].run.instant, now):
            self._ledger.close(runs[late].run, State.SKIPPED, Reason.TOO_LATE)
            late += 1
        if late < len(runs):
            self._begin_first(entry, runs[late].run, late=runs[late].made_up)
        self._ledger.then(self._move_up, entry.job, late + 1)

    def _supersede(self, entry: Entry, instant: datetime) -> None:
        """Close what waits for a time and is overtaken by the run of this instant."""
        for pending in self.pending.of(entry.job):
            if self._gives_way(entry, pending, instant):
                self._drop(pending, Reason.SUPERSEDED)

    def _gives_way(self, entry: Entry, pending: Pending, instant: datetime) -> bool:
        """Say whether a run that waits for a time is overtaken by the instant that is now due."""
        if pending.run.instant >= instant:  # else this minute has been begun before
            return False
        if isinstance(pending, Retry):
            return True
        return pending.made_up and mode(entry) is not Catchup.ALL

    def _put_off(self, entry: Entry, pending: PutOff) -> None:
        self._ledger.put_off(entry, pending)
        self._ledger.then(self.pending.add, pending)

    def _place(self, entry: Entry, run: Run, now: datetime, *, late: bool) -> None:
        """Let a claimed run in beside what its job still has going, as its CRON_OVERLAP says.

        If it is `late` it waits its turn, unless that says `allow`: it is only the hurry that makes
        runs meet that were hours apart.
        """
        overlap = entry.settings.overlap
        if is_too_late(entry, run.instant, now):
            self._ledger.close(run, State.SKIPPED, Reason.TOO_LATE)
        elif not self._is_running(entry.job) or overlap is Overlap.ALLOW:
            self._begin_first(entry, run, late=late)
        elif not late and self._is_full(entry):
            self._ledger.close(run, State.SKIPPED, Reason.OVERLAP)
        else:
            if overlap is Overlap.REPLACE and not late:
                self._drop_waiting(entry.job, Reason.REPLACED)
                self._ledger.then(self._watch.replace, entry.job)
            self._ledger.then(self._wait, PutOff(run, now, made_up=late))

    def _is_full(self, entry: Entry) -> bool:
        """Say whether a busy job lets no further run wait.

        With CRON_CATCHUP=all none is lost to those that are being made up for.
        """
        if entry.settings.catchup is Catchup.ALL and self._is_behind(entry.job):
            return False
        overlap, waits = entry.settings.overlap, entry.job in self._waiting
        return overlap is Overlap.SKIP or (overlap is Overlap.QUEUE and waits)

    def _is_behind(self, job: str) -> bool:
        """Say whether a run that makes up for a missed instant goes on, or waits its turn."""
        return job in self._behind or any(each.made_up for each in self._waiting.get(job, ()))

    def is_made_up(self, job: str) -> None:
        """Remember that the run that goes on makes up for a missed instant."""
        self._behind.add(job)

    def _wait(self, waiting: PutOff) -> None:
        self._waiting.setdefault(waiting.run.job, []).append(waiting)

    def _move_up(self, job: str, number: int) -> None:
        self._waiting[job] = self._waiting[job][number:]
        if not self._waiting[job]:
            del self._waiting[job]

    def relive(self, since: datetime) -> None:
        """Forget what was left out from `since` on, which is still to come."""

        def last(row: RunRow) -> datetime:
            entry = self.entries.get(row.run.job)
            found = None if entry is None else self._instants.last_instant(entry, since)
            return max(found or row.run.instant, row.run.instant)

        self._ledger.relive(since, last)

    # --- what ended ------------------------------------------------------------------------

    def close(self, running: Running, ending: Ending) -> None:
        """Decide what follows an ending, and journal both."""
        decision = self._decide(running, ending)
        self._ledger.ended(running, ending, decision)
        if isinstance(decision, RetryAt):
            run, number = running.attempt.run, running.attempt.number + 1
            pending = Retry(run, number, decision.at, running.first_start, ending.ended)
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
        since = run.instant if allowed else max(run.instant, ended)
        return self._instants.next_instant(entry, since)

    def _drop_waiting(self, job: str, reason: Reason) -> None:
        for waiting in self._waiting.get(job, ()):
            self._ledger.close(waiting.run, State.SKIPPED, reason)
        self._ledger.then(self._waiting.pop, job, None)

    def _drop(self, pending: Pending, reason: Reason) -> None:
        state = State.SKIPPED if isinstance(pending, PutOff) else State.FAILED
        self._ledger.close(pending.run, state, reason)
        self._ledger.then(self.pending.remove, pending)
