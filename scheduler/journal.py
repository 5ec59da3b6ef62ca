"""The daemon's memory, one SQLite file: runs, attempts, endings come in, their history goes out.

The tables and their rules stand in `sql/`; every time is an argument.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from scheduler import record, sql
from scheduler.errors import JournalDamaged, JournalError
from scheduler.model import Attempt, Paused, Run
from scheduler.record import AttemptRow, OldRun, OpenRun, RunRow, outcome_from, seconds, when, whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from scheduler.model import Ending, Reason, State
    from scheduler.tick import Jump

    Value = str | int | float | None

__all__ = ["AttemptRow", "Journal", "OpenRun", "RunRow", "outcome_from"]

LOCK_PATIENCE = 5.0  # how long a statement waits while another program holds the file
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNDECODABLE = "Could not decode"  # so sqlite3 begins what it says of a text that is none
# What a daemon needs of a damaged journal, in the order in which it can be taken.
TAKEN = (
    *("take_numbers", "take_tick", "take_anchors", "take_boots", "take_pauses", "take_reckoning"),
    *("take_open", "take_recent", "take_attempts", "take_jumps"),
)


class Journal:
    """One open journal; each method commits by itself unless a transaction is open.

    Whatever the database refuses (disk full, locked, read-only, damaged) is a JournalError.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        scripts: dict[int, str],
        *,
        path: Path | None = None,
        readonly: bool = False,
    ) -> None:
        self._connection = connection
        self._path = path
        self._file = None if path is None else path.stat()
        self._name = name
        self._sql = sql.statements()
        try:
            self._prepare(scripts, readonly=readonly)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(
        cls, path: Path, *, readonly: bool = False, migrations: Traversable | None = None
    ) -> Journal:
        """Open the journal at `path`, brought up to date, or only to read what is there.

        The folder must exist. Raises JournalError for a file that is missing (`readonly`),
        damaged, or written by a newer Meridian. `migrations` is a folder of `0001_name.sql` files.
        """
        connection = _connect(path, readonly=readonly)
        scripts = sql.migrations(migrations)
        return cls(connection, f"the journal {path}", scripts, path=path, readonly=readonly)

    @classmethod
    def in_memory(cls) -> Journal:
        """Open an empty journal that is gone when it is closed."""
        connection = sqlite3.connect(":memory:", isolation_level=None)
        return cls(connection, "the journal in memory", sql.migrations())

    def close(self) -> None:
        """Let go of the file; the journal can't be used after."""
        self._connection.close()

    def is_in_place(self) -> bool:
        """Say whether the file still stands where it was opened: else nobody would find it."""
        if self._path is None or self._file is None:
            return True
        try:
            return os.path.samestat(self._path.stat(), self._file)
        except OSError:
            return False

    def transaction(self, *, synced: bool = True) -> AbstractContextManager[None]:
        """Make what is done inside one commit, or nothing at all when an error leaves it.

        It outlives a loss of power; one that is not `synced` only the death of this process, and
        costs no wait for the disk. Raises JournalError inside another transaction.
        """
        return self._transaction() if synced else self._hurried()

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        self._do("hurry")
        try:
            with self._transaction():
                yield
        finally:
            self._do("hold")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._do("begin")
        try:
            yield
            self._do("commit")
        except BaseException:
            with suppress(JournalError):  # SQLite itself may have rolled back: the disk was full
                self._do("rollback")
            raise

    # --- runs ------------------------------------------------------------------------------

    def claim(self, job: str, instant: datetime, zone: str, *, by_hand: bool = False) -> Run | None:
        """Journal a new run, state scheduled; None if this key has been before."""
        cursor = self._do("claim", job=job, instant=whole(instant), zone=zone, by_hand=int(by_hand))
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            return None
        return Run(cursor.lastrowid, job, instant)

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
    ) -> bool:
        """Journal an instant (or all of them up to `until`) as not run; False if the key exists."""
        last = None if until is None else whole(until)
        cursor = self._do(
            "skip", job=job, instant=whole(instant), zone=zone, reason=reason.value, until=last
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

    def ended(self, attempt: Attempt, ending: Ending) -> None:
        """Journal how the attempt ended; what follows for its run is told by retry or finish."""
        self._change(
            "ended",
            run=attempt.run.number,
            attempt=attempt.number,
            ended=seconds(ending.ended),
            outcome=record.storable(str(ending.outcome)),
            cpu_s=ending.cpu_s,
            memory_bytes=ending.memory_bytes,
            limited=None if ending.limit is None else ending.limit.value,
        )

    def lengthen(self, job: str, before: datetime, instant: datetime) -> bool:
        """Let the row of a paused job's instant `before` stand for `instant` too.

        False if that instant was not skipped for the pause, or is not the job's newest.
        """
        done = self._do("lengthen", job=job, before=whole(before), instant=whole(instant))
        return done.rowcount == 1

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

    def reopen(self, run: Run, due: datetime) -> None:
        """Let a run that failed or was skipped wait for one more attempt."""
        self._change("reopen", run=run.number, due=seconds(due))

    def finish(self, run: Run, state: State, reason: Reason | None = None) -> None:
        """Journal that the run is over."""
        self._change("finish", run=run.number, state=state.value, reason=_text(reason))

    # --- memory across restarts --------------------------------------------------------------

    def taken(self, job: str, first: datetime, last: datetime) -> list[datetime]:
        """Return the job's instants from `first` to `last` that have a row, in order."""
        rows = self._rows("taken", job=job, first=whole(first), last=whole(last))
        return [at for (seconds,) in rows if (at := when(seconds))]

    def unfinished(self) -> list[OpenRun]:
        """Return every run in state scheduled or running, oldest first."""
        rows = record.runs(self._rows("unfinished"))
        return [
            OpenRun(row.run, row.state, row.due, row.attempts, row.made_up, row.by_hand)
            for row in rows
        ]

    def last_tick(self) -> datetime | None:
        """Return the last minute handled; None before the first."""
        return self._instant("last_tick")

    def set_last_tick(self, minute: datetime) -> None:
        """Remember that this minute has been handled."""
        self._do("set_last_tick", minute=whole(minute))

    def anchor(self, job: str, interval_minutes: int) -> datetime | None:
        """Return from where an `@every` job counts; None if it has not counted this interval."""
        return self._instant("anchor", job=job, interval_minutes=interval_minutes)

    def set_anchor(self, job: str, interval_minutes: int, at: datetime) -> None:
        """Let an `@every` job count from here, in place of what it counted before."""
        self._do("set_anchor", job=job, interval_minutes=interval_minutes, instant=whole(at))

    def last_instant(self, job: str) -> datetime | None:
        """Return the newest instant of the job that is accounted for, run or skipped."""
        return self._instant("last_instant", job=job)

    def booted(self, job: str, boot_id: str) -> bool:
        """Tell whether the job has had its `@reboot` run for this boot."""
        return bool(self._rows("booted", job=job, boot_id=boot_id))

    def set_booted(self, job: str, boot_id: str) -> None:
        """Remember that the job has had its `@reboot` run for this boot."""
        self._do("set_booted", job=job, boot_id=boot_id)

    def pauses(self) -> list[Paused]:
        """Return the jobs that are paused, those included whose time is over."""
        return [
            Paused(job, since, when(until), note)
            for job, begun, until, note in self._rows("pauses")
            if (since := when(begun)) is not None
        ]

    def pause(self, paused: Paused) -> None:
        """Remember that a job is paused, in place of what was known of it."""
        until = None if paused.until is None else seconds(paused.until)
        since = seconds(paused.since)
        self._do("pause", job=paused.job, since=since, until=until, note=paused.note)

    def resume(self, job: str) -> bool:
        """Forget that a job is paused; False if it is not."""
        return self._do("resume", job=job).rowcount == 1

    def jump(self, jump: Jump) -> None:
        """Journal what the clock did, or that there was no daemon."""
        self._do(
            "jump",
            last=whole(jump.last),
            noticed=seconds(jump.at),
            kind=jump.kind.value,
            seconds=jump.seconds,
            verdict=jump.verdict.value,
        )

    def forget_unlived(self, since: datetime) -> None:
        """Take back what was left out from `since` on, and anchors: that time is still to come."""
        self._do("forget_unlived", since=whole(since))
        self._do("rewind_anchors", minute=whole(since))

    def stretches(self, since: datetime) -> list[RunRow]:
        """Return the rows of instants left out that began before `since` and reach it."""
        return record.runs(self._rows("stretches", since=whole(since)))

    def cut(self, run: Run, until: datetime) -> None:
        """Let a stretch of instants left out end here."""
        self._change("cut", run=run.number, until=whole(until))

    # --- what is no longer kept --------------------------------------------------------------

    def next_job(self, after: str) -> str | None:
        """Return the first job behind this name that has a run which is over."""
        rows = self._rows("next_job", job=after)
        return rows[0][0] if rows else None

    def nth_newest(self, job: str, number: int) -> datetime | None:
        """Return the instant of the last of a job's `number` newest runs that are over.

        None if there are not so many.
        """
        return self._instant("nth_newest", job=job, number=number)

    def newest(self, job: str) -> frozenset[int]:
        """Return the numbers of a job's newest finished run, and of the newest with an attempt."""
        return frozenset(number for (number,) in self._rows("newest", job=job))

    def before(self, job: str, instant: datetime, *, limit: int) -> list[OldRun]:
        """Return a job's oldest runs that are over and all of whose instants lie before this."""
        rows = self._rows("before", job=job, instant=whole(instant), limit=limit)
        return record.old_runs(rows)

    def forget(self, number: int) -> None:
        """Keep a run that is over, and its attempts, no longer."""
        self._change("forget", run=number)

    def forget_jumps(self, before: datetime, *, keep: int, limit: int) -> int:
        """Keep no jumps before an instant, nor more than `keep`; return how many went by now.

        At most `limit` do at once.
        """
        values = {"instant": whole(before), "keep": keep, "limit": limit}
        return self._do("forget_jumps", **values).rowcount

    def knows(self, number: int, attempt: int, output: str) -> bool:
        """Tell whether the output of this path is that of an attempt."""
        return bool(self._rows("knows", run=number, attempt=attempt, output=output))

    def reckoning(self) -> datetime | None:
        """Return how late it was for the age of runs when it was last told."""
        return self._instant("reckoning")

    def set_reckoning(self, at: datetime) -> None:
        """Remember how late it is for the age of runs."""
        self._do("set_reckoning", at=seconds(at))

    # --- after a damage ------------------------------------------------------------------------

    def take_over(self, damaged: Path, *, since: datetime) -> None:
        """Take from a damaged journal what a daemon goes on from: into this one, which is empty.

        That are open runs and those from `since` on, and all that it remembers across restarts.
        Raises JournalError if any of it can't be read, or makes no sense; then nothing is taken.
        """
        self._do("attach", path=f"{damaged.absolute().as_uri()}?mode=ro")
        try:
            with self.transaction():
                for name in TAKEN:
                    values = {"since": whole(since)} if name == "take_recent" else {}
                    self._do(name, **values)
                self.unfinished()
                self.jumps()
                self.last_tick()
        finally:
            self._do("detach")

    def count_from(self, number: int) -> None:
        """Give this number to no run, nor any below it; this journal has none yet."""
        self._do("count_from", number=number)

    def restore(self, attempt: Attempt, output: str) -> None:
        """Journal an attempt that an older journal knew, under its old number, as under way."""
        run = attempt.run
        self._do("restore", run=run.number, job=run.job, instant=whole(run.instant))
        self.claim_attempt(run, attempt.number, output)

    # --- reading -----------------------------------------------------------------------------

    def jumps(self, *, limit: int | None = None) -> list[Jump]:
        """Return the newest `limit` jumps (None: all), newest last."""
        return record.jumps(self._rows("jumps", limit=-1 if limit is None else limit))

    def jumps_over(self, instant: datetime) -> list[Jump]:
        """Return the jumps in whose stretch of time the instant lies."""
        return record.jumps(self._rows("jumps_over", instant=whole(instant)))

    def at(self, job: str, instant: datetime) -> RunRow | None:
        """Return what accounts for a job's instant: its run, or the row of a stretch of them."""
        return next(iter(record.runs(self._rows("at", job=job, instant=whole(instant)))), None)

    def history(self, job: str | None = None, *, limit: int | None = None) -> list[RunRow]:
        """Return the newest `limit` runs (None: all), of one job or of all, newest last."""
        most = -1 if limit is None else limit
        if job is None:
            return record.runs(self._rows("history", limit=most))
        return record.runs(self._rows("history_of_job", job=job, limit=most))

    def run(self, number: int) -> RunRow | None:
        """Return the run of this number."""
        return next(iter(record.runs(self._rows("run", run=number))), None)

    def latest(self, job: str) -> RunRow | None:
        """Return the newest run of the job that has an attempt."""
        return next(iter(record.runs(self._rows("latest", job=job))), None)

    def failing(self) -> list[RunRow]:
        """Return, for each job whose newest finished run failed, that run, by their jobs' names.

        Runs that were ended on purpose (by hand, by a stop, by their successor) do not count.
        """
        return record.runs(self._rows("failing"))

    def retrying(self) -> list[RunRow]:
        """Return the runs that wait for another attempt."""
        return record.runs(self._rows("retrying"))

    def jobs(self) -> list[str]:
        """Return the names of all jobs that have a run, in order."""
        return [job for (job,) in self._rows("jobs")]

    # --- the database ------------------------------------------------------------------------

    def _do(self, name: str, **values: Value) -> sqlite3.Cursor:
        return self._execute(self._sql[name], values)

    def _execute(self, statement: str, values: Mapping[str, Value]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except (sqlite3.Error, UnicodeEncodeError) as error:
            raise _refusal(self._name, error) from error

    def _change(self, name: str, *, run: int, **values: Value) -> None:
        if self._do(name, run=run, **values).rowcount != 1:
            raise JournalError(f"{self._name} has no such run or attempt: run {run}, {name}")

    def _together(self) -> AbstractContextManager[None]:
        return nullcontext() if self._connection.in_transaction else self.transaction()

    def _rows(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        cursor = self._do(name, **values)
        try:
            return cursor.fetchall()
        except sqlite3.Error as error:
            raise _refusal(self._name, error) from error

    def _instant(self, name: str, **values: Value) -> datetime | None:
        rows = self._rows(name, **values)
        return when(rows[0][0]) if rows else None

    def _prepare(self, scripts: dict[int, str], *, readonly: bool) -> None:
        if why := sql.refusal(self._version(), max(scripts), readonly=readonly):
            raise JournalError(f"{self._name} {why}")
        if readonly:
            return
        self._pragma("journal_mode = WAL")
        self._pragma("synchronous = FULL")
        for number, script in scripts.items():
            if self._version() < number:
                self._migrate(number, script)
        self._pragma("foreign_keys = ON")  # last: a migration may rebuild tables

    def _version(self) -> int:
        version: int = self._rows("version")[0][0]
        return version

    def _migrate(self, number: int, script: str) -> None:
        with self.transaction():
            if self._version() < number:  # another process may have been first
                for statement in sql.each(script):
                    self._execute(statement, {})
                self._pragma(f"user_version = {number}")

    def _pragma(self, setting: str) -> None:
        self._execute(f"PRAGMA {setting}", {})


def _text(reason: Reason | None) -> str | None:
    return None if reason is None else reason.value


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    try:
        if not readonly:
            _own(path)
        elif not path.exists():
            raise JournalError(f"nothing has run yet: there is no journal {path}")
        uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}"
        return sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_PATIENCE)
    except (OSError, sqlite3.Error) as error:
        raise _refusal(f"the journal {path}", error) from error


def _own(path: Path) -> None:
    """Make the file if there is none, and its user's alone; SQLite gives its other files that too.

    It is never opened and closed here: that would drop the locks this process may have on it.
    """
    with suppress(FileExistsError):
        path.touch(mode=0o600, exist_ok=False)
    path.chmod(0o600)


def _refusal(name: str, error: Exception) -> JournalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the family of the error
    if code in DAMAGED or str(error).startswith(UNDECODABLE):
        why = "the daemon moves it aside when it meets that, and begins a new one"
        return JournalDamaged(f"{name} is damaged ({error}); {why}")
    return JournalError(f"{name}: {error}")
