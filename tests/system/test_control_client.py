"""A command's end of the control socket: what it is told where no answer comes."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import subprocess
import sys
from contextlib import closing, nullcontext, suppress
from typing import TYPE_CHECKING

import pytest
from control_ends import Requests, called, left_behind, listening, play

from scheduler.errors import MeridianError, NoAnswer, NoDaemon, NoSocket
from scheduler.status import Status
from scheduler.system import control_client

if TYPE_CHECKING:
    from pathlib import Path


NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.mark.parametrize("left", ["nothing", "a socket", "a file", "no folder"])
def test_a_daemon_that_does_not_run_is_said_not_to_whatever_it_left(path: Path, left: str) -> None:
    if left == "a socket":
        left_behind(path)
    elif left == "a file":
        path.touch()
    elif left == "no folder":
        path = path.parent / "gone" / "control.sock"
    with pytest.raises(NoDaemon, match=f"no daemon listens at {path}"):
        control_client.call(path, Status())


def test_a_daemon_that_is_stopped_is_not_waited_for_long(path: Path) -> None:
    with (
        listening(path),
        pytest.raises(NoAnswer, match=r"no answer within 0.01 s; it may be stopped"),
    ):
        control_client.call(path, Status(), 0.01)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "ended before it had answered"),
        (b'{"ok": tr', "ended before it had answered"),
        (b"HTTP/1.1 400 Bad Request\n", "makes no sense"),
        (b'{"ok": "yes"}\n', "makes no sense"),
        (b'{"ok": false}\n', "makes no sense"),
        (b'{"ok": true}\n{"ok": true}\n', "makes no sense"),
    ],
)
def test_an_answer_that_is_none_is_told_from_no_daemon(path: Path, answer: bytes, why: str) -> None:
    async def scene() -> None:
        async def strange(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer)
            writer.close()
            await writer.wait_closed()

        server = await asyncio.start_unix_server(strange, path)
        async with server:
            with pytest.raises(NoAnswer, match=why):
                await called(path)

    play(scene())


def test_an_endless_answer_has_an_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_client, "LONGEST_REPLY", 1000)

    async def scene() -> None:
        async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with closing(writer), suppress(ConnectionError):
                while True:
                    writer.write(b"x" * 1000)
                    await writer.drain()

        async with await asyncio.start_unix_server(endless, path):
            with pytest.raises(NoAnswer):
                await called(path)

    play(scene())


def test_a_socket_that_may_not_be_used_is_told_from_none(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", closed)
    with pytest.raises(NoAnswer, match=r"Permission denied; only the daemon's own user and root"):
        control_client.call(path, Status())


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("owner", "is_asked", "why"),
    [
        (0, True, "root's own"),
        (NOBODY, False, "it may lead root's commands to any daemon"),
    ],
)
def test_root_is_not_led_to_its_own_daemon_by_another_users_folder(
    tmp_path: Path, owner: int, is_asked: bool, why: str
) -> None:
    server, theirs = Requests(), tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "control.sock").symlink_to(tmp_path / "control.sock")
    os.chown(theirs, owner, -1)

    async def scene() -> None:
        async with server.open(tmp_path / "control.sock"):
            with nullcontext() if is_asked else pytest.raises(NoAnswer, match="was not asked"):
                await called(theirs / "control.sock")
        assert bool(server.asked) == is_asked, why

    play(scene())


def test_all_that_is_refused_is_an_error_that_the_command_line_shows() -> None:
    assert issubclass(NoDaemon, MeridianError)
    assert issubclass(NoAnswer, MeridianError)
    assert issubclass(NoSocket, MeridianError)


def test_a_command_imports_nothing_of_the_daemons_end() -> None:
    """It would wait for a loop that it never runs."""
    look = "import sys; from scheduler.system import control_client; print(*sys.modules)"
    done = subprocess.run((sys.executable, "-c", look), capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "scheduler.system.control_client" in imported
    assert not imported & {"asyncio", "scheduler.system.control_server"}
