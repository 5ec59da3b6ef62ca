"""What processes did, and what follows: starts and endings in, journalled runs and retries out.

`Outcomes` owns what the journal has not heard of yet: which attempts have begun, how others ended,
and what they left behind. The loop's verbs call it. Invariant: it forgets none of that before it is
on disk; while the journal refuses, the endings are kept beside it for the next daemon.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.run import Decision, Done, Ending, GiveUp, Lost, NotStarted, Reason, RetryAt
from scheduler.runs import retry
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.runs.supervisor import Running
from scheduler.schedule.misfire import earliest
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scheduler.journal.unjournalled import Unjournalled
    from scheduler.process.spawner import Spawner
    from scheduler.runs.admission import Admission
    from scheduler.runs.launcher import Started
    from scheduler.runs.supervisor import Supervisor
    from scheduler.runs.transaction import Transaction
    from scheduler.runs.waiting import Waiting
    from scheduler.system.clock import Clock


class Outcomes:
    """See the module; `draw` chooses the jitter of a retry in [-1, 1]."""

    def __init__(
        self,
        clock: Clock,
        spawner: Spawner,
        transaction: Transaction,
        admission: Admission,
        waiting: Waiting,
        supervisor: Supervisor,
        unjournalled: Unjournalled,
        draw: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._spawner = spawner
        self._transaction = transaction
        self._admission = admission
        self._waiting = waiting
        self._supervisor = supervisor
        self._unjournalled = unjournalled
        self._draw = draw
        self._begun: list[Running] = []
        self._endings: list[tuple[Running, Ending]] = []
        self._left: list[tuple[Running, int]] = []  # how many processes got away from an end

    # --- what was seen ---------------------------------------------------------------------------

    def saw_start(self, started: Started) -> None:
        """Supervise what has started: its end may be seen before the journal has heard of it."""
        live, result = started.live, started.result
        pid = 0 if isinstance(result, NotStarted) else result
        first_start = live.first_start or started.at
        running = Running(live.entry, live.key, pid, started.at, first_start)
        self._transaction.table.put(running.live())
        if isinstance(result, NotStarted):
            self._endings.append((running, Ending(result, started.at)))
        else:
            running.began = since_boot(self._clock)
            self._supervisor.add(running)
            self._begun.append(running)

    def look_for_ends(self) -> Iterator[Running]:
        """See who has ended; yield those that were made to, who may have left processes."""
        now, until = self._clock.now(), since_boot(self._clock)
        for ended in self._spawner.ended():
            if not self._supervisor.knows(ended.pid):
                continue  # it was an earlier daemon's, and its journal is damaged
            running = self._supervisor.remove(ended.pid)
            if running.stop_reason is not None:
                yield running
            outcome = running.outcome_of(ended.outcome)
            limit = None if running.stop_reason else ended.limit
            used, took = (ended.cpu_s, ended.memory_bytes), running.took(until)
            ending = Ending(outcome, now, *used, limit, took=took, emptied=ended.emptied)
            self._endings.append((running, ending))
        for running in self._supervisor.vanished():
            lost = Ending(running.outcome_of(Lost()), now, took=running.took(until))
            self._endings.append((running, lost))

    def saw_left(self, left: Iterable[tuple[Running, int]]) -> None:
        """Take note of how many processes got away from attempts that were made to end."""
        self._left += left

    def has_news(self) -> bool:
        """Say whether there is a start or an ending that the journal has not heard of."""
        return bool(self._begun or self._endings)

    # --- what follows ----------------------------------------------------------------------------

    def record(self) -> None:
        """Journal what was seen and what follows.

        What the journal refuses is still to be done; endings are kept beside it meanwhile.
        """
        if not (self._begun or self._endings or self._left):
            return
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
                self.close(running, ending)
            self._waiting.start_free(self._clock.now())
            for running, number in self._left:
                self._transaction.left_behind(running.attempt, number)
            for seen in (self._begun, self._endings, self._left):
                self._transaction.effect(seen.clear)

    def close(self, running: Running, ending: Ending) -> None:
        """Decide what follows an ending, and journal both; inside a commit."""
        decision = self._decide(running, ending)
        self._transaction.ended(running, ending, decision)
        if isinstance(decision, RetryAt):
            run, entry = running.attempt.run, self._admission.entries[running.attempt.run.job]
            live = LiveRun(
                run,
                entry,
                Phase.WAIT_TIME,
                decision.at,
                running.attempt.number + 1,
                first_start=running.first_start,
                ended=max(ending.ended, running.first_start),
            )
            self._transaction.put(live)

    def _decide(self, running: Running, ending: Ending) -> Decision:
        run = running.attempt.run
        entry = self._admission.entries.get(run.job)
        if isinstance(running.stop_reason, Reason) and running.stop_reason is not Reason.STOPPED:
            return GiveUp(running.stop_reason)
        if retry.succeeded((entry or running.entry).settings, ending.outcome):
            return Done()  # most do, and for them nobody searches the next instant
        if entry is None:
            return GiveUp(Reason.REMOVED)
        if earliest(entry, run) is not None and self._transaction.comes_again(run):
            return GiveUp(Reason.SET_BACK)
        decision = retry.decide(
            entry.settings,
            running.attempt.number,
            ending.outcome,
            ended=ending.ended,
            first_start=running.first_start,
            next_instant=self._waiting.next_start(entry, run, ending.ended),
            draw=self._draw(),
        )
        is_stopped = running.stop_reason is Reason.STOPPED and isinstance(decision, GiveUp)
        return GiveUp(Reason.STOPPED) if is_stopped else decision
