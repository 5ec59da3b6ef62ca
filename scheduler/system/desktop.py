"""Desktop notifications: a title and a text come in, the name of the way that showed them goes out.

The ways, tried in turn: osascript on macOS or the session bus elsewhere, then the terminal, and
for who has none, as a job, those on which the user is logged in.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.system import desktop_dbus, desktop_osascript, desktop_terminal, notification
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Notification, Urgency
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_OSASCRIPTS_SHARE = 0.8  # of the time; the terminal has the rest


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ShownBy:
    """Which way showed it (`osascript`, `dbus` or `terminal`), and whether with its button.

    `is_pressed` waits for the button, and says whether somebody has pressed it.
    """

    way: str
    has_button: bool = False
    is_pressed: Callable[[], bool] = _never


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
    """Show a notification as `notify` does, without a button: nobody would wait for it."""
    with showing(replace(asked, button=None), desktop, timeout=timeout) as shown:
        return shown


@contextmanager
def showing(asked: Notification, desktop: Desktop, *, timeout: float = 10.0) -> Iterator[ShownBy]:
    """Show a notification as `notify` does; for as long as a block takes its button can be heard.

    Control characters are dropped, long words cut.
    """
    clean = notification.safe(asked)
    limit = TimeLimit(timeout)
    with ExitStack() as stack:
        try:
            shown = _on_desktop(clean, desktop, limit, stack)
        except NotifyError as refused:
            shown = _on_terminal(clean, desktop, limit, refused)
        yield shown


def _on_desktop(
    clean: Notification, desktop: Desktop, limit: TimeLimit, stack: ExitStack
) -> ShownBy:
    if desktop.platform == "darwin":
        desktop_osascript.show(clean, desktop, limit.part(_OSASCRIPTS_SHARE))
        return ShownBy("osascript")
    there, bus = stack.enter_context(desktop_dbus.shown(clean, desktop, limit))
    is_pressed = partial(desktop_dbus.is_pressed, bus, there)
    return ShownBy("dbus", there.button is not None, is_pressed)


def _on_terminal(
    clean: Notification, desktop: Desktop, limit: TimeLimit, why: NotifyError
) -> ShownBy:
    """Show it on a terminal, since the desktop did not; raise an error of the same kind."""
    try:
        desktop_terminal.show(clean, limit, desktop.terminal, desktop.devices)
    except NotifyError as refused:
        raise type(why)(
            f"Nothing showed the notification: {why}; {refused}. "
            "Run it inside a desktop session or from a terminal."
        ) from refused
    return ShownBy("terminal")
