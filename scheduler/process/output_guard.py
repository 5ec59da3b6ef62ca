"""Outputs that jobs would empty: a command and its file in, all that it wrote kept, or seen gone.

Whoever opens /dev/stderr where a regular file is behind it opens that file, and `> /dev/stderr`
truncates it: what was written before is gone. In a pipe, as cron's, nothing can be truncated; a
socket can't be opened that way, and a file that refuses to be truncated makes the open fail. So a
command that names its own streams writes into a pipe, and a small process of its own, which
outlives the daemon, copies that into the file. All other jobs write into their file, and a mark
tells afterwards whether it was emptied; then the job's next attempts get a pipe too.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import fcntl
import os
import re
import resource
import signal
import stat
import struct
import termios
from collections import deque
from dataclasses import dataclass
from enum import Enum
from functools import cache
from itertools import count
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.system import state_files
from scheduler.system.background import start_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.entry import Entry

_OWN_STREAMS = re.compile(
    r"/dev/(std(out|err)|fd/[12])(?![\w/])|/proc/(self|thread-self|\$\$|\$PPID|[0-9]+)/fd/"
)
_SHELL = b"/bin/sh"
# What can't be written (the disk is full) is let go: the job must not die of it.
_COPY = "trap '' HUP INT QUIT TERM; cat || exec cat >/dev/null"
_ENVIRONMENT = {b"PATH": b"/usr/bin:/bin"}  # without the marks of a job, which it is not

# A start takes three descriptors for itself: two of a pipe, one of its standard input. One of them
# is that of the folder in which the file was opened, which is free again.
_SPARE = 2
_MARK_AT, _MARK = 1 << 40, 4096  # far behind any end: one block, which truncation takes away
_MOST_MARKS = 10_000  # that wait to be taken away
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # of fallocate(2)
_FIEMAP = 0xC020660B  # FS_IOC_FIEMAP of ioctl_fiemap: how many extents there are in a range
_EXTENTS = struct.Struct("QQIIII")  # start, length, flags, extents found, room for some, 0


class Means(Enum):
    """By what means an output is kept whole, or its loss is seen."""

    PIPE = 1
    MARK = 2
    NONE = 3  # the file system keeps no mark: NFS, ZFS, and all of macOS, where nothing is lost


@dataclass(frozen=True, slots=True)
class Pipe:
    """Where a job writes to, and who copies that into its file: the one that holds it open."""

    end: int
    copier: int


class OutputGuard:
    """Owns the copiers that run and the marks of attempts that run; the spawner alone calls it.

    A copier ends when the last process that can write into its pipe has ended.
    """

    def __init__(self) -> None:
        self.emptiers: set[str] = set()  # jobs of which an attempt has emptied its output
        self._copiers: dict[int, int] = {}  # by the process whose output it copies
        self._marked: dict[int, tuple[str, Path]] = {}
        self._marks = _Marks()

    def begin(self, entry: Entry, descriptor: int) -> Means:
        """Prepare an output file, and say by what means it is kept whole."""
        if entry.job in self.emptiers or names_own_streams(entry.command):
            return Means.PIPE
        return Means.MARK if _mark(descriptor) else Means.NONE

    def started(self, pid: int, job: str, path: Path, means: Means | Pipe) -> None:
        """Remember what an attempt that has started writes to."""
        if isinstance(means, Pipe):
            self._copiers[pid] = means.copier
        elif means is Means.MARK:
            self._marked[pid] = job, path

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
        job, path = self._marked.pop(pid, ("", None))
        if path is None or _has_mark(path):
            self._marks.remove(path)
            return False
        self.emptiers.add(job)
        return True


def names_own_streams(command: str) -> bool:
    """Say whether the text of a command names its own standard output or error as a file."""
    return _OWN_STREAMS.search(command) is not None


def pipe_to(output: int) -> Pipe | None:
    """Start a copier into this file; None where that can't be: the job matters more."""
    reader, end = os.pipe()
    actions = (
        (os.POSIX_SPAWN_DUP2, reader, 0),
        (os.POSIX_SPAWN_DUP2, output, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    )
    words = (_SHELL, b"-c", _COPY.encode())
    try:
        copier = os.posix_spawn(
            _SHELL,
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
    return Pipe(end, copier)


def open_output(path: Path) -> int:
    """Create the output file; appended to, so that two writers of a job never overwrite.

    No file that is there already is emptied or written to: it is kept beside this one, as
    `7.1.old.log`. A file that leaves no descriptors for the start itself is given up: many are
    prepared at once. Raises OSError, also where something that is no file has its name.
    """
    try:
        descriptor = _create(path)
    except FileNotFoundError:
        for folder in (path.parent.parent, path.parent):
            state_files.make_folder(folder)
        descriptor = _create(path)
    except FileExistsError:  # of an attempt that a kill cut short, or of a journal that is gone
        _keep_old(path)
        descriptor = _create(path)
    if descriptor + _SPARE < resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
        os.set_blocking(descriptor, True)  # it is the job's from now on
        return descriptor
    os.close(descriptor)
    state_files.remove(path)
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _create(path: Path) -> int:
    return state_files.opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)


def _keep_old(path: Path) -> None:
    """Give an older file of this name another one, which `outputs` knows too."""
    mode = state_files.status(path).st_mode
    if not stat.S_ISREG(mode):
        raise state_files.in_place(mode)
    names = (path.with_suffix(f".old{n or ''}.log") for n in count())
    state_files.rename(path, next(name for name in names if not state_files.is_there(name)))


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


# --- the mark ------------------------------------------------------------------------------------


def _mark(descriptor: int) -> bool:
    """Give a file one block far behind its end, which changes neither its size nor its bytes."""
    with contextlib.suppress(OSError):
        _allocate(descriptor, _KEEP_SIZE)
        return True
    return False


def _has_mark(path: Path) -> bool:
    """Say whether a file has its mark; True where nobody can tell."""
    try:
        with state_files.open_for(path, os.O_RDWR) as descriptor:
            return _is_marked(descriptor)
    except OSError:  # the job has removed it, or put something else in its place
        return True


def _is_marked(descriptor: int) -> bool:
    asked = bytearray(_EXTENTS.pack(_MARK_AT, _MARK, 0, 0, 0, 0))
    try:
        fcntl.ioctl(descriptor, _FIEMAP, asked)
    except OSError:  # tmpfs: there a block that goes is counted at once
        before = os.fstat(descriptor).st_blocks
        _allocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE)
        return os.fstat(descriptor).st_blocks < before
    *_, found, _, _ = _EXTENTS.unpack(asked)
    return bool(found)


class _Marks:
    """Owns the paths of files whose marks can go; a thread takes them away: 0.7 ms each on ext4.

    Where the disk is slow, or somebody still has a file open, the mark stays: a block, no more.
    """

    def __init__(self) -> None:
        self._paths: deque[Path] = deque(maxlen=_MOST_MARKS)
        self._changed = Condition()
        self._is_served = False

    def remove(self, path: Path | None) -> None:
        if path is None:
            return
        with self._changed:
            self._paths.append(path)
            self._changed.notify()
            if not self._is_served:
                with contextlib.suppress(MeridianError):  # the next one tries it again
                    start_apart(self._serve, "marks")
                    self._is_served = True

    def _serve(self) -> None:
        try:
            while True:
                self._take_away()
        finally:
            self._is_served = (
                False  # it died of a bug, which was told: the next path starts it again
            )

    def _take_away(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._paths)
            path = self._paths.popleft()
        with (
            contextlib.suppress(OSError, MemoryError),
            state_files.open_for(path, os.O_RDWR) as descriptor,
        ):
            # Only one who has a file for himself gets a write lease: nobody appends meanwhile.
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            os.ftruncate(descriptor, os.fstat(descriptor).st_size)


def _allocate(descriptor: int, mode: int) -> None:
    call = _fallocate()
    if call is None:
        raise OSError("this system has no fallocate")
    if call(descriptor, mode, ctypes.c_int64(_MARK_AT), ctypes.c_int64(_MARK)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@cache
def _fallocate() -> Callable[..., int] | None:
    libc = ctypes.CDLL(None, use_errno=True)
    return getattr(libc, "fallocate64", None)
