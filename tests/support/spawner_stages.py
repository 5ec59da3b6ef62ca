"""Where a test starts jobs: a real spawner with a folder, and its stand-in on a clock that obeys."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from zoneinfo import ZoneInfo

import pytest
from fakes import Act, FakeClock, FakeSpawner, utc

from scheduler.entry import Entry, Reboot
from scheduler.process.launch import Launch
from scheduler.process.spawner import RealSpawner, Spawner
from scheduler.run import Attempt, Exited, NotStarted, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.entry import Environment
    from scheduler.process.reaper import Ended


START = utc(2027, 3, 28, 0, 30)
BERLIN = ZoneInfo("Europe/Berlin")
PR_SET_CHILD_SUBREAPER = 36
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
FOR_EVER = ("exec sleep 600", Act(lasts=1e7))
STUBBORN = ("trap '' TERM; echo ready; while :; do sleep 600; done", Act(lasts=1e7, on_term=None))
LEAVER = ("sleep 600 & echo ready; exit 4", Act(outcome=Exited(4), leaves=True))


def job(
    command: str, *, assigned: Environment = (), stdin: str | None = None, name: str = "job"
) -> Entry:
    return Entry(name, Reboot(), "@reboot", BERLIN, command, stdin, assigned)


def eventually(is_so: Callable[[], object], seconds: float = 60) -> None:
    """Look again and again until it is so; only a test that fails waits to the end."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.002)


class Stage(Protocol):
    """Where a job of the contract runs; it is told both as a command and as an act."""

    spawner: Spawner

    def prepare(self, entry: Entry, act: Act) -> Launch | NotStarted:
        """Prepare it with an output file of its own."""

    def wait(self, pid: int) -> None:
        """Wait until it has ended, without asking the spawner."""

    def next(self) -> Spawner:
        """The daemon is killed; return the spawner of the one that comes after it."""

    def rest(self) -> None:
        """Let what was asked for happen."""

    def holds(self, launch: Launch) -> bool:
        """Say whether the launch's output file is still open."""


@dataclass
class RealStage:
    folder: Path
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": os.environ["PATH"]})
    pids: list[int] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        self.spawner: Spawner = self.new()

    def new(self, environ: dict[str, str] | None = None) -> RealSpawner:
        return RealSpawner(self.environ if environ is None else environ, str(self.folder), "ada")

    def prepare(self, entry: Entry, _act: Act | None = None) -> Launch | NotStarted:
        self.number += 1
        attempt = Attempt(Run(self.number, entry.job, START), 2)
        return self.spawner.prepare(entry, attempt, self.output())

    def output(self) -> Path:
        return self.folder / "outputs" / f"{self.number}.log"

    def start(self, launch: Launch | NotStarted) -> int:
        assert isinstance(launch, Launch), launch
        pid = self.spawner.start(launch)
        assert isinstance(pid, int), pid
        self.pids.append(pid)
        return pid

    def wait(self, pid: int) -> None:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def next(self) -> Spawner:
        return self.new()

    def rest(self) -> None:
        time.sleep(0.002)

    def holds(self, launch: Launch) -> bool:
        # Its number alone says nothing: a thread that removes sentinels opens files, too.
        try:
            return str(Path(f"/proc/self/fd/{launch.output}").readlink()).startswith(
                str(launch.path)
            )
        except FileNotFoundError:
            return False

    # what only the real stage can show

    def run(self, entry: Entry | str, *, in_shell: bool = False) -> tuple[Ended, bytes]:
        """Run a job to its end; return how it ended and what it wrote."""
        launch = self.prepare(job(entry) if isinstance(entry, str) else entry)
        if in_shell:
            assert isinstance(launch, Launch)
            launch = replace(launch, direct=None)
        return self.end(self.start(launch)), self.output().read_bytes()

    def end(self, pid: int) -> Ended:
        self.wait(pid)
        while not (found := [each for each in self.spawner.ended() if each.pid == pid]):
            assert self.spawner.is_settling()  # what it wrote into a pipe is on its way
            time.sleep(0.001)
        return found[0]

    def refusal(self, entry: Entry) -> str:
        launch = self.prepare(entry)
        assert isinstance(launch, Launch)
        result = self.spawner.start(launch)
        assert isinstance(result, NotStarted)
        assert not self.holds(launch)
        return result.why


@dataclass
class FakeStage:
    clock: FakeClock = field(default_factory=lambda: FakeClock(START))
    acts: dict[str, list[Act]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fake = FakeSpawner(self.clock, self.acts)
        self.spawner: Spawner = self.fake

    def prepare(self, entry: Entry, act: Act) -> Launch | NotStarted:
        name = f"job-{len(self.acts)}"
        self.acts[name] = [act]
        attempt = Attempt(Run(len(self.acts), name, START), 1)
        return self.spawner.prepare(replace(entry, job=name), attempt, Path(name))

    def wait(self, pid: int) -> None:
        while self.fake._groups[pid].leader not in ("zombie", "gone"):
            self._pass(timedelta(hours=1))

    def next(self) -> Spawner:
        self.fake.crash()
        return self.fake

    def rest(self) -> None:
        self._pass(timedelta(0))

    def _pass(self, length: timedelta) -> None:
        asyncio.run(self.clock.wait(self.clock.now() + length, asyncio.Event()))

    def holds(self, launch: Launch) -> bool:
        return launch.output in self.fake.descriptors


def real_stage(folder: Path, stage: RealStage | None = None) -> Iterator[RealStage]:
    """A real stage for one test, after which nobody that it started is left."""
    if sys.platform == "linux":  # orphans come to this process, since not every PID 1 reaps them
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stage = stage or RealStage(folder)
    yield stage
    for pid in stage.pids:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    eventually(lambda: all(is_empty(stage, pid) for pid in stage.pids))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def begin(stage: Stage, command: str, act: Act) -> int:
    launch = stage.prepare(job(command), act)
    assert isinstance(launch, Launch)
    pid = stage.spawner.start(launch)
    assert isinstance(pid, int)
    if isinstance(stage, RealStage):
        stage.pids.append(pid)
        if "echo ready" in command:
            eventually(stage.output().read_bytes)
    return pid


def ending(stage: Stage, pid: int) -> Ended:
    stage.wait(pid)
    (ended,) = stage.spawner.ended()
    return ended


def is_empty(stage: Stage, pid: int) -> bool:
    stage.rest()
    stage.spawner.ended()  # on the real stage it reaps the orphans that came to us
    if isinstance(stage, FakeStage):
        return not stage.spawner.signal(pid, 0)
    with suppress(ProcessLookupError):
        os.killpg(pid, 0)
        return False
    return True


IN_ASCII = """
    import os, sys
    from pathlib import Path
    from zoneinfo import ZoneInfo
    from scheduler.run import Attempt, Run
    from scheduler.entry import Entry, Reboot
    from scheduler.process.own_process import default_signals
    from scheduler.process.spawner import RealSpawner
    from datetime import datetime, UTC
    assert {check}
    default_signals()
    spawner = RealSpawner(os.environ, sys.argv[1], "ada")
    command = sys.stdin.buffer.read().decode("utf-8", "surrogateescape")
    entry = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), command)
    attempt = Attempt(Run(1, "job", datetime(2027, 1, 1, tzinfo=UTC)), 1)
    launch = spawner.prepare(entry, attempt, Path(sys.argv[1]) / "log")
    pid = spawner.start(launch)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    spawner.ended()
"""


def in_another_daemon(
    folder: Path, command: str, *, check: str, before: tuple[str, ...] = (), **environ: str
) -> bytes:
    """Run a job of a process with another past than this one; return what it wrote."""
    script = textwrap.dedent(IN_ASCII).format(check=check)
    subprocess.run(
        [*before, sys.executable, "-c", script, str(folder)],
        input=command.encode("utf-8", "surrogateescape"),
        env=os.environ | environ,
        check=True,
    )
    return (folder / "log").read_bytes()
