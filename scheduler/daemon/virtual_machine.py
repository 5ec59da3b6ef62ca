"""A machine that nobody waits for: what happens when in, a clock and its processes out.

They answer the daemon as RealClock and RealSpawner do; `simulate` runs on them.
"""

from __future__ import annotations

import heapq
import signal
import types
from contextlib import nullcontext
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from scheduler.process.launch import Launch
from scheduler.process.reaper import Ended
from scheduler.run import Exited, Signalled
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.process.procfs import Process
    from scheduler.process.spawner import Spawner
    from scheduler.run import Attempt, NotStarted
    from scheduler.system.clock import Clock

    Happening = Callable[[], object]

_WELL = Exited(0)
_NOTHING = b""
_NO_OUTPUT = -1


class VirtualClock:
    """A wall clock, and clocks that nobody sets, which move when waited on or when told to.

    It owns the time and what is scripted to happen. The daemon waits on it as on any Clock;
    a simulation or a test scripts and sets it. Monotonic time never goes back, and no time passes
    but in a wait and when told to.

    What is scripted (`at` an instant, `after` some seconds) happens while somebody waits, in
    order, and ends the wait, as a signal would. What a happening raises leaves the wait.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed = timedelta(0)
        self._asleep = 0.0
        self._tickets = count()  # of two happenings at one time, the first scripted comes first
        self._at: list[tuple[datetime, int, Happening]] = []
        self._after: list[tuple[timedelta, int, Happening]] = []
        self._was_set = False
        self._happened = 0

    def now(self) -> datetime:
        """See Clock."""
        return self._now

    def monotonic(self) -> float:
        """See Clock."""
        return self._elapsed.total_seconds()

    def asleep(self) -> float | None:
        """See Clock."""
        return self._asleep

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        """See Clock; first it gives way once to who drives this coroutine."""
        await _give_way()
        happened = self._happened
        self._happen()
        while not (wake.is_set() or self._was_set or self._happened > happened):
            if self._now >= until:
                break
            self._move(min(until - self._now, self._until_next()))
            self._happen()
        self._was_set = False

    # --- what is scripted --------------------------------------------------------------------

    def at(self, instant: datetime, happening: Happening) -> None:
        """Let it happen when the wall clock comes to `instant`, or jumps over it."""
        heapq.heappush(self._at, (instant, next(self._tickets), happening))

    def after(self, seconds: float, happening: Happening) -> None:
        """Let it happen when so many seconds have gone by in which the machine was awake."""
        due = self._elapsed + timedelta(seconds=seconds)
        heapq.heappush(self._after, (due, next(self._tickets), happening))

    def advance(self, seconds: float) -> None:
        """Let time pass in which nothing happens: work that takes long."""
        self._move(timedelta(seconds=seconds))

    def pass_to(self, instant: datetime) -> None:
        """Let time pass in which nobody waits: everything scripted happens."""
        self._happen()
        while self._now < instant:
            self._move(min(instant - self._now, self._until_next()))
            self._happen()

    def set(self, instant: datetime) -> None:
        """Set the wall clock, as its owner or NTP does; the wait that this happens in is over."""
        self._now = instant
        self._was_set = True

    def suspend(self, seconds: float) -> None:
        """Let the machine sleep: the wall clock goes on, everything else stands still."""
        self._now += timedelta(seconds=seconds)
        self._asleep += seconds
        self._was_set = True

    def _move(self, step: timedelta) -> None:
        self._now += step
        self._elapsed += step

    def _until_next(self) -> timedelta:
        """Return how far the next happening is, which lies ahead."""
        step = timedelta.max
        if self._at:
            step = self._at[0][0] - self._now
        if self._after:
            step = min(step, self._after[0][0] - self._elapsed)
        return step

    def _happen(self) -> None:
        """Do what is due; a happening may script another that is due at once."""
        while self._at and self._at[0][0] <= self._now:
            self._happened += 1
            heapq.heappop(self._at)[2]()
        while self._after and self._after[0][0] <= self._elapsed:
            self._happened += 1
            heapq.heappop(self._after)[2]()


@types.coroutine
def _give_way() -> Generator[None]:
    """Give way once, to asyncio's loop or to whoever else drives the coroutine."""
    yield


class VirtualSpawner:
    """Jobs that take as long as `lasts` says for each job, and succeed unless they are ended.

    It owns which jobs live, and whose end nobody has asked for yet. The daemon calls it as any
    Spawner; the clock ends its jobs. A job ends once, and its end is told once.
    """

    def __init__(self, clock: VirtualClock, lasts: Callable[[str], float]) -> None:
        self._clock = clock
        self._lasts = lasts
        self._pids = count(1)
        self._alive: set[int] = set()
        self._began: dict[int, float] = {}
        self._orphans: set[int] = set()  # the alive ones that are not the daemon's children
        self._endings: list[Ended] = []

    def __len__(self) -> int:
        """Return how many jobs run."""
        return len(self._alive)

    def crash(self) -> None:
        """Let the daemon be killed: its jobs go on, and nobody is told how they end."""
        self._endings.clear()
        self._orphans |= self._alive

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        """See Spawner; nothing is opened, and there is nothing that can't be."""
        command = (entry.command.encode(errors="surrogateescape"),)
        return Launch(attempt, command, None, {}, _NOTHING, None, _NO_OUTPUT, output)

    def start(self, launch: Launch) -> int | NotStarted:
        """See Spawner; the pid is that of no process."""
        pid = next(self._pids)
        self._alive.add(pid)
        self._began[pid] = since_boot(self._clock)
        lasts = self._lasts(launch.attempt.run.job)
        self._clock.after(lasts, partial(self._end, pid, _WELL))
        return pid

    def discard(self, launch: Launch) -> None:
        """See Spawner; there is nothing to let go of."""

    def ended(self) -> list[Ended]:
        """See Spawner; nobody knows what a job would use."""
        found, self._endings = self._endings, []
        return found

    def is_settling(self) -> bool:
        """See Spawner; nothing is written."""
        return False

    def signal(self, pid: int, number: int) -> bool:
        """See Spawner; SIGTERM and SIGKILL end a job at once."""
        if pid not in self._alive:
            return False
        if number in (signal.SIGTERM, signal.SIGKILL):
            self._clock.after(0, partial(self._end, pid, Signalled(int(number))))
        return True

    def keep(self, _pid: int, _started: int) -> None:
        """See Spawner; a pid is never given twice."""

    def one_look(self) -> AbstractContextManager[None]:
        """See Spawner; there is nothing to look at."""
        return nullcontext()

    def release(self, _pid: int) -> None:
        """See Spawner; nothing is kept."""

    def started_at(self, pid: int) -> int | None:
        """See Spawner; a pid is never given twice."""
        return pid if pid in self._alive else None

    def began(self, started: int) -> float | None:
        """See Spawner; a process is told by its pid."""
        return self._began.get(started)

    def orphans(self, _outputs: Mapping[Attempt, Path], /) -> Mapping[Attempt, int]:
        """See Spawner; a daemon is never killed between a start and its record."""
        return {}

    def survivors(self, _outputs: Iterable[Path], /) -> Mapping[Attempt, int]:
        """See Spawner; a simulated journal is never lost."""
        return {}

    def is_held(self, _output: Path, /) -> bool:
        """See Spawner; nobody hides."""
        return False

    def escaped(self, _ended: Mapping[Attempt, int]) -> Mapping[Attempt, Sequence[Process]]:
        """See Spawner; no job starts anything."""
        return {}

    def end(self, _process: Process, _number: int) -> None:
        """See Spawner; there is nobody to signal."""

    def leave_running(self) -> None:
        """See Spawner; a simulated journal is never damaged."""

    def _end(self, pid: int, outcome: Exited | Signalled) -> None:
        """End a job, unless it has ended some other way before."""
        if pid not in self._alive:
            return
        self._alive.remove(pid)
        if pid in self._orphans:
            self._orphans.remove(pid)
        else:
            self._endings.append(Ended(pid, outcome, 0.0, None))


if TYPE_CHECKING:

    def _they_satisfy_the_protocols(clock: VirtualClock) -> tuple[Clock, Spawner]:
        return clock, VirtualSpawner(clock, lambda _job: 0.0)
