"""Whose desktop it is that root's notifications go to: a real bus, a logind by script."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bus_services import BusServices, notification_server
from notification_words import NOWHERE
from users import as_user, new_folder

from scheduler.errors import NotifyError
from scheduler.system import desktop, desktop_session, session_bus
from scheduler.system.desktop_session import LOGIND, Desktop
from scheduler.system.notification import Notification
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


SEAT, SESSION = "org.freedesktop.login1.Seat", "org.freedesktop.login1.Session"
SITTER = pwd.getpwnam("nobody").pw_uid  # dbus-daemon runs for nobody whom the machine does not know


def logind(active: str, kind: str = "user", uid: int = SITTER) -> dict[str, Any]:
    return {
        f"{SEAT}.ActiveSession": ("(so)", (("2", active),)),
        f"{SESSION}.Class": ("s", (kind,)),
        f"{SESSION}.User": ("(uo)", ((uid, "/org/freedesktop/login1/user/_x"),)),
    }


SITTING = "/org/freedesktop/login1/session/_32"


def roots(tmp_path: Path, **environ: str) -> Desktop:
    numbers = tmp_path / "numbers"
    run = tmp_path / "run"
    return Desktop(environ, "linux", uid=0, terminal=NOWHERE, runtime=run, numbers=numbers)


@contextmanager
def session_of_owner() -> Iterator[tuple[str, Path]]:
    """A session bus of another user, where systemd would have put it."""
    with new_folder(0) as run:
        place = run / str(SITTER)
        place.mkdir(mode=0o700)
        os.chown(place, SITTER, SITTER)
        address = f"unix:path={place}/bus"
        words = ("dbus-daemon", "--session", "--nofork", "--print-address", f"--address={address}")
        with subprocess.Popen(as_user(SITTER, *words), stdout=subprocess.PIPE, text=True) as daemon:
            assert daemon.stdout is not None
            assert daemon.stdout.readline()
            yield address, run
            daemon.terminate()


@contextmanager
def being(uid: int) -> Iterator[None]:
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.privileged
def test_root_shows_it_to_the_user_at_the_screen_as_that_user(bus: str, tmp_path: Path) -> None:
    with session_of_owner() as (address, run):
        place = replace(roots(tmp_path, DBUS_SYSTEM_BUS_ADDRESS=bus), runtime=run)
        with being(SITTER):
            server = notification_server(address)
        with server, BusServices(bus, logind(SITTING), (LOGIND,)):
            assert desktop.show(Notification("Title"), place).way == "dbus"
            assert os.geteuid() == 0
    assert len(server.said("Notify")) == 1


@pytest.mark.parametrize(
    ("script", "owners", "complaint", "why"),
    [
        (logind("/"), [], "nobody has the screen; no user has a session bus", "a server without a screen"),
        (logind(SITTING, kind="greeter"), [], r"no user's session \(a greeter\)", "the login window"),
        (None, [1000, 1001], "users 1000, 1001 have a session bus", "no logind, and two users"),
        (None, [], "NameHasNoOwner; no user has a session bus", "no logind, and nobody"),
        (None, [0], "no user has a session bus", "root's own shows nothing"),
    ],
)  # fmt: skip
def test_root_is_refused_where_nobody_can_say_who_is_there(
    script: dict[str, Any] | None,
    owners: list[int],
    complaint: str,
    why: str,
    bus: str,
    tmp_path: Path,
) -> None:
    for uid in owners:
        (tmp_path / "run" / str(uid)).mkdir(parents=True)
        (tmp_path / "run" / str(uid) / "bus").touch()
    place = roots(tmp_path, DBUS_SYSTEM_BUS_ADDRESS=bus)
    with (
        BusServices(bus, script or {}, (LOGIND,) if script else ()),
        pytest.raises(NotifyError, match=complaint) as refused,
    ):
        desktop_session.user_at_screen(place, TimeLimit(5))
    assert "\n" not in str(refused.value), why


def test_without_logind_it_is_the_only_one_who_has_a_session(tmp_path: Path) -> None:
    (tmp_path / "run" / "1000").mkdir(parents=True)
    (tmp_path / "run" / "1000" / "bus").touch()
    (tmp_path / "run" / "0").mkdir()
    (tmp_path / "run" / "0" / "bus").touch()
    place = roots(tmp_path, DBUS_SYSTEM_BUS_ADDRESS="unix:path=/nonexistent")
    assert desktop_session.user_at_screen(place, TimeLimit(5)) == 1000
    found = list(desktop_session.buses(place, TimeLimit(5)))
    assert [(each.socket, each.uid) for each in found] == [
        (f"{tmp_path}/run/0/bus", os.geteuid() or None),
        (f"{tmp_path}/run/1000/bus", 1000),
    ]


@pytest.mark.privileged
def test_root_with_a_user_s_variables_becomes_who_owns_the_socket(tmp_path: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(tmp_path / "bus"))
    os.chown(tmp_path / "bus", SITTER, -1)
    place = roots(tmp_path, DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/bus")
    first = next(desktop_session.buses(place, TimeLimit(5)))
    assert (first.socket, first.uid) == (f"{tmp_path}/bus", SITTER)


@pytest.mark.privileged
def test_a_user_s_bus_admits_its_user_and_not_root() -> None:
    # Why root becomes that user.
    with session_of_owner() as (address, _):
        (found,) = session_bus.listed(address, "")
        with session_bus.connected(replace(found, uid=SITTER), TimeLimit(5)):
            pass
        with pytest.raises((OSError, ValueError)), session_bus.connected(found, TimeLimit(5)):
            pass
