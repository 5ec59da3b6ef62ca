"""Outputs that jobs would empty: a command and its file in, all that it wrote kept, or seen gone.

Whoever opens /dev/stderr where a regular file is behind it opens that file, and `> /dev/stderr`
truncates it: what was written before is gone. In a pipe, as cron's, nothing can be truncated; a
socket can't be opened that way, and a file that refuses to be truncated makes the open fail. So a
command that names its own streams writes into a pipe, and a small process of its own, which
outlives the daemon, copies that into the file. All other jobs write into their file, and a sentinel
tells afterwards whether it was emptied; then the job's next attempts get a pipe too.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import signal
import termios
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.process.truncation_sentinel import SentinelRemover, has_sentinel, put_sentinel

if TYPE_CHECKING:
    from scheduler.entry import Entry

_OWN_STREAMS = re.compile(
    r"/dev/(std(out|err)|fd/[12])(?![\w/])|/proc/(self|thread-self|\$\$|\$PPID|[0-9]+)/fd/"
)
_SHELL_BYTES = b"/bin/sh"
# What can't be written (the disk is full) is let go: the job must not die of it.
_COPY = "trap '' HUP INT QUIT TERM; cat || exec cat >/dev/null"
_ENVIRONMENT = {b"PATH": b"/usr/bin:/bin"}  # without the variables of a job, which it is not


class Means(Enum):
    """By what means an output is kept whole, or its loss is seen."""

    PIPE = 1
    SENTINEL = 2
    NONE = 3  # the file system keeps no sentinel: NFS, ZFS, and all of macOS, where nothing is lost


@dataclass(frozen=True, slots=True)
class OutputPipe:
    """Where a job writes to, and who copies that into its file: the one that holds it open."""

    end: int
    copier: int


class OutputGuard:
    """Owns which copier, or which sentinel, guards the output of each attempt that runs.

    And the jobs that emptied an output. The spawner alone calls it. Invariant: a copier ends when
    the last process that can write into its pipe has ended, whatever becomes of the daemon.
    """

    def __init__(self) -> None:
        self.emptiers: set[str] = set()  # jobs of which an attempt has emptied its output
        self._copiers: dict[int, int] = {}  # by the process whose output it copies
        self._with_sentinel: dict[int, tuple[str, Path]] = {}  # jobs and files with a sentinel
        self._remover = SentinelRemover()

    def begin(self, entry: Entry, descriptor: int) -> Means:
        """Prepare an output file, and say by what means it is kept whole."""
        if entry.job in self.emptiers or names_own_streams(entry.command):
            return Means.PIPE
        return Means.SENTINEL if put_sentinel(descriptor) else Means.NONE

    def started(self, pid: int, job: str, path: Path, means: Means | OutputPipe) -> None:
        """Remember what an attempt that has started writes to."""
        if isinstance(means, OutputPipe):
            self._copiers[pid] = means.copier
        elif means is Means.SENTINEL:
            self._with_sentinel[pid] = job, path

    def is_copying(self, pid: int) -> bool:
        """Say whether something that this process wrote is still on its way to the file.

        What another, which it left behind, may still write is not waited for.
        """
        copier = self._copiers.get(pid)
        return copier is not None and not _is_idle(copier)

    def reaped(self, pid: int) -> None:
        """Hear that a child is gone, which may have been a copier."""
        self._copiers = {each: of for each, of in self._copiers.items() if of != pid}

    def ended(self, pid: int) -> bool:
        """Let go of an attempt that is over; say whether it has emptied its output."""
        self._copiers.pop(pid, None)
        job, path = self._with_sentinel.pop(pid, ("", None))
        if path is None or has_sentinel(path):
            self._remover.remove(path)
            return False
        self.emptiers.add(job)
        return True


def names_own_streams(command: str) -> bool:
    """Say whether the text of a command names its own standard output or error as a file."""
    return _OWN_STREAMS.search(command) is not None


def pipe_to(output: int) -> OutputPipe | None:
    """Start a copier into this file; None where that can't be: the job matters more."""
    reader, end = os.pipe()
    actions = (
        (os.POSIX_SPAWN_DUP2, reader, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    )
    words = (_SHELL_BYTES, b"-c", _COPY.encode())
    try:
        copier = os.posix_spawn(
            _SHELL_BYTES,
            words,
            _ENVIRONMENT,
            file_actions=actions,
            setsid=True,  # no signal to the job's group cuts off what it wrote before
            setsigdef=(signal.SIGPIPE,),
        )
    except (OSError, NotImplementedError):
        os.close(end)
        return None
    finally:
        os.close(reader)
    return OutputPipe(end, copier)


def _is_idle(copier: int) -> bool:
    """Say whether a copier waits for more, with nothing on its way; True where nobody can tell.

    Its pipe is empty, and it sleeps: then it has written what it read, see proc_pid_stat(5).
    """
    folder = Path("/proc") / str(copier)
    try:
        # The shell waits for the program that copies, which shares its streams.
        children = (folder / f"task/{copier}/children").read_text().split()
        copying = [_told(Path("/proc") / each) for each in children] or [_told(folder)]
        pipe = os.open(folder / "fd/0", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return True  # it has ended
    left = array.array("i", [0])
    try:
        fcntl.ioctl(pipe, termios.FIONREAD, left)
    finally:
        os.close(pipe)
    return left[0] == 0 and copying == [("cat", "S")]


def _told(process: Path) -> tuple[str, str]:
    """Return a process's name and what it does."""
    head, _, rest = (process / "stat").read_text(errors="replace").rpartition(")")
    return head.partition("(")[2], rest.split()[0]
