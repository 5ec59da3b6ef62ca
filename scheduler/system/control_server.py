"""The daemon's end of the control socket: requests come in, the daemon's replies go out.

Only the daemon's own user and root get an answer, by the modes of folder and file, and by what the
kernel says of whoever connects; or everybody, of whom the daemon is told who asks. No client costs
the daemon more than a connection for a few seconds.
"""

from __future__ import annotations

import asyncio
import os
import socket
import traceback
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from scheduler import protocol, wire
from scheduler.past import OpenOutput
from scheduler.peer import Peer
from scheduler.system import control_socket
from scheduler.system.request_pace import RequestPace
from scheduler.system.user_names import UserNames
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from scheduler.protocol import Reply, Request
    from scheduler.system.control_listener import ListeningSocket

    Ask = Callable[[Request, Peer], Awaitable[Reply]]

MOST_AT_ONCE = 32  # connections
MOST_OF_OTHERS = 24  # of these, that others than root and the daemon's own user have
MOST_OF_A_USER = 4  # of these, that one of them has, or all without a name together
MOST_UNNAMED = 8  # of these, of users whose name is being looked up
NAMELESS = -1  # stands for all uids without a name: one user may have 65,536 of them (subuid(5))
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
    listener: ListeningSocket | None,
    ask: Ask,
    warn: Warn,
    *,
    is_open: bool = False,
    within: float = REQUEST_TIMEOUT,
) -> AsyncIterator[Server]:
    """Answer what comes in while the block runs, one reply a request and in order; then close.

    Without a listener nothing comes in, until the server is given one. One that `is_open` passes
    requests of every user on: `ask` then judges by the peer what each may do.

    `ask` is cancelled for a request that it does not get to in ANSWER_WITHIN seconds. `warn` takes
    a sentence for the log (or the lines of a trace), once for each kind of trouble; no trouble of a
    client goes further.
    """
    server = Server(listener, ask, warn, is_open=is_open, within=within)
    server.open()
    try:
        yield server
    finally:
        await server.close()


@dataclass(slots=True)
class _Client:
    """A connection, who it is, and whether a request of it is being answered.

    One is unnamed as long as it is not known whether they have a name. Its own task, and what
    makes room for it, change it.
    """

    connection: socket.socket
    peer: Peer
    is_unnamed: bool
    is_busy: bool = False


class Server:
    """Owns the socket that is listened at, and every connection to it, until `close`.

    `serve` makes and closes it; whoever keeps the socket's file calls `ensure_listening`.
    Invariant: each connection has one task, at most MOST_AT_ONCE at a time, each of the daemon's
    user or of root unless it `is_open`; no trouble of a client leaves its task.
    """

    def __init__(
        self,
        listener: ListeningSocket | None,
        ask: Ask,
        warn: Warn,
        *,
        is_open: bool,
        within: float,
    ) -> None:
        self._listener = listener
        self._ask = ask
        self._warn = warn
        self._is_open = is_open
        self._within = within
        self._loop = asyncio.get_running_loop()
        self._names = UserNames()
        self._pace = RequestPace()
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
        peer = self._admitted(connection)
        if isinstance(peer, Refused):
            _turn_away(connection, peer)
            return
        client = _Client(connection, peer, self._is_unnamed(peer))
        task = self._loop.create_task(self._attend(client))
        self._attended[task] = client
        task.add_done_callback(self._let_go)

    def _admitted(self, connection: socket.socket) -> Peer | Refused:
        """Return who is at the other end, if they are served and there is room."""
        try:
            _, uid = control_socket.peer_of(connection)
        except OSError:  # it has gone already, where the system forgets so soon
            return Refused("forbidden", "the system does not say who asks")
        peer = Peer(uid, is_admin=uid in (0, os.geteuid()))
        if not peer.is_admin and not self._is_open:
            if peer.uid not in self._turned_away:
                self._turned_away.add(peer.uid)
                self._warn(f"user {peer.uid} is refused at the control socket")
            return Refused("forbidden", f"this daemon answers user {os.geteuid()} and root alone")
        if full := self._full(peer):
            return Refused("busy", f"{full} are connected already; try again")
        return peer

    def _full(self, peer: Peer) -> str:
        """Return how many clients there are, if that leaves no room for this one; "" if it does.

        The others leave room for root, and each user for every other one.
        """
        attended = self._attended.values()
        if not peer.is_admin:
            others = [each for each in attended if not each.peer.is_admin]
            if sum(each.peer.uid == peer.uid for each in others) >= MOST_OF_A_USER:
                return f"{MOST_OF_A_USER} clients of user {peer.uid}"
            unnamed = sum(each.is_unnamed for each in others)
            if self._is_unnamed(peer) and unnamed >= MOST_UNNAMED:
                return f"{MOST_UNNAMED} clients of users whose name is looked up"
            if len(others) >= MOST_OF_OTHERS:
                return f"{MOST_OF_OTHERS} clients of users"
        return f"{MOST_AT_ONCE} clients" if len(attended) >= MOST_AT_ONCE else ""

    def _is_unnamed(self, peer: Peer) -> bool:
        return not peer.is_admin and not self._names.has_named(peer.uid)

    def _counted_as(self, peer: Peer) -> int:
        """Return the uid that shares what one user has: all that have no name share one's."""
        return NAMELESS if self._is_unnamed(peer) else peer.uid

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

    async def _named(self, client: _Client) -> Refused | None:
        """Find what another user is called: whose jobs are theirs goes by that.

        One without a name is refused where others of that kind have all of their room.
        """
        if client.peer.is_admin:
            return None
        user = await self._names.of(client.peer.uid)
        client.peer = replace(client.peer, user=user)
        nameless = sum(
            not each.is_unnamed and self._counted_as(each.peer) == NAMELESS
            for each in self._attended.values()
        )
        is_nameless = self._counted_as(client.peer) == NAMELESS
        if is_nameless and nameless >= MOST_OF_A_USER:
            full = f"{MOST_OF_A_USER} clients of users without a name are connected already"
            return Refused("busy", f"{full}; try again")
        client.is_unnamed = False
        return None

    async def _converse(
        self, client: _Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer line by line; one that is no request is answered too, and ends it."""
        found = await self._named(client) or await self._request(reader)
        while found:
            client.is_busy = True
            reply = found if isinstance(found, Refused) else await self._reply(found, client.peer)
            writer.write(self._sent(client, reply))
            async with asyncio.timeout(self._within):
                await writer.drain()
            client.is_busy = False
            if isinstance(found, Refused):
                return
            found = await self._request(reader)

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

    async def _reply(self, request: Request, peer: Peer) -> Reply:
        """Answer a request when it is its user's turn: of one user only so many are in a second."""
        uid = self._counted_as(peer)
        if not peer.is_admin and (wait := self._pace.wait(uid, self._loop.time())):
            turn = self._loop.create_future()
            self._loop.call_later(wait, _end, turn)
            await turn
        return await self._answer(request, peer)

    def _sent(self, client: _Client, reply: Reply) -> bytes:
        """Send a file with its reply, if that is what it is; return what is still to be written.

        All that was written before has been read by then: there is room, or the client is gone.
        """
        if not isinstance(reply, OpenOutput):
            return self._line(reply)
        try:
            descriptor = reply.open()
        except OSError as error:
            return self._line(Refused("not-kept", f"that output can't be read: {error.strerror}"))
        try:
            line = self._line(reply.reply)
            return line[socket.send_fds(client.connection, [line], [descriptor]) :]
        finally:
            os.close(descriptor)

    async def _answer(self, request: Request, peer: Peer) -> Reply:
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await self._ask(request, peer)
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


def _end(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)


def _turn_away(connection: socket.socket, refusal: Refused) -> None:
    with closing(connection), suppress(OSError):
        connection.send(wire.write_reply(refusal))  # a new connection has room for a line
