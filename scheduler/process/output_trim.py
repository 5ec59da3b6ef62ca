"""Outputs that are too large: a path and a cap in, the file trimmed to its head and tail out.

A job appends to its own file and outlives the daemon, so a file is trimmed where it lies: what is
between its head and its tail becomes a hole, which takes no room on the disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.process import file_holes
from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

CUT_LINE = b"\n[meridian: some output is left out here]\n"

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
    if status.st_size <= most or status.st_blocks * _SECTOR <= most:
        return Trimmed(status.st_size, is_done=True)
    with state_files.open_for(path, os.O_WRONLY | os.O_APPEND) as descriptor:
        return Trimmed(status.st_size, _shorten(descriptor, max(1, most // 2)))


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
