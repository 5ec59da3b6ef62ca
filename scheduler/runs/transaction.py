"""What happens to runs: told to the journal in one commit, and only then to memory and the log."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, assert_never

from scheduler.process.output_files import output_of
from scheduler.run import Attempt, Done, GiveUp, Reason, RetryAt, State
from scheduler.runs import messages
from scheduler.runs.pending import PutOff
from scheduler.schedule.catchup import LeftOut
from scheduler.schedule.tick import comes_again, era_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from types import TracebackType

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.run import Decision, Ending, Run
    from scheduler.runs.pending import Pending
    from scheduler.runs.supervisor import Running
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.tick import Era, Jump
    from scheduler.system.log import Log


class Transaction:
    """The journal and the log as one: nothing is believed or said that is not on disk."""

    def __init__(self, journal: Journal, log: Log, now: Callable[[], datetime]) -> None:
        self._journal = journal
        self._log = log
        self._now = now
        self._steps: list[Callable[[], object]] = []
        self.eras: tuple[Era, ...] = ()  # of the clock, since it was set back
        self.last_handled: datetime | None = None  # the last minute, by what this daemon knows
        self.number = 0  # which commit is under way; between two it is another

    def commit(self, *, synced: bool = True) -> AbstractContextManager[None]:
        """Put what is done inside on disk as one; then take the steps that were left for `then`.

        When the journal refuses (JournalError), none of it has happened, and it can be done again.
        What is not `synced` may be lost with the power: see Journal.transaction.
        """
        self._steps = []
        self.number += 1
        return _Commit(self._journal.transaction(synced=synced), self._steps, self._end)

    def _end(self) -> None:
        self.number += 1

    def then(self, step: Callable[..., object], *arguments: object) -> None:
        """Do this to memory once the commit holds."""
        self._steps.append(partial(step, *arguments))

    # --- eras ------------------------------------------------------------------------------

    @property
    def era(self) -> int:
        """The number of the present era."""
        return self.eras[-1].number if self.eras else 0

    def era_of(self, instant: datetime) -> int:
        """Return the number of the newest era that an instant is of."""
        return era_of(instant, self.eras)

    def open(self) -> None:
        """Go by the eras that earlier daemons have begun."""
        self.eras = self._journal.eras()

    def begin_era(self, era: Era) -> None:
        """Let time come again: from here on instants are claimed in another era."""
        self._journal.begin_era(era)
        self.then(setattr, self, "eras", (*self.eras, era))

    def comes_again(self, run: Run) -> bool:
        """Say whether a run's instant comes again in a later era than the run's own."""
        return comes_again(run.era, run.instant, self.eras) is not None

    # --- runs ------------------------------------------------------------------------------

    def claim_by_hand(self, entry: Entry, second: datetime) -> Run | None:
        """Claim a run that its user asked for; None if there is one of this second."""
        key = (entry.job, second, entry.zone.key)
        return self._journal.claim(*key, era=self.era, by_hand=True)

    def claim(self, entry: Entry, instant: datetime, *, owed: bool = False) -> Run | None:
        """Claim a run of the entry; None if it has been claimed before, which is told.

        One that was `owed` for long may be of an earlier era than this.
        """
        era = self.era_of(instant) if owed else self.era
        run = self._journal.claim(entry.job, instant, entry.zone.key, era=era)
        if run is None:
            at = messages.of_instant(instant, entry.zone, self._now())
            say = f"{at} has been handled before"
            facts = {"job": entry.job, "instant": messages.utc(instant), "say": say}
            self.then(partial(self._log.info, "passed", **facts))
        return run

    def claim_attempt(self, run: Run, number: int) -> Attempt | None:
        """Claim an attempt; None if it has been claimed before, or the run is over."""
        return self._journal.claim_attempt(run, number, output_of(Attempt(run, number)))

    def release(self, run: Run) -> None:
        """Take back a claim that no process came of."""
        self._journal.release(run)

    def set_backlog(self, backlog: Backlog) -> None:
        """Remember what a job still has to run."""
        self._journal.set_backlog(backlog)

    def end_backlog(self, job: str) -> None:
        """Remember that a job has no backlog."""
        self._journal.end_backlog(job)

    def catches_up(self, entry: Entry, backlog: Backlog) -> None:
        """Tell that all of these instants are made up for."""
        facts = messages.backlog_facts(entry, backlog, self._now())
        self.then(partial(self._log.info, "catch-up", **facts))

    def taken(self, left_out: LeftOut) -> list[tuple[datetime, datetime]]:
        """Return what of a stretch is accounted for already, in order: see Journal.taken."""
        job, first, last = left_out.entry.job, left_out.first, left_out.last
        return self._journal.taken(job, first, last, era=self.era_of(first))

    def skip(self, left_out: LeftOut) -> None:
        """Let a stretch of an entry's instants go by, which all are of one era."""
        entry, first, last = left_out.entry, left_out.first, left_out.last
        until = None if last == first else last
        key = (entry.job, first, entry.zone.key)
        self._journal.skip(*key, left_out.reason, until=until, era=self.era_of(first))
        facts = messages.skip_facts(left_out, self._now())
        self.then(partial(self._log.info, "skipped", **facts))

    def put_off(self, entry: Entry, pending: PutOff) -> None:
        """Let a claimed run wait for its start, which is on disk."""
        self.keep(pending)
        run, due = pending.run, pending.due
        facts = messages.wait_facts(entry, run, due, self._now(), made_up=pending.made_up)
        self.then(partial(self._log.info, "waits", **facts))

    def keep(self, pending: Pending, reason: Reason | None = None) -> None:
        """Put on disk for when a run waits, and for what if it is not for that time."""
        if isinstance(pending, PutOff):
            self._journal.put_off(pending.run, pending.due, reason, made_up=pending.made_up)
        else:
            self._journal.retry(pending.run, pending.due, reason)

    def wait_for_slot(self, entry: Entry, pending: Pending, reason: Reason) -> None:
        """Let a run wait for a place."""
        self.keep(pending, reason)
        facts = messages.line_facts(entry, pending.run, reason, self._now())
        self.then(partial(self._log.info, "waits", **facts))

    def skip_paused(self, entry: Entry, instant: datetime, before: datetime | None) -> None:
        """Let a paused job's instant go by, in the row of the one `before` it if it can."""
        job, era = entry.job, self.era
        if before is None or not self._journal.lengthen(job, before, instant, era=era):
            self.skip(LeftOut(entry, instant, instant, Reason.PAUSED))

    def terminate(self, run: Run, reason: Reason) -> None:
        """Remember, before it hears of it, why a run's process is going to be ended."""
        self._journal.terminate(run, reason)

    def reopen(self, run: Run, due: datetime) -> None:
        """Open a run again that was over."""
        self._journal.reopen(run, due)

    def jumped(self, jump: Jump, *, made_up: int = 0, left_out: int = 0) -> None:
        """Tell what happened to time.

        So many runs are `made_up` for, and so many entries have instants that are `left_out`.
        """
        self._journal.jump(jump, era=self.era)
        facts = messages.jump_facts(jump, made_up=made_up, left_out=left_out)
        self.then(partial(self._log.warning, "jump", **facts))

    def started(self, running: Running, pid_started: int | None) -> None:
        """Tell of an attempt's process; `pid_started` tells it from a later one of that number."""
        self._journal.started(running.attempt, running.started, running.pid, pid_started)
        if running.entry.flags.is_quiet:
            return
        facts = messages.start_facts(
            running.entry, running.attempt, running.pid, started=running.started
        )
        self.then(partial(self._log.info, "started", **facts))

    def ended(self, running: Running, ending: Ending, decision: Decision) -> None:
        """Tell how an attempt ended and what follows for its run."""
        run = running.attempt.run
        self._journal.ended(running.attempt, ending)
        match decision:
            case Done():
                self._journal.finish(run, State.SUCCEEDED)
            case RetryAt(at):
                self._journal.retry(run, at)
            case GiveUp(reason):
                self._journal.finish(run, State.FAILED, reason)
            case _:
                assert_never(decision)
        if isinstance(decision, Done) and running.entry.flags.is_quiet:
            return
        record = self._log.warning if isinstance(decision, GiveUp) else self._log.info
        message = "succeeded" if isinstance(decision, Done) else "failed"
        facts = messages.end_facts(running.attempt, ending, decision)
        self.then(partial(record, message, **facts))

    def left_behind(self, attempt: Attempt, number: int) -> None:
        """Tell that so many processes of an attempt got away from its end, and are ended now."""
        self._journal.left_behind(attempt, number)
        say = messages.of_left_behind(number)
        facts = messages.run_facts(attempt.run) | {"attempt": attempt.number, "processes": number}
        self.then(partial(self._log.warning, "left behind", **facts, say=say))

    def requeue(self, attempt: Attempt, due: datetime) -> None:
        """Take back the claim of an attempt, which stays due."""
        self._journal.release_attempt(attempt)
        self._journal.retry(attempt.run, due)

    def cancel_attempt(self, attempt: Attempt, reason: Reason) -> None:
        """Take back the claim of an attempt that has no process, and close its run."""
        self._journal.release_attempt(attempt)
        state = State.SKIPPED if attempt.number == 1 else State.FAILED
        self.close(attempt.run, state, reason)

    def close(self, run: Run, state: State, reason: Reason) -> None:
        """Close a run that has no process."""
        self._journal.finish(run, state, reason)
        message = "skipped" if state is State.SKIPPED else "failed"
        facts = messages.close_facts(run, reason)
        self.then(partial(self._log.info, message, **facts))

    def adopted(self, running: Running) -> None:
        """Tell of an attempt that an earlier daemon started and this one watches."""
        run = running.attempt.run
        whose = f"as pid {running.pid}" if running.pid else "under a number that is hidden from us"
        say = f"still running {whose}: an earlier daemon started it"
        facts = messages.run_facts(run) | {"pid": running.pid or None, "say": say}
        self.then(partial(self._log.info, "adopted", **facts))

    def handled(self, minute: datetime) -> None:
        """Remember that the minute has been handled."""
        self._journal.set_last_tick(minute)
        self.then(setattr, self, "last_handled", minute)

    def booted(self, job: str, boot: str) -> None:
        """Remember that the job has had its `@reboot` run for this boot."""
        self._journal.set_booted(job, boot)


class Dropped:
    """The runs that the commit under way lets wait no longer; in the next one there are none."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._number = transaction.number
        self._runs: set[int] = set()

    def __contains__(self, pending: Pending) -> bool:
        return pending.run.number in self._now()

    def add(self, pending: Pending) -> None:
        """Let a run wait no longer, for the rest of this commit."""
        self._now().add(pending.run.number)

    def _now(self) -> set[int]:
        if self._number != self._transaction.number:
            self._number, self._runs = self._transaction.number, set()
        return self._runs


class _Commit(AbstractContextManager[None]):
    """A transaction, and the steps to take once it holds."""

    __slots__ = ("_end", "_steps", "_transaction")

    def __init__(
        self,
        transaction: AbstractContextManager[None],
        steps: list[Callable[[], object]],
        end: Callable[[], None],
    ) -> None:
        self._transaction = transaction
        self._steps = steps
        self._end = end

    def __enter__(self) -> None:
        self._transaction.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        self._transaction.__exit__(kind, error, trace)
        if error is not None:
            return
        bugs = [bug for step in self._steps if (bug := _try(step))]
        if bugs:  # what is on disk holds: the other steps have been taken
            raise bugs[0]


def _try(step: Callable[[], object]) -> Exception | None:
    try:
        step()
    except Exception as bug:  # noqa: BLE001 (one run's must not lose what belongs to another)
        return bug
    return None
