"""What a Linux desktop's parts say of its user: real buses, and services by script on them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import mac_programs
import pytest
from bus_services import NEVER, BusServices
from notification_words import NOWHERE

from scheduler.system import presence
from scheduler.system.desktop_session import LOGIND, Desktop
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ME = 1000
FREE, GNOME = "org.freedesktop.ScreenSaver", "org.gnome.ScreenSaver"
MUTTER = "org.gnome.Mutter.IdleMonitor"
POWER, SESSIONS = "org.freedesktop.PowerManagement", "org.gnome.SessionManager"
NOTIFICATIONS = "org.freedesktop.Notifications"
YES, NO = ("b", (True,)), ("b", (False,))
ERROR = "org.freedesktop.DBus.Error.NotSupported"


def judged(
    text: str,
    bus: str,
    tmp_path: Path,
    environ: Mapping[str, str] | None = None,
    timeout: float = 9,
) -> presence.Judged:
    there = Desktop(
        {"DBUS_SESSION_BUS_ADDRESS": bus, "DBUS_SYSTEM_BUS_ADDRESS": bus, **(environ or {})},
        "linux",
        uid=ME,
        terminal=NOWHERE,
        runtime=tmp_path / "run",
    )
    return presence.judge(presence.parse(text), there, TimeLimit(timeout))


def logind(**session: tuple[str, tuple[Any, ...]]) -> dict[str, Any]:
    place = "/org/freedesktop/login1"
    return {
        f"{LOGIND}.Manager.GetUser": ("o", (f"{place}/user/_1000",)),
        f"{LOGIND}.User.Display": ("(so)", (("2", f"{place}/session/_32"),)),
        **{f"{LOGIND}.Session.{name}": answer for name, answer in session.items()},
    }


def ago(seconds: float) -> tuple[str, tuple[int]]:
    return "t", (int((time.monotonic() - seconds) * 1e6),)


@pytest.mark.parametrize(
    ("state", "script", "names", "reason"),
    [
        ("idle:5m", {f"{MUTTER}.GetIdletime": ("t", (420_000,))}, [MUTTER], f"nobody has used this desktop for 7m ({MUTTER})"),
        ("idle:5m", {f"{MUTTER}.GetIdletime": ("t", (3_000,))}, [MUTTER], None),
        ("idle:5m", {f"{FREE}.GetSessionIdleTime": ("u", (420_000,))}, [FREE], f"nobody has used this desktop for 7m ({FREE})"),
        ("idle:5m", {f"{FREE}.GetSessionIdleTime": ("u", (420,))}, [FREE], None),  # milliseconds
        ("locked", {f"{FREE}.GetActive": YES}, [FREE], f"the screen is locked ({FREE})"),
        ("locked", {f"{GNOME}.GetActive": YES, f"{FREE}.GetActive": NO}, [GNOME, FREE], f"the screen is locked ({GNOME})"),
        ("locked", {f"{GNOME}.GetActive": YES, f"{FREE}.GetActive": ERROR}, [GNOME, FREE], f"the screen is locked ({GNOME})"),
        ("locked", {f"{GNOME}.GetActive": NO}, [GNOME], None),
        ("locked", logind(LockedHint=YES), [LOGIND], "the screen is locked (logind)"),
        ("locked", logind(LockedHint=NO), [LOGIND], None),
        ("presenting", {f"{POWER}.Inhibit.HasInhibit": YES}, [POWER], f"something keeps the screen on: a presentation, a film ({POWER}.Inhibit)"),
        ("presenting", {f"{POWER}.Inhibit.HasInhibit": NO}, [POWER], None),
        ("presenting", {f"{SESSIONS}.IsInhibited": lambda words: ("b", (words == (8,),))}, [SESSIONS], f"something keeps the screen on: a presentation, a film ({SESSIONS})"),
        ("presenting", {f"{NOTIFICATIONS}.Inhibited": YES}, [NOTIFICATIONS], f"do not disturb is on ({NOTIFICATIONS})"),
        ("presenting", {f"{NOTIFICATIONS}.Inhibited": NO}, [NOTIFICATIONS], None),
    ],
)  # fmt: skip
def test_what_a_service_says(
    state: str,
    script: dict[str, Any],
    names: list[str],
    reason: str | None,
    bus: str,
    tmp_path: Path,
) -> None:
    with BusServices(bus, script, names):
        found = judged(state, bus, tmp_path)
    assert (found.held_back, found.unknown) == (reason, ())


def test_logind_is_believed_where_it_says_idle_and_not_where_it_says_no(
    bus: str, tmp_path: Path
) -> None:
    # Few desktops tell logind, and then it has "not idle" for somebody who left an hour ago.
    idle = logind(IdleHint=YES, IdleSinceHintMonotonic=ago(600))
    with BusServices(bus, idle, [LOGIND]):
        reason = judged("idle:5m", bus, tmp_path).held_back
        assert reason is not None
        assert reason.startswith("nobody has used this desktop for 10m")
        assert judged("idle:20m", bus, tmp_path).held_back is None
    with BusServices(bus, logind(IdleHint=NO), [LOGIND]):
        found = judged("idle:5m", bus, tmp_path)
    assert found.held_back is None
    assert found.unknown == (
        (
            f"can't tell for how long nobody has used this desktop (no answer from {MUTTER}, {FREE}, "
            "xprintidle, logind): it is shown"
        ),
    )


@pytest.mark.parametrize(
    ("session", "shell", "reason", "why"),
    [
        ({"DISPLAY": ":0"}, "echo 420000", "nobody has used this desktop for 7m (xprintidle)", "X knows"),
        ({"DISPLAY": ":0"}, "echo 7", None, "milliseconds"),
        ({"DISPLAY": ":0"}, "exit 1", "", "the screen takes nobody in"),
        ({"DISPLAY": ":0"}, "echo '?'", "", "what is no number tells nothing"),
        ({}, "echo 420000", "", "a job that knows no screen"),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"}, "echo 420000", "", "there X sees only part of the input"),
        ({"DISPLAY": ":0", "XDG_SESSION_TYPE": "wayland"}, "echo 420000", "", "the same"),
    ],
)  # fmt: skip
def test_what_x_says(
    session: dict[str, str], shell: str, reason: str | None, why: str, bus: str, tmp_path: Path
) -> None:
    programs = mac_programs.install(tmp_path, {"xprintidle": shell})
    found = judged("idle:5m", bus, tmp_path, programs | session)
    assert found.held_back == (reason or None), why
    assert bool(found.unknown) == (reason == ""), why


@pytest.mark.parametrize(
    ("state", "silent"),
    [
        ("idle:5m", f"for how long nobody has used this desktop (no answer from {MUTTER}, {FREE}, xprintidle, logind)"),
        ("locked", "whether the screen is locked (no answer from org.freedesktop.ScreenSaver, org.gnome.ScreenSaver, org.cinnamon.ScreenSaver, org.mate.ScreenSaver, org.xfce.ScreenSaver, logind)"),
        ("presenting", f"whether somebody presents something (no answer from {POWER}.Inhibit, {SESSIONS}, {NOTIFICATIONS}, org.dunstproject.cmd0)"),
    ],
)  # fmt: skip
def test_what_nobody_can_tell_is_said_and_keeps_nothing_back(
    state: str, silent: str, bus: str, tmp_path: Path
) -> None:
    found = judged(state, bus, tmp_path)
    assert (found.held_back, found.unknown) == (None, (f"can't tell {silent}: it is shown",))


def test_without_a_session_bus_that_is_said(tmp_path: Path) -> None:
    found = judged("presenting", "unix:path=/nonexistent", tmp_path)
    assert found.unknown == (
        "can't tell whether somebody presents something (no answer from a session bus): it is shown",
    )


@pytest.mark.slow
def test_a_service_that_never_answers_leaves_time_for_the_others(bus: str, tmp_path: Path) -> None:
    script: dict[str, Any] = {f"{FREE}.GetActive": NEVER, f"{GNOME}.GetActive": YES}
    with BusServices(bus, script, [FREE, GNOME]):
        found = judged("locked", bus, tmp_path, timeout=2)
    assert found.held_back == f"the screen is locked ({GNOME})"


def test_the_first_state_that_is_so_is_the_reason(bus: str, tmp_path: Path) -> None:
    with BusServices(bus, {f"{FREE}.GetActive": YES}, [FREE]):
        found = judged("presenting,locked,idle:5m", bus, tmp_path)
    assert found.held_back == f"the screen is locked ({FREE})"
    assert len(found.unknown) == 1  # nobody could tell of a presentation; idle was not asked for


def test_nothing_is_started_for_a_question(bus: str, tmp_path: Path) -> None:
    with BusServices(bus, {f"{FREE}.GetActive": NO}, [FREE]) as services:
        judged("locked", bus, tmp_path)
        # What has no owner was answered by the bus; only the one that runs was asked.
        assert [name for name, _ in services.calls] == [f"{FREE}.GetActive"]
