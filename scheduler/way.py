"""A folder's path and a user in, that folder open out, if nobody else can put another in its place.

Who may write a folder may rename what is in it. So each folder on the way, links gone along, has to
be this user's or root's, and nobody else's to write. A sticky one, as /tmp, may be everybody's:
there each can rename only what is their own, see rename(2).
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_MOST_LINKS = 40  # as many as Linux follows
# Of a folder on the way only its name is needed, which O_PATH asks no right to read for.
_ON_THE_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_ACL = "system.posix_acl_access"


class Untrusted(MeridianError):
    """Somebody else could put another folder in the place of one on the way, and what to do."""

    def __init__(self, path: str, why: str, advice: str = "") -> None:
        super().__init__(path, why, advice)
        self.path = path
        self.why = why
        self.advice = advice


def opened(folder: Path, uid: int, *, make: bool = False) -> int:
    """Open a folder that this user works in; `make` makes what is missing of its path.

    That is this user's alone then, and others may look into the folders on the way. Whether the
    folder itself can be trusted is for the caller to ask. Raises Untrusted for one on the way that
    can't be, OSError for what keeps any folder from being opened.
    """
    left = list(folder.absolute().parts[1:])
    with closing(_Way(uid)) as way:
        while left:
            name = left.pop(0)
            way.check()
            target = way.target(name)
            if target is not None:
                left = target + left
                continue
            try:
                way.enter(name)
            except FileNotFoundError:
                if not make:
                    raise
                way.make(name, 0o755 if left else 0o700)
                way.enter(name)
        return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=way.at)


class _Way:
    """Owns the folder that the way has come to, and the rules by which it goes on."""

    def __init__(self, uid: int) -> None:
        self.at = os.open("/", _ON_THE_WAY)
        self._path = "/"
        self._links = 0
        # Whoever has the root folder has the machine; in a container that need not be its root.
        self._trusted = {0, uid, os.fstat(self.at).st_uid}
        self._uid = uid

    def close(self) -> None:
        os.close(self.at)

    def check(self) -> None:
        """Raise Untrusted if somebody else could rename what is in this folder."""
        status = os.fstat(self.at)
        self._check_owner(self._path, status.st_uid)
        if status.st_mode & stat.S_ISVTX:
            return
        if status.st_mode & stat.S_IWOTH:
            raise Untrusted(self._path, "everybody can write it", f"chmod o-w {self._path}")
        if status.st_mode & stat.S_IWGRP and not self._is_private(status.st_gid):
            raise Untrusted(self._path, "its group can write it", f"chmod g-w {self._path}")

    def target(self, name: str) -> list[str] | None:
        """Return the names that a link of this name stands for; None if it is no link."""
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=self.at, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                self._check_owner(self._below(name), status.st_uid)
                return self._names(os.readlink(name, dir_fd=self.at))
        return None

    def make(self, name: str, mode: int) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, mode, dir_fd=self.at)

    def enter(self, name: str) -> None:
        self._go_to(os.open(name, _ON_THE_WAY, dir_fd=self.at), self._below(name))

    def _names(self, target: str) -> list[str]:
        self._links += 1
        if self._links > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if target.startswith("/"):
            self._go_to(os.open("/", _ON_THE_WAY), "/")
        return [part for part in target.split("/") if part not in ("", ".")]

    def _go_to(self, descriptor: int, path: str) -> None:
        os.close(self.at)
        self.at, self._path = descriptor, path

    def _below(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._path, name))  # noqa: PTH118 (`..` is gone along)

    def _check_owner(self, path: str, owner: int) -> None:
        if owner not in self._trusted:
            raise Untrusted(path, f"it belongs to user {owner}, not to user {self._uid} or root")

    def _is_private(self, gid: int) -> bool:
        """Say whether nobody else is in a group that can write this folder, nor let in by an ACL.

        With an ACL the group's bits are the most that any user in it may do: acl(5).
        """
        with suppress(AttributeError, OSError):  # macOS has no such call, most folders no ACL
            os.getxattr(self._path, _ACL)
            return False
        return is_private(gid, self._trusted) and not _others_begin_in(gid, self._trusted)


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
    return any(user.pw_gid == gid and user.pw_uid not in users for user in pwd.getpwall())
