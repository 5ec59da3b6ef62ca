"""Which jobs are paused: a job and an instant in, whether it starts nothing then out.

The pauses themselves are in the table. Whoever decides about runs asks `Pauses`; a request and the
recovery change them through it, inside a commit. Invariant: the table has what the journal has.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.journal.journal import Journal
    from scheduler.pause import Paused
    from scheduler.runs.transaction import Transaction


_FOR_EVER = datetime.max.replace(tzinfo=UTC)


class Pauses:
    """See the module."""

    def __init__(self, journal: Journal, transaction: Transaction) -> None:
        self._journal = journal
        self._transaction = transaction
        self._paused = transaction.table.paused

    def recover(self, found: Iterable[Paused], handled: datetime | None) -> None:
        """Go by what the last daemon knew, whose last minute was `handled`; inside a commit.

        A pause that has ended since then still says what the minutes without a daemon were.
        """
        for paused in found:
            if handled is not None and not paused.covers(handled):
                self._journal.daemon_state.resume(paused.job)
            else:
                self._transaction.assign_item(self._paused, paused.job, paused)

    def end_of(self, job: str, instant: datetime) -> datetime | None:
        """Return until when the pause lasts that an instant falls into; None if it falls in none.

        One without an end lasts for ever.
        """
        paused = self.at(job, instant)
        return None if paused is None else paused.until or _FOR_EVER

    def at(self, job: str, instant: datetime) -> Paused | None:
        """Return the pause that the job's instant falls into; None if there is none."""
        paused = self._paused.get(job)
        return paused if paused is not None and paused.covers(instant) else None

    def all(self, now: datetime) -> Iterable[Paused]:
        """Return the pauses in force, in the order of their jobs' names."""
        return [self._paused[job] for job in sorted(self._paused) if self.at(job, now)]

    def pause(self, paused: Paused) -> None:
        """Pause a job, in place of an earlier pause."""
        self._journal.daemon_state.pause(paused)
        self._transaction.assign_item(self._paused, paused.job, paused)

    def resume(self, job: str) -> None:
        """Let a job go by its schedule again."""
        self._journal.daemon_state.resume(job)
        self._transaction.assign_item(self._paused, job, None)
