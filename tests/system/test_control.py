"""The control socket, both ends of it real: who gets in, what is answered, what a client can't do."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import json
import os
import random
import resource
import shutil
import socket
import stat
import subprocess
import sys
from contextlib import (
    ExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    nullcontext,
    suppress,
)
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from scheduler import protocol
from scheduler.errors import MeridianError, NoAnswer, NoDaemon, NoSocket
from scheduler.protocol import Kill, Refused, Reload, Reply, Request, Retry, Status, Trigger
from scheduler.system import control

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="a path through /proc")
NOBODY = 65534
STATUS = protocol.write(Status())


class Requests:
    """A daemon that says what it was asked."""

    def __init__(
        self, answer: Callable[[Request], Coroutine[Any, Any, Reply]] | None = None
    ) -> None:
        self.asked: list[Request] = []
        self.warnings: list[str] = []
        self._answer = answer

    def warn(self, *lines: str) -> None:
        self.warnings.append("\n".join(lines))

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        if self._answer is not None:
            return await self._answer(request)
        return {"did": type(request).__name__}

    @asynccontextmanager
    async def open(self, path: Path, *, within: float = 60) -> AsyncIterator[None]:
        listener = control.listen(path)
        async with control.serve(listener, self.ask, self.warn, within=within):
            yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


def play(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scene)


async def called(path: Path, request: Request = Status()) -> Reply:  # noqa: B008 (it is frozen)
    """What a command gets to hear, while the loop goes on."""
    return await asyncio.to_thread(control.call, path, request, 30)


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
            lines = [protocol.write(each) for each in (Kill(1), Retry(2), Reload())]
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
    monkeypatch.setattr(control, "ANSWER_WITHIN", 0.01)
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
    monkeypatch.setattr(control, "GOODBYE", 0.01)

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


def test_a_file_that_is_another_s_by_now_stays(path: Path) -> None:
    listener = control.listen(path)
    path.unlink()
    path.write_text("another's")
    listener.close()
    assert path.read_text() == "another's"
    control.Listener(socket.socket(socket.AF_UNIX), path.parent / "gone", (0, 0)).close()


# --- the file ------------------------------------------------------------------------------------


@contextmanager
def listening(path: Path) -> Iterator[control.Listener]:
    with closing(control.listen(path)) as listener:
        yield listener


def left_behind(path: Path) -> None:
    """The socket of a daemon that died."""
    with closing(socket.socket(socket.AF_UNIX)) as sock:
        sock.bind(str(path))


def test_the_socket_is_its_users_alone_whatever_the_umask(path: Path) -> None:
    mask = os.umask(0)
    try:
        with listening(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0) == 0, "and the umask is as it was"
    finally:
        os.umask(mask)


def test_what_a_dead_daemon_left_is_replaced(path: Path) -> None:
    left_behind(path)
    with listening(path):
        assert path.is_socket()


def test_a_living_daemon_keeps_its_socket(path: Path) -> None:
    with listening(path) as first:
        with pytest.raises(NoSocket, match=r"another daemon.* listens at .*; .*--state") as refused:
            control.listen(path)
        if sys.platform == "linux":
            assert f"(pid {os.getpid()})" in str(refused.value)
        assert (path.stat().st_dev, path.stat().st_ino) == first.file


@ON_LINUX
def test_even_one_that_takes_no_more_connections(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as stuck, ExitStack() as waiting:
        stuck.bind(str(path))
        stuck.listen(0)
        with suppress(BlockingIOError):
            while True:
                client = waiting.enter_context(socket.socket(socket.AF_UNIX))
                client.settimeout(0)
                client.connect(str(path))
        with pytest.raises(NoSocket, match="another daemon listens"):
            control.listen(path)
        with pytest.raises(NoAnswer, match="it may be stopped"):
            control.call(path, Status(), 0.01)
    assert path.is_socket()


def thing(path: Path, kind: str) -> None:
    match kind:
        case "a file":
            path.write_text("mine")
        case "a folder":
            path.mkdir()
        case "a FIFO":
            os.mkfifo(path)
        case "a link":
            left_behind(path.parent / "elsewhere")
            path.symlink_to("elsewhere")
        case _:
            path.symlink_to("nowhere")


@pytest.mark.parametrize("kind", ["a file", "a folder", "a FIFO", "a link", "a link to nothing"])
def test_what_is_no_socket_is_not_touched(path: Path, kind: str) -> None:
    thing(path, kind)
    before = path.lstat()
    with pytest.raises(NoSocket, match="there is something else at"):
        control.listen(path)
    assert path.lstat() == before


def test_a_socket_of_another_kind_is_not_touched(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.bind(str(path))
        with pytest.raises(NoSocket, match="Protocol wrong type"):
            control.listen(path)
    assert path.is_socket()


def test_a_folder_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(NoSocket, match=r"can't make .*gone/control.sock: No such file"):
        control.listen(path.parent / "gone" / "control.sock")


def test_two_daemons_do_not_look_at_the_same_moment(path: Path) -> None:
    left_behind(path)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NoSocket, match=r"another program has locked .*/control.lock"):
            control.listen(path)
    with listening(path):
        pass


def test_whoever_may_look_into_the_folder_can_lock_no_daemon_out(path: Path) -> None:
    """What can be locked there is their user's alone to open, also what others left open to all."""
    path.with_suffix(".lock").touch(mode=0o666)
    folder = os.open(path.parent, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    with listening(path):
        assert path.with_suffix(".lock").stat().st_mode & 0o777 == 0o600
    os.close(folder)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/etc/passwd")])
def test_what_stands_in_the_place_of_its_lock_is_said(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path.with_suffix(".lock"))
    with pytest.raises(NoSocket, match=r"can't make the control socket .* is in its place"):
        control.listen(path)


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A path longer than an address may be."""
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    return folder / "control.sock"


@ON_LINUX
def test_a_path_may_be_longer_than_an_address(far: Path) -> None:
    async def scene() -> None:
        left_behind_far = control.listen(far)
        left_behind_far.socket.close()
        async with Requests().open(far):
            assert is_there(far)
            assert await called(far) == {"did": "Status"}
            with pytest.raises(NoSocket, match="another daemon"):
                control.listen(far)
        assert not is_there(far)
        with pytest.raises(NoDaemon):
            await called(far)

    play(scene())


def test_where_there_is_no_way_round_a_long_path_is_refused(
    far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "LINUX", False)
    for ask in (lambda: control.listen(far), lambda: control.call(far, Status())):
        with pytest.raises(NoSocket, match=r"longer than .* name a shorter one with --state"):
            ask()


# --- who asks ------------------------------------------------------------------------------------


def test_another_user_is_turned_away_by_what_the_kernel_says(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_peer", lambda _: (None, 4242))

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


def test_root_is_let_in(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = path.parent.stat().st_uid or 1000
    monkeypatch.setattr(control, "_peer", lambda _: (None, 0))
    monkeypatch.setattr(os, "geteuid", lambda: user)

    async def scene() -> None:
        async with Requests().open(path):
            assert await called(path) == {"did": "Status"}

    play(scene())


def test_whom_the_system_does_not_name_is_turned_away(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(_: socket.socket) -> tuple[None, int]:
        raise OSError(errno.ENOTCONN, "gone")

    monkeypatch.setattr(control, "_peer", silent)

    async def scene() -> None:
        server = Requests()
        async with server.open(path):
            assert [code(reply) for reply in await said(path, STATUS)] == ["forbidden"]
        assert server.asked == []

    play(scene())


def bsd(status: int) -> Callable[..., object]:
    """A C library with getpeereid(3)."""

    def getpeereid(_: int, uid: Any, gid: Any) -> int:
        uid._obj.value, gid._obj.value = 501, 20
        return status

    return lambda *_, **__: SimpleNamespace(getpeereid=getpeereid)


def test_where_there_is_no_peercred_getpeereid_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = socket.socketpair()
    with one, other:
        monkeypatch.setattr(ctypes, "CDLL", bsd(0))
        assert control._peer_of_bsd(one) == 501
        monkeypatch.setattr(ctypes, "CDLL", bsd(-1))
        with pytest.raises(OSError, match="getpeereid"):
            control._peer_of_bsd(one)


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
        listener = control.listen(path)
        os.seteuid(NOBODY)  # and stays who it is for whoever connects
        try:
            async with control.serve(listener, Requests().ask, print):
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


@ON_LINUX
def test_a_link_may_lead_to_a_path_longer_than_an_address(far: Path, path: Path) -> None:
    path.symlink_to(far)

    async def scene() -> None:
        async with Requests().open(far):
            assert await called(path) == {"did": "Status"}

    play(scene())


# --- a command's end -----------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["nothing", "a socket", "a file", "no folder"])
def test_a_daemon_that_does_not_run_is_said_not_to_whatever_it_left(path: Path, left: str) -> None:
    if left == "a socket":
        left_behind(path)
    elif left == "a file":
        path.touch()
    elif left == "no folder":
        path = path.parent / "gone" / "control.sock"
    with pytest.raises(
        NoDaemon, match="no daemon runs with this state folder; meridian run starts"
    ):
        control.call(path, Status())


def test_a_daemon_that_is_stopped_is_not_waited_for_long(path: Path) -> None:
    with (
        listening(path),
        pytest.raises(NoAnswer, match=r"no answer within 0.01 s; it may be stopped"),
    ):
        control.call(path, Status(), 0.01)


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
    monkeypatch.setattr(control, "LONGEST_REPLY", 1000)

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
        control.call(path, Status())


# --- clients that mean no good, or know no better ------------------------------------------------


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
            assert sent < 1 << 23, "what the kernel and two buffers hold"
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
def test_a_thousand_connections_hold_up_nobody_for_good(path: Path) -> None:
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
                turned_away = clients[control.MOST_AT_ONCE :]
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
    monkeypatch.setattr(control, "REST", 0.0)
    tries: list[None] = []
    open_ = control.Server.open

    def opens(server: control.Server) -> None:
        tries.append(None)
        open_(server)

    monkeypatch.setattr(control.Server, "open", opens)
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


def test_an_end_while_connections_are_not_taken_is_an_end(
    path: Path,
) -> None:
    class Full(socket.socket):
        def accept(self) -> Any:
            raise OSError(errno.ENFILE, "Too many open files in system")

    async def scene() -> None:
        listener = control.listen(path)
        full = Full(fileno=os.dup(listener.socket.fileno()))
        server = Requests()
        with closing(listener):
            blocked = control.Listener(full, path, listener.file)
            async with control.serve(blocked, server.ask, server.warn):
                with closing(socket.socket(socket.AF_UNIX)) as client:
                    client.connect(str(path))
                    await until(lambda: server.warnings)

    play(scene())


def test_all_that_is_refused_is_an_error_that_the_command_line_shows() -> None:
    assert issubclass(NoDaemon, MeridianError)
    assert issubclass(NoAnswer, MeridianError)
    assert issubclass(NoSocket, MeridianError)
