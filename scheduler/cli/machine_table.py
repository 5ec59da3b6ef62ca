"""Who asks in, their own table as the machine's daemon keeps it out; None where they have another.

Users can't open the files of cron's spool: the daemon, which reads them, shows everybody their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.cli import client, output, which_daemon
from scheduler.cli.which_daemon import MACHINE, ask_machine
from scheduler.codec import decode
from scheduler.errors import MeridianError, NoAnswer, NoDaemon
from scheduler.protocol import Table, TableReply
from scheduler.system import crontab_place
from scheduler.table_text import bytes_of
from scheduler.wire import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.status import Snapshot

_SHORT_TIMEOUT = 2.0  # seconds; who lists a crontab does not wait for long
_NO_TABLE = "no-table"


@dataclass(frozen=True, slots=True)
class MachineTable:
    """A user's table, its header too, and how the daemon that keeps it does."""

    file: str
    text: bytes
    snapshot: Snapshot

    @property
    def said(self) -> str:
        """Whose crontab it is, in a sentence."""
        daemon = f"the machine's daemon (pid {self.snapshot.daemon.pid})"
        reads = self.snapshot.reads
        if reads is not None and reads.without_cron:
            return f"Your crontab {self.file}, which {daemon} leaves alone: {reads.without_cron}"
        return f"Your crontab that {daemon} runs: {self.file}"


def found(state: Path | None) -> MachineTable | None:
    """Ask for one's crontab; None where that is another, or the daemon is silent.

    Raises MeridianError where it refuses to show the table.
    """
    if not which_daemon.keeps_crontab(state):
        return None
    try:
        return asked()
    except NoDaemon:
        return None
    except NoAnswer as error:
        output.note(f"warning: {error}")
        return None


def asked() -> MachineTable | None:
    """Ask the machine's daemon for the user's table; None where it keeps none.

    Raises NoDaemon, NoAnswer, and MeridianError where it refuses to show the table.
    """
    reply = ask_machine(Table(), _SHORT_TIMEOUT)
    if isinstance(reply, Refused):
        _check_no_table(reply)
        return None
    table = decode(TableReply, reply)
    file = str(crontab_place.ROOT / crontab_place.SPOOL / table.user)
    snapshot = client.snapshot(MACHINE, timeout=_SHORT_TIMEOUT)
    return MachineTable(file, bytes_of(table.text), snapshot)


def _check_no_table(refused: Refused) -> None:
    if refused.code != _NO_TABLE:
        raise MeridianError(f"the machine's daemon: {refused.message}")
