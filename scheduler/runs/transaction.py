"""What happens to runs: on disk in one commit, and in memory at once unless that is refused."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar, assert_never

from scheduler.process.output_files import output_of
from scheduler.run import Done, GiveUp, Reason, RetryAt, State
from scheduler.runs import events
from scheduler.runs.live_run import Phase, known
from scheduler.schedule.catchup import LeftOut
from scheduler.schedule.tick import comes_again, era_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.run import Attempt, Decision, Ending, Run
    from scheduler.runs.events import Event
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.supervisor import Running
    from scheduler.runs.table import RunTable
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.tick import Era, Jump

T = TypeVar("T")
V = TypeVar("V")


class Transaction:
    """A journal commit and the changes of memory with it: nothing is believed that is not on disk.

    Owns what has to be undone if the journal refuses, and the effects (events, signals) that come
    after the commit. Whoever decides about runs calls it, inside `commit`; memory changes at once
    there. Invariant: after a commit, done or refused, the table says what the journal says, as far
    as that can: see RunTable.
    """

    def __init__(
        self,
        journal: Journal,
        table: RunTable,
        tell: Callable[[Event], None],
        now: Callable[[], datetime],
        record: Callable[[Event], None],
    ) -> None:
        self._journal = journal
        self.table = table
        self._tell = tell
        self._now = now
        self._record = record
        self._undo: list[Callable[[], object]] = []
        self._effects: list[Callable[[], object]] = []
        self._is_open = False

    @contextmanager
    def commit(self, *, synced: bool = True) -> Iterator[None]:
        """Put what is done inside on disk as one; then take the effects that came of it.

        When the journal refuses (JournalError), or what is inside raises, none of it has happened,
        and it can be done again. What is not `synced` may be lost with the power: see
        Journal.transaction. RuntimeError inside of another commit, which then is refused.
        """
        if self._is_open:
            raise RuntimeError("a commit is one whole: none begins inside of it")
        self._undo, self._effects, self._is_open = [], [], True
        try:
            with self._journal.transaction(synced=synced):
                yield
        except BaseException as error:
            bugs = [bug for step in reversed(self._undo) if (bug := _try(step))]
            if bugs:  # the other changes have been taken back
                raise bugs[0] from error
            raise
        finally:
            self._is_open = False
        bugs = [bug for step in self._effects if (bug := _try(step))]
        if bugs:  # what is on disk holds: the other effects have been taken
            raise bugs[0] if len(bugs) == 1 else ExceptionGroup("effects of a commit", bugs)

    def effect(self, step: Callable[..., object], *arguments: object) -> None:
        """Do this once the commit holds; RuntimeError outside of one, where it would be lost."""
        self._check()
        self._effects.append(partial(step, *arguments))

    def emit(self, event: Event) -> None:
        """Have this recorded in the commit, and let all listeners hear of it once that holds."""
        self._check()
        self._record(event)
        self.effect(self._tell, event)

    def undo(self, step: Callable[..., object], *arguments: object) -> None:
        """Do this if the commit is refused, the newest first; RuntimeError outside of one.

        It is asked for before the change, which may fail half-way: it has to bear that nothing, or
        not all, has changed.
        """
        self._check()
        self._undo.append(partial(step, *arguments))

    def assign(self, holder: object, name: str, value: object) -> None:
        """Give an attribute a value, its old one again if the commit is refused."""
        self.undo(setattr, holder, name, getattr(holder, name))
        setattr(holder, name, value)

    def assign_item(self, items: dict[T, V], name: T, value: V | None) -> None:
        """Let an item have a value (None: let there be none), as `assign` does."""
        self.undo(_set_item, items, name, items.get(name))
        _set_item(items, name, value)

    def put(self, live: LiveRun) -> None:
        """Let a run be like this from now on; see RunTable.put."""
        self._keep(live.run.number)
        self.table.put(live)

    def drop(self, number: int) -> None:
        """Let a run be live no longer, if it is."""
        self._keep(number)
        self.table.remove(number)

    def _keep(self, number: int) -> None:
        """Let a run be as it is now if the commit is refused."""
        old = self.table.get(number)
        if old is None:
            self.undo(self.table.remove, number)
        else:
            self.undo(partial(self.table.put, old, place=self.table.place(number)))

    def _check(self) -> None:
        if not self._is_open:
            raise RuntimeError("nothing changes outside of a commit")

    # --- eras ------------------------------------------------------------------------------

    @property
    def era(self) -> int:
        """The number of the present era."""
        return self.table.eras[-1].number if self.table.eras else 0

    def era_of(self, instant: datetime) -> int:
        """Return the number of the newest era that an instant is of."""
        return era_of(instant, self.table.eras)

    def begin_era(self, era: Era) -> None:
        """Let time come again: from here on instants are claimed in another era."""
        self._journal.daemon_state.begin_era(era)
        self.assign(self.table, "eras", (*self.table.eras, era))

    def comes_again(self, run: Run) -> bool:
        """Say whether a run's instant comes again in a later era than the run's own."""
        return comes_again(run.era, run.instant, self.table.eras) is not None

    # --- runs ------------------------------------------------------------------------------

    def claim_by_hand(self, entry: Entry, second: datetime) -> Run | None:
        """Claim a run that its user asked for; None if there is one of this second."""
        key = (entry.job, second, entry.zone.key)
        return self._journal.claim(*key, era=self.era, by_hand=True, user=entry.user)

    def claim(self, entry: Entry, instant: datetime, *, owed: bool = False) -> Run | None:
        """Claim a run of the entry; None if it has been claimed before, which is told.

        One that was `owed` for long may be of an earlier era than this.
        """
        era = self.era_of(instant) if owed else self.era
        run = self._journal.claim(entry.job, instant, entry.zone.key, era=era, user=entry.user)
        if run is None:
            self.emit(events.InstantKnown(self._now(), entry, instant))
        return run

    def claim_attempt(self, live: LiveRun) -> bool:
        """Claim a run's attempt, whose process then starts; False if it was claimed, or is over.

        One that is PLANNED starts when its minute comes. A run that has attempts of several users
        is shown to none of them.
        """
        is_anothers = live.run.user != live.entry.user
        run = self._journal.disown(live.run) if is_anothers else live.run
        if self._journal.claim_attempt(run, live.attempt, output_of(live.key)) is None:
            self.drop(run.number)
            return False
        phase = Phase.PLANNED if live.phase is Phase.PLANNED else Phase.STARTING
        self.put(replace(live, run=run, phase=phase, reason=None))
        return True

    def release(self, run: Run) -> None:
        """Take back a claim that no process came of."""
        self._journal.release(run)
        self.drop(run.number)

    def set_backlog(self, backlog: Backlog) -> None:
        """Remember what a job still has to run."""
        self._journal.daemon_state.set_backlog(backlog)

    def end_backlog(self, job: str) -> None:
        """Remember that a job has no backlog."""
        self._journal.daemon_state.end_backlog(job)

    def catches_up(self, entry: Entry, backlog: Backlog) -> None:
        """Tell that all of these instants are made up for."""
        self.emit(events.CatchUpBegun(self._now(), entry, backlog))

    def taken(self, left_out: LeftOut) -> list[tuple[datetime, datetime]]:
        """Return what of a stretch is accounted for already, in order: see Journal.taken."""
        job, first, last = left_out.entry.job, left_out.first, left_out.last
        return self._journal.taken(job, first, last, era=self.era_of(first))

    def skip(self, left_out: LeftOut) -> None:
        """Let a stretch of an entry's instants go by, which all are of one era."""
        entry, first, last = left_out.entry, left_out.first, left_out.last
        what = (entry.job, first, entry.zone.key, left_out.reason)
        until, era = None if last == first else last, self.era_of(first)
        self._journal.skip(*what, until=until, era=era, user=entry.user)
        self.emit(events.InstantsSkipped(self._now(), left_out))

    def wait(self, live: LiveRun) -> None:
        """Let a run wait: until it is due, or for what its `reason` says."""
        if live.is_retry:
            self._journal.retry(live.run, live.due, live.reason)
        else:
            self._journal.put_off(live.run, live.due, live.reason, made_up=live.made_up)
        self.put(live)

    def put_off(self, live: LiveRun) -> None:
        """Let a claimed run wait for its start, and tell of it."""
        self.wait(replace(live, phase=Phase.WAIT_TIME, reason=None))
        self.emit(events.RunWaits(self._now(), live.entry, live.run, live.due, live.made_up))

    def wait_for_slot(self, live: LiveRun, reason: Reason, ticket: int | None = None) -> None:
        """Let a run wait for a slot, at the end of its line or in another's place."""
        ticket = self.table.ticket() if ticket is None else ticket
        self.wait(replace(live, phase=Phase.WAIT_SLOT, reason=reason, ticket=ticket))
        self.emit(events.SlotAwaited(self._now(), live.entry, live.run, reason))

    def wait_for_run(self, live: LiveRun) -> None:
        """Let a run wait for another one of its job to end, behind those that do already."""
        ticket = self.table.ticket()
        self.wait(replace(live, phase=Phase.WAIT_RUN, reason=Reason.OVERLAP, ticket=ticket))
        self.emit(events.RunQueued(self._now(), live.entry, live.run))

    def let_by(
        self, entry: Entry, instant: datetime, before: datetime | None, reason: Reason
    ) -> None:
        """Let an instant go by, in the row of the one `before` it if that did so for this, too."""
        whose = (entry.job, self.era, entry.user)
        if before is None or not self._journal.lengthen(*whose, before, instant, reason):
            self.skip(LeftOut(entry, instant, instant, reason))

    def terminate(self, live: LiveRun, reason: Reason) -> None:
        """Remember, before it hears of it, why a run's process is going to be ended."""
        self._journal.terminate(live.run, reason)
        self.put(replace(live, phase=Phase.STOPPING))
        self.emit(events.RunStopping(self._now(), known(live.entry), live.key, reason))

    def reopen(self, run: Run, due: datetime) -> None:
        """Open a run again that was over."""
        self._journal.reopen(run, due)

    def jumped(self, jump: Jump, *, made_up: int = 0, left_out: int = 0) -> None:
        """Tell what happened to time.

        So many runs are `made_up` for, and so many entries have instants that are `left_out`.
        """
        self._journal.daemon_state.jump(jump, era=self.era)
        self.emit(events.ClockJumped(self._now(), jump, made_up, left_out))

    def started(self, running: Running, pid_started: int | None) -> None:
        """Tell of an attempt's process; `pid_started` tells it from a later one of that number."""
        self._journal.started(running.attempt, running.started, running.pid, pid_started)
        self.emit(events.RunStarted(running.started, running.entry, running.attempt, running.pid))

    def ended(self, running: Running, ending: Ending, decision: Decision) -> None:
        """Tell how an attempt ended and what follows for its run."""
        run = running.attempt.run
        self._journal.ended(running.attempt, ending)
        self.drop(run.number)
        at, entry, attempt = ending.ended, running.entry, running.attempt
        match decision:
            case Done():
                self._journal.finish(run, State.SUCCEEDED)
                self.emit(events.RunSucceeded(at, known(entry), attempt, ending))
            case RetryAt(due):
                self._journal.retry(run, due)
                self.emit(events.RetryScheduled(at, entry, attempt, ending, due))
            case GiveUp(reason):
                self._journal.finish(run, State.FAILED, reason)
                self.emit(events.RunFailed(at, known(entry), run, reason, attempt, ending))
            case _:
                assert_never(decision)

    def left_behind(self, attempt: Attempt, number: int) -> None:
        """Tell that so many processes of an attempt got away from its end, and are ended now."""
        self._journal.left_behind(attempt, number)
        self.emit(events.ProcessesLeft(self._now(), attempt, number))

    def requeue(self, live: LiveRun, due: datetime) -> None:
        """Take back the claim of a run's attempt, which stays due."""
        self._journal.release_attempt(live.key)
        self._journal.retry(live.run, due)
        self.put(replace(live, phase=Phase.WAIT_TIME, due=due))

    def cancel_attempt(self, live: LiveRun, reason: Reason) -> None:
        """Take back the claim of an attempt that has no process, and close its run."""
        self._journal.release_attempt(live.key)
        self.close(live, reason)

    def close(self, live: LiveRun, reason: Reason) -> None:
        """Close a run that has no process: one that never began is skipped."""
        state = State.FAILED if live.is_retry else State.SKIPPED
        self.close_open(live.run, state, reason, known(live.entry))

    def close_open(self, run: Run, state: State, reason: Reason, entry: Entry | None) -> None:
        """Close an open run; None where no crontab has its job."""
        self._journal.finish(run, state, reason)
        self.drop(run.number)
        kind = events.RunSkipped if state is State.SKIPPED else events.RunFailed
        self.emit(kind(self._now(), entry, run, reason))

    def adopted(self, running: Running) -> None:
        """Tell of an attempt that an earlier daemon started and this one watches."""
        self.emit(events.RunAdopted(self._now(), running.attempt, running.pid or None))

    def handled(self, minute: datetime) -> None:
        """Remember that the minute has been handled."""
        self._journal.daemon_state.set_last_tick(minute)
        self.assign(self.table, "last_handled", minute)

    def booted(self, job: str, boot: str) -> None:
        """Remember that the job has had its `@reboot` run for this boot."""
        self._journal.daemon_state.set_booted(job, boot)


def _set_item(items: dict[T, V], name: T, value: V | None) -> None:
    if value is None:
        items.pop(name, None)
    else:
        items[name] = value


def _try(step: Callable[[], object]) -> Exception | None:
    try:
        step()
    except Exception as bug:  # noqa: BLE001 (one run's must not lose what belongs to another)
        return bug
    return None
