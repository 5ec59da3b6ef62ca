"""Output files of tests: lines that say where they stand, the room they take, what is kept."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scheduler.process.output_files import Omitted, Reader

if TYPE_CHECKING:
    from pathlib import Path


K = 1024
linux = pytest.mark.skipif(sys.platform != "linux", reason="holes and leases are Linux's here")


def numbered(lines: int, start: int = 0) -> bytes:
    """Lines of 16 bytes, each of which says where it stands."""
    return b"".join(b"line %10d\n" % n for n in range(start, start + lines))


def room(path: Path) -> int:
    """The bytes that a file takes on the disk."""
    return path.stat().st_blocks * 512


def read(path: Path) -> list[bytes | Omitted]:
    """What is kept, with neighbouring pieces in one."""
    found: list[bytes | Omitted] = []
    with closing(Reader(path)) as reader:
        for piece in reader.pieces():
            if found and isinstance(piece, bytes) and isinstance(found[-1], bytes):
                found[-1] += piece
            else:
                found.append(piece)
    return found
