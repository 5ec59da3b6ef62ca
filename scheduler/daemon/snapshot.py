"""A running daemon's parts in, a snapshot of how they do out: for `status`, and whoever else looks.

What a snapshot says stands in `scheduler/status.py`; here is where each fact of it comes from.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from scheduler.daemon import visible
from scheduler.daemon.rights import JOURNAL_REFUSES
from scheduler.schedule.tick import MINUTE
from scheduler.schedule.zone_data import databases
from scheduler.status import (
    CatchingUp,
    Coming,
    Counts,
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
    from scheduler.daemon.visible import VisibleEntries
    from scheduler.peer import Peer
    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.supervisor import Running
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.timetable import Timetable
    from scheduler.schedule.zone_data import ZoneDatabase
    from scheduler.status import Crontabs, Identity
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

    def take(self, jobs: Iterable[str], peer: Peer, *, is_stopping: bool) -> Snapshot:
        """Return how the daemon does, and which of these jobs are in force, as far as a peer's.

        Who is not an admin hears of what is their own and of the daemon as such, of nothing else:
        nor what others have refused, or how many jobs of theirs run.
        """
        seen = visible.to(peer, self._in_force)
        zones = seen.crontabs.zones
        now, until = self._clock.now(), since_boot(self._clock)
        running = [each for each in self._runs.running() if peer.owns(each.attempt.run.user)]
        waiting = [each for each in self._runs.table.waiting() if peer.owns(each.run.user)]
        paused = [each for each in self._runs.pauses.all(now) if _is_seen(each.job, peer, seen)]
        behind = [each for each in self._runs.backlogs() if _is_seen(each.job, peer, seen)]
        return Snapshot(
            daemon=self._identity,
            is_stopping=is_stopping,
            crontabs=seen.crontabs,
            last_tick=self._ticker.last,
            now=now,
            journal=self._trouble(peer),
            zone_data=tuple(map(_zone_data, databases(seen.zones))),
            max_running=self._runs.most,
            counts=Counts(len(running), len(waiting), len(paused), len(behind)),
            running=tuple(_running(each, until) for each in running[:_MOST_ROWS]),
            waiting=tuple(map(self._waiting, waiting[:_MOST_ROWS])),
            paused=tuple(paused[:_MOST_ROWS]),
            catching_up=tuple(map(_catching_up, behind[:_MOST_ROWS])),
            coming=() if is_stopping else tuple(islice(self._coming(seen.timetable, zones), _NEXT)),
            files=seen.files,
            in_force=tuple(job for job in jobs if job in seen.entries),
            reads=self._in_force.reads(),
        )

    def next_job(self) -> Coming | None:
        """Return the run that comes first, of jobs that are not paused then; None if there is none.

        It costs as little as that of a snapshot: what is far off may not be found.
        """
        in_force = self._in_force
        return next(self._coming(in_force.timetable, len(in_force.zones)), None)

    def crontabs(self) -> Crontabs:
        """Return what there is of entries."""
        return visible.summary(self._in_force)

    def _trouble(self, peer: Peer) -> str | None:
        """Return why the journal refuses, which names files and jobs: others hear only that."""
        refusal = self._log_once.refusal
        return (refusal if peer.is_admin else JOURNAL_REFUSES) if refusal else None

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
            user=live.run.user,
        )

    def _coming(self, timetable: Timetable, zones: int) -> Iterator[Coming]:
        """Yield the next instant of each job that is not paused then, of the day to come.

        They are fewer where many are left out: of paused jobs, or of one that is due each minute.
        """
        after = self._ticker.first_to_come() - MINUTE
        most = max(1, _MOST_MINUTES // max(1, zones))
        ticker = islice(timetable.upcoming(after), most)
        due = ((minute, entry) for minute, entries in ticker for entry in entries)
        told: set[str] = set()
        for minute, entry in islice(due, _PASSED):
            if entry.job not in told and not self._runs.pauses.at(entry.job, minute):
                told.add(entry.job)
                yield Coming(job=entry.job, at=minute, zone=entry.zone.key, user=entry.user)
            if len(told) >= len(timetable.entries):
                return


def _is_seen(job: str, peer: Peer, seen: VisibleEntries) -> bool:
    """Say whether a job is among what is seen; an admin's may be in no crontab any more."""
    return peer.is_admin or job in seen.entries


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
        user=run.user,
    )


def _catching_up(backlog: Backlog) -> CatchingUp:
    return CatchingUp(
        job=backlog.job,
        at=backlog.next,
        until=backlog.last,
        zone=backlog.zone,
        left=backlog.left,
    )
