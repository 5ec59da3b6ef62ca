"""A running daemon's parts in, a snapshot of how they do out: for `status`, and whoever else looks.

What a snapshot says stands in `scheduler/status.py`; here is where each fact of it comes from.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from scheduler.schedule.tick import MINUTE
from scheduler.schedule.zone_data import databases
from scheduler.status import (
    CatchingUp,
    Coming,
    Counts,
    Crontabs,
    RunningNow,
    Snapshot,
    WaitingNow,
    ZoneData,
)
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.log_once import LogOnce
    from scheduler.daemon.ticker import Ticker
    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.supervisor import Running
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.zone_data import ZoneDatabase
    from scheduler.status import Identity
    from scheduler.system.clock import Clock

_MOST_ROWS = 100  # rows of each list in a status
_NEXT = 5  # coming runs in it
# How much is looked at to find them, since the loop waits meanwhile: 10 ms by these.
_MOST_MINUTES = 300  # in each of which every zone costs a look
_PASSED = 5_000  # entries


class Snapshots:
    """Takes snapshots of a daemon.

    It owns nothing: who the daemon is, and the parts that it asks, are given. `requests` calls it,
    in a step of the loop. Taking one changes nothing, and all its facts are of the same moment.
    """

    def __init__(
        self,
        identity: Identity,
        clock: Clock,
        in_force: EntriesInForce,
        runs: Runs,
        ticker: Ticker,
        log_once: LogOnce,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._in_force = in_force
        self._runs = runs
        self._ticker = ticker
        self._log_once = log_once

    def take(self, jobs: Iterable[str] = (), *, is_stopping: bool) -> Snapshot:
        """Return how the daemon does, and which of these jobs are in force."""
        now, in_force = self._clock.now(), self._in_force
        running, waiting = list(self._runs.running()), list(self._runs.table.waiting())
        paused, behind = list(self._runs.pauses.all(now)), self._runs.backlogs()
        until = since_boot(self._clock)
        return Snapshot(
            daemon=self._identity,
            is_stopping=is_stopping,
            crontabs=self.crontabs(),
            last_tick=self._ticker.last,
            now=now,
            journal=self._log_once.refusal or None,
            zone_data=tuple(map(_zone_data, databases(in_force.zones))),
            max_running=self._runs.most,
            counts=Counts(len(running), len(waiting), len(paused), len(behind)),
            running=tuple(_running(each, until) for each in running[:_MOST_ROWS]),
            waiting=tuple(map(self._waiting, waiting[:_MOST_ROWS])),
            paused=tuple(paused[:_MOST_ROWS]),
            catching_up=tuple(map(_catching_up, behind[:_MOST_ROWS])),
            coming=() if is_stopping else tuple(islice(self._coming(), _NEXT)),
            files=in_force.files,
            in_force=tuple(job for job in jobs if job in in_force.entries),
            reads=in_force.reads(),
        )

    def next_job(self) -> Coming | None:
        """Return the run that comes first, of jobs that are not paused then; None if there is none.

        It costs as little as that of a snapshot: what is far off may not be found.
        """
        return next(self._coming(), None)

    def crontabs(self) -> Crontabs:
        """Return what there is of entries."""
        in_force = self._in_force
        return Crontabs(
            entries=len(in_force.entries),
            zones=len(in_force.zones),
            problems=in_force.refused,
            kept=len(in_force.kept),
        )

    def _waiting(self, live: LiveRun) -> WaitingNow:
        by_time = "retry" if live.is_retry else "put off"
        is_known = live.job in self._in_force.entries
        return WaitingNow(
            run=live.run.number,
            job=live.job,
            at=live.run.instant,
            zone=live.entry.zone.key if is_known else None,
            attempt=live.attempt,
            due=live.due,
            reason=by_time if live.reason is None else live.reason.value,
        )

    def _coming(self) -> Iterator[Coming]:
        """Yield the next instant of each job that is not paused then, of the day to come.

        They are fewer where many are left out: of paused jobs, or of one that is due each minute.
        """
        in_force, after = self._in_force, self._ticker.first_to_come() - MINUTE
        most = max(1, _MOST_MINUTES // max(1, len(in_force.zones)))
        ticker = islice(in_force.timetable.upcoming(after), most)
        due = ((minute, entry) for minute, entries in ticker for entry in entries)
        told: set[str] = set()
        for minute, entry in islice(due, _PASSED):
            if entry.job not in told and not self._runs.pauses.at(entry.job, minute):
                told.add(entry.job)
                yield Coming(job=entry.job, at=minute, zone=entry.zone.key)
            if len(told) >= len(in_force.timetable.entries):
                return


def _zone_data(found: ZoneDatabase) -> ZoneData:
    return ZoneData(where=found.where, version=found.version or None, zones=len(found.zones))


def _running(running: Running, until: float) -> RunningNow:
    """Return a process as it is `until` so many seconds since the machine's boot."""
    run, took = running.attempt.run, running.took(until)
    return RunningNow(
        run=run.number,
        job=run.job,
        at=run.instant,
        zone=running.entry.zone.key,
        attempt=running.attempt.number,
        pid=running.pid or None,
        started=running.started,
        for_s=None if took is None else round(took, 3),
    )


def _catching_up(backlog: Backlog) -> CatchingUp:
    return CatchingUp(
        job=backlog.job,
        at=backlog.next,
        until=backlog.last,
        zone=backlog.zone,
        left=backlog.left,
    )
