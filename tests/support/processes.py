"""Processes that a test has started: whether one is over, and their ends."""

from __future__ import annotations

import os
import signal
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def is_gone(pid: int) -> bool:
    """Whether a process ends soon; what is left of one that nobody waited for is gone, too."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False


@contextmanager
def children_reaped() -> Iterator[None]:
    """Wait for the ends of all children that come meanwhile; those of other tests go on."""
    before = _children()
    yield
    for pid in _children() - before:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _children() -> set[int]:
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(int(stat.parent.name))
    return found
