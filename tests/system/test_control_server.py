"""The daemon's end of the control socket: what is answered, who gets an answer, how it ends."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from control_ends import STATUS, Requests, called, code, is_there, play, said, until

from scheduler import wire
from scheduler.errors import NoAnswer
from scheduler.past import OpenOutput, Output, OutputReply
from scheduler.peer import Peer
from scheduler.protocol import Kill, Reload, Reply, Request, Retry, Trigger
from scheduler.status import Status
from scheduler.system import (
    control_client,
    control_listener,
    control_server,
    control_socket,
    user_names,
)
from scheduler.system.request_pace import RequestPace
from scheduler.wire import Refused

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


# --- asking and answering ------------------------------------------------------------------------


def test_a_request_is_answered(path: Path) -> None:
    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            assert await called(path, Trigger("backup")) == {"did": "Trigger"}
        assert server.asked == [Trigger("backup")]

    play(scene())


def test_several_on_one_connection_are_answered_in_order(path: Path) -> None:
    async def slowly(request: Request) -> Reply:
        for _ in range(10 if isinstance(request, Kill) else 0):
            await asyncio.sleep(0)
        return {"did": type(request).__name__}

    async def scene() -> None:
        async with Requests(slowly).open(path):
            lines = [wire.write(each) for each in (Kill(1), Retry(2), Reload())]
            replies = await said(path, b"".join(lines), end=True)
        assert [reply["did"] for reply in replies] == ["Kill", "Retry", "Reload"]

    play(scene())


def test_one_client_waits_while_another_is_answered(path: Path) -> None:
    async def scene() -> None:
        is_over = asyncio.Event()

        async def wait(request: Request) -> Reply:
            if isinstance(request, Kill):
                await is_over.wait()
            return {"did": type(request).__name__}

        async with Requests(wait).open(path):
            first = asyncio.create_task(called(path, Kill(1)))
            assert await called(path) == {"did": "Status"}
            is_over.set()
            assert await first == {"did": "Kill"}

    play(scene())


def test_a_refusal_is_passed_on(path: Path) -> None:
    async def refuse(_: Request) -> Reply:
        return Refused("unknown-job", "There is no job 'x'; did you mean y?")

    async def scene() -> None:
        async with Requests(refuse).open(path):
            assert await called(path, Trigger("x")) == await refuse(Trigger("x"))

    play(scene())


def test_a_long_answer_arrives_whole(path: Path) -> None:
    async def everything(_: Request) -> Reply:
        return {"running": ["x" * 1000] * 5000}

    async def scene() -> None:
        async with Requests(everything).open(path):
            assert await called(path) == await everything(Status())

    play(scene())


@pytest.mark.parametrize(
    ("answer", "said_in_log"),
    [("raises", "ZeroDivisionError"), ("is no JSON", "TypeError")],
)
def test_a_bug_in_an_answer_is_logged_and_ends_there(
    path: Path, answer: str, said_in_log: str
) -> None:
    async def wrong(_: Request) -> Reply:
        return {"wrong": 1 // 0 if answer == "raises" else object()}

    async def scene() -> None:
        server = Requests(wrong)
        async with server.open(path):
            for _ in range(2):
                reply = await called(path)
                assert isinstance(reply, Refused)
                assert reply.code == "bug"
        assert all(said_in_log in warning for warning in server.warnings)
        assert len(server.warnings) == 2

    play(scene())


def test_a_request_that_the_daemon_does_not_get_to_is_given_up(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "ANSWER_WITHIN", 0.01)
    was_cancelled = []

    async def never(_: Request) -> Reply:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            was_cancelled.append(True)
            raise
        return {}

    async def scene() -> None:
        async with Requests(never).open(path):
            reply = await called(path)
            assert isinstance(reply, Refused)
            assert reply.code == "no-answer"
        assert was_cancelled == [True]

    play(scene())


# --- a file that goes with a reply ------------------------------------------------------------------


def handed(file: Path) -> OpenOutput:
    return OpenOutput(OutputReply(7, "backup", 1), partial(os.open, file, os.O_RDONLY))


def test_a_file_comes_open_with_its_reply(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "7.1.log"
    file.write_bytes(b"begun\n")

    async def hand_over(_: Request) -> Reply:
        return handed(file)

    async def scene() -> None:
        async with Requests(hand_over).open(path):
            reply, descriptor = await asyncio.to_thread(
                control_client.call_for_file, path, Output(7, 1)
            )
            assert reply == {"run": 7, "job": "backup", "attempt": 1}
            assert descriptor is not None
            file.write_bytes(b"begun\nended\n")
            assert os.read(descriptor, 99) == b"begun\nended\n", "it is the file itself"
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.write(descriptor, b"it is open to be read alone")
            os.close(descriptor)

    play(scene())


def open_files() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


@pytest.mark.skipif(sys.platform != "linux", reason="a path of Linux")
def test_whoever_wants_no_file_is_left_with_none(path: Path, tmp_path: Path) -> None:
    (tmp_path / "7.1.log").touch()

    async def hand_over(_: Request) -> Reply:
        return handed(tmp_path / "7.1.log")

    async def scene() -> None:
        async with Requests(hand_over).open(path):
            before = open_files()
            for _ in range(5):
                await called(path, Output(7, 1))
            assert open_files() <= before + 1

    play(scene())


def test_a_file_that_is_gone_is_said_to_be(path: Path, tmp_path: Path) -> None:
    async def hand_over(_: Request) -> Reply:
        return handed(tmp_path / "gone")

    async def scene() -> None:
        async with Requests(hand_over).open(path):
            reply, descriptor = await asyncio.to_thread(
                control_client.call_for_file, path, Output(7, 1)
            )
            assert isinstance(reply, Refused)
            assert (reply.code, descriptor) == ("not-kept", None)

    play(scene())


def test_a_user_in_haste_waits_and_root_does_not(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def wait(_: RequestPace, uid: int, now: float) -> float:
        assert now > 0
        asked.append(uid)
        return 0.001

    monkeypatch.setattr(RequestPace, "wait", wait)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    uids = [65534]
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, uids[0]))

    async def scene() -> None:
        async with Requests().open(path, is_open=True):
            assert len(await said(path, STATUS * 3, end=True)) == 3
            uids[0] = 0
            assert len(await said(path, STATUS * 3, end=True)) == 3
        assert asked == [65534] * 3

    play(scene())


# --- the end -------------------------------------------------------------------------------------


def test_a_reply_on_its_way_when_the_daemon_ends_arrives(path: Path) -> None:
    async def scene() -> None:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        async def wait(_: Request) -> Reply:
            return await answer

        server = Requests(wait)
        async with server.open(path):
            reply = asyncio.create_task(called(path))
            await until(lambda: server.asked)
            answer.set_result({"state": "skipped"})
        assert await reply == {"state": "skipped"}

    play(scene())


def test_whoever_waits_when_the_daemon_ends_is_not_kept_waiting(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_server, "GOODBYE", 0.01)

    async def scene() -> None:
        async def never(_: Request) -> Reply:
            await asyncio.Event().wait()
            return {}

        server = Requests(never)
        async with server.open(path):
            asked = asyncio.create_task(called(path))
            silent, writer = await asyncio.open_unix_connection(path)
            await until(lambda: server.asked)
        with pytest.raises(NoAnswer, match="ended before it had answered"):
            await asked
        assert await silent.read() == b""
        writer.close()

    play(scene())


def test_the_file_goes_with_the_daemon(path: Path) -> None:
    async def scene() -> None:
        async with Requests().open(path):
            assert is_there(path)
        assert not is_there(path)

    play(scene())


def test_an_end_while_connections_are_not_taken_is_an_end(
    path: Path,
) -> None:
    class Full(socket.socket):
        def accept(self) -> Any:
            raise OSError(errno.ENFILE, "Too many open files in system")

    async def scene() -> None:
        listener = control_listener.listen(path)
        full = Full(fileno=os.dup(listener.socket.fileno()))
        server = Requests()
        with closing(listener):
            blocked = control_listener.ListeningSocket(full, path, listener.file)
            async with control_server.serve(blocked, server.ask, server.warn):
                with closing(socket.socket(socket.AF_UNIX)) as client:
                    client.connect(str(path))
                    await until(lambda: server.warnings)

    play(scene())


# --- who asks ------------------------------------------------------------------------------------


def test_another_user_is_turned_away_by_what_the_kernel_says(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, 4242))

    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            for _ in range(2):
                reply = await called(path)
                assert isinstance(reply, Refused)
                assert reply.code == "forbidden"
                assert f"answers user {os.geteuid()} and root alone" in reply.message
        assert server.asked == []
        assert server.warnings == ["user 4242 is refused at the control socket"]

    play(scene())


def test_root_is_answered(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = path.parent.stat().st_uid or 1000
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, 0))
    monkeypatch.setattr(os, "geteuid", lambda: user)

    async def scene() -> None:
        async with Requests().open(path):
            assert await called(path) == {"did": "Status"}

    play(scene())


@pytest.mark.parametrize(
    ("uid", "peer", "why"),
    [
        (0, Peer(0, is_admin=True), "root"),
        (65534, Peer(65534, "nobody"), "a user, by the name that jobs of theirs go by"),
        (4242, Peer(4242), "a user without a name owns nothing"),
    ],
)
def test_an_open_socket_says_who_asks(
    path: Path, monkeypatch: pytest.MonkeyPatch, uid: int, peer: Peer, why: str
) -> None:
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, uid))
    monkeypatch.setattr(control_client, "_check_peer", lambda *_: None)  # it is all one process
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    async def scene() -> None:
        server = Requests()
        async with server.open(path, is_open=True):
            assert await called(path) == {"did": "Status"}
        assert server.peers == [peer], why
        assert server.warnings == []

    play(scene())


def first_reply(client: socket.socket) -> Any:
    with suppress(BrokenPipeError):  # turned away before it has asked
        client.sendall(STATUS)
    return json.loads(client.makefile().readline())


def test_no_user_takes_the_room_of_another_nor_all_of_them_that_of_root(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uids = iter([*[1001] * 5, *[uid for uid in range(1002, 1012) for _ in range(4)]])
    monkeypatch.setattr(user_names, "of_uid", lambda uid: f"user{uid}")
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, next(uids, 0)))
    monkeypatch.setattr(control_client, "_check_peer", lambda *_: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    async def scene() -> None:
        async with Requests().open(path, is_open=True):
            with ExitStack() as connected:
                heard = []
                for _ in range(1 + control_server.MOST_OF_OTHERS + 4):
                    client = connected.enter_context(socket.socket(socket.AF_UNIX))
                    client.connect(str(path))
                    heard.append(await asyncio.to_thread(first_reply, client))
                assert "error" in heard[4], "the fifth of one user"
                assert "4 clients of user 1001 are connected already" in str(heard[4])
                assert not any("error" in reply for reply in [*heard[:4], *heard[5:-4]])
                assert all("24 clients of users are" in str(reply) for reply in heard[-4:])
                assert next(uids) > 1001
                list(uids)
                assert await called(path) == {"did": "Status"}, "root is heard"

    play(scene())


def test_all_uids_without_a_name_have_the_room_of_one_user(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One user has 65,536 of them where there is /etc/subuid."""
    named = [1001, 1002, 1003, 1001]
    uids = iter([*range(100_000, 100_040), *named])
    monkeypatch.setattr(user_names, "of_uid", {1001: "a", 1002: "b", 1003: "c"}.get)
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, next(uids)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    async def scene() -> None:
        async with Requests().open(path, is_open=True):
            with ExitStack() as connected:
                heard = []
                for _ in range(40 + len(named)):
                    client = connected.enter_context(socket.socket(socket.AF_UNIX))
                    client.connect(str(path))
                    heard.append(await asyncio.to_thread(first_reply, client))
        assert not any("error" in reply for reply in heard[:4])
        assert all("4 clients of users without a name are" in str(each) for each in heard[4:40])
        assert not any("error" in reply for reply in heard[40:]), "who has a name is heard"

    play(scene())


def test_who_waits_for_a_name_leaves_room_for_those_who_have_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = threading.Event()

    def slow(uid: int) -> str | None:
        return "a" if uid == 1001 else may_answer.wait(60) and None  # type: ignore[return-value]  # None it is

    uids = iter([1001, *range(100_000, 100_020), 1001, 1001])
    monkeypatch.setattr(user_names, "of_uid", slow)
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, next(uids)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    async def scene() -> None:
        async with Requests().open(path, is_open=True):
            await said(path, STATUS, end=True)  # it is known to have a name now
            with ExitStack() as connected:
                clients = [
                    connected.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(20)
                ]
                for client in clients:
                    client.connect(str(path))
                for client in clients[control_server.MOST_UNNAMED :]:
                    reply = await asyncio.to_thread(first_reply, client)
                    assert "8 clients of users whose name is looked up are" in str(reply)
                assert await said(path, STATUS, end=True) == [{"ok": True, "did": "Status"}]
                may_answer.set()

    play(scene())


def test_all_uids_without_a_name_have_the_pace_of_one_user(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def wait(_: RequestPace, uid: int, __: float) -> float:
        asked.append(uid)
        return 0.0

    monkeypatch.setattr(RequestPace, "wait", wait)
    monkeypatch.setattr(user_names, "of_uid", lambda uid: "a" if uid == 1001 else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    uids = iter([100_000, 1001, 100_001])
    monkeypatch.setattr(control_socket, "peer_of", lambda _: (None, next(uids)))

    async def scene() -> None:
        async with Requests().open(path, is_open=True):
            for _ in range(3):
                await said(path, STATUS, end=True)

    play(scene())
    assert asked == [control_server.NAMELESS, 1001, control_server.NAMELESS]


def test_whom_the_system_does_not_name_is_turned_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: socket.socket) -> tuple[None, int]:
        raise OSError(errno.ENOTCONN, "gone")

    monkeypatch.setattr(control_socket, "peer_of", silent)

    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            assert [code(reply) for reply in await said(path, STATUS)] == ["forbidden"]
        assert server.asked == []

    play(scene())


ASKING = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
ASKING += "print(s.makefile().readline())"


def another_user(path: Path, mode: int) -> subprocess.CompletedProcess[str]:
    """What happens to a program of user nobody that speaks to a socket of this mode."""
    path.chmod(mode)
    command = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    python = ("/usr/bin/python3", "-S", "-c", ASKING, str(path))  # one that everybody may run
    return subprocess.run((*command, *python), capture_output=True, text=True, check=False)


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("folder", "file", "answer", "why"),
    [
        (0o700, 0o600, "PermissionError", "the folder is closed"),
        (0o755, 0o600, "PermissionError", "the socket is"),
        (0o755, 0o666, "forbidden", "somebody opened it, and the kernel says who asks"),
    ],
)
def test_another_user_can_t_speak_to_the_daemon(
    folder: int, file: int, answer: str, why: str
) -> None:
    async def scene(path: Path) -> None:
        server = Requests()
        async with server.open(path):
            done = await asyncio.to_thread(another_user, path, file)
        assert answer in done.stdout + done.stderr, why
        assert server.asked == []

    # Not pytest's own folder, which is closed to others by itself.
    place = Path("/run") / f"meridian-test-{os.getpid()}"
    place.mkdir(mode=0o700)
    try:
        place.chmod(folder)
        play(scene(place / "control.sock"))
    finally:
        shutil.rmtree(place)


@pytest.mark.privileged
def test_root_can_speak_to_any_users_daemon(tmp_path: Path) -> None:
    async def scene() -> None:
        path = tmp_path / "control.sock"
        listener = control_listener.listen(path)
        os.seteuid(NOBODY)  # and stays who it is for whoever connects
        try:
            async with control_server.serve(listener, Requests().ask, print):
                asking = (
                    sys.executable,
                    "-c",
                    ASKING.replace("print", "s.send(b'status\\n');print"),
                )
                process = await asyncio.to_thread(
                    subprocess.run,
                    ("setpriv", "--reuid=0", *asking, str(path)),
                    capture_output=True,
                    text=True,
                    check=False,
                )
        finally:
            os.seteuid(0)
        assert "not-json" in process.stdout, process.stderr

    play(scene())
