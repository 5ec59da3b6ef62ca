"""A table of cron's in, an open descriptor out, if nobody but root or its user can have written it.

The checks are those of cronie's cron(8), and of Debian's. The table in the spool is no link, has
one name alone, is its user's or root's, and nobody else writes it. Tables of the system are root's
and may be links of root's; that one is executable, as Debian lets it, gives nobody a right.
"""

from __future__ import annotations

import os
import stat
from contextlib import closing
from pathlib import Path

from scheduler.errors import SourceRefused
from scheduler.system import safe_open, trusted_path

_OPEN_TABLE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
# What cronie looks at: no set-id and sticky bits, nothing to execute, nobody else to write.
_JUDGED_BITS = 0o7533
_ONLY_THESE = 0o400


def open_users(file: str) -> int:
    """Open a table of the spool; SourceRefused if others could put another there, OSError."""
    path = Path(file)
    try:
        with closing(trusted_path.FolderWalk(0)) as walk:
            walk.go_to(path.parent)
            walk.judge()
            _refuse_everybodys(file, path.parent, walk.at)
            if stat.S_ISLNK(os.stat(path.name, dir_fd=walk.at, follow_symlinks=False).st_mode):
                hint = "a user's table is a file: crontab(1) makes one"
                raise SourceRefused(file, "not-regular", "it is a link", hint)
            return os.open(path.name, _OPEN_TABLE, dir_fd=walk.at)
    except trusted_path.Untrusted as doubt:
        why = f"others could put another in its place: {doubt.path}: {doubt.why}"
        raise SourceRefused(file, "not-trusted", why, doubt.advice) from doubt


def _refuse_everybodys(file: str, folder: Path, opened: int) -> None:
    """Refuse a spool that everybody writes: sticky as it may be, no crontab(1) makes one so."""
    if os.fstat(opened).st_mode & stat.S_IWOTH:
        why = f"everybody can write its folder {folder}"
        raise SourceRefused(file, "not-trusted", why, f"chmod o-w {folder}")


def judge_users(file: str, descriptor: int, user: str, uid: int) -> None:
    """Raise SourceRefused for an open table of the spool that this user need not have written."""
    status = os.fstat(descriptor)
    safe_open.check_kind(file, status.st_mode)
    if status.st_uid not in (0, uid):
        whose = "root" if uid == 0 else f"{user} or root"
        why = f"it belongs to user {status.st_uid}, not to {whose}"
        raise SourceRefused(file, "not-trusted", why, f"chown {user} {file}")
    if status.st_mode & _JUDGED_BITS != _ONLY_THESE:
        why = f"its mode is {stat.S_IMODE(status.st_mode):04o}: its user alone may write it"
        raise SourceRefused(file, "not-trusted", why, f"chmod 600 {file}")
    _refuse_links(file, status)


def judge_systems(file: str, descriptor: int) -> None:
    """Raise SourceRefused for an open table of the system that root need not have written."""
    safe_open.judge(file, descriptor, named=False, uid=0)
    _refuse_links(file, os.fstat(descriptor))


def _refuse_links(file: str, status: os.stat_result) -> None:
    if status.st_nlink > 1:  # none: it was replaced a moment ago, as crontab(1) does
        why = f"it has {status.st_nlink} names (hard links), so it can be changed by another"
        raise SourceRefused(file, "not-trusted", why, "remove the file, and write it anew")
