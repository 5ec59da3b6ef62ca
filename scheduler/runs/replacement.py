"""What gives way to a run that begins: what waits is superseded, what runs is ended.

`Replacement` owns nothing; the runs are the table's. Admission calls it, and whoever ends a run by
hand or since the clock was set back, inside a commit. Invariant: no process hears a signal before
the reason is on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.entry import Catchup
from scheduler.run import Reason
from scheduler.runs.live_run import WITHOUT_PROCESS
from scheduler.schedule.catchup import mode
from scheduler.schedule.misfire import earliest

if TYPE_CHECKING:
    from scheduler.runs.backlogs import Backlogs
    from scheduler.runs.launcher import Launcher
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.supervisor import Supervisor
    from scheduler.runs.transaction import Transaction


class Replacement:
    """See the module."""

    def __init__(
        self,
        transaction: Transaction,
        backlogs: Backlogs,
        launcher: Launcher,
        supervisor: Supervisor,
    ) -> None:
        self._transaction = transaction
        self._table = transaction.table
        self._backlogs = backlogs
        self._launcher = launcher
        self._supervisor = supervisor

    # --- what waits ------------------------------------------------------------------------------

    def supersede(self, start: LiveRun) -> None:
        """Close what waits for a time or a slot and is overtaken by a run that really runs."""
        for live in (*self._table.timed(start.job), *self._table.in_line(start.job)):
            if self.gives_way(live, start):
                self._transaction.close(live, Reason.SUPERSEDED)

    def supersede_retries(self, job: str) -> None:
        """Close the retries that wait for a time or a slot: a run by hand takes their place."""
        for live in self._table.waiting_of(job):
            if live.is_retry:
                self._transaction.close(live, Reason.SUPERSEDED)

    def gives_way(self, live: LiveRun, start: LiveRun) -> bool:
        """Say whether a run that waits is overtaken by another one's start.

        A retry is not by one that is itself only made up for; nor is what is made up for by one
        that no schedule asked for.
        """
        if live.run.order >= start.run.order:  # else this minute has been begun before
            return False
        if live.is_retry:
            return not start.made_up
        is_scheduled = earliest(start.entry, start.run) is not None
        return live.made_up and mode(start.entry) is Catchup.LATEST and is_scheduled

    # --- what runs -------------------------------------------------------------------------------

    def make_room(self, start: LiveRun) -> tuple[bool, int | None]:
        """End all of its job that goes on or waits, so that a run can take its place.

        Returns whether a process has yet to end, and the place in line that it inherits.
        """
        job, has_process = start.job, False
        in_line = self._table.in_line(job)
        ticket = in_line[0].ticket if in_line else None
        for live in (*self._table.queued(job), *in_line):
            self._transaction.close(live, Reason.REPLACED)
        self._backlogs.drop(job, Reason.REPLACED)
        for live in self._table.of(job):
            if live.phase in WITHOUT_PROCESS:
                self.cancel(live, Reason.REPLACED)
            elif not live.is_waiting:
                has_process = True
                self._terminate(live, Reason.REPLACED)
        return has_process, ticket

    def cancel(self, live: LiveRun, reason: Reason) -> None:
        """Close a run whose attempt is claimed and has no process yet."""
        self._transaction.cancel_attempt(live, reason)
        self._transaction.effect(self._launcher.forget, live.run.number)

    def _terminate(self, live: LiveRun, reason: Reason) -> None:
        """End a run's process, unless it is being ended already."""
        running = self._supervisor.find(live.run.number)
        if running is not None and running.stop_reason is None:
            self._transaction.terminate(live, reason)
            self._transaction.effect(self._supervisor.terminate, running, reason)
