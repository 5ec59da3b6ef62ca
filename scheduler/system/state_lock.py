"""Who has a state folder: a folder in, locked for a daemon as long as it lives, or its holder out.

The lock is flock(2) on a file of the folder, so it ends with its holder, however that ends.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LOCK_NAME = "lock"
_PID_DIGITS = 20  # digits of a pid


@contextmanager
def held(folder: Path) -> Iterator[Callable[[], bool]]:
    """Lock the state folder; MeridianError if another daemon does.

    Yields what says whether it is still held: a folder may be deleted, and made anew by another.
    """
    path = folder / _LOCK_NAME
    with _own(path) as descriptor, os.fdopen(descriptor, "r+", closefd=False) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            who = lock.read(_PID_DIGITS).strip() or "unknown"
            message = f"another daemon (pid {who}) has the state folder {folder}"
            raise MeridianError(f"{message}; stop it, or name another with --state") from error
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lambda: _is_same(path, lock.fileno())


@contextmanager
def _own(path: Path) -> Iterator[int]:
    with ExitStack() as stack:
        try:
            descriptor = stack.enter_context(state_files.own_for(path))
        except OSError as error:
            advice = "; move it away, or name another folder with --state"
            why = f"{error.strerror}{advice if error.errno == errno.EEXIST else ''}"
            raise MeridianError(f"can't open {path}: {why}") from error
        yield descriptor


def holder(folder: Path) -> int | None:
    """Return the process that holds the state folder; None if none does."""
    try:
        with state_files.open_for(folder / _LOCK_NAME, os.O_RDONLY) as lock:
            pid = int(os.read(lock, _PID_DIGITS))
            os.kill(pid, 0)  # first: a daemon that is starting must not find the lock below
            return None if _is_free(lock) else pid
    except (OSError, ValueError, OverflowError):
        return None


def _is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.lstat(), os.fstat(descriptor))  # by its name, as others go
    except OSError:
        return False
