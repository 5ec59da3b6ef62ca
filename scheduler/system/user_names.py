"""A user's number in, the name that jobs of theirs go by out, while the loop goes on."""

from __future__ import annotations

import asyncio
import pwd
from contextlib import suppress
from functools import partial

from scheduler.errors import MeridianError
from scheduler.system.background import start_apart

NAME_WITHIN = 10.0  # seconds for a directory of the network to say a name
KEPT = 10.0  # seconds for which a name that was found is not looked up again


def of_uid(uid: int) -> str | None:
    """Return what the user of this number is called; None where the name is not theirs alone.

    It is theirs if the name leads to the number again: where two directories know an "alice", the
    jobs of the first are no matter of the other.
    """
    try:
        name = pwd.getpwuid(uid).pw_name
        return name if pwd.getpwnam(name).pw_uid == uid else None
    except (KeyError, OSError, ValueError):  # OSError: a directory failed; ValueError: no uid
        return None


class UserNames:
    """Looks names up apart from the loop, since a directory of the network may be slow.

    Owns which numbers are being looked up, the names of the last seconds, and which numbers ever
    had a name. The control socket's server calls it, on the loop's thread. Invariant: one number
    is looked up by one thread at a time, however many wait for it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wanted: dict[int, asyncio.Future[str | None]] = {}
        self._kept: dict[int, str] = {}
        self._named: set[int] = set()

    def has_named(self, uid: int) -> bool:
        """Say whether this number was found to have a name: it is a user, not a number of one."""
        return uid in self._named

    async def of(self, uid: int) -> str | None:
        """Return what `of_uid` does; None too where nobody says it in time."""
        if uid in self._kept:
            return self._kept[uid]
        if uid not in self._wanted:
            self._wanted[uid] = self._loop.create_future()
            try:
                start_apart(partial(self._look_up, uid), "user name")
            except MeridianError:
                self._found(uid, None)
                return None
        with suppress(TimeoutError):
            async with asyncio.timeout(NAME_WITHIN):
                return await asyncio.shield(self._wanted[uid])
        return None

    def _look_up(self, uid: int) -> None:
        name = of_uid(uid)
        with suppress(RuntimeError):  # the loop is over
            self._loop.call_soon_threadsafe(self._found, uid, name)

    def _found(self, uid: int, name: str | None) -> None:
        self._wanted.pop(uid).set_result(name)
        if name is not None:
            self._named.add(uid)
            self._kept[uid] = name
            self._loop.call_later(KEPT, self._kept.pop, uid)
