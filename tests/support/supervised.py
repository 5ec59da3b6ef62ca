"""A supervisor in a scene of its own: jobs by script, a clock, and the signals that they get."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fakes import Act, FakeClock, FakeSpawner, utc

from scheduler.entry import Entry, Reboot, Settings
from scheduler.process.launch import Launch
from scheduler.run import Attempt, Run
from scheduler.runs.output_cap import OutputCap
from scheduler.runs.supervisor import Running, Supervisor
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.process.reaper import Ended

NOON = utc(2027, 1, 1, 12)
TERM, KILL = signal.SIGTERM, signal.SIGKILL
LONG = Act(lasts=1e6)
STUBBORN = Act(lasts=1e6, on_term=None)
LEAVER = Act(lasts=1e6, leaves=True, is_stubborn=True)


@dataclass
class Scene:
    """A supervisor of jobs of a script, each of its own name; time passes when it is told to."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    acts: dict[str, list[Act]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.spawner = FakeSpawner(self.clock, self.acts)
        self.supervisor = Supervisor(
            self.clock, self.spawner, OutputCap(self.clock, Path("/state"), None)
        )

    def start(
        self,
        job: str,
        act: Act,
        *,
        timeout: float | None = None,
        kill_after: float = 10,
        is_adopted: bool = False,
        age: float = 0,
    ) -> Running:
        self.acts[job] = [act]
        settings = Settings(timeout=timeout, kill_after=kill_after)
        entry = Entry(job, Reboot(), "@reboot", ZoneInfo("UTC"), "x", settings=settings)
        attempt = Attempt(Run(next(self.numbers), job, NOON), 1)
        launch = self.spawner.prepare(entry, attempt, Path("log"))
        assert isinstance(launch, Launch)
        pid = self.spawner.start(launch)
        assert isinstance(pid, int)
        adopted = self.spawner.started_at(pid) if is_adopted else None
        if is_adopted:
            self.spawner.crash()
        started = self.clock.now() + timedelta(hours=5)  # what the wall clock said: it was set
        running = Running(entry, attempt, pid, started, started, adopted=adopted)
        running.began = since_boot(self.clock) - age if is_adopted else since_boot(self.clock)
        self.supervisor.add(running)
        return running

    def pass_(self, seconds: float) -> list[Ended]:
        """Let time pass, reaping and enforcing as the loop does."""
        until, found = self.clock.now() + timedelta(seconds=seconds), []
        while True:
            wait = self.supervisor.next_signal()
            wake = until if wait is None else self.clock.now() + timedelta(seconds=wait)
            asyncio.run(self.clock.wait(min(wake, until), asyncio.Event()))
            for ended in self.spawner.ended():
                self.supervisor.remove(ended.pid)
                found.append(ended)
            self.supervisor.enforce()
            if self.clock.now() >= until:
                return found

    def told(self, running: Running) -> list[tuple[float, int]]:
        """The signals that its group got, and after how many seconds."""
        return [
            ((at - NOON).total_seconds(), number)
            for at, pid, number in self.spawner.signals
            if pid == running.pid
        ]


def ended(scene: Scene) -> None:
    """Assert that a supervisor with nothing left to do has let go of every process."""
    if not len(scene.supervisor):
        assert scene.spawner.groups == set(), "each is a descriptor"
