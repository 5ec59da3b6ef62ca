"""Where users' requests about their own crontabs are answered: a request in, done and told.

So `crontab` needs no rights of its own: whose table it is about, the kernel says at the control
socket. No request names a user. A table is not judged here, only by whoever saves it and whoever
reads it: a line that is wrong harms its user alone.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.protocol import (
    RemoveTable,
    SaveTable,
    Table,
    TableChanged,
    TableReply,
    TableRequest,
)
from scheduler.system import accounts, cron_access, user_names
from scheduler.system.background import NoThread, awaited
from scheduler.table_text import bytes_of, text_of
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from scheduler.peer import Peer
    from scheduler.protocol import Reply, Request
    from scheduler.system.accounts import Account
    from scheduler.system.clock import Clock
    from scheduler.system.control_server import Ask
    from scheduler.system.crontab_spool import Spool
    from scheduler.system.log import Log

MOST_BYTES_OF_A_USER = 1_048_576  # of a table that is shown at the socket
MOST_AT_ONCE_OF_A_USER = 3
_STILL_WAITING = Refused(
    "waiting", "your last requests still wait for the disk or a directory of users; try again later"
)
_SAID = {SaveTable: "replaced", RemoveTable: "removed"}


@dataclass(slots=True)
class UserTables:
    """Owns how many requests of each user are being carried out; tables are on disk alone.

    The control socket's server calls `ask` on the loop's thread; the disk, and directories of users
    on the network, are waited for by a thread of each request. Invariant: a user other than root
    reads and changes the table of their own name, and no other; and nobody has more threads than
    MOST_AT_ONCE_OF_A_USER, though all of them wait for ever.
    """

    spool: Spool
    clock: Clock
    log: Log
    root: Path = Path("/")
    find: Callable[[str], Account | None] = accounts.find
    _begun: Counter[int] = field(default_factory=Counter)

    def before(self, ask: Ask) -> Ask:
        """Return what answers requests about tables here, and all others as `ask` does."""

        async def asked(request: Request, peer: Peer) -> Reply:
            if isinstance(request, TableRequest):
                return await self.ask(request, peer)
            return await ask(request, peer)

        return asked

    async def ask(self, request: TableRequest, peer: Peer) -> Reply:
        """Carry a peer's request about the peer's own table out; what is not done is told."""
        if self._begun[peer.uid] >= MOST_AT_ONCE_OF_A_USER:
            return _STILL_WAITING
        self._begun[peer.uid] += 1
        loop, now = asyncio.get_running_loop(), self.clock.now()
        work = partial(self._carried_out, request, peer, now, loop)
        try:
            reply = await awaited(work, "crontab")
        except NoThread as refused:
            self._begun[peer.uid] -= 1
            return Refused("table", str(refused))
        except MeridianError as refused:  # out of the work, which has counted down by itself
            return Refused("table", str(refused))
        if isinstance(reply, TableChanged):
            say = f"{reply.user} has {_SAID[type(request)]} their crontab"
            self.log.info("crontab", user=reply.user, say=say, text=say)
        return reply

    def _carried_out(
        self, request: TableRequest, peer: Peer, now: datetime, loop: asyncio.AbstractEventLoop
    ) -> Reply:
        """Do it, in a thread of its own; whoever asked may no longer wait for it."""
        try:
            return self._answer(request, peer, now)
        finally:
            with suppress(RuntimeError):  # the loop is over
                loop.call_soon_threadsafe(self._begun.subtract, (peer.uid,))

    def _answer(self, request: TableRequest, peer: Peer, now: datetime) -> Reply:
        user = peer.user or user_names.of_uid(peer.uid)
        account = None if user is None else self.find(user)
        if account is None or account.uid != peer.uid:
            return Refused("no-account", f"the system has no name for user {peer.uid}")
        if not peer.is_admin and (
            why := cron_access.refusal(account.name, self.root, self.spool.uid)
        ):
            said = f"You ({account.name}) are not allowed to use this program (crontab)"
            return Refused("not-allowed", f"{said}: {why}")
        return self._done(request, account, now)

    def _done(self, request: TableRequest, account: Account, now: datetime) -> Reply:
        match request:
            case Table():
                return self._shown(account)
            case SaveTable(text, base):
                self.spool.save(account, bytes_of(text), now, base)
            case RemoveTable():
                if not self.spool.remove(account, now):
                    return _none(account)
        return TableChanged(account.name)

    def _shown(self, account: Account) -> Reply:
        data = self.spool.read(account)
        if data is None:
            return _none(account)
        if len(data) > MOST_BYTES_OF_A_USER:
            size = f"it is larger than {MOST_BYTES_OF_A_USER // 1024**2} MiB"
            return Refused("table", f"{self.spool.folder / account.name}: {size}; ask root for it")
        return TableReply(account.name, text_of(data))


def _none(account: Account) -> Refused:
    return Refused("no-table", f"no crontab for {account.name}")
