"""Something always takes a notification or says why not, in time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from notification_words import NOWHERE
from pseudo_terminals import seen

from scheduler.errors import NotifyError
from scheduler.system import desktop
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Notification

if TYPE_CHECKING:
    from mac_programs import Mac

ME = 1000
ALONE = (
    "from pathlib import Path\n"
    "from scheduler.system.desktop import show\n"
    "from scheduler.system.desktop_session import Desktop\n"
    "from scheduler.system.notification import Notification\n"
    "none = Path('/nonexistent')\n"
    "show(Notification('Title'), Desktop({}, 'linux', uid=1000, devices=none, runtime=none))"
)


def alone(code: str) -> str:
    """What a program that has no terminal says when it ends with a failure."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    return done.stderr


def test_a_failing_osascript_leaves_it_to_the_terminal(mac: Mac, terminal: tuple[int, int]) -> None:
    person, device = terminal
    environ = mac("echo 'not allowed' >&2; exit 3")
    there = Desktop(environ, "darwin", uid=ME, terminal=Path(os.ttyname(device)))
    assert desktop.show(Notification("Take a break"), there).way == "terminal"
    assert "Take a break" in seen(person)


@pytest.mark.parametrize("title", ["", "\x1b\x07"])
def test_a_title_nobody_could_see_is_refused(title: str) -> None:
    with pytest.raises(NotifyError, match="needs a title"):
        desktop.show(Notification(title), Desktop({}, "linux", uid=ME, terminal=NOWHERE))


def test_without_any_way_it_fails_and_says_each_reason() -> None:
    assert (
        "NotifyError: Nothing showed the notification: D-Bus: there is no session bus "
        "(DBUS_SESSION_BUS_ADDRESS is not set); there is no terminal to write to. "
        "Run it inside a desktop session or from a terminal."
    ) in alone(ALONE)


def test_a_machine_without_jeepney_says_so() -> None:
    address = ALONE.replace("{}", "{'DBUS_SESSION_BUS_ADDRESS': 'unix:path=/x'}")
    said = alone(f"import sys; sys.modules['jeepney'] = None\n{address}")
    assert "the jeepney library, which speaks D-Bus, is not installed" in said
