"""Files that jobs write to: paths of outputs in, files within their bounds and what they hold out.

A job appends to its own file and outlives the daemon, so a file is bounded where it lies: what is
between its head and its tail becomes a hole, which takes no room on the disk.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.process import lease
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.run import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CUT = b"\n[meridian: some output is left out here]\n"

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02  # of fallocate(2)
_NO_HOLES = (errno.EOPNOTSUPP, errno.ENOSYS)  # neither this file system nor this kernel has them
_SECTOR = 512  # what stat(2) counts a file's blocks in
_PIECE = 65536
AT_ONCE = 32 << 20  # bytes that become a hole in one step: some 15 ms, measured on ext4
_MOST_RUNS = 10**15  # of a daemon: a million a second for thirty years
# `.old` is one whose name another attempt's output was given.
_NAME = re.compile(r"([1-9][0-9]{0,17})\.([1-9][0-9]{0,8})(?:\.old[0-9]{0,9})?\.log")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """So many bytes are not kept; None: nobody knows how many, since the job emptied its file."""

    size: int | None


@dataclass(frozen=True, slots=True)
class Bounded:
    """A file's size with what is left out of it, and whether nothing is left to do about it now."""

    size: int
    is_done: bool


@dataclass(frozen=True, slots=True)
class Found:
    """An output file that is there; `changed` in Unix seconds."""

    path: Path
    run: int
    attempt: int
    size: int
    changed: float


# --- keeping them within their bounds --------------------------------------------------------


def bound(path: Path, most: int) -> Bounded:
    """Keep a file to its first and last `most` / 2 bytes, to whole blocks.

    Whoever appends to it meanwhile loses nothing. Where there are no holes, the file is cut back
    to its head, a line says so, and what is appended follows. Raises OSError.
    """
    status = state_files.status(path)
    if status.st_size <= most or status.st_blocks * _SECTOR <= most:
        return Bounded(status.st_size, is_done=True)
    with state_files.open_for(path, os.O_WRONLY | os.O_APPEND) as descriptor:
        return Bounded(status.st_size, _shorten(descriptor, max(1, most // 2)))


def is_written(path: Path) -> bool:
    """Say whether some process has a file open to write; False where the system can't tell.

    False also for what a job has put in its place, which nobody looks after.
    """
    with (
        suppress(FileNotFoundError, FileExistsError),
        state_files.open_for(path, os.O_RDONLY) as descriptor,
    ):
        return lease.is_held(descriptor) is True
    return False


def _shorten(descriptor: int, half: int) -> bool:
    """Take away a part of what is between head and tail; False if there is more of it."""
    status = os.fstat(descriptor)
    block = max(1, status.st_blksize)
    head = -(-half // block) * block  # a hole is made of whole blocks: else the rest would be NULs
    tail = (status.st_size - half) // block * block
    start = max(head, _seek(descriptor, "SEEK_DATA", head, tail) // block * block)
    length = min(tail - start, AT_ONCE)
    if length > 0 and not _punch(descriptor, start, length):
        os.ftruncate(descriptor, half)
        os.write(descriptor, CUT)
        return True
    return start + length >= tail


def _punch(descriptor: int, start: int, length: int) -> bool:
    """Let a part of a file be a hole; False where there are no holes."""
    call = _fallocate()
    if call is None:
        return False
    mode = _PUNCH_HOLE | _KEEP_SIZE
    if call(descriptor, mode, ctypes.c_int64(start), ctypes.c_int64(length)) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_HOLES:
        return False
    raise OSError(number, os.strerror(number))


def _fallocate() -> Callable[..., int] | None:
    libc = ctypes.CDLL(None, use_errno=True)
    return getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)


# --- reading them ----------------------------------------------------------------------------


class Reader:
    """An output that is read from `position` on, also while it grows and is bounded.

    Raises FileNotFoundError for one that is not there (any more), and OSError for something else
    that a job has put in its place.
    """

    def __init__(self, path: Path, position: int = 0) -> None:
        self._descriptor = state_files.opened(path, os.O_RDONLY)
        self.position = position

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def pieces(self) -> Iterator[bytes | LeftOut]:
        """Yield what is kept between the last piece and the present end; never what is no more."""
        if os.fstat(self._descriptor).st_size < self.position:
            self.position = 0
            yield LeftOut(None)
        while (end := os.fstat(self._descriptor).st_size) > self.position:
            start = _seek(self._descriptor, "SEEK_DATA", self.position, end)
            if start > self.position:
                yield LeftOut(start - self.position)
            piece = os.pread(self._descriptor, min(_PIECE, end - start), start)
            # What was read may have become a hole before it was read: then it is none of the job's.
            hole = _seek(self._descriptor, "SEEK_HOLE", start, start + len(piece))
            piece = piece[: hole - start]
            self.position = start + len(piece)
            if piece:
                yield piece


def _seek(descriptor: int, whence: str, start: int, otherwise: int) -> int:
    """Return where the next data, or the next hole, begins: lseek(2)."""
    number: int | None = getattr(os, whence, None)
    if number is None:
        return start if whence == "SEEK_DATA" else otherwise
    try:
        return os.lseek(descriptor, start, number)
    except OSError as error:
        if error.errno != errno.ENXIO:  # there is none up to the end
            raise
        return otherwise


# --- which there are -------------------------------------------------------------------------


def there(folder: Path) -> Iterator[Found]:
    """Yield all output files under their folder, job by job; a job's folder that is empty goes.

    What bears another name than an output is passed over, and so is what vanishes meanwhile. Raises
    OSError where the system does not tell what there is.
    """
    for job in folders(folder):
        yield from of(job)


def highest(folder: Path) -> int:
    """Return the highest number of a run that has an output under their folder; 0 for none.

    Only names are read: there may be a million. A number that no daemon comes to is some other
    file's, and a folder that can't be read is one of somebody else (`lost+found`). Raises OSError.
    """
    names = (_NAME.fullmatch(file.name) for job in folders(folder) for file in _readable(job))
    numbers = (int(name[1]) for name in names if name is not None)
    return max((number for number in numbers if number <= _MOST_RUNS), default=0)


def folders(folder: Path) -> Iterator[Path]:
    """Yield the jobs' folders under the folder of outputs; raises OSError."""
    for job in _within(folder):
        if job.is_dir(follow_symlinks=False):
            yield folder / job.name


def of(folder: Path) -> Iterator[Found]:
    """Yield the outputs in one job's folder, which goes if it is empty; raises OSError."""
    for file in _within(folder):
        name = _NAME.fullmatch(file.name)
        with suppress(FileNotFoundError):
            if name is not None:
                status = file.stat(follow_symlinks=False)
                path, size, changed = folder / file.name, status.st_size, status.st_mtime
                yield Found(path, int(name[1]), int(name[2]), size, changed)
    tidy(folder)


def remove(path: Path) -> None:
    """Remove an output file that need not be there; raises OSError if it can't be.

    A folder that a job has put in its place is none of ours, and stays.
    """
    try:
        state_files.remove(path)
    except OSError:
        if not stat.S_ISDIR(state_files.status(path).st_mode):
            raise


def tidy(folder: Path) -> None:
    """Remove a job's folder if nothing is in it."""
    with suppress(OSError):
        state_files.remove_folder(folder)


def _readable(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(PermissionError):
        yield from _within(folder)


def _within(folder: Path) -> Iterator[os.DirEntry[str]]:
    with suppress(FileNotFoundError, NotADirectoryError):
        yield from state_files.listed(folder)


def output_of(attempt: Attempt) -> str:
    """Return the path of the attempt's output file, relative to the state folder."""
    return f"outputs/{attempt.run.job}/{attempt.run.number}.{attempt.number}.log"
