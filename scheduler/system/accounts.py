"""Users of this machine: a name in, the account that its jobs run as out; None if there is none.

See getpwnam(3), getgrouplist(3) (the groups that initgroups(3) gives a login) and shadow(5).
"""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from datetime import datetime

SHADOW = Path("/etc/shadow")
_EXPIRY_AT = 7  # of the fields of shadow(5), counted from 0
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Account:
    """A user: numbers, all groups (its own `gid` among them) and home.

    `expires` counts days from 1970 to the first on which it is no longer valid; None is never, or
    nobody tells us. Only root is told.
    """

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    expires: int | None = None

    def is_expired(self, now: datetime) -> bool:
        """Say whether the account is over: pam_unix(8) refuses its jobs then, and so do we."""
        return self.expires is not None and now.timestamp() // _DAY_SECONDS >= self.expires


class Users(Protocol):
    """Who tells of users: this module, which waits for the system, or one who never does."""

    def find(self, name: str) -> Account | None:
        """Return the account of this name; None if there is none."""

    def uid_of(self, name: str) -> int | None:
        """Return the number of the user of this name; None if there is none."""


def find(name: str, shadow: Path = SHADOW) -> Account | None:
    """Return the account of this name; OSError where the system does not tell now."""
    found = _entry(name)
    if found is None:
        return None
    groups = tuple(os.getgrouplist(found.pw_name, found.pw_gid))
    expires = _expiry(found.pw_name, shadow)
    return Account(found.pw_name, found.pw_uid, found.pw_gid, groups, found.pw_dir, expires)


def uid_of(name: str) -> int | None:
    """Return the number of the user of this name; None if there is none; OSError as `find`."""
    found = _entry(name)
    return None if found is None else found.pw_uid


def is_root(name: str, users: Users) -> bool:
    """Say whether it is root's name; whom nobody tells of now is not root."""
    try:
        return users.uid_of(name) == 0
    except OSError:
        return False


def is_there(name: str, users: Users) -> bool:
    """Say whether there is a user of this name, as far as anybody tells now."""
    try:
        return users.uid_of(name) is not None
    except OSError:
        return True


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except ValueError:  # what no name can be, as one with a NUL
        return None
    except KeyError:  # said, too, where there is no descriptor to look with: OSError then
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        return None


def _expiry(name: str, shadow: Path) -> int | None:
    """Return the day on which an account expires; a shadow file that says nothing of it: None."""
    start = os.fsencode(name) + b":"
    with suppress(OSError, ValueError, IndexError), shadow.open("rb") as lines:
        for line in lines:
            if line.startswith(start):
                return int(line.split(b":")[_EXPIRY_AT])
    return None
