"""What both ends of the control socket need: its address, and who is at the other end.

A path in, what bind(2) and connect(2) take out; a connection in, the process and user at its other
end out.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from scheduler.errors import NoSocket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LINUX = sys.platform == "linux"
LONGEST_ADDRESS = 107 if LINUX else 103  # bytes in sockaddr_un: unix(7), unix(4) of macOS
_PEER = struct.Struct("iII")  # pid, uid, gid: struct ucred of unix(7)


@contextmanager
def opened_folder(path: Path) -> Iterator[int]:
    """Open the folder that `path` is in, for as long as the block runs; OSError."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


def address_of(path: Path, folder: int) -> str:
    """Return what to bind or connect to: the path, or a short one through its open folder.

    Raises NoSocket for a path that is too long where the system offers no way round (macOS).
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        return str(path)
    if not LINUX:
        why = f"longer than the {LONGEST_ADDRESS} bytes of a socket's address"
        raise NoSocket(f"the path {path} is {why}; name a shorter one with --state")
    return f"/proc/self/fd/{folder}/{path.name}"  # proc(5)


def peer_of(connection: socket.socket) -> tuple[int | None, int]:
    """Return the process (None: not told) and the effective user at the other end.

    The kernel's word as of connect(2) or listen(2): SO_PEERCRED of unix(7), else getpeereid(3) of
    the BSDs and macOS, which is written from its manual and was never seen on a Mac.
    """
    if sys.platform == "linux":
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        pid, uid, _ = _PEER.unpack(raw)
        return pid or None, uid
    return None, peer_of_bsd(connection)


def peer_of_bsd(connection: socket.socket) -> int:
    """Return the effective user at the other end, by getpeereid(3); OSError."""
    ctypes = import_module("ctypes")  # which Linux has no need of here
    uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
    call = ctypes.CDLL(None, use_errno=True).getpeereid
    if call(connection.fileno(), ctypes.byref(uid), ctypes.byref(gid)):
        raise OSError(ctypes.get_errno(), "getpeereid")
    return int(uid.value)
