"""Files that jobs write to: an attempt in, its output file out; and which there are, to be read.

`output_trim` keeps them to their cap, `output_guard` keeps a job from emptying its own.
"""

from __future__ import annotations

import errno
import os
import re
import resource
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from scheduler.process import file_holes, file_writers
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.run import Attempt

_SECTOR = 512  # bytes: what stat(2) counts a file's blocks in
_PIECE = 65536
# A start takes three descriptors for itself: two of a pipe, one of its standard input. One of them
# is that of the folder in which the file was opened, which is free again.
_SPARE = 2
_MOST_RUNS = 10**15  # of a daemon: a million a second for thirty years
# `.old` is one whose name another attempt's output was given.
_OUTPUT_NAME = re.compile(r"([1-9][0-9]{0,17})\.([1-9][0-9]{0,8})(?:\.old[0-9]{0,9})?\.log")


@dataclass(frozen=True, slots=True)
class Omitted:
    """So many bytes are not kept; None: nobody knows how many, since the job emptied its file."""

    size: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """An output file that is there; `changed` in Unix seconds.

    `size` is its size, or the room that it takes where that is more: in bytes.
    """

    path: Path
    run: int
    attempt: int
    size: int
    changed: float


# --- making one ------------------------------------------------------------------------------


def output_of(attempt: Attempt) -> str:
    """Return the path of the attempt's output file, relative to the state folder."""
    return f"outputs/{attempt.run.job}/{attempt.run.number}.{attempt.number}.log"


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
    """Give an older file of this name another one, which `there` knows too."""
    mode = state_files.status(path).st_mode
    if not stat.S_ISREG(mode):
        raise state_files.in_place(mode)
    names = (path.with_suffix(f".old{n or ''}.log") for n in count())
    state_files.rename(path, next(name for name in names if not state_files.is_there(name)))


def is_written(path: Path) -> bool:
    """Say whether some process has a file open to write; False where the system can't tell.

    False also for what a job has put in its place, which nobody looks after.
    """
    with (
        suppress(FileNotFoundError, FileExistsError),
        state_files.open_for(path, os.O_RDONLY) as descriptor,
    ):
        return file_writers.is_open_to_write(descriptor) is True
    return False


# --- reading them ----------------------------------------------------------------------------


def opened_output(path: Path) -> int:
    """Open an output to be read, by whoever gets the descriptor; see `Reader`."""
    return state_files.opened(path, os.O_RDONLY)


class Reader:
    """Owns an output that is open, read from `position` on, also while it grows and is trimmed.

    `logs` and the echo of outputs call it, and close it. Invariant: `position` is the end of what
    was yielded; no byte is yielded twice, unless the job emptied its file, which is told. Raises
    FileNotFoundError for a path that is not there (any more), and OSError for something else that a
    job has put in its place.
    """

    def __init__(self, path: Path | int, position: int = 0) -> None:
        self._descriptor = path if isinstance(path, int) else opened_output(path)
        self.position = position

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def pieces(self) -> Iterator[bytes | Omitted]:
        """Yield what is kept between the last piece and the present end; never what is no more."""
        if os.fstat(self._descriptor).st_size < self.position:
            self.position = 0
            yield Omitted(None)
        while (end := os.fstat(self._descriptor).st_size) > self.position:
            start = file_holes.seek(self._descriptor, "SEEK_DATA", self.position, end)
            if start > self.position:
                yield Omitted(start - self.position)
            piece = os.pread(self._descriptor, min(_PIECE, end - start), start)
            # What was read may have become a hole before it was read: then it is none of the job's.
            hole = file_holes.seek(self._descriptor, "SEEK_HOLE", start, start + len(piece))
            piece = piece[: hole - start]
            self.position = start + len(piece)
            if piece:
                yield piece


# --- which there are -------------------------------------------------------------------------


def there(folder: Path) -> Iterator[Found]:
    """Yield all output files under their folder, job by job; a job's folder that is empty goes.

    What bears another name than an output is left out, and so is what vanishes meanwhile. Raises
    OSError where the system does not tell what there is.
    """
    for job in folders(folder):
        yield from of(job)


def highest(folder: Path) -> int:
    """Return the highest number of a run that has an output under their folder; 0 for none.

    Only names are read: there may be a million. A number that no daemon comes to is some other
    file's, and a folder that can't be read is one of somebody else (`lost+found`). Raises OSError.
    """
    names = (
        _OUTPUT_NAME.fullmatch(file.name) for job in folders(folder) for file in _readable(job)
    )
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
        name = _OUTPUT_NAME.fullmatch(file.name)
        with suppress(FileNotFoundError):
            if name is not None:
                status = file.stat(follow_symlinks=False)
                size = max(status.st_size, status.st_blocks * _SECTOR)
                path, changed = folder / file.name, status.st_mtime
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
