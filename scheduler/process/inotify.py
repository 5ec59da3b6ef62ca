"""Files that change: open descriptors in, which of them has been written to since out.

See inotify(7). Only Linux has it; where there is none, or none is left, a file has to be looked at.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from functools import cache
from typing import Any

_MODIFY, _ONESHOT, _OVERFLOW = 0x2, 0x8000_0000, 0x4000
_EVENT = struct.Struct("iIII")
_EVENT_BYTES = 1 << 16


class Changes:
    """Owns one inotify instance; the throttle of outputs calls it.

    Invariant: each number that `notice` returned is told of once, at the next write to its file.
    """

    def __init__(self) -> None:
        self.descriptor: int | None = None  # readable when something has changed
        with suppress(AttributeError, OSError):
            flags = os.O_NONBLOCK | os.O_CLOEXEC
            self.descriptor = _checked(_libc().inotify_init1(flags))

    def notice(self, file: int) -> int | None:
        """Return by which number the next write to an open file is told; None if it won't be."""
        if self.descriptor is None:
            return None
        path = f"/proc/self/fd/{file}".encode()  # the file itself, whatever its name is by now
        with suppress(OSError):
            return _checked(
                _libc().inotify_add_watch(
                    self.descriptor, path, ctypes.c_uint32(_MODIFY | _ONESHOT)
                )
            )
        return None

    def forget(self, number: int) -> None:
        """Tell nothing more of a file."""
        if self.descriptor is not None:
            _libc().inotify_rm_watch(self.descriptor, number)

    def told(self) -> set[int] | None:
        """Return the numbers of which there is something to tell; None: there was too much."""
        found: set[int] = set()
        with suppress(BlockingIOError):
            while self.descriptor is not None:
                for number, mask, _, _ in _EVENT.iter_unpack(
                    os.read(self.descriptor, _EVENT_BYTES)
                ):
                    if mask & _OVERFLOW:
                        return None
                    found.add(number)
        return found

    def close(self) -> None:
        """Let go of it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno() or errno.EINVAL
        raise OSError(number, os.strerror(number))
    return result
