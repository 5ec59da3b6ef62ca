"""What both ends share: paths longer than an address, and the kernel's word on who is there."""

from __future__ import annotations

import ctypes
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from control_ends import ON_LINUX, Requests, called, is_there, play

from scheduler.errors import NoDaemon, NoSocket
from scheduler.status import Status
from scheduler.system import control_client, control_listener, control_socket

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A path longer than an address may be."""
    folder = tmp_path / ("x" * 100) / ("y" * 100)
    folder.mkdir(parents=True)
    return folder / "control.sock"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control.sock"


@ON_LINUX
def test_a_path_may_be_longer_than_an_address(far: Path) -> None:
    async def scene() -> None:
        left_behind_far = control_listener.listen(far)
        left_behind_far.socket.close()
        async with Requests().open(far):
            assert is_there(far)
            assert await called(far) == {"did": "Status"}
            with pytest.raises(NoSocket, match="another daemon"):
                control_listener.listen(far)
        assert not is_there(far)
        with pytest.raises(NoDaemon):
            await called(far)

    play(scene())


@ON_LINUX
def test_a_link_may_lead_to_a_path_longer_than_an_address(far: Path, path: Path) -> None:
    path.symlink_to(far)

    async def scene() -> None:
        async with Requests().open(far):
            assert await called(path) == {"did": "Status"}

    play(scene())


def test_where_there_is_no_way_round_a_long_path_is_refused(
    far: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_socket, "LINUX", False)
    for ask in (lambda: control_listener.listen(far), lambda: control_client.call(far, Status())):
        with pytest.raises(NoSocket, match=r"longer than .* name a shorter one with --state"):
            ask()


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
        assert control_socket.peer_of_bsd(one) == 501
        monkeypatch.setattr(ctypes, "CDLL", bsd(-1))
        with pytest.raises(OSError, match="getpeereid"):
            control_socket.peer_of_bsd(one)
