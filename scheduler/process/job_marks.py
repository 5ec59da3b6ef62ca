"""What marks a process as a job's: an attempt in, its CRON_ variables out; and the attempt back."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.crontab import job_names
from scheduler.errors import BadValue
from scheduler.run import Attempt, Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry

# As outputs are named by them; what is longer no journal has counted to.
_RUN, _ATTEMPT = re.compile(rb"[1-9][0-9]{0,17}"), re.compile(rb"[1-9][0-9]{0,8}")


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

    Anybody can set them, to anything: only what an attempt of ours can be called is one, and
    whether it is this process's is for other evidence to say.
    """
    job, run, number, instant = (
        environment.get(name, b"")
        for name in (b"CRON_JOB", b"CRON_RUN", b"CRON_ATTEMPT", b"CRON_SCHEDULED")
    )
    if not _RUN.fullmatch(run) or not _ATTEMPT.fullmatch(number):
        return None
    try:
        at = datetime.fromisoformat(instant.decode("ascii"))
        attempt = Attempt(
            Run(int(run), job_names.check(job.decode("ascii")), at.astimezone(UTC)), int(number)
        )
    except (ValueError, OverflowError, BadValue):
        return None
    return None if at.tzinfo is None or at.microsecond else attempt
