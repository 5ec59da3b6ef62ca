"""Runs put into a journal, for tests that ask what it makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.run import (
    Attempt,
    Ending,
    Exited,
    Run,
    State,
)

if TYPE_CHECKING:
    from scheduler.journal.journal import Journal

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = NOON + 60 * MINUTE


def claimed(journal: Journal, job: str = "backup", instant: datetime = NOON) -> Run:
    run = journal.claim(job, instant, "Europe/Berlin")
    assert run is not None
    return run


def attempted(journal: Journal, run: Run, number: int = 1) -> Attempt:
    attempt = journal.claim_attempt(run, number, f"output/{run.number}.{number}")
    assert attempt is not None
    return attempt


def finished(journal: Journal, job: str, instant: datetime) -> Run:
    run = claimed(journal, job, instant)
    attempt = attempted(journal, run)
    journal.started(attempt, instant, 41, 9)
    journal.ended(attempt, Ending(Exited(0), instant + MINUTE))
    journal.finish(run, State.SUCCEEDED)
    return run
