"""What an earlier daemon left open in; supervised, waiting or closed runs out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.run import Attempt, Ending, GiveUp, Lost, Reason
from scheduler.runs.live_run import Phase
from scheduler.runs.supervisor import Running, still
from scheduler.runs.table import RunTable
from scheduler.schedule.misfire import is_too_late, lateness, own_start

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import AttemptRow, OpenRun
    from scheduler.process.spawner import Spawner
    from scheduler.runs.admission import Admission
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.outcomes import Outcomes
    from scheduler.runs.supervisor import Supervisor
    from scheduler.runs.transaction import Transaction
    from scheduler.system.clock import Clock

_HIDDEN = 0  # stands for the start of a process that nobody tells of
_PREPARED_BEFORE = timedelta(minutes=1)  # more than the longest time for which a minute is prepared


class Recovery:
    """Settles what an earlier daemon left open, once, before a daemon's first minute.

    Owns nothing that lasts. The loop has it called, when the entries are known. Invariant: what
    lives is supervised, what waits is in the table, and what is neither is closed or retried.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        spawner: Spawner,
        transaction: Transaction,
        supervisor: Supervisor,
        admission: Admission,
        outcomes: Outcomes,
        state: Path,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._spawner = spawner
        self._transaction = transaction
        self._supervisor = supervisor
        self._admission = admission
        self._outcomes = outcomes
        self._state = state

    def recover(self, seen: Mapping[Attempt, Ending]) -> None:
        """Supervise what lives, let wait what waits, retry or close the rest.

        `seen` are ends that a daemon saw and could not journal. Raises MeridianError where the
        system does not tell what lives: it would be started beside itself.
        """
        rows = {row.run.number: row for row in self._journal.unfinished()}
        found = RunTable.from_journal(self._journal, self._admission.entries, self._clock.now())
        table, handled = self._transaction.table, found.last_handled
        with self._transaction.commit():
            self._transaction.assign(table, "eras", found.eras)
            self._transaction.assign(table, "last_handled", handled)
            self._admission.pauses.recover(found.paused.values(), handled)
            self._admission.backlogs.recover(found.backlogs.values())
        orphans = self._orphans(rows.values(), seen)
        with self._transaction.commit():
            for live in found.all():
                if live.is_waiting:
                    self._wait(live)
                elif (ending := seen.get(live.key)) is not None:
                    self._outcomes.close(self._process(live, rows[live.run.number]), ending)
                else:
                    self._settle_begun(live, rows[live.run.number], orphans, handled)

    def _orphans(self, rows: Iterable[OpenRun], seen: Collection[Attempt]) -> Mapping[Attempt, int]:
        """Return the processes of attempts of which the journal does not tell one."""
        unsure = {
            Attempt(row.run, last.number): self._state / last.output
            for row in rows
            for last in row.attempts[-1:]
            if last.ended is None and last.pid_started is None
        }
        for attempt in seen:
            unsure.pop(attempt, None)
        try:
            return self._spawner.orphans(unsure) if unsure else {}
        except OSError as error:
            raise _untold(error) from error

    def _wait(self, live: LiveRun) -> None:
        """Go on waiting for a start that was put off, for another run to end, or for a retry."""
        if live.job not in self._admission.entries:
            self._transaction.close(live, Reason.REMOVED)
        elif live.reason is not None and live.due > self._clock.now():  # it is not its turn yet
            self._transaction.wait(replace(live, reason=None))
        else:
            self._transaction.put(live)

    def _settle_begun(
        self,
        live: LiveRun,
        row: OpenRun,
        orphans: Mapping[Attempt, int],
        handled: datetime | None,
    ) -> None:
        """See to a run whose last attempt has no end."""
        last, attempt = row.attempts[-1], live.key
        pid = orphans.get(attempt) if last.pid_started is None else last.pid
        if (last.pid or pid) is None and self._is_to_come(row, handled):
            self._transaction.release(row.run)
            return
        found = attempt in orphans if last.pid_started is None else bool(last.pid)
        process = self._process(live, row, pid or 0)
        self._adopt(process, last, is_found=found, made_up=row.made_up)

    def _process(self, live: LiveRun, row: OpenRun, pid: int = 0) -> Running:
        """Return the process of a run that has begun; whether it lives is not said."""
        now, last = self._clock.now(), row.attempts[-1]
        first_start = live.first_start or now
        process = Running(live.entry, live.key, pid, last.started or now, first_start)
        process.output = self._state / last.output
        process.stop_reason = row.reason if live.phase is Phase.STOPPING else None
        return process

    def _is_to_come(self, row: OpenRun, handled: datetime | None) -> bool:
        """Say whether a run was prepared for a minute that is still to come."""
        instant = row.run.instant
        is_new = not row.by_hand and (handled is None or instant > handled)
        return is_new and timedelta(0) < instant - self._clock.now() <= _PREPARED_BEFORE

    def _adopt(self, process: Running, row: AttemptRow, *, is_found: bool, made_up: bool) -> None:
        """Supervise what an earlier daemon started; what is gone, or can't be told, is lost.

        Killed in a burst, that daemon had no time to journal what it had started.
        """
        alive = self._alive(process, row.pid_started) if is_found else None
        process.adopted = alive if row.pid_started is None else row.pid_started
        if alive is None or alive != process.adopted:
            self._lose(process, row, made_up=made_up)
            return
        process.began = self._spawner.began(alive) if process.pid else None
        if row.pid_started is None and process.pid:
            self._transaction.started(process, alive)
        self._transaction.adopted(process)
        self._transaction.put(process.live())
        self._transaction.effect(self._supervisor.add, process)
        if isinstance(process.stop_reason, Reason):  # the daemon before did not get that done
            self._transaction.effect(self._supervisor.terminate, process, process.stop_reason)
        own = own_start(process.entry, process.attempt.run.instant)
        if made_up or (row.started is not None and lateness(own, row.started)):
            self._transaction.effect(self._admission.note_late, process.entry.job)

    def _alive(self, process: Running, known: int | None) -> int | None:
        """Return what has this number; the `known` process, until the system tells otherwise."""
        try:
            return still(known or _HIDDEN, process.pid, process.output, self._spawner)
        except OSError as error:
            if known is None:
                raise _untold(error) from error
            return known

    def _lose(self, process: Running, row: AttemptRow, *, made_up: bool) -> None:
        """Close an attempt that nobody saw end; one that may never have begun can be too late."""
        entry, now = process.entry, self._clock.now()
        ending = Ending(Lost(), now)
        own = own_start(entry, process.attempt.run.instant)
        is_first = row.started is None and process.attempt.number == 1
        if is_first and is_too_late(entry, own, now, made_up=made_up):
            self._transaction.ended(process, ending, GiveUp(Reason.TOO_LATE))
        else:
            self._outcomes.close(process, ending)


def _untold(error: OSError) -> MeridianError:
    what = "which jobs of an earlier daemon still run"
    return MeridianError(f"the system does not tell {what}: {error.strerror}; start again")
