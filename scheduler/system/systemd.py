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
                self._waiting.append((address, state))
                if not self._is_served:
                    with suppress(MeridianError):  # no room for a thread: the next state tries it
                        start_apart(self._serve, "sd_notify")
                        self._is_served = True

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


def stopping(*, environ: Mapping[str, str] = os.environ) -> None:
    """Say that no new runs start and that the running ones are being waited for."""
    tell("STOPPING=1", environ=environ)


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
