"""The daemon's memory, one SQLite file: runs, attempts, endings come in, their history goes out.

The tables and their rules stand in `sql/`; every time is an argument. `archive`, `memory` and
`salvage` are parts of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.journal import decoding, rows
from scheduler.journal.daemon_state import DaemonState
from scheduler.journal.queries import Queries
from scheduler.journal.rows import AttemptRow, OpenRun, RunRow, outcome_from, seconds, whole
from scheduler.journal.salvage import Salvage
from scheduler.run import Attempt, Run

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.high_water import HighWater
    from scheduler.run import Ending, Reason, State

__all__ = ["AttemptRow", "Journal", "OpenRun", "RunRow", "outcome_from"]


class Journal(Queries, DaemonState, Salvage):
    """One open journal; each method commits by itself unless a transaction is open.

    Whatever the database refuses (disk full, locked, read-only, damaged) is a JournalError.
    """

    def claim(
        self, job: str, instant: datetime, zone: str, *, era: int = 0, by_hand: bool = False
    ) -> Run | None:
        """Journal a new run, state scheduled; None if this key has been before."""
        at, hand = whole(instant), int(by_hand)
        cursor = self._do("claim", job=job, instant=at, era=era, zone=zone, by_hand=hand)
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            return None
        self._highest = max(self._highest, cursor.lastrowid)
        return Run(cursor.lastrowid, job, instant, era)

    def release(self, run: Run) -> bool:
        """Take back a claim whose process never was, so that it can be made again; False if not."""
        return self._do("release", run=run.number).rowcount == 1

    def release_attempt(self, attempt: Attempt) -> bool:
        """Take back the claim of one attempt whose process never was; False if there was one."""
        values = {"run": attempt.run.number, "attempt": attempt.number}
        return self._do("release_attempt", **values).rowcount == 1

    def skip(
        self,
        job: str,
        instant: datetime,
        zone: str,
        reason: Reason,
        *,
        until: datetime | None = None,
        era: int = 0,
    ) -> bool:
        """Journal an instant (or all of them up to `until`) as not run; False if the key exists."""
        cursor = self._do(
            "skip",
            job=job,
            instant=whole(instant),
            era=era,
            zone=zone,
            reason=reason.value,
            until=None if until is None else whole(until),
        )
        return cursor.rowcount == 1

    def claim_attempt(self, run: Run, number: int, output: str) -> Attempt | None:
        """Journal an attempt before its process exists, and the run as running.

        None if that attempt has been before or the run is over. `output` is the path of its file,
        relative to the state folder.
        """
        with self._together():
            claimed = self._do("claim_attempt", run=run.number, attempt=number, output=output)
            if claimed.rowcount != 1:
                return None
            self._change("running", run=run.number)
        return Attempt(run, number)

    def started(self, attempt: Attempt, at: datetime, pid: int, pid_started: int | None) -> None:
        """Journal the attempt's process; `pid_started` tells it from a later one of that number."""
        self._change(
            "started",
            run=attempt.run.number,
            attempt=attempt.number,
            started=seconds(at),
            pid=pid,
            pid_started=pid_started,
        )

    def left_behind(self, attempt: Attempt, number: int) -> None:
        """Journal how many processes got away from the end of an attempt."""
        where = {"run": attempt.run.number, "attempt": attempt.number}
        self._change("left_behind", **where, number=number)

    def ended(self, attempt: Attempt, ending: Ending) -> None:
        """Journal how the attempt ended; what follows for its run is told by retry or finish."""
        self._change(
            "ended",
            run=attempt.run.number,
            attempt=attempt.number,
            ended=seconds(ending.ended),
            outcome=rows.storable(str(ending.outcome)),
            cpu_s=ending.cpu_s,
            memory_bytes=ending.memory_bytes,
            limited=None if ending.limit is None else ending.limit.value,
            took=ending.took,
            emptied=ending.emptied,
        )

    def lengthen(self, job: str, before: datetime, instant: datetime, *, era: int = 0) -> bool:
        """Let the row of a paused job's instant `before` stand for `instant` too.

        False if that instant was not skipped for the pause, or is not the job's newest.
        """
        values = {"before": whole(before), "instant": whole(instant)}
        return self._do("lengthen", job=job, era=era, **values).rowcount == 1

    def retry(self, run: Run, due: datetime, reason: Reason | None = None) -> None:
        """Let the run wait for its next attempt, which may not start before `due`.

        A `reason` says what else it waits for.
        """
        self._change("retry", run=run.number, due=seconds(due), reason=_text(reason))

    def put_off(
        self, run: Run, due: datetime, reason: Reason | None = None, *, made_up: bool
    ) -> None:
        """Let a claimed run wait for its start; one that is `made_up` is late by then.

        A `reason` says what else it waits for.
        """
        self._change(
            "put_off",
            run=run.number,
            due=seconds(due),
            made_up=int(made_up),
            reason=_text(reason),
        )

    def terminate(self, run: Run, reason: Reason) -> None:
        """Journal why the run's attempt that is under way is being ended."""
        self._change("doom", run=run.number, reason=reason.value)

    def reopen(self, run: Run, due: datetime) -> None:
        """Let a run that failed or was skipped wait for one more attempt."""
        self._change("reopen", run=run.number, due=seconds(due))

    def finish(self, run: Run, state: State, reason: Reason | None = None) -> None:
        """Journal that the run is over."""
        self._change("finish", run=run.number, state=state.value, reason=_text(reason))

    def taken(
        self, job: str, first: datetime, last: datetime, *, era: int = 0
    ) -> list[tuple[datetime, datetime]]:
        """Return which of the job's instants from `first` to `last` have a row in an era, in order.

        Each as the first and the last instant of a row, which are one but for a stretch; that may
        begin before and end after.
        """
        stretch = {"first": whole(first), "last": whole(last)}
        return self._read(decoding.stretches, "taken", job=job, era=era, **stretch)

    def unfinished(self) -> list[OpenRun]:
        """Return every run in state scheduled or running, oldest first."""
        return self._read(decoding.open_runs, "unfinished")

    # --- after a damage ------------------------------------------------------------------------

    def count_from(self, known: HighWater) -> None:
        """Give this number to no run, nor any below it, and count commits from there on, too."""
        with self._together():
            self._do("count_at_all")
            self._do("count_from", number=known.run)
            self._do("count_commits_from", commits=known.commits)

    def restore(self, attempt: Attempt, output: str, *, replaces: bool) -> bool:
        """Journal an attempt that an older journal knew, under its old number, as under way.

        What this one knows of that number is replaced, or else it stays: then False if that is this
        attempt, a run that is over, or another one.
        """
        run = attempt.run
        at, name = whole(run.instant), "restore" if replaces else "restore_unknown"
        self._do(name, run=run.number, job=run.job, instant=at)
        row = self.run(run.number)
        if row is None or (row.run.job, row.run.instant) != (run.job, run.instant):
            return False
        return self.claim_attempt(run, attempt.number, output) is not None


def _text(reason: Reason | None) -> str | None:
    return None if reason is None else reason.value
