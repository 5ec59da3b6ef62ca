"""Lines that jobs write in, entries of systemd's journal under the jobs' own names out.

The protocol is that of https://systemd.io/JOURNAL_NATIVE_PROTOCOL: a datagram a line. What the
daemon itself has to say goes to its log, wherever that is.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.printable import clean
from scheduler.system.clock import rest

if TYPE_CHECKING:
    from scheduler.system.log import Fact

JOURNAL_SOCKET = Path("/run/systemd/journal/socket")
_INFO = "6"
_AGAIN = 1.0  # seconds until a journal that is gone is looked for again
_FOUND_BY = {"job": "CRON_JOB", "run": "CRON_RUN", "attempt": "CRON_ATTEMPT"}


class JobJournal:
    """Writes lines of jobs into the journal.

    It owns a socket, which is connected to nothing: so a journal that was restarted hears the next
    line. The thread of `Echo` calls `info`, and waits there for a journal that is slow or gone,
    since the files of outputs keep everything; nobody else waits.
    """

    def __init__(self, path: Path = JOURNAL_SOCKET) -> None:
        """Raise MeridianError where there is no journal."""
        self._path = str(path)
        if not path.is_socket():
            raise MeridianError(f"--output-to journal: no journal of systemd listens at {path}")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def info(self, message: str, **facts: Fact) -> None:  # noqa: ARG002 (as a log has it)
        """Write the `text` of these facts, under the name of their `job`."""
        datagram = entry(facts)
        while not self._has_sent(datagram):
            rest(_AGAIN)

    def close(self) -> None:
        """Write no more."""
        self._socket.close()

    def _has_sent(self, datagram: bytes) -> bool:
        with suppress(FileNotFoundError, ConnectionRefusedError):
            self._socket.sendto(datagram, self._path)
            return True
        return False


def entry(facts: dict[str, Fact]) -> bytes:
    """Return a line as the journal takes it: its text, its job's name, and what finds it again."""
    fields = {
        "MESSAGE": clean(str(facts["text"])),
        "PRIORITY": _INFO,
        "SYSLOG_IDENTIFIER": str(facts["job"]),
        **{field: str(facts[name]) for name, field in _FOUND_BY.items()},
    }
    return b"".join(_field(name, value) for name, value in fields.items())


def _field(name: str, value: str) -> bytes:
    """Return a field with its length before it, so that no value ends it."""
    data = value.encode(errors="backslashreplace")
    return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
