"""The limits that this process itself is under, in words for what they make fail; nothing comes in.

See getrlimit(2). Both can be raised while a daemon runs, by prlimit(1).
"""

from __future__ import annotations

import errno
import os
import resource
import sys
from typing import NoReturn

_NEEDS = "80 MB"  # a daemon with a few jobs, in data alone: 62 to 70 MB, by Python and libraries
_OF_MEMORY = (("ulimit -d", resource.RLIMIT_DATA), ("ulimit -v", resource.RLIMIT_AS))


def of_memory() -> str:
    """Say how much memory this process may use; "" if nothing but the machine limits that."""
    for word, limit in _OF_MEMORY:
        soft = resource.getrlimit(limit)[0]
        if soft != resource.RLIM_INFINITY:
            return f"this process may use {soft / 2**20:.0f} MB (`{word} {soft // 1024}`)"
    return ""


def of_files() -> str:
    """Say how large a file of this process may be; "" if nothing but the disk limits that."""
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    if soft == resource.RLIM_INFINITY:
        return ""
    return f"no file of this process may have more than {soft:,} bytes (`ulimit -f`)"


def end_without_memory(error: MemoryError | ImportError | SystemError | OSError) -> NoReturn:
    """Say that Meridian needs more memory than it gets, and end; what has another cause is raised.

    So is that there is no such module: that is no shortage, whatever limits the memory.
    Nothing here needs much: its last word is no print, whose buffers may not fit any more.
    """
    told = of_memory()
    is_missing = isinstance(error, ModuleNotFoundError)
    is_another = isinstance(error, OSError) and error.errno != errno.ENOMEM
    if is_missing or is_another or not (told or isinstance(error, MemoryError)):
        raise error
    told = told or "the system has none to give"
    more = f" ({error})" if isinstance(error, ImportError) else ""
    line = f"meridian: not enough memory: {told}; it needs some {_NEEDS}{more}\n"
    os.write(2, line.encode(errors="replace"))
    sys.exit(1)
