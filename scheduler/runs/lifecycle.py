"""What is under way: due entries in; claimed, started, decided on and journalled runs out.

The daemon owns one `Runs`, and it owns every run that has not come to its end: claimed for the
coming minute, running, waiting for an earlier one, or waiting to be retried. What changes here
changes after it is on disk; what the journal refused is still to be done at the next call.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.journal.unjournalled import Unjournalled
from scheduler.run import Ending, Lost, NotStarted
from scheduler.runs.admission import Admission
from scheduler.runs.backlogs import Backlogs
from scheduler.runs.escaped import Escaped
from scheduler.runs.events import Events
from scheduler.runs.launcher import Launcher, Started, StartTrouble
from scheduler.runs.log_listener import LogListener
from scheduler.runs.manual import Manual
from scheduler.runs.outcomes import Outcomes
from scheduler.runs.output_cap import OutputCap
from scheduler.runs.pauses import Pauses
from scheduler.runs.placement import Placement
from scheduler.runs.prepared import Prepared
from scheduler.runs.recovery import Recovery
from scheduler.runs.slots import Slots
from scheduler.runs.supervisor import Running, Supervisor
from scheduler.runs.table import RunTable
from scheduler.runs.transaction import Transaction
from scheduler.schedule import catchup
from scheduler.schedule.backlog import oldest_first
from scheduler.schedule.tick import MINUTE, JumpKind
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal, RunRow
    from scheduler.process.floods import Floods
    from scheduler.process.output_files import Found
    from scheduler.process.spawner import Spawner
    from scheduler.run import Run
    from scheduler.runs.echo import Echo
    from scheduler.runs.events import Event, Listener
    from scheduler.runs.live_run import LiveRun
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import Account, Instants
    from scheduler.schedule.tick import Era, Jump
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_COPYING = 0.02  # seconds between looks at output that is on its way to its file


class Runs:
    """Everything that has begun and not ended; see DESIGN: the life of a run."""

    def __init__(  # noqa: PLR0913 (it joins all parts)
        self,
        *,
        clock: Clock,
        journal: Journal,
        spawner: Spawner,
        state: Path,
        log: Log,
        draw: Callable[[], float],
        most: int | None = None,
        most_output: int | None = None,
        floods: Floods | None = None,
        echo: Echo | None = None,
        listeners: Sequence[Listener] = (),
        unjournalled: Unjournalled | None = None,
    ) -> None:
        self.most = most
        self._clock = clock
        self._journal = journal
        self._spawner = spawner
        self.table = RunTable()
        self._events = Events(log, (LogListener(log), *listeners))
        table, slots = self.table, Slots(self.table, most)
        self._transaction = Transaction(journal, table, self._events.tell, clock.now)
        self._launcher = Launcher(clock, spawner, table, state)
        self._output_cap = OutputCap(clock, state, most_output, floods)
        self._starts = StartTrouble(clock, log)
        self._supervisor = Supervisor(clock, spawner, self._output_cap, echo)
        self.pauses = Pauses(journal, self._transaction, table)
        self._placement = Placement(
            self._transaction,
            table,
            slots,
            self._launcher,
            self._supervisor,
            Backlogs(self._transaction, table),
            self.pauses,
        )
        self._prepared = Prepared(self._transaction, table, self._placement, self._launcher)
        self._admission = Admission(self._transaction, self._placement, self.pauses)
        self.manual = Manual(
            clock,
            journal,
            self._transaction,
            self._placement,
            self._admission,
            self._supervisor,
            self.pauses,
            self._prepared.unprepare,
        )
        self._outcomes = Outcomes(self._transaction, self._placement, draw)
        self._recovery = Recovery(
            clock,
            journal,
            spawner,
            self._transaction,
            self._supervisor,
            self._placement,
            self._outcomes,
            state,
        )
        self._escaped = Escaped(clock, spawner)
        self._left: list[tuple[Running, int]] = []  # processes that got away, not yet journalled
        self._is_stopping = False
        self._unjournalled = unjournalled or Unjournalled()
        self._begun: list[Running] = []  # started, and not yet in the journal
        self._endings: list[tuple[Running, Ending]] = []  # seen, and not yet in the journal

    def busy(self) -> int:
        """Return how many attempts there still is something to do about."""
        return len(self._supervisor) + len(self._escaped)

    def running(self) -> Iterable[Running]:
        """Return the attempts that have a process."""
        return self._supervisor.all()

    def waiting(self) -> Sequence[LiveRun]:
        """Return the runs that wait: for a time, for another run, then for a slot."""
        return self.table.waiting()

    def backlogs(self) -> Sequence[Backlog]:
        """Return what is still to run of the instants that came too late, the oldest first."""
        return oldest_first(self._placement.backlogs.all())

    def backlog_of(self, job: str) -> Backlog | None:
        """Return the same of one job; None if it has nothing of that kind."""
        return self._placement.backlogs.of(job)

    def tell(self, event: Event) -> None:
        """Let all listeners hear of what is not of a run, after it has happened."""
        self._events.tell(event)

    def journalled(self, run: Run) -> RunRow:
        """Return what the journal knows of a run; JournalError if it knows none."""
        row = self._journal.queries.run(run.number)
        if row is None:
            raise JournalError(f"the journal has no run {run.number}")
        return row

    # --- the flow, in the order in which the loop asks for it ------------------------------

    def use(self, entries: Mapping[str, Entry], instants: Instants) -> None:
        """Go by these entries from now on; what runs is untouched, what waits may lose its job."""
        # Known at once: a minute may come before the journal takes what that closes.
        self._placement.use({**self._placement.still_needed(entries), **entries}, instants)
        with self._transaction.commit():
            self._placement.drop_removed(entries)
        self._placement.use(entries, instants)
        if self.table.has_line():  # a pool may hold more than before
            with self._transaction.commit():
                self._placement.start_waiting(self._clock.now())
            self.start()

    def account(
        self, jumps: Iterable[Jump], accounts: Sequence[Account], now: datetime, handled: datetime
    ) -> None:
        """Put on disk what becomes of the instants that were missed, up to the minute `handled`."""
        starts = {each.entry.job: each for each in catchup.starts(accounts, now)}
        made_up = sum(each.backlog.left if each.backlog else len(each.made_up) for each in accounts)
        left_out = sum(each.left_out is not None or each.beyond is not None for each in accounts)
        with self._transaction.commit():
            for n, jump in enumerate(sorted(jumps, key=_size)):
                counts = {} if n else {"made_up": made_up, "left_out": left_out}
                self._transaction.jumped(jump, **counts)
            self._placement.space(now)
            for each in accounts:
                self._admission.settle(each, starts.get(each.entry.job))
            self._transaction.handled(handled)

    @property
    def eras(self) -> Sequence[Era]:
        """The eras of the clock that have begun, in order; the first of all is not one of them."""
        return self._transaction.eras

    @property
    def era(self) -> int:
        """The number of the present era."""
        return self._transaction.era

    def jumped(self, jumps: Sequence[Jump], era: Era | None = None) -> None:
        """Put jumps on disk; what waits moves with a clock that was set back.

        `era` is the one that begins with that, None if none does.
        """
        back = sum(jump.seconds for jump in jumps if jump.kind is JumpKind.BACK)
        now, since = self._clock.now(), None if era is None else era.since
        with self._transaction.commit():
            for jump in jumps:
                self._transaction.jumped(jump)
            if back or since is not None:
                self._placement.set_back(timedelta(seconds=back), since, now)
            else:
                self._placement.space(now)
            if era is not None:
                self._transaction.begin_era(era)
                self._transaction.handled(era.since - MINUTE)

    def handled(self, minute: datetime) -> None:
        """Put on disk that everything up to this minute is handled, in which nothing was due.

        A loss of power may lose that: then the minutes are owed again, and nothing is due in them.
        """
        with self._transaction.commit(synced=False):
            self._transaction.handled(minute)

    def plan(self, entries: Iterable[Entry], instant: datetime, *, late: bool = False) -> None:
        """Claim and prepare what is due at `instant`, before it; others are held for `fire`."""
        with self._transaction.commit():
            self._prepared.claim(entries, instant, late=late)
        if not self.table.has_starting():  # else the burst that goes on needs the descriptors
            self._launcher.prepare()

    def unplan(self) -> None:
        """Take back what is planned: its minute is owed again."""
        with self._transaction.commit():
            self._prepared.undo()

    def fire(self, instant: datetime, *, late: bool = False) -> None:
        """Start what was planned for `instant`, then see who may start beside an earlier run.

        A `late` minute is run as if in time: a run then waits for the one before it.
        """
        if not self._prepared:
            self.handled(instant)
            return
        self.table.take_planned()
        self.start()
        now = self._clock.now()
        with self._transaction.commit():
            for entry in self._prepared.deferred:
                self._admission.admit(entry, instant, now, late=late)
            self._transaction.handled(instant)
            self._prepared.done()
        self.start()

    def start(self) -> None:
        """Start what is ready; journal and log it after the burst."""
        if self.table.has_starting() and not self._is_stopping:
            for started in self._launcher.begin():
                self._starts.saw(started.result)
                self._supervise(started)
        if self._begun or self._endings:
            self._record()

    def start_pending(self) -> None:
        """Start the retries and the put off runs whose time has come."""
        now = self._clock.now()
        self._draw(now)
        # Of a job one after the other: what the first does decides what the second may.
        while due := self.table.firsts_due(now):
            with self._transaction.commit():
                for live in due:
                    self._placement.start_due(live, now)
            self.start()
        self._draw(now)

    def _draw(self, now: datetime) -> None:
        """Start what is next of the backlogs whose turn it is."""
        while jobs := self._admission.backfill.due(now):
            with self._transaction.commit():
                for job in jobs:
                    self._admission.backfill.draw(job, now)
            self.start()

    def settle(self) -> None:
        """Handle what ended, decide what follows, and start who waited for it."""
        with self._spawner.one_look():
            self._note_ended()
        if self._begun or self._endings:
            self._record()
        self.start()

    def _note_ended(self) -> None:
        """Note who has ended."""
        now, until = self._clock.now(), since_boot(self._clock)
        for ended in self._spawner.ended():
            if not self._supervisor.knows(ended.pid):
                continue  # it was an earlier daemon's, and its journal is damaged
            running = self._supervisor.remove(ended.pid)
            if running.stop_reason is not None:
                self._escaped.add(running)
            outcome = running.outcome_of(ended.outcome)
            limit = None if running.stop_reason else ended.limit
            used, took = (ended.cpu_s, ended.memory_bytes), running.took(until)
            ending = Ending(outcome, now, *used, limit, took=took, emptied=ended.emptied)
            self._endings.append((running, ending))
        for running in self._supervisor.vanished():
            lost = Ending(running.outcome_of(Lost()), now, took=running.took(until))
            self._endings.append((running, lost))

    def enforce(self) -> None:
        """End who is over its time, and keep outputs within their bounds.

        Outputs are not looked at while a minute is prepared, since that could hold it up; signals
        are sent all the same.
        """
        with self._spawner.one_look():
            self._supervisor.enforce()
        if not self.table.has_planned():
            self._output_cap.look()
            with self._spawner.one_look():
                self._left += self._escaped.look()
        if self._left:
            self._record()

    def is_starting(self) -> bool:
        """Say whether a burst of starts goes on."""
        return self.table.has_starting()

    def keep_within(self, found: Found) -> None:
        """Keep an output within its bound that an earlier daemon left."""
        self._output_cap.keep_within(found)

    def next_wake(self) -> datetime | None:
        """Return when something here is due next; None if nothing is."""
        now = self._clock.now()
        if self._begun or self._endings:
            return now
        retry = None if self._is_stopping else self.table.next_due()
        start = None if self._is_stopping else self._launcher.next_start()
        drawn = None if self._is_stopping else self._admission.backfill.due_next()
        look = None if self.table.has_planned() else self._output_cap.next_look()
        behind = None if self.table.has_planned() else self._escaped.next_look()
        waits = [
            wait for wait in (self._supervisor.next_signal(), look, behind) if wait is not None
        ]
        waits += [_COPYING] if self._spawner.is_settling() else []
        wakes = [retry, start, drawn, *(now + timedelta(seconds=wait) for wait in waits)]
        return min((wake for wake in wakes if wake is not None), default=None)

    def at_reboot(self, entries: Iterable[tuple[Entry, str]], instant: datetime) -> None:
        """Start @reboot entries, and remember the boot that each ran for."""
        now = self._clock.now()
        with self._transaction.commit():
            for entry, boot in entries:
                self._admission.admit_at_boot(entry, instant, now)
                self._transaction.booted(entry.job, boot)
        self.start()

    def _supervise(self, started: Started) -> None:
        """Watch what has started: its end may be seen before the journal has heard of it."""
        live, result = started.live, started.result
        pid = 0 if isinstance(result, NotStarted) else result
        first_start = live.first_start or started.at
        running = Running(live.entry, live.key, pid, started.at, first_start)
        self.table.put(running.live())
        if isinstance(result, NotStarted):
            self._endings.append((running, Ending(result, started.at)))
        else:
            running.began = since_boot(self._clock)
            self._supervisor.add(running)
            self._begun.append(running)

    def _record(self) -> None:
        """Journal what started and what ended; what ended is kept for the next daemon meanwhile."""
        try:
            self._journal_all()
        except JournalError:
            self._unjournalled.keep((each.attempt, ending) for each, ending in self._endings)
            raise
        self._unjournalled.clear()

    def _journal_all(self) -> None:
        """Journal it, and start who waited for it."""
        with self._transaction.commit():
            for running in self._begun:
                self._transaction.started(running, self._spawner.started_at(running.pid))
            for running, ending in self._endings:
                self._outcomes.close(running, ending)
            self._placement.start_waiting(self._clock.now())
            for running, number in self._left:
                self._transaction.left_behind(running.attempt, number)
            self._transaction.effect(self._left.clear)
            self._transaction.effect(self._begun.clear)
            self._transaction.effect(self._endings.clear)

    # --- stopping and starting again -------------------------------------------------------

    def cancel(self) -> None:
        """Let go of everything that has no process yet; retries stay due on disk.

        What is planned for a minute that has not come is released: that minute is still owed, and
        a daemon that starts again in time runs it.
        """
        self._is_stopping = True
        self.unplan()
        now = self._clock.now()
        with self._transaction.commit():
            for live in self.table.starting():
                self._transaction.requeue(live, now)
            for forget in (self.table.forget_waiting, self._placement.backlogs.clear):
                self._transaction.effect(forget)
            self._transaction.effect(self._launcher.forget_all)

    def abandon(self) -> None:
        """Let go of everything here, as a daemon that is killed: the journal is no use any more.

        What runs goes on, and the next daemon in this process finds it.
        """
        self._launcher.forget_all()
        self._spawner.leave_running()

    def end_all(self) -> None:
        """Send every running attempt its next signal: SIGTERM, and SIGKILL when asked again."""
        with self._spawner.one_look():
            self._supervisor.end_all()
        self._escaped.kill_now()

    def recover(self) -> None:
        """Settle what an earlier daemon left open."""
        with self._spawner.one_look():
            self._recovery.recover(self._unjournalled.open())
        self._unjournalled.clear()


def _size(jump: Jump) -> float:
    """Return what puts the largest jump first."""
    return -abs(jump.seconds)
