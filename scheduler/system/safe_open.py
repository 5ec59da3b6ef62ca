"""A crontab's path and a user in, an open descriptor out that nobody else could put there.

Each folder on the way is this user's or root's, and nobody else's to write, see `trusted_path`.
Links are resolved one by one, from open folder to open folder, so that nobody can put another file
in between what is checked and what is opened.
"""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import NotRoots, SourceRefused
from scheduler.system import state_files, trusted_path
from scheduler.text import of_owner

if TYPE_CHECKING:
    from scheduler.system.trusted_path import FolderWalk

_OPEN_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW


def opened(file: str, *, named: bool, uid: int | None) -> int:
    """Open a crontab that is `named`, or one of the user's own; `uid` None trusts everybody.

    One of the user's own, or one that root named, may be a link of this user or of root, through
    others of theirs. A named one may stand in a folder like /tmp, where all have what is their own.
    Raises SourceRefused (NotRoots for root's named ones) where others could put another file there,
    and for a link that leads nowhere or in a circle; OSError for what keeps it from being opened.
    """
    if uid is None or (named and uid):
        return os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _trusted(file, uid, sticky=named)
    except SourceRefused as refused:
        if named and refused.code == "not-trusted":
            raise NotRoots(file, refused.message, refused.hint) from refused
        raise


def _trusted(file: str, uid: int, *, sticky: bool) -> int:
    try:
        with closing(trusted_path.FolderWalk(uid)) as walk:
            return _walked(file, uid, walk, sticky=sticky)
    except trusted_path.Untrusted as doubt:
        why = f"others could put another in its place: {doubt.path}: {doubt.why}"
        raise SourceRefused(file, "not-trusted", why, doubt.advice) from doubt


def _walked(file: str, uid: int, walk: FolderWalk, *, sticky: bool) -> int:
    path = Path(file)
    walk.go_to(path.parent)
    walk.judge(sticky=sticky)
    left = [path.name]
    while left:
        name = left.pop(0)
        target = _target(file, name, walk.at, uid)
        if target is not None:
            left = walk.names_of(target) + left
        elif left:
            walk.enter(name)
        else:
            return os.open(name, _OPEN_FILE, dir_fd=walk.at)
        walk.judge()
    raise SourceRefused(file, "not-regular", "it is a link to a folder", "name the files in it")


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
        whose = f"it is a link that {of_owner(status.st_uid, uid)}"
        raise SourceRefused(file, "not-trusted", whose, "put the file itself there")
    return target


def judge(
    file: str, descriptor: int, *, named: bool, uid: int | None
) -> tuple[tuple[str, str], ...]:
    """Return what is doubtful about an open crontab (code and sentence).

    Raises SourceRefused (NotRoots for root's named ones) where it can't be trusted. See `opened`.
    """
    status = os.fstat(descriptor)
    check_kind(file, status.st_mode)
    if status.st_mode & stat.S_IWOTH:
        raise SourceRefused(file, "not-trusted", "everybody can write it", f"chmod o-w {file}")
    group = bool(status.st_mode & stat.S_IWGRP)
    if named and uid == 0:
        _check_roots(file, descriptor, status)
    if named:
        is_doubtful = group and not trusted_path.is_alone(descriptor, status.st_gid, status.st_uid)
        warning = ("group-writable", f"its group can write it; chmod g-w {file}")
        return (warning,) if is_doubtful else ()
    if group:
        raise SourceRefused(file, "not-trusted", "its group can write it", f"chmod g-w {file}")
    if status.st_uid not in (0, uid):
        owner = f"it {of_owner(status.st_uid, uid)}"
        raise SourceRefused(file, "not-trusted", owner, f"chown {uid} {file}")
    return ()


def _check_roots(file: str, descriptor: int, status: os.stat_result) -> None:
    """Raise NotRoots for an open file that root named and somebody else can write."""
    if status.st_uid != 0:
        owner = f"it belongs to user {status.st_uid}, not to root"
        raise NotRoots(file, owner, f"chown root {file}")
    if status.st_mode & stat.S_IWGRP and not trusted_path.is_alone(descriptor, status.st_gid, 0):
        raise NotRoots(file, "its group can write it", f"chmod g-w {file}")


def check_kind(file: str, mode: int) -> None:
    """Raise SourceRefused for the mode of anything but a regular file."""
    if not stat.S_ISREG(mode):
        hint = "name the files in it" if stat.S_ISDIR(mode) else "copy it into a file"
        raise SourceRefused(file, "not-regular", f"it is {state_files.kind(mode)}", hint)
