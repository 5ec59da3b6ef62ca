"""systemd hears READY, RELOADING, STOPPING and STATUS, and nobody minds when it is not there."""

import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scheduler.system import systemd

ADDRESSES = ["a path", "an abstract name"] if sys.platform == "linux" else ["a path"]


@pytest.fixture(params=ADDRESSES)
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end: a datagram socket at either kind of address."""
    path = str(tmp_path / "notify") if request.param == "a path" else f"\0meridian-{uuid.uuid4()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(path)
        sock.settimeout(5)
        yield sock


def environ(listener: socket.socket) -> dict[str, str]:
    name = listener.getsockname()
    return {"NOTIFY_SOCKET": "@" + name[1:].decode() if isinstance(name, bytes) else name}


def test_a_state_arrives_as_one_datagram(listener: socket.socket) -> None:
    systemd.tell("READY=1\nMAINPID=7", environ=environ(listener))
    assert listener.recv(4096) == b"READY=1\nMAINPID=7"


def test_each_word_says_what_the_protocol_asks_for(listener: socket.socket) -> None:
    where = environ(listener)
    systemd.ready("12 entries", environ=where)
    systemd.reloading(12.5, environ=where)
    systemd.status("nothing running", environ=where)
    systemd.alive(environ=where)
    systemd.stopping(environ=where)
    systemd.extend(60.0, environ=where)
    assert [listener.recv(4096) for _ in range(6)] == [
        b"READY=1\nSTATUS=12 entries",
        b"RELOADING=1\nMONOTONIC_USEC=12500000",
        b"STATUS=nothing running",
        b"WATCHDOG=1",
        b"STOPPING=1",
        b"EXTEND_TIMEOUT_USEC=60000000",
    ]


@pytest.mark.parametrize(
    ("seconds", "sent"), [(7.5, b"WATCHDOG_USEC=7500000"), (None, b"WATCHDOG_USEC=0")]
)
def test_a_sign_of_life_is_expected_as_long_as_there_is_a_loop(
    seconds: float | None, sent: bytes, listener: socket.socket
) -> None:
    where = environ(listener)
    systemd.expect(seconds, environ=where)  # nobody has asked for one
    systemd.expect(seconds, environ={**where, "WATCHDOG_USEC": "1000000"})
    systemd.stopping(environ=where)
    assert [listener.recv(4096) for _ in range(2)] == [sent, b"STOPPING=1"]


@pytest.mark.parametrize(
    ("variables", "seconds", "why"),
    [
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "180000000"}, 180, "asked for"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5, "by name"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None, "of another process"),
        ({"NOTIFY_SOCKET": "@a"}, None, "not asked for"),
        ({"WATCHDOG_USEC": "1500000"}, None, "nobody listens"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": ""}, None, "no number"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "soon"}, None, "no number"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "-5"}, None, "no number of microseconds"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "0"}, None, "switched off"),
        ({"NOTIFY_SOCKET": "@a", "WATCHDOG_USEC": "²"}, None, "a digit, but no number"),
    ],
)  # fmt: skip
def test_a_watchdog_is_who_asks_for_signs_of_life(
    variables: dict[str, str], seconds: float | None, why: str
) -> None:
    assert systemd.watchdog(environ=variables) == seconds, why


@pytest.mark.parametrize(
    ("text", "sent", "why"),
    [
        ("a\nSTOPPING=1", b"STATUS=a STOPPING=1", "a line of its own would be obeyed"),
        ("a\r\x0b\u2028b", b"STATUS=a b", "whatever ends lines"),
        ("café", b"STATUS=caf\xc3\xa9", "UTF-8"),
        ("caf\udce9", b"STATUS=caf?", "a byte that was no UTF-8"),
        ("", b"STATUS=", "nothing to say clears the line"),
    ],
)
def test_a_status_is_one_line(text: str, sent: bytes, why: str, listener: socket.socket) -> None:
    systemd.ready(text, environ=environ(listener))
    assert listener.recv(4096) == b"READY=1\n" + sent, why


@pytest.mark.parametrize(
    "where",
    [
        pytest.param({}, id="not started by systemd"),
        pytest.param({"NOTIFY_SOCKET": ""}, id="switched off"),
        pytest.param({"NOTIFY_SOCKET": "/nonexistent/notify"}, id="systemd is gone"),
        pytest.param({"NOTIFY_SOCKET": "@meridian-nobody-listens"}, id="so is its abstract twin"),
        pytest.param({"NOTIFY_SOCKET": "/" + "x" * 500}, id="longer than an address can be"),
        pytest.param({"NOTIFY_SOCKET": "relative"}, id="not an address of the protocol"),
        pytest.param(
            {"NOTIFY_SOCKET": "vsock:2:1234"}, id="a virtual machine's host, which is not spoken"
        ),
        pytest.param({"NOTIFY_SOCKET": "/dev/null"}, id="not a socket"),
    ],
)
def test_nobody_to_tell_is_no_trouble(where: dict[str, str]) -> None:
    systemd.tell("READY=1", environ=where)  # raises nothing


def test_a_listener_that_does_not_read_is_not_waited_for_and_hears_the_last_states_later(
    listener: socket.socket,
) -> None:
    """READY must come through in the end: systemd would take the service for one that failed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chatter:
        chatter.setblocking(False)
        busy = 0
        with suppress(BlockingIOError):
            while True:
                chatter.sendto(b"STATUS=busy", listener.getsockname())
                busy += 1
    for n in range(100):  # it would hang here
        systemd.tell(f"READY=1\nSTATUS={n}", environ=environ(listener))
    assert {listener.recv(4096) for _ in range(busy)} == {b"STATUS=busy"}
    later = [listener.recv(4096) for _ in range(8)]
    if (
        later[0] != b"READY=1\nSTATUS=92"
    ):  # the thread had an earlier one already when the last came
        later = [*later[1:], listener.recv(4096)]
    assert later == [b"READY=1\nSTATUS=%d" % n for n in range(92, 100)]


def test_a_readiness_that_waits_is_not_crowded_out_by_what_comes_each_minute(
    listener: socket.socket,
) -> None:
    where = environ(listener)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as chatter:
        chatter.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                chatter.sendto(b"busy", listener.getsockname())
    systemd.ready("12 entries", environ=where)
    for n in range(100):
        systemd.status(f"{n} running", environ=where)
        systemd.alive(environ=where)
        systemd.extend(60, environ=where)
    heard: list[bytes] = []
    while not heard or heard[-1] != b"EXTEND_TIMEOUT_USEC=60000000":
        heard.append(listener.recv(4096))
    left = [each for each in heard if each != b"busy"]
    assert left[0] == b"READY=1\nSTATUS=12 entries"
    assert left[-3:] == [b"STATUS=99 running", b"WATCHDOG=1", b"EXTEND_TIMEOUT_USEC=60000000"]
    assert len(left) <= 4


def test_the_daemon_s_own_environment_is_asked_by_default(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "NOTIFY_SOCKET", environ(listener)["NOTIFY_SOCKET"])
    systemd.stopping()
    assert listener.recv(4096) == b"STOPPING=1"
