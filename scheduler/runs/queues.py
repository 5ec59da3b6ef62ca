"""The runs that wait for another run of their job: in by job, out in the order they came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.runs.pending import delays_others, takes_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from scheduler.run import Run
    from scheduler.runs.pending import Pending


class Queues:
    """A queue for each job that has one, in memory what the journal holds on disk."""

    def __init__(self) -> None:
        self._jobs: dict[str, list[Pending]] = {}

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._jobs))

    def add(self, pending: Pending) -> None:
        """Put a run at the end of its job's queue."""
        self._jobs.setdefault(pending.run.job, []).append(pending)

    def remove(self, pending: Pending) -> None:
        """Take a run out of its job's queue."""
        some = self._jobs[pending.run.job]
        some.remove(pending)
        if not some:
            del self._jobs[pending.run.job]

    def of(self, job: str) -> Iterable[Pending]:
        """Return what waits for another run of this job, in order."""
        return tuple(self._jobs.get(job, ()))

    def all(self) -> list[Pending]:
        """Return everything that waits."""
        return [pending for some in self._jobs.values() for pending in some]

    def unknown_jobs(self, jobs: Mapping[str, object]) -> Iterable[str]:
        """Return the jobs that have a queue and are none of these."""
        return [job for job in self._jobs if job not in jobs]

    def delays_others(self, job: str) -> bool:
        """Say whether a run waits here that others of its job wait behind."""
        return any(map(delays_others, self._jobs.get(job, ())))

    def has_later(self, run: Run) -> bool:
        """Say whether a later run of the same job waits here that takes its place."""
        return any(takes_place(each, run) for each in self._jobs.get(run.job, ()))

    def clear(self) -> None:
        """Forget everything; the journal does not."""
        self._jobs.clear()
