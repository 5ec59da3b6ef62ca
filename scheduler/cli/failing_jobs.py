"""Runs that failed in, the jobs that fail out: which are in force, since when, and how often.

It is loaded where there are some.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.cli import client, run_view
from scheduler.cli.output import utc
from scheduler.cli.which_daemon import Where
from scheduler.journal.glance import Glance
from scheduler.journal.rows import RunRow

MOST_JOBS = 100  # jobs of which more is told than that they fail
_ASKED_AT_ONCE = 500  # jobs asked about in one request


@dataclass(frozen=True, slots=True)
class FailingJob:
    """A job's newest finished run, which failed; `times` have on end, the first of `since`."""

    run: RunRow
    since: datetime
    times: int

    @property
    def how(self) -> str:
        """How that run ended."""
        return run_view.how(self.run)


def of(
    runs: Sequence[RunRow], journal: Glance, where: Where, now: datetime, timeout: float
) -> list[FailingJob]:
    """Return of these newest runs, which failed, since when and how often their jobs have.

    As `in_force`.
    """
    found = []
    for run in in_force(runs, where, timeout)[:MOST_JOBS]:
        times, since = journal.failing_since(run.run.job, now)
        found.append(FailingJob(run, since or run.run.instant, max(1, times)))
    return found


def in_force(runs: Sequence[RunRow], where: Where, timeout: float) -> list[RunRow]:
    """Return the runs without those whose job no crontab has any more, by the daemon's word.

    Raises MeridianError where it gives none within `timeout` seconds.
    """
    jobs, gone = sorted({run.run.job for run in runs}), set[str]()
    for start in range(0, len(jobs), _ASKED_AT_ONCE):
        some = jobs[start : start + _ASKED_AT_ONCE]
        found = client.snapshot(where, some, timeout).in_force
        gone.update(set(some) - set(some if found is None else found))
    return [run for run in runs if run.run.job not in gone]


def row(failing: FailingJob) -> dict[str, object]:
    """Return the row of `status --json`."""
    run = failing.run
    return {
        "job": run.run.job,
        "run": run.run.number,
        "at": utc(run.run.instant),
        "zone": run.zone,
        "since": utc(failing.since),
        "times": failing.times,
        "how": failing.how,
    }
