"""The file of the control socket: its path in, a socket that is listened at out.

It is its user's alone, or open to everybody who reaches its folder.

What a dead daemon left is replaced; a living one's socket, and whatever else stands there, is not.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.errors import NoSocket
from scheduler.system import control_socket, state_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_QUEUE = 128  # connections that wait to be taken


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A socket that is listened at, and the file that stands for it."""

    socket: socket.socket
    path: Path
    file: tuple[int, int]  # device and inode

    def is_in_place(self) -> bool:
        """Say whether the file still stands for this socket."""
        try:
            status = self.path.lstat()
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.file

    def close(self) -> None:
        """Stop listening; the file goes too, unless by now it is somebody else's."""
        if self.is_in_place():
            with suppress(OSError):
                self.path.unlink()
        self.socket.close()


def listen(path: Path, *, is_open: bool = False) -> ListeningSocket:
    """Make the socket at `path`, in a folder that is there and private: its user's alone (0600).

    One that `is_open` may be connected to by every user who reaches the folder (0666). What a dead
    daemon left is replaced. Raises NoSocket where a living one listens, where something
    else stands there, or where the system refuses.
    """
    try:
        with control_socket.opened_folder(path) as folder, _alone(path):
            address = control_socket.address_of(path, folder)
            _clear(path, address)
            return _bound(path, address, 0o111 if is_open else 0o177)
    except OSError as error:
        raise NoSocket(f"can't make the control socket {path}: {error.strerror}") from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other daemons off, which might find the same dead one's socket and replace each other's.

    The lock is that of a file which nobody else can open. That of the folder is anybody's who may
    look into it, for ever.
    """
    name = path.with_suffix(".lock")
    with state_files.own_for(name) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NoSocket(f"another program has locked {name}") from error
        yield


def clear(path: Path) -> None:
    """Remove the socket of a dead daemon; NoSocket where anything else stands."""
    try:
        with control_socket.opened_folder(path) as folder:
            _clear(path, control_socket.address_of(path, folder))
    except OSError as error:
        raise NoSocket(f"can't look at {path}: {error.strerror}") from error


def _clear(path: Path, address: str) -> None:
    """Remove the socket of a dead daemon, and nothing else."""
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise NoSocket(f"there is something else at {path}; move it away, or name a --state")
        with closing(socket.socket(socket.AF_UNIX)) as probe:
            probe.settimeout(0)
            try:
                probe.connect(address)
            except ConnectionRefusedError:
                path.unlink()
                return
            except BlockingIOError:  # so many wait for it that it must be there
                pass
            raise NoSocket(_taken(path, probe))


def _taken(path: Path, probe: socket.socket) -> str:
    pid = None
    with suppress(OSError):
        pid, _ = control_socket.peer_of(probe)
    who = "another daemon" if pid is None else f"another daemon (pid {pid})"
    return f"{who} listens at {path}; give this one a folder of its own with --state"


def _bound(path: Path, address: str, mask: int) -> ListeningSocket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(0)
        before = os.umask(mask)  # its mode is right from its first moment on
        try:
            sock.bind(address)
        finally:
            os.umask(before)
        sock.listen(_QUEUE)
        status = path.lstat()
    except BaseException:
        sock.close()
        raise
    return ListeningSocket(sock, path, (status.st_dev, status.st_ino))
