"""Clients that mean no good, or know no better: each is refused, and the daemon answers the next."""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import socket
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import pytest
from control_ends import STATUS, Requests, called, code, heard_by, play, said, until

from scheduler.status import Status
from scheduler.system import control_server
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.protocol import Reply, Request


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


async def still_answers(path: Path) -> bool:
    return await called(path) == {"did": "Status"}


@pytest.mark.parametrize(
    ("line", "answer", "why"),
    [
        (b"status\n", "not-json", "a person who tries"),
        (b"\n", "not-json", "an empty line"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not-json", "a browser, answered once"),
        (STATUS.rstrip(), "cut-off", "nobody knows whether that was all"),
        (b'{"meridian": 1, "do": "kill", "run": 1', "cut-off", "of 1, or of 12?"),
    ],
)
def test_what_is_no_request_is_answered_and_ends_the_connection(
    path: Path, line: bytes, answer: str, why: str
) -> None:
    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            assert [code(reply) for reply in await said(path, line, end=True)] == [answer], why
            assert server.asked == []
            assert await still_answers(path)

    play(scene())


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes_are_refused_once(path: Path, seed: int) -> None:
    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            chance = random.Random(seed)
            noise = chance.randbytes(chance.randrange(1, 200_000))
            (reply,) = await said(path, noise, end=True)
            assert code(reply) in ("not-json", "too-long", "cut-off")
            assert (server.asked, server.warnings) == ([], [])
            assert await still_answers(path)

    play(scene())


def test_a_line_of_a_gigabyte_is_not_taken(path: Path) -> None:
    async def scene() -> None:
        async with Requests().open(path):
            with closing(socket.socket(socket.AF_UNIX)) as client:
                client.settimeout(60)
                client.connect(str(path))
                sent = 0

                def pieces() -> Iterator[bytes]:
                    nonlocal sent
                    for sent in range(0, 1 << 30, 1 << 16):  # noqa: B007 (it is asserted)
                        yield b"x" * (1 << 16)

                heard = await asyncio.to_thread(heard_by, client, pieces())
            assert code(json.loads(heard)) == "too-long"
            assert sent < 1 << 23, "what fits into the kernel and two buffers"
            assert await still_answers(path)

    play(scene())


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Room for some thousand connections, both ends of them in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("descriptors")
def test_a_thousand_connections_keep_nobody_waiting_for_good(path: Path) -> None:
    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            with ExitStack() as connected:
                clients = []
                for _ in range(1000):
                    client = connected.enter_context(socket.socket(socket.AF_UNIX))
                    client.settimeout(60)
                    await asyncio.to_thread(client.connect, str(path))
                    clients.append(client)
                reply = await called(path)
                assert isinstance(reply, Refused)
                assert reply.code == "busy"
                turned_away = clients[control_server.MOST_AT_ONCE :]
                heard = [await asyncio.to_thread(heard_by, each, ()) for each in turned_away]
                assert {code(json.loads(line)) for line in heard} == {"busy"}
            await until(lambda: len(asyncio.all_tasks()) == 1)
            assert await still_answers(path)
        assert server.warnings == []

    play(scene())


@pytest.mark.parametrize("begun", [b"", b'{"meridian": 1'], ids=["silent", "half a line"])
def test_a_client_that_never_comes_to_the_point_is_let_go(path: Path, begun: bytes) -> None:
    async def scene() -> None:
        async with Requests().open(path, within=0.05):
            assert [code(reply) for reply in await said(path, begun)] == ["too-slow"]
            assert await still_answers(path)

    play(scene())


def test_a_line_that_comes_letter_by_letter_has_one_time_limit(path: Path) -> None:
    async def scene() -> None:
        async with Requests().open(path, within=0.05):
            assert [code(reply) for reply in await said(path, *[b" "] * 50, b"")] == ["too-slow"]

    play(scene())


def test_a_client_that_reads_no_reply_is_let_go(path: Path) -> None:
    async def everything(_: Request) -> Reply:
        return {"running": ["x" * 1000] * 5000}

    async def scene() -> None:
        server = Requests(everything)
        async with server.open(path, within=0.05):
            with closing(socket.socket(socket.AF_UNIX)) as client:
                client.connect(str(path))
                client.settimeout(0)
                client.send(STATUS * 2)
                await until(lambda: server.asked)
                await until(lambda: len(asyncio.all_tasks()) == 1)
                assert len(server.asked) == 1, "the second request was never read"
            assert await called(path) == await everything(Status())
            await until(lambda: len(asyncio.all_tasks()) == 1)
        assert server.warnings == []

    play(scene())


def test_a_client_may_close_its_half_and_still_hears_the_reply(path: Path) -> None:
    async def scene() -> None:
        async with Requests().open(path):
            assert await said(path, STATUS, end=True) == [{"ok": True, "did": "Status"}]

    play(scene())


@pytest.mark.parametrize("sent", [b"", STATUS[:5], STATUS, STATUS * 100], ids=len)
def test_a_client_may_vanish_at_any_moment(path: Path, sent: bytes) -> None:
    async def slowly(_: Request) -> Reply:
        await asyncio.sleep(0)
        return {"did": "Status"}

    async def scene() -> None:
        server = Requests(slowly)
        async with server.open(path):
            for _ in range(20):
                with closing(socket.socket(socket.AF_UNIX)) as client:
                    client.connect(str(path))
                    client.send(sent)
                await asyncio.sleep(0)
            assert await still_answers(path)
        assert server.warnings == []

    play(scene())


def test_a_flood_of_requests_lets_others_through(path: Path) -> None:
    async def scene() -> None:
        async with Requests().open(path):
            _, writer = await asyncio.open_unix_connection(path)

            async def flood() -> None:
                while True:
                    writer.write(STATUS * 100)
                    await writer.drain()

            flooding = asyncio.create_task(flood())
            for _ in range(5):
                assert await still_answers(path)
            flooding.cancel()
            writer.close()

    play(scene())


def test_without_descriptors_the_daemon_says_so_once_and_answers_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "ACCEPT_PAUSE", 0.0)
    tries: list[None] = []
    open_ = control_server.Server.open

    def opens(server: control_server.Server) -> None:
        tries.append(None)
        open_(server)

    monkeypatch.setattr(control_server.Server, "open", opens)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            with closing(socket.socket(socket.AF_UNIX)) as client, ExitStack() as all_others:
                client.settimeout(0)
                resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
                with suppress(OSError):
                    while True:
                        all_others.callback(os.close, os.open(os.devnull, os.O_RDONLY))
                client.connect(str(path))
                client.send(STATUS)
                await until(lambda: server.warnings)
                tries.clear()
                await until(lambda: len(tries) > 3)  # it tries again, and says nothing more
                assert server.warnings == [
                    "can't take a connection to the control socket: Too many open files"
                ]
                all_others.close()
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                await asyncio.get_running_loop().sock_recv(client, 100)
            assert await still_answers(path)

    try:
        play(scene())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
