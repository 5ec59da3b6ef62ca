"""What a job finds around it: the daemon's variables and a crontab's in, one set of bytes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.model import Environment

SHELL = "/bin/sh"
DELEGATED = "MERIDIAN_DELEGATED"  # Delegate= of a unit whose systemd keeps that to itself

# What the service manager said to the daemon (sd_notify(3), systemd.exec(5)) is not for its jobs:
# they could report readiness in its name, or write where it keeps its state.
_PRIVATE = frozenset(
    "NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS LISTEN_PID LISTEN_FDNAMES JOURNAL_STREAM"
    " INVOCATION_ID MANAGERPID SYSTEMD_EXEC_PID CREDENTIALS_DIRECTORY CONFIGURATION_DIRECTORY"
    f" STATE_DIRECTORY RUNTIME_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY {DELEGATED}".split()
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environments of all entries with these assignments have in common."""

    assignments: Environment
    variables: Mapping[str, str]
    encoded: dict[bytes, bytes]


class Inheritance:
    """What every job of this daemon inherits: the daemon's `own` variables, and who it is."""

    def __init__(self, own: Mapping[str, str], home: str, user: str) -> None:
        kept = {name: value for name, value in own.items() if name not in _PRIVATE}
        self._inherited = {"HOME": home} | kept | {"SHELL": SHELL, "LOGNAME": user, "USER": user}
        self._newest = self._of(())

    def of(self, assignments: Environment) -> Surroundings:
        """Return what entries with these assignments find; of one object it is made once."""
        if self._newest.assignments is not assignments:
            self._newest = self._of(assignments)  # one entry after the other has the same
        return self._newest

    def _of(self, assignments: Environment) -> Surroundings:
        own = {name: value for name, value in assignments if name != "LOGNAME"}
        variables = self._inherited | own
        variables["PWD"] = variables["HOME"]  # a shell would set it
        encoded = {raw(name): raw(value) for name, value in variables.items()}
        return Surroundings(assignments, variables, encoded)


def raw(text: str) -> bytes:
    """Return the bytes of a text, those that were no UTF-8 as they were."""
    return text.encode("utf-8", "surrogateescape")


def text(raw: bytes) -> str:
    """Return the text of bytes; `raw` gives the same bytes back."""
    return raw.decode("utf-8", "surrogateescape")
