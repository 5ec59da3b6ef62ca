"""Which jobs are paused: a job and an instant in, whether it starts nothing then out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.journal import Journal
    from scheduler.ledger import Ledger
    from scheduler.model import Paused


class Pauses:
    """The pauses in force, in memory what the journal holds on disk."""

    def __init__(self, journal: Journal, ledger: Ledger) -> None:
        self._journal = journal
        self._ledger = ledger
        self._paused: dict[str, Paused] = {}

    def open(self, now: datetime) -> None:
        """Go by what the last daemon knew; inside a commit, as all below."""
        for paused in self._journal.pauses():
            if _is_over(paused, now):
                self._journal.resume(paused.job)
            else:
                self._ledger.then(self._paused.__setitem__, paused.job, paused)

    def at(self, job: str, instant: datetime) -> Paused | None:
        """Return the pause that the job's instant falls into; None if there is none."""
        paused = self._paused.get(job)
        return None if paused is None or _is_over(paused, instant) else paused

    def all(self, now: datetime) -> Iterable[Paused]:
        """Return the pauses in force, in the order of their jobs' names."""
        return [self._paused[job] for job in sorted(self._paused) if self.at(job, now)]

    def begin(self, paused: Paused) -> None:
        """Pause a job, in place of an earlier pause."""
        self._journal.pause(paused)
        self._ledger.then(self._paused.__setitem__, paused.job, paused)

    def end(self, job: str) -> None:
        """Let a job go by its schedule again."""
        self._journal.resume(job)
        self._ledger.then(self._paused.pop, job, None)


def _is_over(paused: Paused, at: datetime) -> bool:
    return paused.until is not None and at >= paused.until
