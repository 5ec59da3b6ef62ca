"""A command's end of the control socket: a request goes out, the daemon's reply comes back."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from scheduler import wire
from scheduler.errors import NoAnswer, NoDaemon
from scheduler.system import control_socket

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scheduler.protocol import Request
    from scheduler.wire import Received

REPLY_TIMEOUT = 10.0  # seconds that the daemon may be silent
LONGEST_REPLY = 1 << 24  # bytes
_MOST_FILES = 1  # with a piece of a reply
_CLOSED_BY_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)  # a Mac has no such flag
_ENDED = "the daemon ended before it had answered"
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def call(path: Path, request: Request, timeout: float = REPLY_TIMEOUT) -> Received:
    """Ask the daemon at `path`; `timeout` is for how many seconds it may be silent.

    Raises NoDaemon where nobody listens, whether a socket is left over or not, and NoAnswer where
    somebody does but is not to be reached or says nothing that makes sense.
    """
    reply, file = call_for_file(path, request, timeout)
    if file is not None:
        os.close(file)
    return reply


def call_for_file(
    path: Path, request: Request, timeout: float = REPLY_TIMEOUT
) -> tuple[Received, int | None]:
    """Ask as `call` does; return the file that came with the reply, too, which the caller closes.

    None if none came, as with a refusal.
    """
    files: list[int] = []
    try:
        reply = _called(path, request, timeout, files)
    except BaseException:
        _close(files)
        raise
    _close(files[1:])
    return reply, files[0] if files else None


def _close(files: Iterable[int]) -> None:
    for file in files:
        os.close(file)


def _called(path: Path, request: Request, timeout: float, files: list[int]) -> Received:
    """Return the reply, and put into `files` what came with it."""
    try:
        with (
            control_socket.opened_folder(path) as folder,
            closing(socket.socket(socket.AF_UNIX)) as sock,
        ):
            sock.settimeout(timeout)
            sock.connect(control_socket.address_of(path, folder))
            _check_peer(path, folder, sock)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before
                sock.sendall(wire.write(request))
            return wire.read_reply(_received(sock, files))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NoDaemon(f"no daemon listens at {path}") from error
    except (TimeoutError, BlockingIOError) as error:
        what = "it may be stopped (SIGSTOP) or busy, and do what was asked later"
        why = f"the daemon gave no answer within {timeout:g} s; {what}"
        raise NoAnswer(why) from error
    except ConnectionResetError as error:
        raise NoAnswer(_ENDED) from error
    except OSError as error:
        raise NoAnswer(_unreachable(path, error)) from error


def _check_peer(path: Path, folder: int, sock: socket.socket) -> None:
    """Raise NoAnswer if another user's folder leads, by a link, to a daemon that is not theirs.

    Else root, who asks a user's daemon, could be led to its own.
    """
    owner, (_, peer) = os.fstat(folder).st_uid, control_socket.peer_of(sock)
    if owner not in (0, os.geteuid(), peer):
        whose = f"{path} is in a folder of user {owner}, but leads to a daemon of user {peer}"
        raise NoAnswer(f"{whose}, which was not asked")


def _unreachable(path: Path, error: OSError) -> str:
    who = "; only the daemon's own user and root may" if error.errno in _FORBIDDEN else ""
    return f"can't speak to the daemon at {path}: {error.strerror}{who}"


def _received(sock: socket.socket, files: list[int]) -> bytes:
    """Return the first line that comes, whole; files that come with it are put into `files`."""
    received = bytearray()
    while not received.endswith(b"\n"):
        piece, came, _, _ = socket.recv_fds(sock, 1 << 16, _MOST_FILES, _CLOSED_BY_EXEC)
        files += came
        received += piece
        if not piece or len(received) > LONGEST_REPLY:
            raise NoAnswer(_ENDED)
    return bytes(received)
