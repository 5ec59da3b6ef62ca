"""The starts of a minute: claimed attempts in, processes (or why there are none) out, fast."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.entry import pool_of
from scheduler.process.output_files import output_of
from scheduler.run import NotStarted
from scheduler.schedule.catchup import earliest

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.process.spawner import Launch, Spawner
    from scheduler.run import Attempt
    from scheduler.system.clock import Clock

_AHEAD = 200  # launches made ready before the minute: each holds a descriptor until it starts
_EVER = datetime.min.replace(tzinfo=UTC)
_SLICE = 1.0  # seconds of starting without a look at anything else


@dataclass(slots=True)
class Claimed:
    """A claimed attempt about to be started; its launch is prepared early where there is room."""

    entry: Entry
    attempt: Attempt
    first_start: datetime | None = None
    launch: Launch | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """What became of a start, and when: a pid, or why there is none."""

    start: Claimed
    at: datetime
    result: int | NotStarted


class Launches:
    """The queue between a claim and its process."""

    def __init__(self, clock: Clock, spawner: Spawner, state: Path) -> None:
        self._clock = clock
        self._spawner = spawner
        self._state = state
        self._queue: deque[Claimed] = deque()
        self._jobs: Counter[str] = Counter()
        self._pools: Counter[str | None] = Counter()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def __iter__(self) -> Iterator[Claimed]:
        return iter(self._queue)

    def __contains__(self, job: str) -> bool:
        return self._jobs[job] > 0

    def slots_used(self) -> int:
        """See slots.User."""
        return len(self._queue)

    def slots_used_in(self, pool: str) -> int:
        """See slots.User."""
        return self._pools[pool]

    def add(self, start: Claimed) -> None:
        """Queue a claimed attempt."""
        self._queue.append(start)
        self._count(start, 1)

    def of(self, job: str) -> list[Claimed]:
        """Return what is queued of this job."""
        return [start for start in self._queue if start.entry.job == job] if job in self else []

    def drop(self, start: Claimed) -> None:
        """Take one start out of the queue."""
        self._queue.remove(start)
        self._forget(start)

    def prepare(self) -> None:
        """Do for the next starts whatever can be done before their minute.

        What can't be done yet is left: at the start itself there may be a descriptor to spare.
        """
        for start in islice(self._queue, _AHEAD):
            launch = start.launch or self._prepare(start)
            if not isinstance(launch, NotStarted):
                start.launch = launch
            elif launch.by_system:
                return

    def take(self, other: Launches) -> None:
        """Put everything that another queue holds at the end of this one."""
        while other._queue:
            self.add(other._next())

    def begin(self) -> Iterator[Started]:
        """Start what is queued, for one slice of time; what is left waits for the next call.

        So does what would start before its own instant, since the clock was set back meanwhile.
        """
        until = self._clock.monotonic() + _SLICE
        for _ in range(len(self._queue)):
            start = self._next()
            if self._earliest_start(start) > self._clock.now():
                self.add(start)
                continue
            launch = start.launch or self._prepare(start)
            result = launch if isinstance(launch, NotStarted) else self._spawner.start(launch)
            yield Started(start, self._clock.now(), result)
            if self._clock.monotonic() >= until:
                return

    def next_start(self) -> datetime | None:
        """Return when something here may start; None if nothing is queued."""
        return min(map(self._earliest_start, self._queue), default=None)

    def _earliest_start(self, start: Claimed) -> datetime:
        return earliest(start.entry, start.attempt.run) or _EVER

    def attempts(self) -> Iterator[Attempt]:
        """Yield what is queued."""
        return (start.attempt for start in self._queue)

    def cancel(self) -> None:
        """Empty the queue; nothing in it is started."""
        while self._queue:
            self._forget(self._queue.popleft())

    def _forget(self, start: Claimed) -> None:
        self._count(start, -1)
        if start.launch is not None:
            self._spawner.discard(start.launch)

    def _next(self) -> Claimed:
        start = self._queue.popleft()
        self._count(start, -1)
        return start

    def _count(self, start: Claimed, by: int) -> None:
        self._pools[pool_of(start.entry)] += by
        self._jobs[start.entry.job] += by
        if not self._jobs[start.entry.job]:
            del self._jobs[start.entry.job]

    def _prepare(self, start: Claimed) -> Launch | NotStarted:
        path = self._state / output_of(start.attempt)
        return self._spawner.prepare(start.entry, start.attempt, path)


_CALM = 90.0  # seconds without a refused start after which the next one ends the trouble


class StartTrouble:
    """Says once that the system has no room for processes, and when it has again."""

    def __init__(self, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log
        self._refused_at: float | None = None

    def saw(self, result: int | NotStarted) -> None:
        """Hear what became of a start.

        It is over when one succeeds and none was refused since before the last minute's burst: of
        a burst some may find room.
        """
        now = self._clock.monotonic()
        if isinstance(result, NotStarted):
            if result.by_system and self._refused_at is None:
                self._log.error("starts", error=result.why, say=f"no job can start: {result.why}")
            if result.by_system:
                self._refused_at = now
        elif self._refused_at is not None and now - self._refused_at >= _CALM:
            self._log.info("recovered", say="jobs start again")
            self._refused_at = None
