"""How attempts ended in, what follows out: journalled, and on its way to a retry where one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.run import Decision, Done, GiveUp, Reason, RetryAt
from scheduler.runs import retry
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule.misfire import earliest

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.run import Ending
    from scheduler.runs.placement import Placement
    from scheduler.runs.supervisor import Running
    from scheduler.runs.transaction import Transaction


class Outcomes:
    """What becomes of a run; `draw` places the jitter of its next wait in [-1, 1]."""

    def __init__(
        self, transaction: Transaction, placement: Placement, draw: Callable[[], float]
    ) -> None:
        self._transaction = transaction
        self._placement = placement
        self._draw = draw

    def close(self, running: Running, ending: Ending) -> None:
        """Decide what follows an ending, and journal both; inside a transaction."""
        decision = self._decide(running, ending)
        self._transaction.ended(running, ending, decision)
        if isinstance(decision, RetryAt):
            run, entry = running.attempt.run, self._placement.entries[running.attempt.run.job]
            live = LiveRun(
                run,
                entry,
                Phase.WAIT_TIME,
                decision.at,
                running.attempt.number + 1,
                first_start=running.first_start,
                ended=ending.ended,
            )
            self._transaction.put(live)

    def _decide(self, running: Running, ending: Ending) -> Decision:
        run = running.attempt.run
        entry = self._placement.entries.get(run.job)
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
            next_instant=self._placement.next_start(entry, run, ending.ended),
            draw=self._draw(),
        )
        is_stopped = running.stop_reason is Reason.STOPPED and isinstance(decision, GiveUp)
        return GiveUp(Reason.STOPPED) if is_stopped else decision
