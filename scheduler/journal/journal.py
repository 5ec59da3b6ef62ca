"""The journal, one SQLite file: runs, attempts and their ends come in; its parts tell them again.

`queries` looks back, `pages` for those who ask the daemon, `glance` at what is in trouble now,
`daemon_state` is what a daemon remembers beside its runs, `outbox` is what somebody is to hear,
`old_runs` is what may go, and `integrity` looks for damage.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.journal import decoding, run_decoding
from scheduler.journal.columns import seconds, storable, whole
from scheduler.journal.daemon_state import DaemonState
from scheduler.journal.database import Database
from scheduler.journal.glance import Glance
from scheduler.journal.integrity import Integrity
from scheduler.journal.old_runs import OldRuns
from scheduler.journal.outbox import Outbox
from scheduler.journal.pages import Pages
from scheduler.journal.queries import Queries
from scheduler.run import Attempt, Run

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.connection import Connection
    from scheduler.journal.high_water import HighWater
    from scheduler.journal.rows import OpenRun
    from scheduler.run import Ending, Reason, State


class Journal(Database):
    """One open journal; each method commits by itself unless a transaction is open.

    Owns: the open database and the parts of the journal, which share its connection. Called by: the
    daemon and its transactions, which write; the commands, which only read. Invariant: a run's key
    (job, instant, era) is claimed once, and an attempt is journalled before its process exists.
    Whatever the database refuses (disk full, locked, read-only, damaged) is a JournalError.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.queries = Queries(connection)
        self.pages = Pages(connection)
        self.glance = Glance(connection)
        self.daemon_state = DaemonState(connection, self.progress)
        self.outbox = Outbox(connection, self.together)
        self.old_runs = OldRuns(connection)
        self.integrity = Integrity(connection)

    def claim(
        self,
        job: str,
        instant: datetime,
        zone: str,
        *,
        era: int = 0,
        by_hand: bool = False,
        user: str | None = None,
    ) -> Run | None:
        """Journal a new run of this user, state scheduled; None if this key has been before."""
        at, hand, how = whole(instant), int(by_hand), {"zone": zone, "user": user}
        cursor = self.connection.do("claim", job=job, instant=at, era=era, by_hand=hand, **how)
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            return None
        self.progress.has_run(cursor.lastrowid)
        return Run(cursor.lastrowid, job, instant, era, user)

    def release(self, run: Run) -> bool:
        """Take back a claim whose process never was, so that it can be made again; False if not."""
        return self.connection.do("release", run=run.number).rowcount == 1

    def release_attempt(self, attempt: Attempt) -> bool:
        """Take back the claim of one attempt whose process never was; False if there was one."""
        values = {"run": attempt.run.number, "attempt": attempt.number}
        return self.connection.do("release_attempt", **values).rowcount == 1

    def skip(
        self,
        job: str,
        instant: datetime,
        zone: str,
        reason: Reason,
        *,
        until: datetime | None = None,
        era: int = 0,
        user: str | None = None,
    ) -> bool:
        """Journal an instant (or all of them up to `until`) as not run; False if the key exists."""
        cursor = self.connection.do(
            "skip",
            job=job,
            instant=whole(instant),
            era=era,
            zone=zone,
            reason=reason.value,
            until=None if until is None else whole(until),
            user=user,
        )
        return cursor.rowcount == 1

    def disown(self, run: Run) -> Run:
        """Let a run be a matter of the daemon's own user alone, and return it so."""
        self.connection.change("disown", run=run.number)
        return replace(run, user=None)

    def claim_attempt(self, run: Run, number: int, output: str) -> Attempt | None:
        """Journal an attempt before its process exists, and the run as running.

        None if that attempt has been before or the run is over. `output` is the path of its file,
        relative to the state folder.
        """
        with self.together():
            claimed = self.connection.do(
                "claim_attempt", run=run.number, attempt=number, output=output
            )
            if claimed.rowcount != 1:
                return None
            self.connection.change("running", run=run.number)
        return Attempt(run, number)

    def started(self, attempt: Attempt, at: datetime, pid: int, pid_started: int | None) -> None:
        """Journal the attempt's process; `pid_started` tells it from a later one of that number."""
        self.connection.change(
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
        self.connection.change("left_behind", **where, number=number)

    def ended(self, attempt: Attempt, ending: Ending) -> None:
        """Journal how the attempt ended; what follows for its run is told by retry or finish."""
        self.connection.change(
            "ended",
            run=attempt.run.number,
            attempt=attempt.number,
            ended=seconds(ending.ended),
            outcome=storable(str(ending.outcome)),
            cpu_s=ending.cpu_s,
            memory_bytes=ending.memory_bytes,
            limited=None if ending.limit is None else ending.limit.value,
            took=ending.took,
            emptied=ending.emptied,
        )

    def lengthen(
        self,
        job: str,
        era: int,
        user: str | None,
        before: datetime,
        instant: datetime,
        reason: Reason,
    ) -> bool:
        """Let the row of a job's instant `before`, skipped for `reason`, stand for `instant` too.

        False if that instant was not skipped for it, is not the job's newest, or another user's.
        """
        whose, values = {"job": job, "user": user}, {"era": era, "reason": reason.value}
        times = {"before": whole(before), "instant": whole(instant)}
        return self.connection.do("lengthen", **whose, **values, **times).rowcount == 1

    def retry(self, run: Run, due: datetime, reason: Reason | None = None) -> None:
        """Let the run wait for its next attempt, which may not start before `due`.

        A `reason` says what else it waits for.
        """
        self.connection.change("retry", run=run.number, due=seconds(due), reason=_text(reason))

    def put_off(
        self, run: Run, due: datetime, reason: Reason | None = None, *, made_up: bool
    ) -> None:
        """Let a claimed run wait for its start; one that is `made_up` is late by then.

        A `reason` says what else it waits for.
        """
        self.connection.change(
            "put_off",
            run=run.number,
            due=seconds(due),
            made_up=int(made_up),
            reason=_text(reason),
        )

    def terminate(self, run: Run, reason: Reason) -> None:
        """Journal why the run's attempt that is under way is being ended."""
        self.connection.change("terminate", run=run.number, reason=reason.value)

    def reopen(self, run: Run, due: datetime) -> None:
        """Let a run that failed or was skipped wait for one more attempt."""
        self.connection.change("reopen", run=run.number, due=seconds(due))

    def finish(self, run: Run, state: State, reason: Reason | None = None) -> None:
        """Journal that the run is over."""
        self.connection.change("finish", run=run.number, state=state.value, reason=_text(reason))

    def taken(
        self, job: str, first: datetime, last: datetime, *, era: int = 0
    ) -> list[tuple[datetime, datetime]]:
        """Return which of the job's instants from `first` to `last` have a row in an era, in order.

        Each as the first and the last instant of a row, which are one but for a stretch; that may
        begin before and end after.
        """
        stretch = {"first": whole(first), "last": whole(last)}
        return self.connection.read(decoding.stretches, "taken", job=job, era=era, **stretch)

    def unfinished(self) -> list[OpenRun]:
        """Return every run in state scheduled or running, oldest first."""
        return self.connection.read(run_decoding.open_runs, "unfinished")

    # --- after a damage ------------------------------------------------------------------------

    def count_from(self, known: HighWater) -> None:
        """Give this number to no run, nor any below it, and count commits from there on, too."""
        with self.together():
            self.connection.do("count_at_all")
            self.connection.do("count_from", number=known.run)
            self.connection.do("count_commits_from", commits=known.commits)

    def restore(self, attempt: Attempt, output: str, *, replaces: bool) -> bool:
        """Journal an attempt that an older journal knew, under its old number, as under way.

        What this one knows of that number is replaced, or else it stays: then False if that is this
        attempt, a run that is over, or another one.
        """
        run = attempt.run
        at, name = whole(run.instant), "restore" if replaces else "restore_unknown"
        self.connection.do(name, run=run.number, job=run.job, instant=at)
        row = self.queries.run(run.number)
        if row is None or (row.run.job, row.run.instant) != (run.job, run.instant):
            return False
        return self.claim_attempt(run, attempt.number, output) is not None


def _text(reason: Reason | None) -> str | None:
    return None if reason is None else reason.value
