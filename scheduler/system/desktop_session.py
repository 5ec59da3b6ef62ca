"""Whose desktop a notification goes to: the environment in, the buses of that session out.

A user's own session first. A system daemon has none: root's notifications go to the user who is at
the screen, as logind says; where there is no logind, to the only one who has a session bus.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.system import session_bus
from scheduler.system.session_bus import Bus, BusAddress, BusObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.system.time_limit import TimeLimit

_SESSION_ADDRESS, _RUNTIME_FOLDER = "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"
_SYSTEM_ADDRESS = "DBUS_SYSTEM_BUS_ADDRESS"
_SYSTEM_BUS = "unix:path=/run/dbus/system_bus_socket"
LOGIND = "org.freedesktop.login1"
_SEAT = BusObject(LOGIND, "/org/freedesktop/login1/seat/seat0", f"{LOGIND}.Seat")


@dataclass(frozen=True, slots=True)
class Desktop:
    """Where this process would show something: its variables, its user, and the machine's paths.

    `terminal` is the device to write to instead of the process's own, `devices` where others are,
    `runtime` where each user's runtime folder is. `numbers` is a folder of its user's own in which
    the numbers of what was shown are kept, None for the usual one.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    platform: str = sys.platform
    uid: int = field(default_factory=os.geteuid)
    terminal: Path | None = None
    devices: Path = Path("/dev")
    runtime: Path = Path("/run/user")
    numbers: Path | None = None


def buses(desktop: Desktop, limit: TimeLimit) -> Iterator[BusAddress]:
    """Yield each place where the session's bus may be; one more with a refusal if there is none.

    Only who tries them all has root's question to logind asked.
    """
    seen: set[str] = set()
    for address in (*_own(desktop), *(_of_screen(desktop, limit) if not desktop.uid else ())):
        if address.refusal or address.socket not in seen:
            seen.add(address.socket)
            yield address
    if not seen:
        yield BusAddress(
            "D-Bus", refusal=f"there is no session bus ({_SESSION_ADDRESS} is not set)"
        )


def _own(desktop: Desktop) -> Iterator[BusAddress]:
    """Yield what the variables name, then where systemd puts a user's bus whatever they say."""
    runtime = desktop.environ.get(_RUNTIME_FOLDER, "")
    for address in session_bus.listed(desktop.environ.get(_SESSION_ADDRESS, ""), runtime):
        yield _as_owner(address, desktop.uid)
    folders = (Path(runtime), desktop.runtime / str(desktop.uid))
    for folder in folders if runtime else folders[1:]:
        if (folder / "bus").exists():
            yield _as_owner(_at(folder / "bus"), desktop.uid)


def _at(path: Path, uid: int | None = None) -> BusAddress:
    return BusAddress(f"unix:path={path}", str(path), uid=uid)


def _as_owner(address: BusAddress, uid: int) -> BusAddress:
    """Return the address as root has to use it, who may have got the variables of a user."""
    if uid or not address.socket.startswith("/"):
        return address
    with suppress(OSError):
        owner = Path(address.socket).stat().st_uid
        return BusAddress(address.text, address.socket, uid=owner or None)
    return address


def _of_screen(desktop: Desktop, limit: TimeLimit) -> Iterator[BusAddress]:
    try:
        uid = user_at_screen(desktop, limit)
    except NotifyError as refused:
        yield BusAddress("the user at the screen", refusal=str(refused))
        return
    yield _at(desktop.runtime / str(uid) / "bus", uid)


def user_at_screen(desktop: Desktop, limit: TimeLimit) -> int:
    """Return who is at this machine's screen; NotifyError with the reason if nobody can tell."""
    logind = system_bus(desktop)
    try:
        part = limit.part(0.5)
        with session_bus.refusals(logind, part), session_bus.connected(logind, part) as bus:
            return _active(bus, part)
    except NotifyError as refused:
        return _only_one(desktop, str(refused))


def system_bus(desktop: Desktop) -> BusAddress:
    """Return where the machine's own bus is."""
    return session_bus.listed(desktop.environ.get(_SYSTEM_ADDRESS) or _SYSTEM_BUS, "")[0]


def _active(bus: Bus, limit: TimeLimit) -> int:
    """Return the user of the session that has the screen now: org.freedesktop.login1(5)."""
    _, path = bus.property(_SEAT, "ActiveSession", limit)
    if path == "/":
        raise NotifyError("nobody has the screen")
    session = BusObject(LOGIND, path, f"{LOGIND}.Session")
    kind = bus.property(session, "Class", limit)
    if kind != "user":
        raise NotifyError(f"the screen shows no user's session (a {kind})")
    uid, _ = bus.property(session, "User", limit)
    return int(uid)


def _only_one(desktop: Desktop, why: str) -> int:
    """Return the only user who has a session bus; NotifyError with `why` if it is not one."""
    owners = sorted(
        int(bus.parent.name)
        for bus in desktop.runtime.glob("[0-9]*/bus")
        if bus.parent.name.isdecimal() and int(bus.parent.name)
    )
    if len(owners) == 1:
        return owners[0]
    found = f"users {', '.join(map(str, owners))} have" if owners else "no user has"
    raise NotifyError(f"{why}; {found} a session bus in {desktop.runtime}")
