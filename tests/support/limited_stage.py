"""Where a test runs jobs under limits, one after the other, and a stand-in for their cgroups."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from fakes import utc

from scheduler.entry import Entry, Reboot, Settings
from scheduler.process.spawner import RealSpawner
from scheduler.run import Attempt, NotStarted, Run

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.entry import Environment
    from scheduler.process.reaper import Ended


MIB = 2**20
OWN = os.getpriority(os.PRIO_PROCESS, 0)
IS_ROOT = os.geteuid() == 0
NOBODY = 65534
ODD = [(), (("my.password", "x"),)]  # without a name that a shell drops, and with one


@dataclass
class Group:
    """A stand-in for the cgroups: plain files that a shell can write to."""

    folder: Path
    made: list[tuple[str, int]] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    full: bool = False
    error: OSError | None = None

    def make(self, name: str, memory: int) -> Path | None:
        if self.error is not None:
            raise self.error
        self.made.append((name, memory))
        self.folder.mkdir(exist_ok=True)
        (self.folder / "cgroup.procs").touch()
        return self.folder

    def ran_out(self, group: Path) -> bool:
        assert group == self.folder
        return self.full

    def remove(self, group: Path) -> None:
        self.removed.append(group)

    def living(self, _name: str) -> list[int]:
        return []


@dataclass
class Stage:
    """A spawner whose jobs run one after the other."""

    folder: Path
    groups: Group | None = None
    number: int = 0
    pids: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        path = {"PATH": os.environ["PATH"]}
        self.spawner = RealSpawner(path, str(self.folder), "ada", groups=self.groups)

    def begin(
        self, command: str, assigned: Environment = (), stdin: str | None = None, **chosen: Any
    ) -> int | NotStarted:
        self.number += 1
        settings = Settings(**chosen)
        zone = ZoneInfo("UTC")
        entry = Entry("job", Reboot(), "@reboot", zone, command, stdin, assigned, settings)
        attempt = Attempt(Run(self.number, "job", utc(2027, 3, 28)), 1)
        launch = self.spawner.prepare(entry, attempt, self.output())
        found = launch if isinstance(launch, NotStarted) else self.spawner.start(launch)
        if isinstance(found, int):
            self.pids.append(found)
        return found

    def run(self, command: str, assigned: Environment = (), **chosen: Any) -> tuple[Ended, str]:
        pid = self.begin(command, assigned, **chosen)
        assert isinstance(pid, int), pid
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        while not (ended := self.spawner.ended()):
            time.sleep(0.01)  # what it wrote is being copied
        return ended[0], self.output().read_text()

    def output(self) -> Path:
        return self.folder / f"{self.number}.log"

    def close(self) -> None:
        """Kill the groups of those who are not reaped, whose numbers are nobody else's."""
        for pid in self.pids:
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                os.killpg(pid, signal.SIGKILL)
                os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        self.spawner.ended()


def python(code: str) -> str:
    return f"exec {sys.executable} -S -E -c '{code}'"
