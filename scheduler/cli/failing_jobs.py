"""The journal in, the jobs in trouble out: which fail, since when and how often, or are retried.

It is loaded where there are some.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduler.cli import client, run_view, state_folder
from scheduler.cli.output import utc
from scheduler.journal.journal import Journal
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


def in_force(state: Path | None, now: datetime, timeout: float) -> list[FailingJob]:
    """Return the jobs in force that fail; what can't be asked raises MeridianError.

    The daemon says which are in force, within `timeout` seconds.
    """
    with closing(state_folder.journal(state)) as journal:
        runs = _in_force(journal.queries.failing(now), state, timeout)
        return [_since(journal, run, now) for run in runs[:MOST_JOBS]]


def named(state: Path | None, now: datetime, timeout: float) -> tuple[list[str], list[str]]:
    """Return the jobs in force that fail, and the runs that are retried, as `name (run 7)`."""
    with closing(state_folder.journal(state)) as journal:
        failing, retrying = journal.queries.failing(now), journal.queries.retrying()
    return _names(_in_force(failing, state, timeout)), _names(retrying)


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


def _since(journal: Journal, run: RunRow, now: datetime) -> FailingJob:
    times, since = journal.queries.failing_since(run.run.job, now)
    return FailingJob(run, since or run.run.instant, max(1, times))


def _in_force(runs: Sequence[RunRow], state: Path | None, timeout: float) -> list[RunRow]:
    """Return the runs without those whose job no crontab has any more, by the daemon's word."""
    jobs, gone = sorted({run.run.job for run in runs}), set[str]()
    for start in range(0, len(jobs), _ASKED_AT_ONCE):
        some = jobs[start : start + _ASKED_AT_ONCE]
        found = client.snapshot(state, some, timeout).in_force
        gone.update(set(some) - set(some if found is None else found))
    return [run for run in runs if run.run.job not in gone]


def _names(runs: Collection[RunRow]) -> list[str]:
    return [f"{run.run.job} (run {run.run.number})" for run in runs]
