"""A request in, what the running daemon replies out."""

from __future__ import annotations

from pathlib import Path

from scheduler import control, lock
from scheduler.cli import given
from scheduler.errors import NoDaemon
from scheduler.protocol import Reply, Request


def ask(request: Request, state: Path | None, timeout: float = control.PATIENCE) -> Reply:
    """Return what the daemon with this state folder replies.

    Raises NoDaemon if there is none, saying so where one lives without a socket, and NoAnswer.
    """
    places = given.here(state)
    try:
        return control.call(places.socket, request, timeout)
    except NoDaemon as error:
        pid = lock.holder(places.state)
        if pid is None:
            raise
        lives = f"a daemon (pid {pid}) has the state folder {places.state}"
        why = "its log says why"
        if places.runtime != places.state:
            why += ", or XDG_RUNTIME_DIR is another for it than for you"
        raise NoDaemon(f"{lives}, but does not listen at {places.socket}: {why}") from error
