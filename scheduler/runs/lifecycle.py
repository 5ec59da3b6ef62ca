"""The life of a run: the verbs that the loop calls, each a few lines over the parts that do it.

    plan, fire           before its minute, and when it comes: `admission` claims what is due
    start                `launcher` starts the processes of what is claimed
    settle, enforce      `outcomes` sees who has ended and decides; `supervisor` sends signals
    start_pending        `waiting` and `backfill` begin what has waited
    use, recover         other entries, and what an earlier daemon left
    cancel, end_all      the end

Requests by hand go to `manual`, jumps of the clock to `jumps`, pauses to `pauses`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.runs.admission import Admission
from scheduler.runs.backfill import Backfill
from scheduler.runs.backlogs import Backlogs
from scheduler.runs.escaped import Escaped
from scheduler.runs.jumps import Jumps
from scheduler.runs.launcher import Launcher, StartTrouble
from scheduler.runs.manual import Manual
from scheduler.runs.outcomes import Outcomes
from scheduler.runs.pauses import Pauses
from scheduler.runs.recovery import Recovery
from scheduler.runs.replacement import Replacement
from scheduler.runs.slots import Slots
from scheduler.runs.supervisor import Running, Supervisor
from scheduler.runs.table import RunTable
from scheduler.runs.transaction import Transaction
from scheduler.runs.waiting import Waiting
from scheduler.schedule.backlog import oldest_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import RunRow
    from scheduler.journal.unjournalled import Unjournalled
    from scheduler.process.output_files import Found
    from scheduler.process.spawner import Spawner
    from scheduler.run import Run
    from scheduler.runs.echo import Echo
    from scheduler.runs.events import Event
    from scheduler.runs.listeners import Events
    from scheduler.runs.output_cap import OutputCap
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import Instants
    from scheduler.system.clock import Clock

_COPYING = 0.02  # seconds between looks at output that is on its way to its file


class Runs:
    """Every run that has begun or waits, and has not come to its end.

    Owns the table of live runs, the parts that act on it, and whether the end has been asked for.
    The loop and the ticker call it. Invariant: what changes here changes once it is on disk; what
    the journal refused is still to be done at the next call.
    """

    def __init__(  # noqa: PLR0913 (it joins all parts)
        self,
        *,
        clock: Clock,
        journal: Journal,
        spawner: Spawner,
        state: Path,
        events: Events,
        record: Callable[[Event], None],
        draw: Callable[[], float],
        output_cap: OutputCap,
        unjournalled: Unjournalled,
        most: int | None = None,
        echo: Echo | None = None,
    ) -> None:
        self._clock, self._journal, self._spawner = clock, journal, spawner
        self._unjournalled, self._output_cap, self._events = unjournalled, output_cap, events
        self._starts, self._escaped = StartTrouble(clock, events.tell), Escaped(clock, spawner)
        self._supervisor = supervisor = Supervisor(clock, spawner, output_cap, echo)
        table = RunTable()
        self._launcher = launcher = Launcher(clock, spawner, table, state)
        transaction = Transaction(journal, table, events.tell, clock.now, record)
        self.table, self._transaction = table, transaction
        self.pauses = Pauses(journal, transaction)
        backlogs, slots = Backlogs(transaction), Slots(table, most)
        replacement = Replacement(transaction, backlogs, launcher, supervisor)
        admission = Admission(transaction, slots, backlogs, self.pauses, replacement, launcher)
        self.most, self._is_stopping, self._admission = most, False, admission
        self._waiting = waiting = Waiting(transaction, admission, slots)
        self._backfill = Backfill(transaction, admission, backlogs)
        self.jumps = Jumps(clock, transaction, backlogs, replacement, waiting, launcher)
        self._outcomes = outcomes = Outcomes(
            clock, spawner, transaction, admission, waiting, supervisor, unjournalled, draw
        )
        self.manual = Manual(
            clock, journal, transaction, admission, replacement, waiting, supervisor, outcomes
        )
        self._recovery = Recovery(
            clock, journal, spawner, transaction, supervisor, admission, outcomes, state
        )

    def busy(self) -> int:
        """Return how many attempts there still is something to do about."""
        return len(self._supervisor) + len(self._escaped)

    def running(self) -> Iterable[Running]:
        """Return the attempts that have a process."""
        return self._supervisor.all()

    def backlogs(self) -> Sequence[Backlog]:
        """Return what is still to run of the instants that came too late, the oldest first."""
        return oldest_first(self.table.backlogs.values())

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
        self._admission.use({**self._admission.still_needed(entries), **entries}, instants)
        with self._transaction.commit():
            self._admission.close_removed(entries)
        self._admission.use(entries, instants)
        if self.table.has_line():  # a pool may have more slots than before
            with self._transaction.commit():
                self._waiting.start_free(self._clock.now())
            self.start()

    def handled(self, minute: datetime) -> None:
        """Put on disk that everything up to this minute is handled, in which nothing was due.

        A loss of power may lose that: then the minutes are owed again, and nothing is due in them.
        """
        with self._transaction.commit(synced=False):
            self._transaction.handled(minute)

    def plan(
        self,
        entries: Iterable[Entry],
        instant: datetime,
        *,
        excluded: Sequence[Entry] = (),
        late: bool = False,
    ) -> None:
        """Claim and prepare what is due at `instant`, before it; others are held for `fire`.

        What is `excluded` would be due, were it another day.
        """
        with self._transaction.commit():
            self._admission.plan(entries, instant, excluded=excluded, late=late)
        if not self.table.has_starting():  # else the burst that goes on needs the descriptors
            self._launcher.prepare()

    def unplan(self) -> None:
        """Take back what is planned: its minute is owed again."""
        with self._transaction.commit():
            self._admission.unplan()

    def fire(self, instant: datetime, *, late: bool = False) -> None:
        """Start what was planned for `instant`, then see who may start beside an earlier run.

        A `late` minute is run as if in time: a run then waits for the one before it.
        """
        if not self._admission.has_plan():
            self.handled(instant)
            return
        if self.table.has_planned():
            self.table.take_planned()
            self.start()
        now = self._clock.now()
        with self._transaction.commit():
            self._admission.admit_deferred(instant, now, late=late)
            self._transaction.handled(instant)
        self.start()

    def start(self) -> None:
        """Start what is ready; journal and log it after the burst."""
        if self.table.has_starting() and not self._is_stopping:
            for started in self._launcher.begin():
                self._outcomes.saw_start(started)  # first of all: it may live
                self._starts.saw(started.result)
        self._outcomes.record()

    def start_pending(self) -> None:
        """Start the retries and the put off runs whose time has come."""
        now = self._clock.now()
        self._draw(now)
        # Of a job one after the other: what the first does decides what the second may.
        while due := self.table.firsts_due(now):
            with self._transaction.commit():
                for live in due:
                    self._waiting.start_due(live, now)
            self.start()
        self._draw(now)

    def _draw(self, now: datetime) -> None:
        """Start what is next of the backlogs whose turn it is."""
        while jobs := self._backfill.due(now):
            with self._transaction.commit():
                for job in jobs:
                    self._backfill.draw(job, now)
            self.start()

    def settle(self) -> None:
        """Handle what ended, decide what follows, and start who waited for it."""
        with self._spawner.one_look():
            for running in self._outcomes.look_for_ends():
                self._escaped.add(running)
        self._outcomes.record()
        self.start()

    def enforce(self) -> None:
        """End who is over its time, and keep outputs within their cap.

        Outputs are not looked at while a minute is prepared, since that could delay it; signals
        are sent all the same.
        """
        with self._spawner.one_look():
            self._supervisor.enforce()
        if not self.table.has_planned():
            self._output_cap.look()
            with self._spawner.one_look():
                self._outcomes.saw_left(self._escaped.look())
        self._outcomes.record()

    def is_starting(self) -> bool:
        """Say whether a burst of starts goes on."""
        return self.table.has_starting()

    def keep_within(self, found: Found) -> None:
        """Keep an output within its cap that an earlier daemon left."""
        self._output_cap.keep_within(found)

    def next_wake(self) -> datetime | None:
        """Return when something here is due next; None if nothing is."""
        now = self._clock.now()
        if self._outcomes.has_news():
            return now
        retry = None if self._is_stopping else self.table.next_due()
        start = None if self._is_stopping else self._launcher.next_start()
        drawn = None if self._is_stopping else self._backfill.due_next()
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
            for forget in (self.table.forget_waiting, self._admission.backlogs.clear):
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
        with self._transaction.commit():
            self._waiting.space(self._clock.now())
        self._unjournalled.clear()
