"""Outputs that are throttled, and who writes them: real processes, of which none is left."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.process.output_throttle import THROTTLE_OVER, OutputThrottle
from scheduler.process.procfs import Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MOST = 1 << 20
ROOM = 32 * THROTTLE_OVER  # what no number of floods takes; each writes more than that
PR_SET_CHILD_SUBREAPER = 36
LONG = "while :; do sleep 1; done"


@dataclass
class Scene:
    """Files and who writes them, with a throttle between."""

    folder: Path
    told: list[Path] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.throttle = OutputThrottle(MOST, self.told.append, self.broken.append)

    def begin(self, command: str, name: str = "1.1.log") -> tuple[Path, subprocess.Popen[bytes]]:
        path = self.folder / name
        with path.open("ab") as output:
            child = subprocess.Popen(["/bin/sh", "-c", command], stdout=output, process_group=0)
        self.children.append(child)
        return path, child


@contextmanager
def nobody_left() -> Iterator[None]:
    """Kill whoever was started meanwhile, also in sessions of their own: they come to this process."""
    before = descendants()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        while left := descendants() - before:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in left:
                with suppress(ChildProcessError):  # its parent has still to die, or has waited
                    os.waitpid(pid, 0)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def descendants() -> set[int]:
    return {process.pid for process, _ in Processes().descendants(os.getpid())}


@contextmanager
def throttled(folder: Path) -> Iterator[Scene]:
    """A scene in a folder, after which nobody is left, and no file."""
    with nobody_left():
        found = Scene(folder)
        try:
            yield found
        finally:
            found.throttle.close()
    for child in found.children:
        child.wait()
    for path in folder.glob("*.log"):
        path.unlink()  # of a test that fails pytest keeps the folder
    assert found.broken == []


def room(*paths: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in paths)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def eventually(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.01)
