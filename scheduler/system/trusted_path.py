"""A folder's path and a user in, that folder open out, if nobody else can put another in its place.

Who may write a folder may rename what is in it. So each folder on the way has to be this user's or
root's, and nobody else's to write; also each that a link on it leads through. A sticky one, as
/tmp, may be everybody's: there each can rename only what is their own, see rename(2).
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from contextlib import closing, contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.text import of_owner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MOST_LINKS = 40  # as many as Linux follows
# Of a folder on the way only its name is needed, which O_PATH asks no right to read for.
_ON_THE_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ACL = "system.posix_acl_access"
_NO_ACL = {errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP}
# Who logs in as one of a group, by its number, while `remembered` holds.
_MEMBERS: ContextVar[dict[int, frozenset[int]] | None] = ContextVar("members", default=None)


class Untrusted(MeridianError):
    """Somebody else could put another folder in the place of one on the way, and what to do."""

    def __init__(self, path: str, why: str, advice: str = "") -> None:
        super().__init__(path, why, advice)
        self.path = path
        self.why = why
        self.advice = advice


@contextmanager
def remembered() -> Iterator[None]:
    """Ask only once who is in a group, until the end: that lists all users, LDAP's in seconds."""
    token = _MEMBERS.set({})
    try:
        yield
    finally:
        _MEMBERS.reset(token)


def opened(folder: Path, uid: int, *, make: bool = False) -> int:
    """Open a folder that this user works in; `make` makes what is missing of its path.

    That is this user's alone then, and others may look into the folders on the way. Whether the
    folder itself can be trusted is for the caller to ask. Raises Untrusted for one on the way that
    can't be, OSError for what keeps any folder from being opened.
    """
    with closing(FolderWalk(uid)) as walk:
        walk.go_to(folder, make=make)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=walk.at)


def _trusted(uid: int) -> set[int]:
    """Return whom this user trusts.

    Whoever has the root folder has the machine; in a container that need not be its root.
    """
    return {0, uid, os.stat("/").st_uid}  # noqa: PTH116 (a path of this module is a text)


def _is_read_only(folder: int) -> bool:
    """Say whether nobody can write it whatever its mode, as a volume of Kubernetes: statvfs(3)."""
    with suppress(OSError):
        return bool(os.fstatvfs(folder).f_flag & os.ST_RDONLY)
    return False


def is_alone(file: int, gid: int, uid: int) -> bool:
    """Say whether nobody but this user and root can write an open file though its group can."""
    return _is_alone(file, file, gid, _trusted(uid))


def _is_alone(opened: int, path: str | int, gid: int, trusted: set[int]) -> bool:
    """Say whether nobody else may write what is open: none in its group, none by an ACL.

    With an ACL the group's bits are the most that any user in it may do: acl(5).
    """
    return (
        not _has_acl(opened, path)
        and is_private(gid, trusted)
        and not _others_begin_in(gid, trusted)
    )


def _has_acl(opened: int, path: str | int) -> bool:
    """Say whether what is open has an ACL, or nobody can tell.

    What O_PATH opened can be asked only through /proc; without that, what is at the path now is.
    """
    if not hasattr(os, "getxattr"):  # macOS
        return False
    through = f"/proc/self/fd/{opened}"
    try:
        os.getxattr(through if os.path.lexists(through) else path, _ACL)
    except OSError as error:
        return error.errno not in _NO_ACL
    return True


class FolderWalk:
    """Owns `at`, the open folder that a walk through folders and links has come to.

    `opened` walks to a folder; `safe_open` goes on from there to a file. Invariant: nobody but this
    user and root could have put another folder in the place of any that was judged on the way, and
    at most _MOST_LINKS links led here. It begins at the root folder; `close` ends it.
    """

    def __init__(self, uid: int) -> None:
        self.at = os.open("/", _ON_THE_WAY)
        self._path = "/"
        self._links = 0
        self._trusted = _trusted(uid)
        self._uid = uid

    def close(self) -> None:
        """Close the folder that the walk has come to."""
        os.close(self.at)

    def go_to(self, folder: Path, *, make: bool = False) -> None:
        """Go to a folder, and `make` what is missing; Untrusted where it can't be trusted."""
        left = list(folder.absolute().parts[1:])
        while left:
            name = left.pop(0)
            self.judge()
            target = self._target(name)
            if target is not None:
                left = target + left
                continue
            if make:
                self._make(name, 0o755 if left else 0o700)
            self.enter(name)

    def judge(self, *, sticky: bool = True) -> None:
        """Raise Untrusted if somebody else could put another file in the place of one in `at`.

        With `sticky` such a folder may be everybody's, as on the way.
        """
        status = os.fstat(self.at)
        self._judge_owner(self._path, status.st_uid)
        if (sticky and status.st_mode & stat.S_ISVTX) or _is_read_only(self.at):
            return
        path = self._path
        if status.st_mode & stat.S_IWOTH:
            raise Untrusted(path, "everybody can write it", f"chmod o-w {path}")
        if status.st_mode & stat.S_IWGRP and not _is_alone(
            self.at, path, status.st_gid, self._trusted
        ):
            raise Untrusted(path, "its group can write it", f"chmod g-w {path}")

    def _judge_owner(self, path: str, owner: int) -> None:
        if owner not in self._trusted:
            raise Untrusted(path, f"it {of_owner(owner, self._uid)}")

    def _target(self, name: str) -> list[str] | None:
        """Return the names that a link of this name stands for; None if it is no link."""
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=self.at, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                self._judge_owner(self._below(name), status.st_uid)
                return self.names_of(os.readlink(name, dir_fd=self.at))
        return None

    def _make(self, name: str, mode: int) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=self.at)

    def enter(self, name: str) -> None:
        """Go into a folder of this name, which is no link; OSError."""
        self._go_on(os.open(name, _ON_THE_WAY, dir_fd=self.at), self._below(name))

    def names_of(self, target: str) -> list[str]:
        """Return the names to go through for what a link says; `at` is where they begin.

        Raises OSError (ELOOP) for more links than the system goes through.
        """
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            self._go_on(os.open("/", _ON_THE_WAY), "/")
        return [part for part in target.split("/") if part not in ("", ".")]

    def _go_on(self, descriptor: int, path: str) -> None:
        os.close(self.at)
        self.at, self._path = descriptor, path

    def _below(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._path, name))  # noqa: PTH118 (`..` is followed)


def is_private(gid: int, users: Iterable[int]) -> bool:
    """Say whether a group is that of one of these users alone: of the same name, with no others.

    So Debian and Fedora make one for each user, and let it write what the user makes.
    """
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    for uid in users:
        with suppress(KeyError):
            user = pwd.getpwuid(uid)
            if user.pw_gid == gid and user.pw_name == group.gr_name:
                return not {*group.gr_mem} - {user.pw_name}
    return False


def _others_begin_in(gid: int, users: Iterable[int]) -> bool:
    """Say whether some other user logs in as one of this group, which its list need not tell."""
    known = _MEMBERS.get()
    if known is None:
        known = {}
    if gid not in known:
        known[gid] = frozenset(user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid)
    return not known[gid] <= {*users}
