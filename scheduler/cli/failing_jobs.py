"""The journal in, the jobs that fail out: since when, how often, and how the newest run ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from scheduler.cli import run_view
from scheduler.cli.output import utc
from scheduler.journal.journal import Journal
from scheduler.journal.rows import RunRow

MOST_JOBS = 100  # jobs of which more is told than that they fail


@dataclass(frozen=True, slots=True)
class FailingJob:
    """A job's newest finished run, which failed; `times` have on end, the first of `since`."""

    run: RunRow
    since: datetime
    times: int


def of(journal: Journal, runs: Collection[RunRow], now: datetime) -> list[FailingJob]:
    """Return of these newest runs, which failed, since when and how often their jobs have."""
    found = []
    for run in list(runs)[:MOST_JOBS]:
        times, since = journal.queries.failing_since(run.run.job, now)
        found.append(FailingJob(run, since or run.run.instant, max(1, times)))
    return found


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
        "how": run_view.how(run),
    }
