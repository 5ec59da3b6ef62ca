"""Both ends of a control socket, real: a server that says what it was asked, and clients."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from scheduler import wire
from scheduler.status import Status
from scheduler.system import control_client, control_listener, control_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
    from pathlib import Path

    from scheduler.peer import Peer
    from scheduler.protocol import Reply, Request


ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a path through /proc")
STATUS = wire.write(Status())


class Requests:
    """A daemon that says what it was asked."""

    def __init__(
        self, answer: Callable[[Request], Coroutine[Any, Any, Reply]] | None = None
    ) -> None:
        self.asked: list[Request] = []
        self.peers: list[Peer] = []
        self.warnings: list[str] = []
        self._answer = answer

    def warn(self, *lines: str) -> None:
        self.warnings.append("\n".join(lines))

    async def ask(self, request: Request, peer: Peer) -> Reply:
        self.asked.append(request)
        self.peers.append(peer)
        if self._answer is not None:
            return await self._answer(request)
        return {"did": type(request).__name__}

    @asynccontextmanager
    async def open(
        self, path: Path, *, within: float = 60, is_open: bool = False
    ) -> AsyncIterator[None]:
        listener = control_listener.listen(path, is_open=is_open)
        async with control_server.serve(
            listener, self.ask, self.warn, within=within, is_open=is_open
        ):
            yield


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


async def called(path: Path, request: Request = Status()) -> Reply:  # noqa: B008 (it is frozen)
    """What a command gets to hear, while the loop goes on."""
    return await asyncio.to_thread(control_client.call, path, request, 30)


async def said(path: Path, *lines: bytes, end: bool = False) -> list[Any]:
    """All that is answered to some bytes until the connection ends."""
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(60)
        client.connect(str(path))
        heard = await asyncio.to_thread(heard_by, client, lines, end=end)
    return [json.loads(line) for line in heard.splitlines()]


def heard_by(client: socket.socket, lines: Iterable[bytes], *, end: bool = False) -> bytes:
    """All that comes back; what was said before an end that came with a reset counts too."""
    with suppress(ConnectionError):
        for line in lines:
            client.sendall(line)
        if end:
            client.shutdown(socket.SHUT_WR)
    heard = bytearray()
    with suppress(ConnectionError):
        while piece := client.recv(1 << 16):
            heard += piece
    return bytes(heard)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop go on until something is so."""
    while not condition():  # noqa: ASYNC110 (nothing sets an event)
        await asyncio.sleep(0)


def is_there(path: Path) -> bool:
    return path.is_socket()


def code(reply: dict[str, Any]) -> str:
    return str(reply["error"]["code"])


@contextmanager
def listening(path: Path) -> Iterator[control_listener.ListeningSocket]:
    with closing(control_listener.listen(path)) as listener:
        yield listener


def left_behind(path: Path) -> None:
    """The socket of a daemon that died."""
    with closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.bind(str(path))
