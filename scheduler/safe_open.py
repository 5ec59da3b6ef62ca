"""A path in the user's places and that user in, an open descriptor out that no link led astray.

Links are gone along one by one, from open folder to open folder, so that nobody can put another
file in between what is checked and what is opened. What it is a descriptor of is for the caller to
check.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from scheduler.errors import SourceRefused

_MOST_LINKS = 40  # as many as Linux follows
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
# Of a folder on the way only its name is needed, which O_PATH asks no right to read for.
_ON_THE_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_CLOEXEC | os.O_DIRECTORY


def opened(file: str, uid: int) -> int:
    """Open a file, which may be a link of this user or of root, through others of theirs.

    Raises SourceRefused for a link of somebody else, or one that leads nowhere or in a circle;
    OSError for what keeps any file from being opened.
    """
    path = Path(file)
    with ExitStack() as stack:
        at = _kept(stack, os.open(path.parent, _FOLDER))
        left, links = [path.name], 0
        while left:
            name = left.pop(0)
            target = _target(file, name, at, uid)
            if target is not None:
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if target.startswith("/"):
                    at = _kept(stack, os.open("/", _FOLDER))
                left = [part for part in target.split("/") if part not in ("", ".")] + left
            elif left:
                at = _kept(stack, os.open(name, _ON_THE_WAY | os.O_DIRECTORY, dir_fd=at))
            else:
                return os.open(name, _FILE, dir_fd=at)
    raise SourceRefused(file, "not-regular", "it is a link to a folder", "name the files in it")


def _kept(stack: ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor


def _target(file: str, name: str, at: int, uid: int) -> str | None:
    """Return where a link of this name in an open folder leads; None if it is none."""
    try:
        status = os.stat(name, dir_fd=at, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            return None
        target = os.readlink(name, dir_fd=at)
        again = os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        if name == Path(file).name and not Path(file).is_symlink():
            raise
        raise SourceRefused(file, "not-regular", "it is a link that leads nowhere") from None
    if (status.st_ino, status.st_ctime_ns) != (again.st_ino, again.st_ctime_ns):
        raise SourceRefused(file, "not-trusted", "it is a link that was just replaced", "try again")
    if status.st_uid not in (0, uid):
        whose = f"it is a link that belongs to user {status.st_uid}, not to user {uid} or root"
        raise SourceRefused(file, "not-trusted", whose, "put the file itself there")
    return target
