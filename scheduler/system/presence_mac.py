"""What a Mac's programs say about who is at it: ioreg(8) and pmset(1).

Written from what they are known to print; none of it was ever seen on a Mac.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.system import helper_program
from scheduler.system.presence_sources import KEPT_ON, SCREEN_LOCKED, Asked, PresenceAnswer

if TYPE_CHECKING:
    from scheduler.system.desktop_session import Desktop
    from scheduler.system.time_limit import TimeLimit

_PROGRAMS = {
    "idle": ("ioreg", "-c", "IOHIDSystem"),
    "locked": ("ioreg", "-n", "Root", "-d1"),
    "presenting": ("pmset", "-g", "assertions"),
}
_IDLE_NS = re.compile(r'"HIDIdleTime" ?= ?([0-9]+)')
_LOCK_KEY = re.compile(r'"CGSSessionScreenIsLocked" ?= ?(Yes|true|1)')
_DISPLAY_KEPT_ON = re.compile(r"PreventUserIdleDisplaySleep\s+([0-9]+)")


def ask(state: str, desktop: Desktop, limit: TimeLimit) -> Asked:
    """Return what the program that knows of a state says."""
    name, *words = _PROGRAMS[state]
    try:
        program = helper_program.found(name, desktop.environ)
        ended = helper_program.run((program, *words), limit, desktop.environ)
    except NotifyError as refused:
        return Asked(silent=(str(refused),))
    answer = _read(state, name, ended.out) if ended.code == 0 else None
    return Asked(silent=(name,)) if answer is None else Asked((answer,))


def _read(state: str, name: str, text: str) -> PresenceAnswer | None:
    """Return what its text says; None for one that is not as expected."""
    if state == "idle":
        idle = _IDLE_NS.search(text)
        return PresenceAnswer(int(idle[1]) / 1e9, name) if idle else None
    if state == "locked":
        # The key is there only while the screen is locked; its dictionary always.
        known = "IOConsoleUsers" in text
        return PresenceAnswer(bool(_LOCK_KEY.search(text)), name, SCREEN_LOCKED) if known else None
    kept_on = _DISPLAY_KEPT_ON.search(text)
    return PresenceAnswer(int(kept_on[1]) > 0, name, KEPT_ON) if kept_on else None
