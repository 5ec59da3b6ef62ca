"""Desktop notifications: a title and a text come in, the name of the way that showed them goes out.

The ways, tried in turn: osascript on macOS or the session bus elsewhere, then the terminal, and
for who has none, as a job, those on which the user is logged in.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.system import desktop_dbus, desktop_osascript, desktop_terminal, notification
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Notification, Urgency
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

_OSASCRIPTS_SHARE = 0.8  # of the time; the terminal has the rest


@dataclass(frozen=True, slots=True)
class ShownBy:
    """Which way showed it (`osascript`, `dbus` or `terminal`), and what became of its button."""

    way: str
    had_button: bool = False
    pressed: bool = False


def notify(
    title: str,
    text: str = "",
    *,
    timeout: float = 10.0,
    environ: Mapping[str, str] = os.environ,
    urgency: Urgency = Urgency.NORMAL,
    tag: str = "",
) -> str:
    """Show a notification; return which way took it: `osascript`, `dbus` or `terminal`.

    It takes `timeout` seconds at most. One with the same `tag` takes the place of the one before.
    Raises NotifyError for an empty title, and with every way's reason when none took it.
    """
    shown = Notification(title, text, urgency=urgency, tag=tag)
    return show(shown, Desktop(environ), timeout=timeout).way


def show(asked: Notification, desktop: Desktop, *, timeout: float = 10.0) -> ShownBy:
    """Show a notification as `notify` does; with a button also wait for it, after the timeout.

    Control characters are dropped, long words cut.
    """
    clean = notification.safe(asked)
    limit = TimeLimit(timeout)
    try:
        if desktop.platform == "darwin":
            desktop_osascript.show(clean, desktop, limit.part(_OSASCRIPTS_SHARE))
            return ShownBy("osascript")
        there = desktop_dbus.show(clean, desktop, limit)
        return ShownBy("dbus", there.had_button, there.pressed)
    except NotifyError as refused:
        reasons = str(refused)
    try:
        desktop_terminal.show(clean, limit, desktop.terminal, desktop.devices)
    except NotifyError as refused:
        raise NotifyError(
            f"Nothing showed the notification: {reasons}; {refused}. "
            "Run it inside a desktop session or from a terminal."
        ) from refused
    return ShownBy("terminal")
