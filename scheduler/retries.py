"""The runs that wait for their next attempt: put off by job in, due ones out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from scheduler.model import Run


@dataclass(frozen=True, slots=True)
class Pending:
    """A run whose attempt `number` is due at `due`; the retry window counts from `first_start`.

    `ended` is when the attempt before it ended.
    """

    run: Run
    number: int
    due: datetime
    first_start: datetime
    ended: datetime


class Retries:
    """Pending attempts, in memory what the journal holds on disk."""

    def __init__(self) -> None:
        self._jobs: dict[str, list[Pending]] = {}

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def add(self, pending: Pending) -> None:
        """Keep a run until its next attempt is due, or its job is dropped."""
        self._jobs.setdefault(pending.run.job, []).append(pending)

    def remove(self, pending: Pending) -> None:
        """Forget one of them."""
        some = self._jobs[pending.run.job]
        some.remove(pending)
        if not some:
            del self._jobs[pending.run.job]

    def of(self, job: str) -> Iterable[Pending]:
        """Return what waits for this job."""
        return self._jobs.get(job, ())

    def strangers(self, jobs: Mapping[str, object]) -> Iterable[str]:
        """Return the jobs that wait here and are none of these."""
        return [job for job in self._jobs if job not in jobs]

    def due(self, now: datetime) -> list[Pending]:
        """Return what is due."""
        return [pending for some in self._jobs.values() for pending in some if pending.due <= now]

    def next_due(self) -> datetime | None:
        """Return when the first is due; None if nothing waits."""
        return min((p.due for some in self._jobs.values() for p in some), default=None)

    def clear(self) -> None:
        """Forget everything; the journal does not."""
        self._jobs.clear()
