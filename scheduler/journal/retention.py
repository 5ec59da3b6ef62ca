"""Retention: which runs are too old or too many to keep, and their removal, step by step.

A job's newest runs and how late it is come in, before which instant they go out: whichever is over
first, number or age, decides. `Pruning` then removes them, with their output files, from a journal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from scheduler.journal.columns import seconds
from scheduler.journal.rows import NoticeState
from scheduler.process import output_files

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator
    from pathlib import Path

    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import OldRun
    from scheduler.process.output_files import Found
    from scheduler.system.clock import Clock

T = TypeVar("T")

_END = datetime(9999, 12, 31, tzinfo=UTC)  # no instant lies behind it
_PACE = 24  # a day of age an hour: so long a clock may be wrong before it costs a day of history

_STEP_TIME = 0.02  # seconds of one step
_RUNS_AT_ONCE = 100  # runs that go in one commit
_NEXT_STEP = 1.0  # seconds until the next step where there is more to remove
_IDLE_STEP = 60.0  # and where none of it had to go so far
_JOBS_WALK = 600.0  # seconds between one walk through all jobs and the next
_FILES_WALK = 86400.0  # and between walks through all files
JUMPS = 10_000  # jumps of the clock that are kept
_NOTICES_KEPT = {NoticeState.SENT: 7 * 86400.0, NoticeState.FAILED: 30 * 86400.0}  # seconds


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


class Pruning:
    """A slow walk over all jobs, and now and then over all files; None keeps everything.

    Owns: where the walk stands, when its next step is due, and how late it is for the age of runs.
    Called by: the loop, when nothing else is due. Invariant: a run's files go before its row, so
    whatever comes between, the next walk removes the rest; what the system refuses is left to the
    next walk too. A step is short, and it asks for a wake-up of its own only while there is
    something to remove.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        state: Path,
        kept: Retention | None,
        keep_within: Callable[[Found], None],
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._state = state
        self._kept = kept
        self._keep_within = keep_within  # keeps a file within its bound that an earlier daemon left
        self._walk: Iterator[bool] | None = None
        self._jobs: Container[str] = ()  # those of the last step: a walk outlives a reload
        self._end = 0.0  # of this step
        self._due = clock.monotonic() + _IDLE_STEP
        self._is_wanted = False  # there was something to remove, so there may be more
        self._files_due = self._due
        self._is_refused = False  # the system would not have something done, of this walk's files
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
        walk, self._walk = self._walk or self._all(self._kept), None
        self._jobs, self._end = jobs, now + _STEP_TIME
        self._due, self._is_wanted = now + _IDLE_STEP, False
        for has_removed in walk:
            self._is_wanted = self._is_wanted or has_removed
            if self._is_over():
                self._walk = walk
                self._due = now + (_NEXT_STEP if self._is_wanted else _IDLE_STEP)
                return
        self._due, self._is_wanted = now + _JOBS_WALK, False

    def _is_over(self) -> bool:
        return self._clock.monotonic() >= self._end

    def _all(self, kept: Retention) -> Iterator[bool]:
        """Walk over everything; yields after each piece of it whether there was something to go."""
        old = self._too_old(kept)
        job = ""
        while (found := self._journal.old_runs.next_job(job)) is not None:
            job = found
            yield from self._of_job(job, kept, old)
        yield self._journal.old_runs.forget_jumps(old, keep=JUMPS, limit=_RUNS_AT_ONCE) > 0
        yield from self._notices()
        if self._clock.monotonic() >= self._files_due:
            yield from self._files(old)

    def _too_old(self, kept: Retention) -> datetime:
        """Return before which instant runs are too old; see `reckoned`."""
        now, at = self._clock.now(), self._clock.monotonic()
        before = self._reckoning or self._journal.old_runs.reckoning()
        self._reckoning = reckoned(before, now, at - self._reckoned_at)
        self._reckoned_at = at
        if before is None:
            self._journal.old_runs.set_reckoning(self._reckoning)
        return too_old(kept, self._reckoning, now)

    def _notices(self) -> Iterator[bool]:
        for state, age in _NOTICES_KEPT.items():
            old = self._too_old(Retention(age=age))
            beyond = self._clock.now() + timedelta(seconds=age)
            while self._forget_notices(state, old, beyond):
                yield True
        for job in self._journal.outbox.jobs():
            if job not in self._jobs and not self._journal.queries.history(job, limit=1):
                self._journal.outbox.set_state(job, None)
                yield True
        yield False

    def _forget_notices(self, state: NoticeState, old: datetime, beyond: datetime) -> int:
        with self._journal.transaction(synced=False):  # a loss of power: it is done again
            return self._journal.outbox.forget(state, old, beyond=beyond, limit=_RUNS_AT_ONCE)

    def _of_job(self, job: str, kept: Retention, old: datetime) -> Iterator[bool]:
        nth = self._journal.old_runs.nth_newest(job, kept.runs)
        for era in self._journal.old_runs.eras_of(job):
            yield from self._of_era(job, era, edge(nth, old, era))

    def _of_era(self, job: str, era: int, edge: datetime) -> Iterator[bool]:
        while found := self._journal.old_runs.before(job, edge, limit=_RUNS_AT_ONCE, era=era):
            spared = self._spared(job)
            going = self._cleared(run for run in found if run.number not in spared)
            if not going:
                break
            with self._journal.transaction(synced=False):  # a loss of power: it is done again
                for run in going:
                    self._journal.old_runs.forget(run.number)
                if self._reckoning is not None:
                    self._journal.old_runs.set_reckoning(self._reckoning)
            output_files.tidy(self._state / "outputs" / job)
            yield True
        yield False

    def _cleared(self, runs: Iterable[OldRun]) -> list[OldRun]:
        """Return those of these runs whose outputs are removed by the end of the step.

        A large file takes some 6 ms to go, so a hundred of them are more than a step.
        """
        going: list[OldRun] = []
        for run in runs:
            if self._clear(run):
                going.append(run)
                if self._is_over():
                    break
        return going

    def _clear(self, run: OldRun) -> bool:
        """Remove a run's outputs; False if the system refuses, and the run stays for now."""
        try:
            for output in run.outputs:
                output_files.remove(self._state / output)
        except OSError:
            return False
        return True

    def _spared(self, job: str) -> frozenset[int]:
        """Return the newest runs of a job that is in a crontab."""
        known = job in self._jobs
        return self._journal.old_runs.newest(job, self._clock.now()) if known else frozenset()

    def _files(self, old: datetime) -> Iterator[bool]:
        """Walk over the outputs: some are of runs that no journal knows, some are too large."""
        self._is_refused = False
        for folder in self._trying(output_files.folders(self._state / "outputs")):
            for found in self._trying(output_files.of(folder)):
                yield self._look_at(found, old)
        if not self._is_refused:
            self._files_due = self._clock.monotonic() + _FILES_WALK

    def _trying(self, some: Iterator[T]) -> Iterator[T]:
        """Pass them on, up to where the system refuses to tell of more."""
        try:
            yield from some
        except OSError:
            self._is_refused = True

    def _look_at(self, found: Found, old: datetime) -> bool:
        """Remove a file that is too old, if nobody knows it; True if it was there to be removed."""
        name = str(found.path.relative_to(self._state))
        is_old = found.changed < seconds(old)
        if not is_old or self._journal.old_runs.knows(found.run, found.attempt, name):
            self._keep_within(found)
            return False
        try:
            output_files.remove(found.path)
        except OSError:
            self._is_refused = True
            return False
        return True
