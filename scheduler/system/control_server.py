"""The daemon's end of the control socket: requests come in, the daemon's replies go out.

Only the daemon's own user and root get an answer: by the modes of folder and file, and by what the
kernel says of whoever connects. No client costs the
daemon more than a connection for a few seconds.
"""

from __future__ import annotations

import asyncio
import os
import traceback
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from scheduler import protocol, wire
from scheduler.system import control_socket
from scheduler.wire import Refused

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable

    from scheduler.protocol import Reply, Request
    from scheduler.system.control_listener import ListeningSocket

    Ask = Callable[[Request], Awaitable[Reply]]

MOST_AT_ONCE = 32  # connections
REQUEST_TIMEOUT = 10.0  # seconds for a whole line to come, and for a reply to be read
ANSWER_WITHIN = 30.0  # seconds for the daemon to get to a request
GOODBYE = 0.5  # seconds for replies that are on their way when the daemon ends
ACCEPT_PAUSE = 1.0  # seconds before a connection is taken again where that went wrong


class Warn(Protocol):
    """What puts a warning into the log."""

    def __call__(self, *lines: str) -> None:
        """Tell of trouble in these lines, one at least."""


@asynccontextmanager
async def serve(
    listener: ListeningSocket | None, ask: Ask, warn: Warn, *, within: float = REQUEST_TIMEOUT
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
    """A connection, and whether a request of it is being answered; its own task changes that."""

    connection: socket.socket
    is_busy: bool = False


class Server:
    """Owns the socket that is listened at, and every connection to it, until `close`.

    `serve` makes and closes it; whoever keeps the socket's file calls `ensure_listening`.
    Invariant: each connection has one task, at most MOST_AT_ONCE at a time, each of the daemon's
    user or of root; no trouble of a client leaves its task.
    """

    def __init__(
        self, listener: ListeningSocket | None, ask: Ask, warn: Warn, within: float
    ) -> None:
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

    def ensure_listening(self, listen: Callable[[], ListeningSocket | None]) -> None:
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

    def _accept(self, listener: ListeningSocket) -> None:
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
            self._rest = self._loop.call_later(ACCEPT_PAUSE, self.open)
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
            _, uid = control_socket.peer_of(connection)
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
            return _ANSWER_BUG

    def _line(self, reply: Reply) -> bytes:
        try:
            return wire.write_reply(reply)
        except (TypeError, ValueError) as error:
            self._warn(*_traced(error))
            return wire.write_reply(_ANSWER_BUG)


_TOO_BUSY = "the daemon did not get to it in time; look at its status before you ask again"
_ANSWER_BUG = Refused("bug", "the daemon went wrong over this; its log says how")


def _traced(error: Exception) -> list[str]:
    return "".join(traceback.format_exception(error)).splitlines()


def _turn_away(connection: socket.socket, refusal: Refused) -> None:
    with closing(connection), suppress(OSError):
        connection.send(wire.write_reply(refusal))  # a new connection has room for a line
