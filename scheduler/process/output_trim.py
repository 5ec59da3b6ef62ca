"""Outputs that are too large: a path and a cap in, the file trimmed to its head and tail out.

A job appends to its own file and outlives the daemon, so a file is trimmed where it lies: what is
between its head and its tail becomes a hole, which takes no room on the disk. So does what is
beyond its end.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.process import file_holes
from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

CUT_LINE = b"\n[meridian: some output is left out here]\n"

_SPARED = 1 << 20  # bytes beyond a file's end that are left to who appends in this moment
_ROOM_BEHIND = 1 << 40  # bytes beyond a file's end in which a file system puts room for more
_SECTOR = 512  # what stat(2) counts a file's blocks in
HOLE_BYTES = 32 << 20  # bytes that become a hole in one step: some 15 ms, measured on ext4


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A file's size with what is left out of it, and whether nothing is left to do about it now."""

    size: int
    is_done: bool


def trim(path: Path, most: int) -> Trimmed:
    """Keep a file to its first and last `most` / 2 bytes, to whole blocks.

    Whoever appends to it meanwhile loses nothing. Where there are no holes, the file is cut back
    to its head, a line says so, and what is appended follows. Raises OSError.
    """
    status = state_files.status(path)
    if status.st_blocks * _SECTOR <= most:
        return Trimmed(status.st_size, is_done=True)
    with state_files.open_for(path, os.O_WRONLY | os.O_APPEND) as descriptor:
        is_done = status.st_size <= most or _shorten(descriptor, max(1, most // 2))
        if is_done:
            _free_behind(descriptor, most, status.st_size)
        return Trimmed(status.st_size, is_done)


def _free_behind(descriptor: int, most: int, size: int) -> None:
    """Take away what a file of this size has beyond its end: FALLOC_FL_KEEP_SIZE in fallocate(2).

    Some file systems put room there themselves for what is appended next, and all of those let go
    of it as a hole. Where that does not do, the file is cut at its end, and loses what is appended
    in that moment; this comes only to a job that has hidden room there.
    """

    def is_too_much(now: os.stat_result) -> bool:
        return now.st_blocks * _SECTOR > most + max(0, now.st_size - size) + 2 * _SPARED

    if is_too_much(status := os.fstat(descriptor)):
        with suppress(OSError):  # beyond the largest size that a file may have
            block = max(1, status.st_blksize)
            end = (status.st_size // block + 1) * block
            file_holes.punch(descriptor, end + _SPARED, _ROOM_BEHIND)
        if is_too_much(status := os.fstat(descriptor)):
            os.ftruncate(descriptor, status.st_size)


def _shorten(descriptor: int, half: int) -> bool:
    """Take away a part of what is between head and tail; False if there is more of it."""
    status = os.fstat(descriptor)
    block = max(1, status.st_blksize)
    head = -(-half // block) * block  # a hole is made of whole blocks: else the rest would be NULs
    tail = (status.st_size - half) // block * block
    start = max(head, file_holes.seek(descriptor, "SEEK_DATA", head, tail) // block * block)
    length = min(tail - start, HOLE_BYTES)
    if length > 0 and not file_holes.punch(descriptor, start, length):
        os.ftruncate(descriptor, half)
        os.write(descriptor, CUT_LINE)
        return True
    return start + length >= tail
