"""What has been: a question in, the runs that answer it out; and runs that are too old away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.journal import decoding
from scheduler.journal.database import Database, first
from scheduler.journal.rows import seconds, whole
from scheduler.run import State

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.rows import OldRun, RunRow
    from scheduler.schedule.tick import Jump


_EVER = 2**62  # seconds since 1970 that no instant comes to


class Queries(Database):
    """The part of the journal that looks back."""

    def jumps(self, *, limit: int | None = None) -> list[Jump]:
        """Return the newest `limit` jumps (None: all), newest last."""
        return self._read(decoding.jumps, "jumps", limit=-1 if limit is None else limit)

    def jumps_over(self, instant: datetime) -> list[Jump]:
        """Return the jumps in whose stretch of time the instant lies."""
        return self._read(decoding.jumps, "jumps_over", instant=whole(instant))

    def at(self, job: str, instant: datetime, *, era: int = 0) -> RunRow | None:
        """Return what accounts for a job's instant in an era: its run, or a stretch's row."""
        values = {"era": era, "instant": whole(instant)}
        return first(self._read(decoding.runs, "at", job=job, **values))

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
            "since": -_EVER if since is None else whole(since),
            "before": _EVER if before is None else seconds(before),
            "state": State.FAILED.value if failed else "",
            "limit": -1 if limit is None else limit,
        }
        if job is None:
            return self._read(decoding.runs, "history", **values)
        return self._read(decoding.runs, "history_of_job", job=job, **values)

    def emptiers(self) -> set[str]:
        """Return the jobs of which an attempt has emptied its own output."""
        return set(self._read(decoding.words, "emptiers"))

    def run(self, number: int) -> RunRow | None:
        """Return the run of this number."""
        return first(self._read(decoding.runs, "run", run=number))

    def latest(self, job: str, now: datetime) -> RunRow | None:
        """Return the job's newest run by now that has an attempt.

        One of a time to come, of a clock that was wrong, only where there is no other.
        """
        for by in (whole(now), _EVER):
            if found := self._read(decoding.runs, "latest", job=job, now=by):
                return found[0]
        return None

    def failing(self, now: datetime) -> list[RunRow]:
        """Return, for each job whose newest finished run failed, that run, by their jobs' names.

        Runs of a clock's wrong future are not the newest.

        Runs that were ended on purpose (by hand, by a stop, by their successor) do not count.
        """
        return self._read(decoding.runs, "failing", now=whole(now))

    def failing_since(self, job: str, now: datetime) -> tuple[int, datetime | None]:
        """Return how many finished runs of a job have failed on end by now, and the first instant.

        They are those that `failing` counts.
        """
        ((number, first),) = self._read(decoding.counted, "failing_since", job=job, now=whole(now))
        return number, first

    def failed_since_success(self, job: str) -> list[RunRow]:
        """Return the runs of a job that have failed since one succeeded, oldest first."""
        return self._read(decoding.runs, "failed_since_success", job=job)

    def open_of(self, job: str) -> list[RunRow]:
        """Return a job's runs that are not over, oldest first."""
        return self._read(decoding.runs, "open_of_job", job=job)

    def retrying(self) -> list[RunRow]:
        """Return the runs that wait for another attempt."""
        return self._read(decoding.runs, "retrying")

    def jobs(self) -> list[str]:
        """Return the names of all jobs that have a run, in order."""
        return self._read(decoding.words, "jobs")

    # --- what is no longer kept --------------------------------------------------------------

    def is_unused(self) -> bool:
        """Say whether no run has ever been journalled, kept or not."""
        return not self._rows("numbers_given")

    def next_job(self, after: str) -> str | None:
        """Return the first job behind this name that has a run which is over."""
        return first(self._read(decoding.words, "next_job", job=after))

    def nth_newest(self, job: str, number: int) -> tuple[int, datetime] | None:
        """Return era and instant of the last of a job's `number` newest runs that are over.

        None if there are not so many.
        """
        return first(self._read(decoding.paths, "nth_newest", job=job, number=number))

    def eras_of(self, job: str) -> list[int]:
        """Return the numbers of the eras in which a job has runs that are over, in order."""
        return self._read(decoding.numbers, "eras_of", job=job)

    def newest(self, job: str, now: datetime) -> frozenset[int]:
        """Return the numbers of a job's newest finished run, and of the newest with an attempt."""
        return frozenset(self._read(decoding.numbers, "newest", job=job, now=whole(now)))

    def before(self, job: str, instant: datetime, *, limit: int, era: int = 0) -> list[OldRun]:
        """Return a job's oldest runs of an era that are over, with all instants before this."""
        values = {"era": era, "instant": whole(instant), "limit": limit}
        return self._read(decoding.old_runs, "before", job=job, **values)

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
        return first(self._read(decoding.instants, "reckoning"))

    def set_reckoning(self, at: datetime) -> None:
        """Remember how late it is for the age of runs."""
        self._do("set_reckoning", at=seconds(at))
