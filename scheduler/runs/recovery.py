"""What an earlier daemon left open in, watched, waiting or closed runs out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.entry import Entry, Reboot
from scheduler.errors import MeridianError
from scheduler.run import Attempt, Ending, GiveUp, Lost, Reason, State
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.runs.supervisor import Running, still
from scheduler.schedule.misfire import is_too_late, lateness, own_start
from scheduler.schedule.zone_data import UTC_ZONE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from scheduler.journal.journal import AttemptRow, OpenRun
    from scheduler.process.spawner import Spawner
    from scheduler.run import Run
    from scheduler.runs.outcomes import Outcomes
    from scheduler.runs.placement import Placement
    from scheduler.runs.supervisor import Supervisor
    from scheduler.runs.transaction import Transaction
    from scheduler.system.clock import Clock

_TERMINATED = (Reason.KILLED, Reason.REPLACED)
_HIDDEN = 0  # stands for the start of a process that nobody tells of
_AHEAD = timedelta(minutes=1)  # more than the longest time for which a minute is prepared


class Recovery:
    """The settlement of open runs, once, before a daemon's first minute."""

    def __init__(
        self,
        clock: Clock,
        spawner: Spawner,
        transaction: Transaction,
        supervisor: Supervisor,
        placement: Placement,
        outcomes: Outcomes,
        state: Path,
    ) -> None:
        self._clock = clock
        self._spawner = spawner
        self._transaction = transaction
        self._supervisor = supervisor
        self._placement = placement
        self._outcomes = outcomes
        self._state = state
        self._seen: Mapping[Attempt, Ending] = {}

    def settle(
        self,
        left: Sequence[OpenRun],
        handled: datetime | None,
        seen: Mapping[Attempt, Ending] | None = None,
    ) -> None:
        """Watch what lives, let wait what waits, retry or close the rest.

        `handled` is the last minute that a daemon has handled, None if there is none; `seen` are
        ends that it saw and could not journal. Raises MeridianError where the system does not tell
        what lives: it would be started beside itself.
        """
        self._seen = seen or {}
        unsure = {
            Attempt(run.run, each.number): self._state / each.output
            for run in left
            for each in run.attempts[-1:]
            if each.ended is None and each.pid_started is None
            if Attempt(run.run, each.number) not in self._seen
        }
        orphans = self._orphans(unsure) if unsure else {}
        with self._transaction.commit():
            for open_run in left:
                self._settle(open_run, orphans, handled)
        with self._transaction.commit():
            self._placement.space(self._clock.now())

    def _orphans(self, unsure: Mapping[Attempt, Path]) -> Mapping[Attempt, int]:
        try:
            return self._spawner.orphans(unsure)
        except OSError as error:
            raise _untold(error) from error

    def _settle(
        self, left: OpenRun, orphans: Mapping[Attempt, int], handled: datetime | None
    ) -> None:
        run, now, entry = left.run, self._clock.now(), self._placement.entries.get(left.run.job)
        if not left.attempts:
            self._wait(left, entry)
            return
        last, first_start = left.attempts[-1], left.attempts[0].started or now
        attempt = Attempt(run, last.number)
        pid = orphans.get(attempt) if last.pid_started is None else last.pid
        if last.ended is None and (last.pid or pid) is None and self._is_to_come(left, handled):
            self._transaction.release(run)
        elif last.ended is not None:
            self._wait_for_retry(left, last, entry, first_start)
        else:
            started = last.started or now
            process = Running(entry or _unknown(run), attempt, pid or 0, started, first_start)
            process.output = self._state / last.output
            if left.reason in _TERMINATED:
                process.stop_reason = left.reason
            if (ending := self._seen.get(attempt)) is not None:
                self._outcomes.close(process, ending)
                return
            found = attempt in orphans if last.pid_started is None else bool(last.pid)
            self._adopt(process, last, is_found=found, made_up=left.made_up)

    def _wait_for_retry(
        self, left: OpenRun, last: AttemptRow, entry: Entry | None, first_start: datetime
    ) -> None:
        """Go on waiting for a run's next attempt."""
        if entry is None:
            self._transaction.close_open(left.run, State.FAILED, Reason.REMOVED)
            return
        live = LiveRun(
            left.run,
            entry,
            Phase.WAIT_TIME,
            left.due or self._clock.now(),
            last.number + 1,
            first_start=left.reopened or first_start,
            ended=left.reopened or last.ended,
            reason=left.reason,
        )
        self._transaction.put(live)

    def _is_to_come(self, left: OpenRun, handled: datetime | None) -> bool:
        """Say whether a run was prepared for a minute that is still to come."""
        instant = left.run.instant
        is_new = not left.by_hand and (handled is None or instant > handled)
        return is_new and timedelta(0) < instant - self._clock.now() <= _AHEAD

    def _wait(self, left: OpenRun, entry: Entry | None) -> None:
        """Go on waiting for a start that was put off, or for another run to end."""
        if entry is None:
            self._transaction.close_open(left.run, State.SKIPPED, Reason.REMOVED)
        else:
            live = LiveRun(
                left.run,
                entry,
                Phase.WAIT_TIME,  # what it waited for is judged anew
                left.due or self._clock.now(),
                made_up=left.made_up,
                reason=left.reason,
            )
            self._transaction.put(live)

    def _adopt(self, process: Running, row: AttemptRow, *, is_found: bool, made_up: bool) -> None:
        """Watch what an earlier daemon started; what is gone, or can't be told, is lost.

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
            self._transaction.effect(self._placement.is_late, process.entry.job)

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


def _unknown(run: Run) -> Entry:
    """Return an entry for a run that no crontab knows any more."""
    return Entry(run.job, Reboot(), "", UTC_ZONE, "")
