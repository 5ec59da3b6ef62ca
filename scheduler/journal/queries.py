"""History: a question in, the runs and jumps of the clock that answer it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.journal import decoding, run_decoding
from scheduler.journal.columns import seconds, whole
from scheduler.journal.connection import Connection, first
from scheduler.run import State

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.rows import RunRow
    from scheduler.schedule.tick import Jump


_NEVER_COMES = 2**62  # seconds since 1970 that no instant comes to


class Queries:
    """The part of the journal that looks back.

    Owns: nothing but its way to the connection. Called by: the commands that show what has been,
    and whoever asks about a run. Invariant: it changes nothing.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def jumps(self, *, limit: int | None = None) -> list[Jump]:
        """Return the newest `limit` jumps (None: all), newest last."""
        return self._connection.read(decoding.jumps, "jumps", limit=-1 if limit is None else limit)

    def jumps_over(self, instant: datetime) -> list[Jump]:
        """Return the jumps in whose stretch of time the instant lies."""
        return self._connection.read(decoding.jumps, "jumps_over", instant=whole(instant))

    def at(self, job: str, instant: datetime, *, era: int = 0) -> RunRow | None:
        """Return what accounts for a job's instant in an era: its run, or a stretch's row."""
        values = {"era": era, "instant": whole(instant)}
        return first(self._connection.read(run_decoding.runs, "at", job=job, **values))

    def history(
        self,
        job: str | None = None,
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        failed: bool = False,
        limit: int | None = None,
    ) -> list[RunRow]:
        """Return the newest `limit` runs (None: all), of one job or of all, newest last.

        Of a time if one is given, from `since` on and `before` its end; `failed` ones alone.
        """
        values = {
            "since": -_NEVER_COMES if since is None else whole(since),
            "before": _NEVER_COMES if before is None else seconds(before),
            "state": State.FAILED.value if failed else "",
            "limit": -1 if limit is None else limit,
        }
        if job is None:
            return self._connection.read(run_decoding.runs, "history", **values)
        return self._connection.read(run_decoding.runs, "history_of_job", job=job, **values)

    def emptiers(self) -> set[str]:
        """Return the jobs of which an attempt has emptied its own output."""
        return set(self._connection.read(decoding.words, "emptiers"))

    def run(self, number: int) -> RunRow | None:
        """Return the run of this number."""
        return first(self._connection.read(run_decoding.runs, "run", run=number))

    def latest(self, job: str, now: datetime) -> RunRow | None:
        """Return the job's newest run by now that has an attempt.

        One of a time to come, of a clock that was wrong, only where there is no other.
        """
        for by in (whole(now), _NEVER_COMES):
            if found := self._connection.read(run_decoding.runs, "latest", job=job, now=by):
                return found[0]
        return None

    def failed_since_success(self, job: str) -> list[RunRow]:
        """Return the runs of a job that have failed since one succeeded, oldest first."""
        return self._connection.read(run_decoding.runs, "failed_since_success", job=job)

    def durations(self, job: str, *, besides: int, limit: int) -> list[float]:
        """Return the seconds that the newest successful runs of a job took, the newest first.

        It is their last attempt's; the run `besides` is left out.
        """
        values = {"besides": besides, "limit": limit}
        return self._connection.read(decoding.durations, "durations", job=job, **values)

    def last_success(self, job: str, now: datetime) -> datetime | None:
        """Return when the job's newest successful run by now ended; None if there is none."""
        return first(
            self._connection.read(decoding.instants, "last_success", job=job, now=whole(now))
        )

    def open_of(self, job: str) -> list[RunRow]:
        """Return a job's runs that are not over, oldest first."""
        return self._connection.read(run_decoding.runs, "open_of_job", job=job)

    def jobs(self) -> list[str]:
        """Return the names of all jobs that have a run, in order."""
        return self._connection.read(decoding.words, "jobs")

    def is_unused(self) -> bool:
        """Say whether no run has ever been journalled, kept or not."""
        return not self._connection.rows("numbers_given")
