"""What marks a process as a job's: an attempt in, its CRON_ variables out; and the attempt back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.model import Attempt, Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from scheduler.model import Entry


def scheduled(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as RFC 3339 text with the zone's offset."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def of_attempt(entry: Entry, attempt: Attempt) -> dict[bytes, bytes]:
    """Return the variables that let a job be idempotent, and its process be found again."""
    return {
        b"CRON_JOB": entry.job.encode("utf-8", "surrogateescape"),
        b"CRON_RUN": b"%d" % attempt.run.number,
        b"CRON_ATTEMPT": b"%d" % attempt.number,
        b"CRON_SCHEDULED": scheduled(attempt.run.instant, entry.zone).encode("ascii"),
    }


def attempt_of(environment: Mapping[bytes, bytes]) -> Attempt | None:
    """Return the attempt that these variables tell of; None where they tell of none.

    Anybody can set them: what stands in them may be anything.
    """
    job, run, number, instant = (
        environment.get(name, b"").decode("utf-8", "surrogateescape")
        for name in (b"CRON_JOB", b"CRON_RUN", b"CRON_ATTEMPT", b"CRON_SCHEDULED")
    )
    try:
        at = datetime.fromisoformat(instant)
        attempt = Attempt(Run(int(run), job, at.astimezone(UTC)), int(number))
    except (ValueError, OverflowError):
        return None
    return None if at.tzinfo is None else attempt
