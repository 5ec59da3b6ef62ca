"""The file of the control socket: whose it is, what it takes the place of, when it goes."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import sys
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import pytest
from control_ends import ON_LINUX, left_behind, listening

from scheduler.errors import NoAnswer, NoSocket
from scheduler.status import Status
from scheduler.system import control_client, control_listener

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@pytest.mark.parametrize(
    ("is_open", "umask", "mode"), [(False, 0, 0o600), (True, 0, 0o666), (True, 0o077, 0o666)]
)
def test_the_socket_is_its_users_alone_or_open_whatever_the_umask(
    path: Path, is_open: bool, umask: int, mode: int
) -> None:
    mask = os.umask(umask)
    try:
        with closing(control_listener.listen(path, is_open=is_open)):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(umask) == umask, "and the umask is as it was"
    finally:
        os.umask(mask)


def test_what_a_dead_daemon_left_is_replaced(path: Path) -> None:
    left_behind(path)
    with listening(path):
        assert path.is_socket()


def test_a_living_daemon_keeps_its_socket(path: Path) -> None:
    with listening(path) as first:
        with pytest.raises(NoSocket, match=r"another daemon.* listens at .*; .*--state") as refused:
            control_listener.listen(path)
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
            control_listener.listen(path)
        with pytest.raises(NoAnswer, match="it may be stopped"):
            control_client.call(path, Status(), 0.01)
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
        control_listener.listen(path)
    assert path.lstat() == before


def test_a_socket_of_another_kind_is_not_touched(path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as sock:
        sock.bind(str(path))
        with pytest.raises(NoSocket, match="Protocol wrong type"):
            control_listener.listen(path)
    assert path.is_socket()


def test_a_folder_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(NoSocket, match=r"can't make .*gone/control.sock: No such file"):
        control_listener.listen(path.parent / "gone" / "control.sock")


def test_two_daemons_do_not_look_at_the_same_moment(path: Path) -> None:
    left_behind(path)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NoSocket, match=r"another program has locked .*/control.lock"):
            control_listener.listen(path)
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
        control_listener.listen(path)


def test_a_file_that_is_another_s_by_now_stays(path: Path) -> None:
    listener = control_listener.listen(path)
    path.unlink()
    path.write_text("another's")
    listener.close()
    assert path.read_text() == "another's"
    control_listener.ListeningSocket(
        socket.socket(socket.AF_UNIX), path.parent / "gone", (0, 0)
    ).close()
