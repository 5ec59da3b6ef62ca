"""What ioreg and pmset of a Mac say: stand-ins with what the real ones are known to print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from notification_words import NOWHERE

from scheduler.system import presence
from scheduler.system.desktop_session import Desktop
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from pathlib import Path

    from mac_programs import Mac

HID = """cat <<'END'
    | |   "HIDIdleTime" = 421000000000
    | |   "HIDPointerAccelerationTable" = <000080005553>
END"""
CONSOLE = '"IOConsoleUsers" = ({"kCGSSessionOnConsoleKey"=Yes,%s"kCGSSessionUserIDKey"=501})'
ROOT = f"echo '    {CONSOLE}'"
ASSERTIONS = """cat <<'END'
Assertion status system-wide:
   BackgroundTask                 0
   PreventUserIdleDisplaySleep    {}
   PreventUserIdleSystemSleep     1
END"""
LOCKED = '"CGSSessionScreenIsLocked"=Yes,'


@pytest.mark.parametrize(
    ("state", "program", "shell", "argv", "reason", "why"),
    [
        ("idle:5m", "ioreg", HID, "-c IOHIDSystem", "nobody has used this desktop for 7m1s (ioreg)", "nanoseconds"),
        ("idle:10m", "ioreg", HID, "-c IOHIDSystem", None, "not as long"),
        ("locked", "ioreg", ROOT % LOCKED, "-n Root -d1", "the screen is locked (ioreg)", "the key is there"),
        ("locked", "ioreg", ROOT % "", "-n Root -d1", None, "it is not there while nothing is locked"),
        ("presenting", "pmset", ASSERTIONS.format(1), "-g assertions", "something keeps the screen on: a presentation, a film (pmset)", "somebody keeps the display on"),
        ("presenting", "pmset", ASSERTIONS.format(0), "-g assertions", None, "nobody does"),
    ],
)  # fmt: skip
def test_what_a_mac_says(
    state: str,
    program: str,
    shell: str,
    argv: str,
    reason: str | None,
    why: str,
    mac: Mac,
    tmp_path: Path,
) -> None:
    environ = mac(**{program: f'echo "" "$@" > "$DIR/argv"\n{shell}'})
    there = Desktop(environ, "darwin", uid=501, terminal=NOWHERE)
    found = presence.judge(presence.parse(state), there, TimeLimit(9))
    assert (found.held_back, found.unknown) == (reason, ()), why
    assert (tmp_path / "argv").read_text() == f" {argv}\n"


@pytest.mark.parametrize(
    ("state", "program", "shell", "silent"),
    [
        ("idle:5m", "ioreg", "echo nothing", "ioreg"),
        ("idle:5m", "ioreg", f"{HID}\nexit 1", "ioreg"),
        ("locked", "ioreg", "echo nothing", "ioreg"),
        ("presenting", "pmset", "echo nothing", "pmset"),
        ("presenting", "ioreg", "", "pmset is not on PATH"),
        ("presenting", "pmset", "sleep 60", "pmset did not end within 0.2 s"),
    ],
)
def test_what_a_mac_does_not_say_keeps_nothing_back(
    state: str, program: str, shell: str, silent: str, mac: Mac
) -> None:
    there = Desktop(mac(**{program: shell}), "darwin", uid=501, terminal=NOWHERE)
    found = presence.judge(presence.parse(state), there, TimeLimit(0.4 if "sleep" in shell else 9))
    assert found.held_back is None
    assert f"(no answer from {silent}): it is shown" in found.unknown[0]
