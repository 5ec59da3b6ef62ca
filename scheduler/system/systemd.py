"""What systemd is told: a state of the daemon comes in, a datagram to $NOTIFY_SOCKET goes out.

The protocol is sd_notify(3). Without the variable, or without its listener, nothing happens: the
daemon runs the same with and without systemd.
"""

import os
import socket
from collections import deque
from collections.abc import Mapping
from contextlib import closing, suppress
from threading import Lock

from scheduler.errors import MeridianError
from scheduler.system.background import start_apart

_MOST_STATES = 8  # states that wait for a listener who does not read; of more the oldest go
_NEWEST_ALONE = (
    "STATUS=",
    "WATCHDOG=",
    "EXTEND_TIMEOUT_USEC=",
)  # of these an older one says nothing


class _Late:
    """Owns the states that the listener had no room for; a thread waits for that room.

    `tell` calls it. Invariant: states are sent in order, the loop never waits for the listener, and
    the thread ends when nothing is left.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: deque[tuple[str, bytes]] = deque(maxlen=_MOST_STATES)
        self._is_served = False

    def send(self, address: str, state: bytes) -> None:
        """Send it now, or once there is room and what came before it is sent."""
        with self._lock:
            if self._is_served or not _send(address, state, waits=False):
                self._add(address, state)
                if not self._is_served:
                    with suppress(MeridianError):  # no room for a thread: the next state tries it
                        start_apart(self._serve, "sd_notify")
                        self._is_served = True

    def _add(self, address: str, state: bytes) -> None:
        """Let it wait, in place of an older one of its kind: READY must not be crowded out."""
        for kind in map(str.encode, _NEWEST_ALONE):
            if state.startswith(kind):
                older = [each for each in self._waiting if each[1].startswith(kind)]
                for each in older:
                    self._waiting.remove(each)
        self._waiting.append((address, state))

    def _serve(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_served = False
                    return
                address, state = self._waiting.popleft()
            _send(address, state, waits=True)


_late = _Late()


def tell(state: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Send `state`, lines of NAME=value; never raises or waits for a listener gone or stuck."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract names begin with a NUL
        address = "\0" + address[1:]
    _late.send(address, state.encode(errors="replace"))


def ready(text: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Say that the crontabs are read and the loop runs, first and after every reload."""
    tell(f"READY=1\n{_status(text)}", environ=environ)


def reloading(monotonic: float, *, environ: Mapping[str, str] = os.environ) -> None:
    """Say that the crontabs are read again, from this time of the monotonic clock on.

    The service is not ready until `ready` is said.
    """
    tell(f"RELOADING=1\nMONOTONIC_USEC={int(monotonic * 1e6)}", environ=environ)


def status(text: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Say in a line how the daemon does."""
    tell(_status(text), environ=environ)


def stopping(*, environ: Mapping[str, str] = os.environ) -> None:
    """Say that no new runs start and that the running ones are being waited for."""
    tell("STOPPING=1", environ=environ)


def extend(seconds: float, *, environ: Mapping[str, str] = os.environ) -> None:
    """Ask for so many seconds more from now on; what a unit allows anyway is not made shorter."""
    tell(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}", environ=environ)


def is_there(*, environ: Mapping[str, str] = os.environ) -> bool:
    """Say whether anybody wants to hear of this daemon."""
    return bool(environ.get("NOTIFY_SOCKET"))


def watchdog(*, environ: Mapping[str, str] = os.environ) -> float | None:
    """Return how many seconds may go by without `alive`; None if nobody minds.

    sd_watchdog_enabled(3): WATCHDOG_PID, if it is set, says for whom it is.
    """
    usec, pid = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID") or str(os.getpid())
    if not is_there(environ=environ) or not (usec.isascii() and usec.isdigit()):
        return None
    return int(usec) / 1e6 or None if pid == str(os.getpid()) else None


def alive(*, environ: Mapping[str, str] = os.environ) -> None:
    """Say that the loop goes on, for a manager that restarts a daemon which does not say so."""
    tell("WATCHDOG=1", environ=environ)


def expect(seconds: float | None, *, environ: Mapping[str, str] = os.environ) -> None:
    """Have `alive` expected within so many seconds from now on; None is: not at all.

    While a damaged journal is repaired there is no loop that could say so.
    """
    if watchdog(environ=environ) is not None:
        tell(f"WATCHDOG_USEC={int((seconds or 0) * 1e6)}", environ=environ)


def _send(address: str, state: bytes, *, waits: bool) -> bool:
    """Send it to whoever listens there; False if there is no room."""
    with suppress(OSError), closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.setblocking(waits)
        try:
            sock.connect(address)
            sock.sendall(state)
        except BlockingIOError:
            return False
    return True


def _status(text: str) -> str:
    # A second line would be read as a further message, and whoever names a job could write it.
    return "STATUS=" + " ".join(text.split())
