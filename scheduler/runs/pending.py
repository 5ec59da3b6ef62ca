"""The runs that wait for a time: put off starts and retries in by job, due ones out."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from scheduler.run import Run


@dataclass(frozen=True, slots=True)
class PutOff:
    """A claimed run that starts at `due`; one that is `made_up` was missed, and is late by then.

    A `late` one came a few minutes after its time, and runs as if in time.
    """

    run: Run
    due: datetime
    made_up: bool
    late: bool = False  # what comes in time meanwhile waits behind it


@dataclass(frozen=True, slots=True)
class Retry:
    """A run whose attempt `number`, from 2, is due at `due`.

    `ended` is when the attempt before it ended; its window counts from `first_start`.
    """

    run: Run
    number: int
    due: datetime
    first_start: datetime
    ended: datetime


Pending = PutOff | Retry


def delays_others(pending: Pending) -> bool:
    """Say whether what comes in time waits behind it, since it should have run long before."""
    return isinstance(pending, PutOff) and (pending.made_up or pending.late)


def takes_place(pending: Pending, run: Run) -> bool:
    """Say whether it takes the place of an earlier run's retries: not if it is only made up for."""
    is_made_up = isinstance(pending, PutOff) and pending.made_up
    return not is_made_up and pending.run.order > run.order


def _key(pending: Pending) -> tuple[datetime, int]:
    return pending.due, pending.run.number


class PendingRuns:
    """What waits, in memory what the journal holds on disk; of a run one thing at a time."""

    def __init__(self) -> None:
        self._jobs: dict[str, list[Pending]] = {}
        self._by_time: list[Pending] = []

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def add(self, pending: Pending) -> None:
        """Keep a run until it is due, or its job is dropped."""
        self._jobs.setdefault(pending.run.job, []).append(pending)
        insort(self._by_time, pending, key=_key)

    def remove(self, pending: Pending) -> None:
        """Forget one of them."""
        some = self._jobs[pending.run.job]
        some.remove(pending)  # a ValueError for one that is not here: nobody else's place is taken
        del self._by_time[bisect_left(self._by_time, _key(pending), key=_key)]
        if not some:
            del self._jobs[pending.run.job]

    def of(self, job: str) -> Iterable[Pending]:
        """Return what waits for this job."""
        return self._jobs.get(job, ())

    def unknown_jobs(self, jobs: Mapping[str, object]) -> Iterable[str]:
        """Return the jobs that wait here and are none of these."""
        return [job for job in self._jobs if job not in jobs]

    def all(self) -> list[Pending]:
        """Return everything that waits, the earliest first."""
        return list(self._by_time)

    def due(self, now: datetime) -> list[Pending]:
        """Return what is due, the earliest first."""
        return self._by_time[: bisect_right(self._by_time, now, key=lambda each: each.due)]

    def firsts(self, now: datetime) -> list[Pending]:
        """Return what begins first of each job that has something due, the earliest first.

        Of starts that were put off that is the oldest instant: a clock that was set back moves the
        time of an older one behind that of a newer.
        """
        found: dict[str, Pending] = {}
        for each in self.due(now):
            first = found.setdefault(each.run.job, each)
            are_put_off = isinstance(first, PutOff) and isinstance(each, PutOff)
            if are_put_off and each.run.order < first.run.order:
                found[each.run.job] = each
        return list(found.values())

    def next_due(self) -> datetime | None:
        """Return when the first is due; None if nothing waits."""
        return self._by_time[0].due if self._by_time else None

    def clear(self) -> None:
        """Forget everything; the journal does not."""
        self._jobs.clear()
        self._by_time.clear()
