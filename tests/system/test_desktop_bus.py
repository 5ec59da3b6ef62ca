"""Notifications over the session bus: one that is none, and the real one."""

import os
import pty
import select
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from jeepney import HeaderFields, Message, MessageType, new_error, new_method_return
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import unwrap_msg
from notification_words import NOWHERE

from scheduler.errors import NotifyError
from scheduler.system.desktop import notify


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal: what a person sees, what programs write to."""
    person, device = pty.openpty()
    try:
        yield person, device
    finally:
        os.close(person)
        os.close(device)


def seen(person: int) -> str:
    ready, _, _ = select.select([person], [], [], 5)
    assert ready, "the terminal shows nothing"
    return os.read(person, 65536).decode().replace("\r", "")


# --- without a bus -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "complaint", "why"),
    [
        ("unix:path=/nonexistent/bus", "No such file", "nobody listens"),
        ("autolaunch:", "D-Bus can't be used", "needs libdbus"),
        ("tcp:host=localhost,port=1", "not supported", "another transport"),
        ("nonsense", "D-Bus can't be used", "no address at all"),
    ],
)
def test_a_bus_that_cannot_be_reached_is_said(address: str, complaint: str, why: str) -> None:
    environ = {"DBUS_SESSION_BUS_ADDRESS": address}
    with pytest.raises(NotifyError, match=complaint):
        notify("Title", why, environ=environ, platform="linux", terminal=NOWHERE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("greeting", "timeout", "complaint", "why"),
    [
        ([], 0.4, "no answer within 0.4 s", "it never greets"),
        ([b"OK 0123\r\n"], 1.2, "no answer within 1.2 s", "it greets and then says nothing"),
        ([b"REJECTED EXTERNAL\r\n"], 9, "Authentication failed", "it admits nobody"),
        ([b"OK 0123\r\n", None], 9, "D-Bus can't be used", "it hangs up"),
    ],
    ids=["silent", "silent after its greeting", "unwelcoming", "hanging up"],
)
def test_a_bus_that_is_none_is_given_up_in_time(
    greeting: list[bytes | None], timeout: float, complaint: str, why: str, tmp_path: Path
) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        impostor = threading.Thread(target=_pretend, args=(listener, greeting))
        impostor.start()
        with pytest.raises(NotifyError, match=complaint):
            notify(
                "Title",
                why,
                environ={"XDG_RUNTIME_DIR": str(tmp_path)},
                platform="linux",
                timeout=timeout,
                terminal=NOWHERE,
            )
        impostor.join()


def _pretend(listener: socket.socket, greeting: list[bytes | None]) -> None:
    caller, _ = listener.accept()
    with closing(caller), suppress(ConnectionError):
        for line in greeting:
            caller.recv(1024)
            if line is None:
                return
            caller.sendall(line)
        while caller.recv(1024):
            pass


class NotificationServer:
    """Owns org.freedesktop.Notifications on a bus and keeps what it was asked to show."""

    def __init__(self, address: str, able: list[str], *, answers: str = "as a server does") -> None:
        self.shown: list[tuple[object, ...]] = []
        self._able = able
        self._answers = answers
        self._bus: DBusConnection = open_dbus_connection(address)
        unwrap_msg(
            self._bus.send_and_get_reply(message_bus.RequestName("org.freedesktop.Notifications"))
        )
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._bus.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._bus.close()

    def _serve(self) -> None:
        with suppress(ConnectionError):
            while True:
                call = self._bus.receive()
                if call.header.message_type is MessageType.method_call:
                    self._answer(call)

    def _answer(self, call: Message) -> None:
        method = call.header.fields[HeaderFields.member]
        if self._answers == "never":
            return
        if self._answers == "with an error":
            self._bus.send(
                new_error(call, "org.freedesktop.Notifications.Error.ExcessNotifications")
            )
        elif method == "GetCapabilities":
            self._bus.send(new_method_return(call, "as", (self._able,)))
        else:
            self.shown.append(call.body)
            self._bus.send(new_method_return(call, "u", (1,)))


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    """A private session bus at $XDG_RUNTIME_DIR/bus of a directory of its own."""
    address = f"unix:path={tmp_path}/bus"
    with subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}"],
        stdout=subprocess.PIPE,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        yield daemon.stdout.readline().strip()
        daemon.terminate()


BODY = "<b>1 < 2 & 3</b>"


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("able", "title", "text", "why"),
    [
        (["body", "body-markup"], "<i>T</i>", "&lt;b&gt;1 &lt; 2 &amp; 3&lt;/b&gt;", "markup is escaped in the text alone"),
        (["body", "actions"], "<i>T</i>", BODY, "a server without markup shows the text as it is"),
        (["actions"], f"<i>T</i>: {BODY}", "", "a server that shows one line gets both in it"),
    ],
)  # fmt: skip
def test_a_notification_server_shows_it_literally(
    able: list[str], title: str, text: str, why: str, bus: str
) -> None:
    with closing(NotificationServer(bus, able)) as server:
        environ = {"DBUS_SESSION_BUS_ADDRESS": bus}
        assert notify("<i>T</i>", BODY, environ=environ, platform="linux") == "dbus"
    assert server.shown == [("Meridian", 0, "", title, text, [], {}, -1)], why


@pytest.mark.privileged
def test_the_bus_is_found_in_the_runtime_directory(bus: str, tmp_path: Path) -> None:
    with closing(NotificationServer(bus, ["body"])) as server:
        environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
        assert notify("half\udce9 a\0b", "\x1b[m", environ=environ, platform="linux") == "dbus"
    assert server.shown == [("Meridian", 0, "", "half\ufffd ab", "[m", [], {}, -1)]


@pytest.mark.privileged
@pytest.mark.parametrize(
    ("answers", "timeout", "complaint"),
    [
        ("never", 1.2, "D-Bus gave no answer within 1.2 s"),
        (
            "with an error",
            9,
            "D-Bus answered org.freedesktop.Notifications.Error.ExcessNotifications",
        ),
    ],
)
def test_a_server_that_does_not_show_it_leaves_it_to_the_terminal(
    answers: str, timeout: float, complaint: str, bus: str, terminal: tuple[int, int]
) -> None:
    person, device = terminal
    environ = {"DBUS_SESSION_BUS_ADDRESS": bus}
    with closing(NotificationServer(bus, ["body"], answers=answers)):
        way = notify(
            "Title",
            environ=environ,
            platform="linux",
            timeout=timeout,
            terminal=Path(os.ttyname(device)),
        )
        assert way == "terminal"
        assert seen(person) == "\n\aTitle\n"
        with pytest.raises(NotifyError, match=complaint):
            notify("Title", environ=environ, platform="linux", timeout=timeout, terminal=NOWHERE)


@pytest.mark.privileged
def test_a_bus_without_a_notification_server_is_said(bus: str) -> None:
    environ = {"DBUS_SESSION_BUS_ADDRESS": bus}
    with pytest.raises(NotifyError, match=r"D-Bus answered org.freedesktop.DBus.Error"):
        notify("Title", environ=environ, platform="linux", terminal=NOWHERE)
