"""Reaping: the system's word that a child has ended in, its exit code and what it used out."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.run import Exited, Limit, NotStarted, Signalled
    from scheduler.system.time_limit import TimeLimit


ONE_LOOK = 0.05  # seconds that a look for who has ended may take, before others have their turn


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that is gone, which limit ended it, and whether it emptied its output.

    `memory_bytes` is None where the system's figure says nothing. NotStarted is one whose limits
    could not be put on, so that it never came to be the job.
    """

    pid: int
    outcome: Exited | Signalled | NotStarted
    cpu_s: float
    memory_bytes: int | None
    limit: Limit | None = None
    emptied: bool = False


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """A child that is gone; `code` is a signal as a negative number, None is not known."""

    pid: int
    code: int
    cpu_s: float = 0.0
    memory_bytes: int | None = None


def reap(
    before: Callable[[int], object],
) -> tuple[int, int, resource.struct_rusage] | None:
    """Return a child that has ended, with its exit code and what it used; None if none has.

    `before` is told its pid while nobody else can have that.
    """
    try:
        pid = -1
        if hasattr(os, "waitid"):  # else it is macOS, which has no /proc to look into before
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return None
            before(pid := found.si_pid)
        pid, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status), usage) if pid else None


def reap_some(
    before: Callable[[int], object], limit: TimeLimit
) -> tuple[list[tuple[int, int, resource.struct_rusage]], bool]:
    """Return the children that have ended, as `reap` does, and whether the time was too short.

    A job can make children for this process as long as it likes: clone(2) with CLONE_PARENT.
    """
    found = []
    while (one := reap(before)) is not None:
        found.append(one)
        if limit.is_over():
            return found, True
    return found, False


def peak_memory(maxrss: int) -> int | None:
    """Return a child's peak memory in bytes, or None where the figure is this daemon's own.

    A child starts in its parent's memory, and Linux counts that in: a job smaller than the daemon
    reports the daemon's size. getrusage(2) counts in KiB, on macOS in bytes.
    """
    if maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        return None
    return maxrss if sys.platform == "darwin" else maxrss * 1024
