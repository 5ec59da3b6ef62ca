"""What is kept: a job's newest runs and how late it is come in, before which instant they go out.

Whichever is over first, number or age, decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_END = datetime(9999, 12, 31, tzinfo=UTC)  # no instant lies behind it
_PACE = 24  # a day of age an hour: so long a clock may be wrong before it costs a day of history


@dataclass(frozen=True, slots=True)
class Retention:
    """How many finished runs of a job are kept, and for how many seconds each."""

    runs: int = 1000
    age: float = 90 * 86400.0


def reckoned(before: datetime | None, now: datetime, passed: float) -> datetime:
    """Return how late it is for the age of runs, `passed` seconds after the last reckoning.

    It goes by the clock, but never back, and never on by more than a day an hour: a clock that is
    wrong for a while, and says 2099, does not make all runs old at once. None: there was none.
    """
    if before is None:
        return now
    return max(before, min(now, before + timedelta(seconds=_PACE * passed)))


def too_old(retention: Retention, reckoning: datetime, now: datetime) -> datetime:
    """Return before which instant a run is too old to be kept."""
    return min(reckoning, now) - timedelta(seconds=retention.age)


def edge(nth: tuple[int, datetime] | None, old: datetime, era: int = 0) -> datetime:
    """Return before which instant a job's runs of an era go.

    `nth` is the last of those kept by number: its era and instant. A run of an earlier era is
    older than it, whatever its instant.
    """
    if nth is None or era > nth[0]:
        return old
    return _END if era < nth[0] else max(nth[1], old)
