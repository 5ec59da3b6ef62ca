"""Where requests to a running daemon are answered: a request in, done and the reply out.

It is asked by the daemon's loop alone, so nothing else goes on meanwhile.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, assert_never

from scheduler.errors import JournalError
from scheduler.protocol import (
    Kill,
    Pause,
    Refused,
    Reload,
    Reply,
    Resume,
    Retry,
    Status,
    Trigger,
    stamp,
)
from scheduler.schedule.tick import MINUTE
from scheduler.schedule.zone_data import databases
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from scheduler.daemon.entries import EntriesInForce, FileRead
    from scheduler.daemon.log_once import LogOnce
    from scheduler.daemon.ticker import Ticker
    from scheduler.protocol import Json, Request
    from scheduler.run import Paused
    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.manual import Done
    from scheduler.runs.supervisor import Running
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.zone_data import ZoneDatabase
    from scheduler.system.clock import Clock

_MOST = 100  # rows of each list in a status
_NEXT = 5  # coming runs in it
_LINES = 20  # refused lines of a crontab that are named
# How much is looked at to find them, since the loop waits meanwhile: 10 ms by these.
_MINUTES = 300  # in each of which every zone costs a look
_PASSED = 5_000  # entries


class Requests:
    """Answers each request; `reload` reads the crontabs again."""

    def __init__(
        self,
        clock: Clock,
        in_force: EntriesInForce,
        runs: Runs,
        ticker: Ticker,
        log_once: LogOnce,
        reload: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._in_force = in_force
        self._runs = runs
        self._ticker = ticker
        self._log_once = log_once
        self._reload = reload
        self.is_closed = False  # the daemon is stopping: it says what there is, and ends what runs

    def answer(self, request: Request) -> Reply:
        """Carry a request out; what the journal refuses is not done, and said so."""
        if self.is_closed and not isinstance(request, Status | Kill):
            return Refused("stopping", "the daemon is stopping, and begins nothing new")
        try:
            return self._answer(request)
        except JournalError as error:
            return Refused("journal", str(error))

    def _answer(self, request: Request) -> Reply:
        manual = self._runs.manual
        reply: Reply
        match request:
            case Status(jobs):
                in_force = [job for job in jobs if job in self._in_force.entries]
                reply = self._status() | {"in_force": in_force}
            case Trigger(job):
                reply = self._of_run(manual.trigger(job))
            case Retry(run):
                reply = self._of_run(manual.retry(run))
            case Kill(run):
                reply = self._of_run(manual.kill(run))
            case Pause(jobs, until, note):
                before = self._pauses_of(jobs)
                done = self._of_jobs(jobs, until) | {"replaced": before}
                reply = manual.pause(jobs, until, note) or done
            case Resume(jobs):
                reply = manual.resume(jobs) or self._of_jobs(jobs, None)
            case Reload():
                self._reload()
                reply = self._of_crontabs()
            case _:
                assert_never(request)
        return reply

    # --- replies -------------------------------------------------------------------------------

    def _of_run(self, done: Done | Refused) -> Reply:
        if isinstance(done, Refused):
            return done
        row = self._runs.journalled(done.run)
        return {
            "run": done.run.number,
            "job": done.run.job,
            "at": stamp(done.run.instant),
            "attempt": done.attempt,
            "state": row.state.value,
            "reason": None if row.reason is None else row.reason.value,
        }

    def _of_jobs(self, jobs: Iterable[str], until: datetime | None) -> Json:
        return {"jobs": list(jobs), "until": None if until is None else stamp(until)}

    def _pauses_of(self, jobs: Iterable[str]) -> list[Json]:
        """Return the pauses in force of these jobs."""
        now, pauses = self._clock.now(), self._runs.pauses
        found = (pauses.at(job, now) for job in jobs)
        return [_of_paused(paused) for paused in found if paused is not None]

    def _of_crontabs(self) -> Json:
        in_force = self._in_force
        return {
            "entries": len(in_force.entries),
            "zones": len(in_force.zones),
            "problems": in_force.refused,
            "kept": len(in_force.kept),
        }

    # --- status --------------------------------------------------------------------------------

    def _status(self) -> Json:
        now = self._clock.now()
        running, waiting = list(self._runs.running()), list(self._runs.waiting())
        paused, behind = list(self._runs.pauses.all(now)), self._runs.backlogs()
        last = self._ticker.last
        return self._of_crontabs() | {
            "now": stamp(now),
            "stopping": self.is_closed,
            "last_tick": None if last is None else stamp(last),
            "journal": self._log_once.refusal or None,
            "zone_data": [_of_database(each) for each in databases(self._in_force.zones)],
            "max_running": self._runs.most,
            "counts": {
                "running": len(running),
                "waiting": len(waiting),
                "paused": len(paused),
                "catching_up": len(behind),
            },
            "running": [_of_running(each, since_boot(self._clock)) for each in running[:_MOST]],
            "waiting": [self._of_waiting(each) for each in waiting[:_MOST]],
            "paused": [_of_paused(each) for each in paused[:_MOST]],
            "catching_up": [_of_backlog(each) for each in behind[:_MOST]],
            "next": [] if self.is_closed else list(islice(self._coming(), _NEXT)),
            "files": [_of_file(each) for each in self._in_force.files],
        }

    def _of_waiting(self, live: LiveRun) -> Json:
        by_time = "retry" if live.is_retry else "put off"
        is_known = live.job in self._in_force.entries
        return {
            "run": live.run.number,
            "job": live.job,
            "at": stamp(live.run.instant),
            "zone": live.entry.zone.key if is_known else None,
            "attempt": live.attempt,
            "due": stamp(live.due),
            "reason": by_time if live.reason is None else live.reason.value,
        }

    def _coming(self) -> Iterator[Json]:
        """Yield the next instant of each job that is not paused then, of the day to come.

        They are fewer where much is passed over: paused jobs, or one that is due each minute.
        """
        in_force, after = self._in_force, self._ticker.first_to_come() - MINUTE
        most = max(1, _MINUTES // max(1, len(in_force.zones)))
        ticker = islice(in_force.timetable.upcoming(after), most)
        due = ((minute, entry) for minute, entries in ticker for entry in entries)
        told: set[str] = set()
        for minute, entry in islice(due, _PASSED):
            if entry.job not in told and not self._runs.pauses.at(entry.job, minute):
                told.add(entry.job)
                yield {"job": entry.job, "at": stamp(minute), "zone": entry.zone.key}
            if len(told) >= len(in_force.timetable.entries):
                return


def _of_file(read: FileRead) -> Json:
    return {
        "file": read.file,
        "entries": read.entries,
        "refused": len(read.refused),
        "lines": list(read.refused)[:_LINES],
        "reasons": list(read.refused.values())[:_LINES],
        "kept": read.kept,
        "readable": read.is_readable,
    }


def _of_database(found: ZoneDatabase) -> Json:
    return {
        "where": found.where,
        "version": found.version or None,
        "zones": len(found.zones),
    }


def _of_running(running: Running, until: float) -> Json:
    run, took = running.attempt.run, running.took(until)
    return {
        "run": run.number,
        "job": run.job,
        "at": stamp(run.instant),
        "zone": running.entry.zone.key,
        "attempt": running.attempt.number,
        "pid": running.pid or None,
        "started": stamp(running.started),
        "for_s": None if took is None else round(took, 3),
    }


def _of_backlog(backlog: Backlog) -> Json:
    return {
        "job": backlog.job,
        "at": stamp(backlog.next),
        "until": stamp(backlog.last),
        "zone": backlog.zone,
        "left": backlog.left,
    }


def _of_paused(paused: Paused) -> Json:
    return {
        "job": paused.job,
        "since": stamp(paused.since),
        "until": None if paused.until is None else stamp(paused.until),
        "note": paused.note,
    }
