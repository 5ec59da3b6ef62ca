"""The control socket: requests of its user's commands come in, the daemon's replies go out.

`listen` and `serve` are the daemon's end, `call` is a command's; `protocol` has the lines. Only the
daemon's own user and root get through: by the modes of folder and file, and by what the kernel says
of whoever connects. No client costs the daemon more than a connection for a few seconds.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import os
import socket
import stat
import struct
import sys
import traceback
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from scheduler import protocol
from scheduler.errors import NoAnswer, NoDaemon, NoSocket
from scheduler.protocol import Refused, Reply, Request
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    Ask = Callable[[Request], Awaitable[Reply]]

LINUX = sys.platform == "linux"
LONGEST_ADDRESS = 107 if LINUX else 103  # bytes in sockaddr_un: unix(7), unix(4) of macOS
MOST_AT_ONCE = 32  # connections
REQUEST_TIMEOUT = 10.0  # seconds for a whole line to come, and for a reply to be read
ANSWER_WITHIN = 30.0  # seconds for the daemon to get to a request
GOODBYE = 0.5  # seconds for replies that are on their way when the daemon ends
REST = 1.0  # seconds before a connection is taken again where that went wrong
LONGEST_REPLY = 1 << 24
_QUEUE = 128  # connections that wait to be taken
_PEER = struct.Struct("iII")  # pid, uid, gid: struct ucred of unix(7)


class Warn(Protocol):
    """What puts a warning into the log."""

    def __call__(self, *lines: str) -> None:
        """Tell of trouble in these lines, one at least."""


# --- the daemon's end ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listener:
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


def listen(path: Path) -> Listener:
    """Make the socket at `path`, in a folder that is there and private: its user's alone (0600).

    What a dead daemon left is replaced. Raises NoSocket where a living one listens, where something
    else stands there, or where the system refuses.
    """
    try:
        with _folder(path) as folder, _alone(path):
            address = _address(path, folder)
            _clear(path, address)
            return _bound(path, address)
    except OSError as error:
        raise NoSocket(f"can't make the control socket {path}: {error.strerror}") from error


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)


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


def _address(path: Path, folder: int) -> str:
    """Return what to bind or connect to: the path, or a short one through its open folder.

    Raises NoSocket for a path that is too long where the system offers no way round (macOS).
    """
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        return str(path)
    if not LINUX:
        why = f"longer than the {LONGEST_ADDRESS} bytes of a socket's address"
        raise NoSocket(f"the path {path} is {why}; name a shorter one with --state")
    return f"/proc/self/fd/{folder}/{path.name}"  # proc(5)


def clear(path: Path) -> None:
    """Remove the socket of a dead daemon; NoSocket where anything else stands."""
    try:
        with _folder(path) as folder:
            _clear(path, _address(path, folder))
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
        pid, _ = _peer(probe)
    who = "another daemon" if pid is None else f"another daemon (pid {pid})"
    return f"{who} listens at {path}; give this one a folder of its own with --state"


def _bound(path: Path, address: str) -> Listener:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.settimeout(0)
        mask = os.umask(0o177)  # from its first moment on it is its user's alone
        try:
            sock.bind(address)
        finally:
            os.umask(mask)
        sock.listen(_QUEUE)
        status = path.lstat()
    except BaseException:
        sock.close()
        raise
    return Listener(sock, path, (status.st_dev, status.st_ino))


@asynccontextmanager
async def serve(
    listener: Listener | None, ask: Ask, warn: Warn, *, within: float = REQUEST_TIMEOUT
) -> AsyncIterator[Server]:
    """Answer what comes in while the block runs, one reply a request and in order; then close.

    Without a listener nothing comes in, until the server is given one.

    `ask` is cancelled for a request that it does not get to in ANSWER_WITHIN seconds. `warn` takes
    a sentence for the log (or the lines of a trace), once for each kind of trouble; no trouble of a
    client goes further.
    """
    server = Server(listener, ask, warn, within)
    server.open()
    try:
        yield server
    finally:
        await server.close()


@dataclass(slots=True)
class _Client:
    """A connection, and whether a request of it is being answered."""

    connection: socket.socket
    is_busy: bool = False


class Server:
    """Owns the socket that is listened at, and the connections; see `serve`."""

    def __init__(self, listener: Listener | None, ask: Ask, warn: Warn, within: float) -> None:
        self._listener = listener
        self._ask = ask
        self._warn = warn
        self._within = within
        self._loop = asyncio.get_running_loop()
        self._attended: dict[asyncio.Task[None], _Client] = {}
        self._turned_away: set[int] = set()  # uids that were turned away
        self._rest: asyncio.TimerHandle | None = None  # until connections are taken again
        self._is_out = False  # of descriptors or memory, and it was said

    def open(self) -> None:
        """Take connections from now on."""
        self._rest = None
        if self._listener is not None:
            self._loop.add_reader(self._listener.socket, partial(self._accept, self._listener))

    def look(self, listen: Callable[[], Listener | None]) -> None:
        """Listen anew if nobody finds the socket any more; who is connected stays so."""
        if self._listener is not None and self._listener.is_in_place():
            return
        if (listener := listen()) is not None:
            self._stop_listening()
            self._listener = listener
            self.open()

    async def close(self) -> None:
        """Give replies on their way a moment, and end every connection."""
        self._stop_listening()
        if busy := [task for task, client in self._attended.items() if client.is_busy]:
            await asyncio.wait(busy, timeout=GOODBYE)
        left = list(self._attended)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _stop_listening(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        if self._listener is not None:
            self._loop.remove_reader(self._listener.socket)
            self._listener.close()

    def _accept(self, listener: Listener) -> None:
        """Take one connection; the loop comes again for the next."""
        try:
            connection, _ = listener.socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:  # no descriptors, no memory: whoever waits is still there later
            if not self._is_out:
                self._warn(f"can't take a connection to the control socket: {error.strerror}")
            self._is_out = True
            self._loop.remove_reader(listener.socket)
            self._rest = self._loop.call_later(REST, self.open)
            return
        self._is_out = False
        connection.settimeout(0)
        if refusal := self._refusal(connection):
            _turn_away(connection, refusal)
            return
        client = _Client(connection)
        task = self._loop.create_task(self._attend(client))
        self._attended[task] = client
        task.add_done_callback(self._let_go)

    def _refusal(self, connection: socket.socket) -> Refused | None:
        try:
            _, uid = _peer(connection)
        except OSError:  # it has gone already, where the system forgets so soon
            return Refused("forbidden", "the system does not say who asks")
        if uid not in (0, os.geteuid()):
            if uid not in self._turned_away:
                self._turned_away.add(uid)
                self._warn(f"user {uid} is refused at the control socket")
            return Refused("forbidden", f"this daemon answers user {os.geteuid()} and root alone")
        if len(self._attended) >= MOST_AT_ONCE:
            return Refused("busy", f"{MOST_AT_ONCE} clients are connected already; try again")
        return None

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._attended.pop(task).connection.close()

    async def _attend(self, client: _Client) -> None:
        try:
            reader, writer = await asyncio.open_unix_connection(
                sock=client.connection, limit=protocol.LONGEST_LINE - 1
            )
            try:
                writer.transport.set_write_buffer_limits(high=0)  # drained means: all is sent
                await self._converse(client, reader, writer)
            finally:
                writer.transport.abort()  # what is not sent by now never will be
        except OSError:  # it hung up, or does not read
            pass
        except Exception as error:  # noqa: BLE001 (a bug here must not reach the daemon)
            self._warn(*_traced(error))

    async def _converse(
        self, client: _Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer line by line; one that is no request is answered too, and ends it."""
        while found := await self._request(reader):
            client.is_busy = True
            reply = found if isinstance(found, Refused) else await self._answer(found)
            writer.write(self._line(reply))
            async with asyncio.timeout(self._within):
                await writer.drain()
            client.is_busy = False
            if isinstance(found, Refused):
                return

    async def _request(self, reader: asyncio.StreamReader) -> Request | Refused | None:
        """Return what the next line says; None when there is no other."""
        try:
            async with asyncio.timeout(self._within):
                return protocol.read(await reader.readuntil(b"\n"))
        except asyncio.IncompleteReadError as error:
            return Refused("cut-off", "a request ends with a newline") if error.partial else None
        except asyncio.LimitOverrunError:
            return protocol.read(b" " * (protocol.LONGEST_LINE + 1))
        except TimeoutError:
            return Refused("too-slow", f"no request came within {self._within:g} s")

    async def _answer(self, request: Request) -> Reply:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._ask(request)
        except TimeoutError:
            return Refused("no-answer", _TOO_BUSY)
        except Exception as error:  # noqa: BLE001 (a bug in an answer must not reach the daemon)
            self._warn(*_traced(error))
            return _BUG

    def _line(self, reply: Reply) -> bytes:
        try:
            return protocol.write_reply(reply)
        except (TypeError, ValueError) as error:
            self._warn(*_traced(error))
            return protocol.write_reply(_BUG)


_TOO_BUSY = "the daemon did not get to it in time; look at its status before you ask again"
_BUG = Refused("bug", "the daemon went wrong over this; its log says how")


def _traced(error: Exception) -> list[str]:
    return "".join(traceback.format_exception(error)).splitlines()


def _turn_away(connection: socket.socket, refusal: Refused) -> None:
    with closing(connection), suppress(OSError):
        connection.send(protocol.write_reply(refusal))  # a new connection has room for a line


def _peer(connection: socket.socket) -> tuple[int | None, int]:
    """Return the process (None: not told) and the effective user at the other end.

    The kernel's word as of connect(2) or listen(2): SO_PEERCRED of unix(7), else getpeereid(3) of
    the BSDs and macOS, which is written from its manual and was never seen on a Mac.
    """
    if sys.platform == "linux":
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
        pid, uid, _ = _PEER.unpack(raw)
        return pid or None, uid
    return None, _peer_of_bsd(connection)


def _peer_of_bsd(connection: socket.socket) -> int:
    uid, gid = ctypes.c_uint32(), ctypes.c_uint32()
    call = ctypes.CDLL(None, use_errno=True).getpeereid
    if call(connection.fileno(), ctypes.byref(uid), ctypes.byref(gid)):
        raise OSError(ctypes.get_errno(), "getpeereid")
    return uid.value


# --- a command's end -----------------------------------------------------------------------------


def call(path: Path, request: Request, timeout: float = REQUEST_TIMEOUT) -> Reply:
    """Ask the daemon at `path`; `timeout` is for how many seconds it may be silent.

    Raises NoDaemon where nobody listens, whether a socket is left over or not, and NoAnswer where
    somebody does but is not to be reached or says nothing that makes sense.
    """
    try:
        with _folder(path) as folder, closing(socket.socket(socket.AF_UNIX)) as sock:
            sock.settimeout(timeout)
            sock.connect(_address(path, folder))
            _check_peer(path, folder, sock)
            with suppress(BrokenPipeError, ConnectionResetError):  # it may have said why before
                sock.sendall(protocol.write(request))
            return protocol.read_reply(_received(sock))
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NoDaemon("no daemon runs with this state folder; meridian run starts one") from error
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
    owner, (_, peer) = os.fstat(folder).st_uid, _peer(sock)
    if owner not in (0, os.geteuid(), peer):
        whose = f"{path} is in a folder of user {owner}, but leads to a daemon of user {peer}"
        raise NoAnswer(f"{whose}, which was not asked")


def _unreachable(path: Path, error: OSError) -> str:
    who = "; only the daemon's own user and root may" if error.errno in _FORBIDDEN else ""
    return f"can't speak to the daemon at {path}: {error.strerror}{who}"


_ENDED = "the daemon ended before it had answered"
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def _received(sock: socket.socket) -> bytes:
    """Return the first line that comes, whole."""
    received = bytearray()
    while not received.endswith(b"\n"):
        piece = sock.recv(1 << 16)
        received += piece
        if not piece or len(received) > LONGEST_REPLY:
            raise NoAnswer(_ENDED)
    return bytes(received)
