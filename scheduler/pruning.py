"""What is no longer kept: a journal and a folder of outputs in, both bounded, step by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler import outputs, retention
from scheduler.record import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from datetime import datetime
    from pathlib import Path

    from scheduler.clock import Clock
    from scheduler.journal import Journal
    from scheduler.outputs import Found
    from scheduler.record import OldRun
    from scheduler.retention import Retention

_SLICE = 0.02  # seconds of one step
_BATCH = 100  # runs that go in one commit
_SOON = 1.0  # seconds until the next step where there is more to remove
_SELDOM = 60.0  # and where none of it had to go so far
_REST = 600.0  # seconds between one walk through all jobs and the next
_DAY = 86400.0  # and between walks through all files
JUMPS = 10_000  # jumps of the clock that are kept


class Pruning:
    """A slow walk over all jobs, and now and then over all files; None keeps everything.

    A step is short, and it asks for a wake-up of its own only while there is something to remove.
    A run's files go before its row: whatever comes between, the next walk removes the rest.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        state: Path,
        kept: Retention | None,
        meet: Callable[[Found], None],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._state = state
        self._kept = kept
        self._meet = meet  # keeps a file within its bound that an earlier daemon left
        self._walk: Iterator[bool] | None = None
        self._due = clock.monotonic() + _SELDOM
        self._is_wanted = False  # there was something to remove, so there may be more
        self._files_due = self._due
        self._reckoning: datetime | None = None
        self._reckoned_at = clock.monotonic()

    def next_step(self) -> float | None:
        """Return in how many seconds a step is due; None if it may wait for any other wake-up."""
        return max(0.0, self._due - self._clock.monotonic()) if self._is_wanted else None

    def step(self, jobs: Container[str]) -> None:
        """Go on for a short while, if it is time; the newest run of each of these `jobs` stays."""
        now = self._clock.monotonic()
        if self._kept is None or now < self._due:
            return
        walk, self._walk = self._walk or self._all(self._kept, jobs), None
        self._due, self._is_wanted = now + _SELDOM, False
        for has_removed in walk:
            self._is_wanted = self._is_wanted or has_removed
            if self._clock.monotonic() >= now + _SLICE:
                self._walk = walk
                self._due = now + (_SOON if self._is_wanted else _SELDOM)
                return
        self._due, self._is_wanted = now + _REST, False

    def _all(self, kept: Retention, jobs: Container[str]) -> Iterator[bool]:
        """Walk over everything; yields after each piece of it whether there was something to go."""
        old = self._too_old(kept)
        job = ""
        while (found := self._journal.next_job(job)) is not None:
            job = found
            yield from self._of_job(job, kept, old, is_known=job in jobs)
        yield self._journal.forget_jumps(old, keep=JUMPS, limit=_BATCH) > 0
        if self._clock.monotonic() >= self._files_due:
            yield from self._files(old)
            self._files_due = self._clock.monotonic() + _DAY

    def _too_old(self, kept: Retention) -> datetime:
        """Return before which instant runs are too old; see `retention.reckoned`."""
        now, at = self._clock.now(), self._clock.monotonic()
        before = self._reckoning or self._journal.reckoning()
        self._reckoning = retention.reckoned(before, now, at - self._reckoned_at)
        self._reckoned_at = at
        if before is None:
            self._journal.set_reckoning(self._reckoning)
        return retention.too_old(kept, self._reckoning, now)

    def _of_job(
        self, job: str, kept: Retention, old: datetime, *, is_known: bool
    ) -> Iterator[bool]:
        edge = retention.edge(self._journal.nth_newest(job, kept.runs), old)
        while found := self._journal.before(job, edge, limit=_BATCH):
            spared = self._journal.newest(job) if is_known else frozenset()
            going = [run for run in found if run.number not in spared and self._clear(run)]
            if not going:
                break
            with self._journal.transaction(synced=False):  # a loss of power: it is done again
                for run in going:
                    self._journal.forget(run.number)
                if self._reckoning is not None:
                    self._journal.set_reckoning(self._reckoning)
            outputs.tidy(self._state / "outputs" / job)
            yield True
        yield False

    def _clear(self, run: OldRun) -> bool:
        """Remove a run's outputs; False if the system refuses, and the run stays for now."""
        try:
            for output in run.outputs:
                outputs.remove(self._state / output)
        except OSError:
            return False
        return True

    def _files(self, old: datetime) -> Iterator[bool]:
        """Walk over the outputs: some are of runs that no journal knows, some are too large."""
        for found in outputs.there(self._state / "outputs"):
            name = str(found.path.relative_to(self._state))
            is_old = found.changed < seconds(old)
            if is_old and not self._journal.knows(found.run, found.attempt, name):
                outputs.remove(found.path)
                yield True
            else:
                self._meet(found)
                yield False
