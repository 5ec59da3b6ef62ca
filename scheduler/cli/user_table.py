"""A user in, their crontab in cron's spool out: root works on the files, others ask the daemon.

Nobody needs rights for it that they have not got: there is no program here that is set-user-ID or
set-group-ID, as crontab(1) is elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scheduler.cli import state_folder
from scheduler.codec import decode
from scheduler.errors import MeridianError, NoAnswer, NoDaemon
from scheduler.protocol import (
    LONGEST_LINE,
    RemoveTable,
    SaveTable,
    Table,
    TableReply,
    TableRequest,
)
from scheduler.system import accounts, control_client, crontab_spool, user_names
from scheduler.system.clock import RealClock
from scheduler.system.paths import entered, machine_socket
from scheduler.table_text import bytes_of, text_of
from scheduler.wire import Refused, write

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.codec import Json
    from scheduler.system.accounts import Account
    from scheduler.system.crontab_spool import Spool

_MOST_MIB = LONGEST_LINE // 1024**2


class TableRefused(MeridianError):
    """What was asked about a user's table is not done, and why."""


class UserTable(Protocol):
    """One user's table; TableRefused or SourceRefused for what is not done."""

    @property
    def user(self) -> str:
        """Whose table it is."""

    def read(self) -> bytes | None:
        """Return what the file has, its header too; None where there is none."""

    def save(self, text: bytes, base: str | None = None) -> None:
        """Put a text in its place, with `base` only if it is still the one of that fingerprint."""

    def remove(self) -> bool:
        """Take it away; False where there is none."""


def of(user: str | None, state: Path | None) -> UserTable:
    """Return the table of this user, or of the one who asks; only root names another."""
    uid = os.geteuid()
    own = user_names.of_uid(uid)
    if uid == 0:
        account = _account(user if user is not None else own or "root")
        found = state_folder.paths_of(state)
        return SpooledTable(account, crontab_spool.of_machine(found.versions), found.state)
    if own is None:
        raise TableRefused("crontab: your UID isn't in the passwd file.")
    if user not in (None, own):
        raise TableRefused("must be privileged to use -u")
    return AskedTable(own, machine_socket(state))  # to which every user may connect


def _account(user: str) -> Account:
    found = accounts.find(user)
    if found is None:
        raise TableRefused(f"crontab:  user `{user}' unknown")
    return found


@dataclass(frozen=True, slots=True)
class SpooledTable:
    """The table as a file, whether a daemon runs or not: root's way. Root is refused no user's."""

    account: Account
    spool: Spool
    state: Path

    @property
    def user(self) -> str:
        """Whose table it is."""
        return self.account.name

    def read(self) -> bytes | None:
        """Return what the file has, its header too; None where there is none."""
        return self.spool.read(self.account)

    def save(self, text: bytes, base: str | None = None) -> None:
        """Put a text in its place, with `base` only if it is still the one of that fingerprint."""
        with entered(self.state, os.geteuid()):
            self.spool.save(self.account, text, RealClock().now(), base)

    def remove(self) -> bool:
        """Take it away; False where there is none."""
        with entered(self.state, os.geteuid()):
            return self.spool.remove(self.account, RealClock().now())


@dataclass(frozen=True, slots=True)
class AskedTable:
    """The table as the system daemon has it, which knows by itself who asks."""

    user: str
    socket: Path

    def read(self) -> bytes | None:
        """Return what the file has, its header too; None where there is none."""
        found = self._asked(Table())
        return None if found is None else bytes_of(decode(TableReply, found).text)

    def save(self, text: bytes, base: str | None = None) -> None:
        """Put a text in its place, with `base` only if it is still the one of that fingerprint."""
        request = SaveTable(text_of(text), base)
        if len(write(request)) > LONGEST_LINE:
            why = f"more than the {_MOST_MIB} MiB that go to the daemon; root may install it"
            raise TableRefused(f"the crontab is too large, {why}")
        self._asked(request)

    def remove(self) -> bool:
        """Take it away; False where there is none."""
        return self._asked(RemoveTable()) is not None

    def _asked(self, request: TableRequest) -> Json | None:
        """Return the reply; None where there is no table."""
        try:
            reply = control_client.call(self.socket, request)
        except NoDaemon as error:
            why = "the machine's crontabs are kept by its system daemon, which does not run"
            hint = "`meridian edit` is for a daemon of your own"
            raise TableRefused(f"crontab: {error}: {why}; {hint}") from error
        except NoAnswer as error:
            raise TableRefused(f"crontab: {error}") from error
        if not isinstance(reply, Refused):
            return reply
        if reply.code == "no-table":
            return None
        raise TableRefused(reply.message)
