"""A request in, what the running daemon replies out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from scheduler.cli import state_folder, which_daemon
from scheduler.cli.which_daemon import Machine, Where, ask_machine
from scheduler.codec import Json, decode
from scheduler.errors import NoAnswer, NoDaemon
from scheduler.status import Snapshot, Status
from scheduler.system import control_client, state_lock
from scheduler.system.control_client import REPLY_TIMEOUT
from scheduler.system.paths import Paths
from scheduler.wire import Received, Refused

if TYPE_CHECKING:
    from scheduler.protocol import Request


def ask(request: Request, where: Where, timeout: float = REPLY_TIMEOUT) -> Received:
    """Return what the daemon with this state folder replies, or the machine's.

    Raises NoDaemon if there is none, saying so where one lives without a socket, and NoAnswer.
    """
    if isinstance(where, Machine):
        return ask_machine(request, timeout)
    paths = state_folder.here(where)
    try:
        return _ask(request, paths, timeout)
    except NoDaemon as error:
        pid = state_lock.holder(paths.state)
        if pid is None:
            raise NoDaemon(_nobody(paths, is_named=where is not None)) from error
        lives = f"a daemon (pid {pid}) has the state folder {paths.state}"
        why = "its log says why, and it tries again before each minute"
        raise NoDaemon(f"{lives}, but has no control socket: {why}") from error


def _nobody(paths: Paths, *, is_named: bool) -> str:
    """Return where no daemon runs, how to start one, and where else one may run."""
    way = "meridian run starts one, or name another folder with --state"
    said = f"no daemon runs with the state folder {paths.state}; {way}"
    if not is_named and os.geteuid() and which_daemon.is_open():
        return f"{said}; the machine's own tells: meridian status --system"
    if not is_named and os.geteuid() and os.path.lexists(which_daemon.folder()):
        return f"{said}; root is told of the machine's own by: sudo meridian status"
    return said


def snapshot(where: Where, jobs: Iterable[str] = (), timeout: float = REPLY_TIMEOUT) -> Snapshot:
    """Return how the daemon does, and which of these jobs are in force; raises what `ask` does."""
    return decode(Snapshot, status(where, jobs, timeout))


def status(where: Where, jobs: Iterable[str] = (), timeout: float = REPLY_TIMEOUT) -> Json:
    """Return the same as it came; NoAnswer for a refusal too, since it is refused to nobody."""
    reply = ask(Status(tuple(jobs)), where, timeout)
    if isinstance(reply, Refused):
        raise NoAnswer(reply.message)
    return reply


def _ask(request: Request, paths: Paths, timeout: float) -> Received:
    """Ask at the state folder, where each daemon can be found; an earlier Meridian's can't."""
    try:
        return control_client.call(paths.contact, request, timeout)
    except NoDaemon:
        if paths.socket == paths.contact:
            raise
        return control_client.call(paths.socket, request, timeout)


def as_refusal(error: NoDaemon | NoAnswer) -> Refused:
    """Return what a program reads where nobody replied."""
    return Refused("no-daemon" if isinstance(error, NoDaemon) else "no-answer", str(error))
