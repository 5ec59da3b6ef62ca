"""Holes and blocks of files: an open descriptor in, parts of it that take no room on the disk out.

See fallocate(2) and lseek(2). A hole reads as NULs; only Linux makes one in a file that is there.
"""

from __future__ import annotations

import ctypes
import errno
import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KEEP_SIZE, PUNCH_HOLE = 0x01, 0x02  # of fallocate(2)
_NO_HOLES = (errno.EOPNOTSUPP, errno.ENOSYS)  # neither this file system nor this kernel has them


def allocate(descriptor: int, mode: int, start: int, length: int) -> None:
    """Give a part of a file its blocks, or by `mode` take them; OSError where that can't be."""
    call = _fallocate()
    if call is None:
        raise OSError(errno.ENOSYS, "this system has no fallocate")
    if call(descriptor, mode, ctypes.c_int64(start), ctypes.c_int64(length)):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def punch(descriptor: int, start: int, length: int) -> bool:
    """Let a part of a file be a hole; False where there are no holes; OSError for other trouble."""
    try:
        allocate(descriptor, PUNCH_HOLE | KEEP_SIZE, start, length)
    except OSError as error:
        if error.errno in _NO_HOLES:
            return False
        raise
    return True


def seek(descriptor: int, whence: str, start: int, otherwise: int) -> int:
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


@cache
def _fallocate() -> Callable[..., int] | None:
    libc = ctypes.CDLL(None, use_errno=True)
    return getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
