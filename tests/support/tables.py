"""A machine whose users have tables: a folder in, a system daemon's answers about them out."""

from __future__ import annotations

import asyncio
import io
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fakes import FakeClock
from standin import StandIn

from scheduler.daemon.user_tables import UserTables
from scheduler.peer import Peer
from scheduler.protocol import TableRequest
from scheduler.system.accounts import Account
from scheduler.system.crontab_spool import Spool
from scheduler.system.log import open_log

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.protocol import Reply, Request

NOW = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
ME = os.geteuid()  # files are this process's own, since only root gives them away
ALICE, BOB = Peer(ME, "alice"), Peer(ME, "bob")
NAMELESS, GONE = Peer(ME + 1), Peer(ME, "gone")
FORMER = Peer(ME + 1, "alice")  # whose name is another user's by now


def account(name: str) -> Account | None:
    """A user of the machine."""
    return Account(name, ME, os.getegid(), (), "/") if name in ("alice", "bob") else None


def machine(folder: Path, log: io.StringIO | None = None) -> UserTables:
    """The tables of a machine whose files are below this folder."""
    (folder / "etc").mkdir(exist_ok=True)
    spool = Spool(folder / "spool", folder / "versions", ME)
    written = open_log("human", log or io.StringIO())
    return UserTables(spool, FakeClock(NOW), written, folder, account)


def of_tables(folder: Path, *requests: TableRequest, peer: Peer = ALICE) -> list[Reply]:
    """What a user is answered, request by request."""
    tables = machine(folder)

    async def replies() -> list[Reply]:
        return [await tables.ask(each, peer) for each in requests]

    return asyncio.run(replies())


class TablesDaemon(StandIn):
    """A system daemon that knows one user, whoever it is that asks."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._tables = machine(folder)

    async def ask(self, request: Request, _: Peer) -> Reply:
        """Answer as if alice asked."""
        assert isinstance(request, TableRequest)
        return await self._tables.ask(request, ALICE)
