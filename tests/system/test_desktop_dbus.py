"""Notifications over a session bus: one that is none, and a real one with a server by script."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bus_services import NEVER, notification_server
from notification_words import NOWHERE
from pseudo_terminals import seen

from scheduler.errors import NotifyError
from scheduler.system import desktop
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Button, Notification, Urgency

if TYPE_CHECKING:
    from bus_services import BusServices

ME = 1000
NORMAL = {"urgency": ("y", 1)}
NO_BUS = r"bus: (can't be used|no answer within)"


def there(tmp_path: Path, **environ: str) -> Desktop:
    """An ordinary user's desktop, which finds no bus but those of its environment."""
    return Desktop(
        environ,
        "linux",
        uid=ME,
        terminal=NOWHERE,
        runtime=tmp_path / "run",
        numbers=tmp_path / "numbers",
    )


def at(address: str, tmp_path: Path) -> Desktop:
    return there(tmp_path, DBUS_SESSION_BUS_ADDRESS=address)


# --- without a bus -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "complaint", "why"),
    [
        ("unix:path=/nonexistent/bus", "No such file", "nobody listens"),
        ("autolaunch:", "the transport autolaunch is not supported", "needs libdbus"),
        ("tcp:host=localhost,port=1", "the transport tcp is not supported", "another transport"),
        ("nonsense", "is no address of a bus", "no address at all"),
        ("unix:path=/nonexistent/1;unix:path=/nonexistent/2", "nonexistent/1: .*nonexistent/2: ", "each is named"),
    ],
)  # fmt: skip
def test_a_bus_that_cannot_be_reached_is_said(
    address: str, complaint: str, why: str, tmp_path: Path
) -> None:
    with pytest.raises(NotifyError, match=complaint):
        desktop.show(Notification("Title", why), at(address, tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("greeting", "timeout", "complaint", "why"),
    [
        ([], 0.4, "no answer within 0.2 s", "it never greets"),
        ([b"OK 0123\r\n"], 0.4, "no answer within 0.2 s", "it greets and then says nothing"),
        ([b"REJECTED EXTERNAL\r\n"], 9, "Authentication failed", "it admits nobody"),
        ([b"OK 0123\r\n", None], 9, "can't be used", "it hangs up"),
        (
            [b"OK 0123\r\n", b"HTTP/1.1 400 Bad Request" * 9],
            0.4,
            NO_BUS,
            "it speaks something else",
        ),
        ([b"OK 0123\r\n", b"l\2\1\1\xff\xff\xff\0" * 9], 0.4, NO_BUS, "its message never ends"),
        ([b"OK 0123\r\n", b"l\2\1\1" + bytes(60)], 0.4, NO_BUS, "its message answers nothing"),
        ([b"OK 0123\r\n", b"l\x09\1\1" + b"\1\0\0\0" * 9], 0.4, NO_BUS, "a kind that there is not"),
    ],
    ids=["silent", "greeting", "unwelcoming", "hanging up", "http", "endless", "empty", "unknown"],
)
def test_a_bus_that_is_none_is_given_up_in_time(
    greeting: list[bytes | None], timeout: float, complaint: str, why: str, tmp_path: Path
) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "bus"))
        listener.listen()
        impostor = threading.Thread(target=_pretend, args=(listener, greeting), daemon=True)
        impostor.start()
        with pytest.raises(NotifyError, match=complaint):
            desktop.show(
                Notification("Title", why),
                there(tmp_path, XDG_RUNTIME_DIR=str(tmp_path)),
                timeout=timeout,
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


# --- with a bus ----------------------------------------------------------------------------------

BODY = "<b>1 < 2 & 3</b>"


@pytest.mark.parametrize(
    ("able", "title", "text", "why"),
    [
        (["body", "body-markup"], "<i>T</i>", "&lt;b&gt;1 &lt; 2 &amp; 3&lt;/b&gt;", "markup is escaped in the text alone"),
        (["body", "actions"], "<i>T</i>", BODY, "a server without markup shows the text as it is"),
        (["actions"], f"<i>T</i>: {BODY}", "", "a server that shows one line gets both in it"),
    ],
)  # fmt: skip
def test_a_notification_server_shows_it_literally(
    able: list[str], title: str, text: str, why: str, bus: str, tmp_path: Path
) -> None:
    with notification_server(bus, able) as server:
        shown = desktop.show(Notification("<i>T</i>", BODY), at(bus, tmp_path))
        assert shown.way == "dbus"
    assert server.said("Notify") == [("Meridian", 0, "", title, text, [], NORMAL, -1)], why


@pytest.mark.parametrize("named", [True, False], ids=["XDG_RUNTIME_DIR", "/run/user/UID"])
def test_the_bus_is_found_where_no_variable_says_it(named: bool, bus: str, tmp_path: Path) -> None:
    place = there(tmp_path)
    if named:
        place = there(tmp_path, XDG_RUNTIME_DIR=str(tmp_path))
    else:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / str(ME)).symlink_to(tmp_path)
    with notification_server(bus) as server:
        assert desktop.show(Notification("half\udce9 a\0b", "\x1b[m"), place).way == "dbus"
    assert server.said("Notify") == [("Meridian", 0, "", "half\ufffd ab", "[m", [], NORMAL, -1)]


def test_an_address_that_is_stale_gives_way_to_the_next(bus: str, tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as stale:
        stale.bind(str(tmp_path / "stale"))  # its listener is gone, as after a crash
    listed = f"unixexec:path=/bin/sh;unix:path={tmp_path}/gone;unix:path={tmp_path}/stale;{bus}"
    with notification_server(bus) as server:
        assert desktop.show(Notification("Title"), at(listed, tmp_path)).way == "dbus"
    assert len(server.said("Notify")) == 1


def test_a_stale_variable_gives_way_to_the_bus_of_the_runtime_directory(
    bus: str, tmp_path: Path
) -> None:
    stale = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
    with notification_server(bus) as server:
        place = there(tmp_path, XDG_RUNTIME_DIR=str(tmp_path), **stale)
        assert desktop.show(Notification("Title"), place).way == "dbus"
    assert len(server.said("Notify")) == 1


@pytest.mark.parametrize(
    ("answer", "timeout", "complaint"),
    [
        (NEVER, 1.2, "no answer within 0.6 s"),
        (
            "org.freedesktop.Notifications.Error.ExcessNotifications",
            9,
            "answered org.freedesktop.Notifications.Error.ExcessNotifications",
        ),
    ],
)
def test_a_server_that_does_not_show_it_leaves_it_to_the_terminal(
    answer: str, timeout: float, complaint: str, bus: str, tmp_path: Path, terminal: tuple[int, int]
) -> None:
    person, device = terminal
    nowhere = at(bus, tmp_path)
    somewhere = Desktop(
        nowhere.environ, "linux", uid=ME, terminal=Path(os.ttyname(device)), runtime=tmp_path
    )
    with notification_server(bus, Notify=answer):
        shown = desktop.show(Notification("Title"), somewhere, timeout=timeout)
        assert shown.way == "terminal"
        assert seen(person) == "\n\aTitle\n"
        with pytest.raises(NotifyError, match=complaint):
            desktop.show(Notification("Title"), nowhere, timeout=timeout)


def test_a_bus_without_a_notification_server_is_said(bus: str, tmp_path: Path) -> None:
    with pytest.raises(NotifyError, match=r"answered org.freedesktop.DBus.Error"):
        desktop.show(Notification("Title"), at(bus, tmp_path))


def test_a_server_that_dies_in_between_is_said(bus: str, tmp_path: Path) -> None:
    servers: list[BusServices] = []

    def die(_: tuple[Any, ...]) -> str:
        servers[0]._bus.sock.shutdown(socket.SHUT_RDWR)
        return NEVER

    with notification_server(bus, Notify=die) as server:
        servers.append(server)
        with pytest.raises(NotifyError, match=r"answered org.freedesktop.DBus.Error.NoReply"):
            desktop.show(Notification("Title"), at(bus, tmp_path))


# --- what a server is told beside the words ------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "icon", "hints", "expires", "why"),
    [
        (Notification("T", urgency=Urgency.LOW), "", {"urgency": ("y", 0)}, -1, "the byte of low"),
        (Notification("T", urgency=Urgency.CRITICAL), "", {"urgency": ("y", 2)}, -1, "the byte of critical"),
        (Notification("T", icon="face-tired"), "face-tired", NORMAL, -1, "an icon of the theme"),
        (Notification("T", expire=2.5), "", NORMAL, 2500, "milliseconds"),
        (Notification("T", expire=0), "", NORMAL, 0, "for ever"),
        (Notification("T", expire=10**9), "", NORMAL, 2**31 - 1, "as long as the protocol can say"),
    ],
)  # fmt: skip
def test_a_server_is_told(
    asked: Notification,
    icon: str,
    hints: dict[str, tuple[str, int]],
    expires: int,
    why: str,
    bus: str,
    tmp_path: Path,
) -> None:
    with notification_server(bus) as server:
        desktop.show(asked, at(bus, tmp_path))
    assert server.said("Notify") == [("Meridian", 0, icon, "T", "", [], hints, expires)], why


def replaced(server: BusServices) -> list[int]:
    return [words[1] for words in server.said("Notify")]


def test_one_of_a_tag_takes_the_place_of_the_one_before(bus: str, tmp_path: Path) -> None:
    with notification_server(bus) as server:
        for tag in ("break", "break", "rest", "", "break"):
            desktop.show(Notification("T", tag=tag), at(bus, tmp_path))
    assert replaced(server) == [0, 1, 0, 0, 1]
    hints = server.said("Notify")[0][6]
    assert hints["x-dunst-stack-tag"] == ("s", "break")
    assert hints["x-canonical-private-synchronous"] == ("s", "break")


def test_a_number_of_an_earlier_server_replaces_nobody_else_s(bus: str, tmp_path: Path) -> None:
    for _ in range(2):
        with notification_server(bus) as server:
            desktop.show(Notification("T", tag="break"), at(bus, tmp_path))
        assert replaced(server) == [0]


@pytest.mark.parametrize("left", ["nothing", "a folder", "1 somebody", "x", ""])
def test_what_is_remembered_badly_is_not_remembered(left: str, bus: str, tmp_path: Path) -> None:
    with notification_server(bus) as server:
        desktop.show(Notification("T", tag="break"), at(bus, tmp_path))
        (file,) = (tmp_path / "numbers").iterdir()
        assert file.stat().st_mode & 0o777 == 0o600
        if left == "a folder":
            file.unlink()
            file.mkdir()
        elif left == "nothing":
            file.unlink()
        else:
            file.write_text(left)
        assert desktop.show(Notification("T", tag="break"), at(bus, tmp_path)).way == "dbus"
    assert replaced(server) == [0, 0]


# --- a button ------------------------------------------------------------------------------------

BUTTON = Notification("T", button=Button("In 5m", 5.0))
OURS, ANOTHER_S = 7, 8
Signal = tuple[str, str, tuple[object, ...]]


def waited_for(asked: Notification, there: Desktop) -> tuple[bool, bool]:
    """Whether it has its button, and whether that was pressed."""
    with desktop.showing(asked, there) as shown:
        return shown.has_button, shown.is_pressed()


def pressing(bus: str, signals: list[Signal], able: tuple[str, ...] = ("actions",)) -> BusServices:
    """A server that shows our notification, and then a person does all this."""

    def shown(_: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        def happen() -> None:
            for member, signature, values in signals:
                server.emit(member, signature, *values)

        threading.Timer(0.05, happen).start()
        return "u", (OURS,)

    server = notification_server(bus, able, Notify=shown)
    return server


@pytest.mark.parametrize(
    ("signals", "pressed", "why"),
    [
        ([("ActionInvoked", "us", (OURS, "postpone"))], True, "the button"),
        ([("ActionInvoked", "us", (OURS, "default"))], False, "something else of it"),
        ([("NotificationClosed", "uu", (OURS, 2))], False, "it was closed"),
        ([("NotificationClosed", "uu", (OURS, 1))], False, "it has expired"),
        ([("ActionInvoked", "us", (ANOTHER_S, "postpone")), ("NotificationClosed", "uu", (OURS, 2))], False, "the button of another one"),
        ([("NotificationClosed", "uu", (ANOTHER_S, 2)), ("ActionInvoked", "us", (OURS, "postpone"))], True, "another one was closed"),
        ([("ActivationToken", "us", (OURS, "x")), ("ActionInvoked", "us", (OURS, "postpone"))], True, "newer servers say this first"),
        ([("ActionInvoked", "", ()), ("ActionInvoked", "us", (OURS, "postpone"))], True, "nonsense before it"),
    ],
)  # fmt: skip
def test_what_becomes_of_a_button(
    signals: list[Signal], pressed: bool, why: str, bus: str, tmp_path: Path
) -> None:
    with pressing(bus, signals) as server:
        assert waited_for(BUTTON, at(bus, tmp_path)) == (True, pressed), why
    assert server.said("Notify")[0][5] == ["postpone", "In 5m"]
    assert server.said("CloseNotification") == []


def test_a_server_without_buttons_shows_it_without_one(bus: str, tmp_path: Path) -> None:
    with pressing(bus, [], able=("body",)) as server:
        assert waited_for(BUTTON, at(bus, tmp_path)) == (False, False)
    assert server.said("Notify")[0][5] == []


def test_without_anybody_who_waits_there_is_no_button(bus: str, tmp_path: Path) -> None:
    with pressing(bus, []) as server:
        desktop.show(BUTTON, at(bus, tmp_path))
    assert server.said("Notify")[0][5] == []


def test_what_goes_wrong_while_it_is_shown_shows_it_nowhere_else(bus: str, tmp_path: Path) -> None:
    place = at(bus, tmp_path)
    with (
        pressing(bus, []) as server,
        pytest.raises(BrokenPipeError),
        desktop.showing(BUTTON, place),
    ):
        raise BrokenPipeError
    assert len(server.said("Notify")) == 1


def test_when_the_time_of_a_button_is_over_it_is_closed(bus: str, tmp_path: Path) -> None:
    short = Notification("T", button=Button("In 5m", 0.2))
    with pressing(bus, []) as server:
        assert waited_for(short, at(bus, tmp_path)) == (True, False)
    assert server.said("CloseNotification") == [(OURS,)]


def test_a_server_that_goes_takes_its_button_along(bus: str, tmp_path: Path) -> None:
    server = pressing(bus, [])
    threading.Timer(0.3, server.close).start()
    assert waited_for(BUTTON, at(bus, tmp_path)) == (True, False)


def test_the_door_takes_words_alone(bus: str, tmp_path: Path) -> None:
    environ = {"DBUS_SESSION_BUS_ADDRESS": bus, "RUNTIME_DIRECTORY": str(tmp_path / "own")}
    with notification_server(bus) as server:
        for _ in range(2):
            way = desktop.notify(
                "Title", "text", timeout=9, environ=environ, urgency=Urgency.CRITICAL, tag="job"
            )
            assert way == "dbus"
    found = [(words[1], *words[3:5], words[6]["urgency"]) for words in server.said("Notify")]
    assert found == [(0, "Title", "text", ("y", 2)), (1, "Title", "text", ("y", 2))]
