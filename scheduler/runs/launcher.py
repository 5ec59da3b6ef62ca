"""Starts the processes of runs that are claimed, fast: those of a minute in one burst.

`Launcher` owns what is prepared of a start (an open output, words to execute), and nothing else: of
which runs a process starts is for the table to tell, which only a commit can change. The loop calls
it. Invariant: no process starts of a run before the run's own instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from scheduler.process.output_files import output_of
from scheduler.run import NotStarted
from scheduler.runs.events import StartsRecovered, StartsRefused
from scheduler.schedule.misfire import earliest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.process.launch import Launch
    from scheduler.process.spawner import Spawner
    from scheduler.runs.events import Event
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.table import RunTable
    from scheduler.system.clock import Clock

_MOST_PREPARED = 200  # before the minute: each of them has a descriptor until it starts
_CALM = 90.0  # seconds without a refused start after which the next one ends the trouble
_EVER = datetime.min.replace(tzinfo=UTC)
_STARTS_TIME = 1.0  # seconds of starting without a look at anything else
_OTHERS_TIME = 0.25  # the same, where all that is left is of other users than the daemon's own


@dataclass(frozen=True, slots=True)
class Started:
    """What became of a start, and when: a pid, or why there is none."""

    live: LiveRun
    at: datetime
    result: int | NotStarted


class Launcher:
    """See the module."""

    def __init__(self, clock: Clock, spawner: Spawner, table: RunTable, state: Path) -> None:
        self._clock = clock
        self._spawner = spawner
        self._table = table
        self._state = state
        self._prepared: dict[int, Launch] = {}  # by the number of the run

    def prepare(self) -> None:
        """Do for the starts of the coming minute whatever can be done before it.

        What can't be done yet is left: at the start itself there may be a descriptor to spare.
        """
        for live in islice(self._table.planned(), _MOST_PREPARED):
            if live.run.number not in self._prepared:
                launch = self._prepare(live)
                if not isinstance(launch, NotStarted):
                    self._prepared[live.run.number] = launch
                elif launch.by_system:
                    return

    def begin(self) -> Iterator[Started]:
        """Start who is to start, for one slice of time; what is left waits for the next call.

        So does what would start before its own instant, since the clock was set back meanwhile. A
        slice ends where the minute comes that others are planned for.
        """
        since, minute = self._clock.monotonic(), self._table.next_planned()
        for live in self._table.starting():
            if _earliest_start(live) > self._clock.now():
                continue
            launch = self._prepared.pop(live.run.number, None) or self._prepare(live)
            result = launch if isinstance(launch, NotStarted) else self._spawner.start(launch)
            at = self._clock.now()
            yield Started(live, at, result)
            most = _STARTS_TIME if live.entry.user is None else _OTHERS_TIME
            if self._clock.monotonic() - since >= most or (minute is not None and at >= minute):
                return

    def next_start(self) -> datetime | None:
        """Return when a process may start; None if none is to."""
        return min(map(_earliest_start, self._table.starting()), default=None)

    def forget(self, number: int) -> None:
        """Let go of what is prepared of a run that does not start, if anything is."""
        if (launch := self._prepared.pop(number, None)) is not None:
            self._spawner.discard(launch)

    def forget_all(self) -> None:
        """Let go of all that is prepared."""
        for number in list(self._prepared):
            self.forget(number)

    def _prepare(self, live: LiveRun) -> Launch | NotStarted:
        attempt = live.key
        return self._spawner.prepare(live.entry, attempt, self._state / output_of(attempt))


def _earliest_start(live: LiveRun) -> datetime:
    return earliest(live.entry, live.run) or _EVER


class StartTrouble:
    """Tells once that the system has no room for processes, and when it has again.

    Owns since when starts are refused. The loop's verbs tell it of each start. Invariant: one event
    for the trouble, one for its end.
    """

    def __init__(self, clock: Clock, tell: Callable[[Event], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._refused_at: float | None = None

    def saw(self, result: int | NotStarted) -> None:
        """Hear what became of a start.

        It is over when one succeeds and none was refused since before the last minute's burst: of
        a burst some may find room.
        """
        now = self._clock.monotonic()
        if isinstance(result, NotStarted):
            if result.by_system and self._refused_at is None:
                self._tell(StartsRefused(self._clock.now(), result.why))
            if result.by_system:
                self._refused_at = now
        elif self._refused_at is not None and now - self._refused_at >= _CALM:
            self._tell(StartsRecovered(self._clock.now()))
            self._refused_at = None
