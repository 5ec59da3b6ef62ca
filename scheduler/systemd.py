"""What systemd is told: a state of the daemon comes in, a datagram to $NOTIFY_SOCKET goes out.

The protocol is sd_notify(3). Without the variable, or without its listener, nothing happens: the
daemon runs the same with and without systemd.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import closing, suppress

PATIENCE_S = 1.0  # systemd reads at once; a daemon that keeps time waits for nobody


def tell(state: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Send `state`, lines of NAME=value; never raises for a listener that is gone or stuck."""
    address = environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # Linux's abstract names begin with a NUL
        address = "\0" + address[1:]
    with suppress(OSError), closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.settimeout(PATIENCE_S)
        sock.connect(address)
        sock.sendall(state.encode(errors="replace"))


def ready(text: str, *, environ: Mapping[str, str] = os.environ) -> None:
    """Say that the crontabs are read and the loop runs, first and after every reload."""
    tell(f"READY=1\n{_status(text)}", environ=environ)


def stopping(*, environ: Mapping[str, str] = os.environ) -> None:
    """Say that no new runs start and that the running ones are being waited for."""
    tell("STOPPING=1", environ=environ)


def _status(text: str) -> str:
    # A second line would be read as a further message, and whoever names a job could write it.
    return "STATUS=" + " ".join(text.split())
