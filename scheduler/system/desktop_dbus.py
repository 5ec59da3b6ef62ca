"""A notification in, on the desktop of a session bus out: org.freedesktop.Notifications.

That is the Desktop Notifications Specification, which GNOME, KDE, Xfce, dunst and others serve.
"""

from __future__ import annotations

import html
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler.errors import NotifyError, NotifyTimeout
from scheduler.system import desktop_session, session_bus, shown_numbers
from scheduler.system.session_bus import BusObject
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.system.desktop_session import Desktop
    from scheduler.system.notification import Button, Notification
    from scheduler.system.session_bus import Bus
    from scheduler.system.shown_numbers import ShownNumbers

_SERVER_NAME = "org.freedesktop.Notifications"
_SERVER = BusObject(_SERVER_NAME, "/org/freedesktop/Notifications")
_URGENCY = {"low": 0, "normal": 1, "critical": 2}
_AS_THE_SERVER_LIKES = -1
_LONGEST_MS = 2**31 - 1
_PRESSED = "postpone"


@dataclass(frozen=True, slots=True)
class OnDesktop:
    """What a server shows: its number there, and the button that it really has."""

    number: int
    button: Button | None


@contextmanager
def shown(
    notification: Notification, desktop: Desktop, limit: TimeLimit
) -> Iterator[tuple[OnDesktop, Bus]]:
    """Show it on the first bus that takes it, and stay connected for as long as a block takes.

    Raises NotifyError with what each of the buses said, NotifyTimeout if one did not in time.
    """
    numbers = shown_numbers.of(desktop)
    said: list[NotifyError] = []
    with ExitStack() as stack:
        for address in desktop_session.buses(desktop, limit):
            part = limit.part(0.5)  # one that never answers leaves time for the others
            try:
                with session_bus.refusals(address, part):
                    bus = stack.enter_context(session_bus.connected(address, part))
                    there = _delivered(bus, notification, numbers, part)
            except NotifyError as refused:
                said.append(refused)
            else:
                yield there, bus
                return
    late = any(isinstance(refused, NotifyTimeout) for refused in said)
    raise (NotifyTimeout if late else NotifyError)(", ".join(map(str, said)))


def _delivered(
    bus: Bus, notification: Notification, numbers: ShownNumbers | None, limit: TimeLimit
) -> OnDesktop:
    """Have the server show it, in place of the last one with its tag."""
    (able,) = bus.ask(_SERVER, "GetCapabilities", limit=limit, starts=True)
    button = notification.button if "actions" in able else None
    if button:
        bus.listen(_SERVER_NAME, limit)
    tag = notification.tag
    server = bus.owner(_SERVER_NAME, limit) if tag and numbers else ""
    last = numbers.last(tag, server) if server and numbers else 0
    title, text = _words(notification, able)
    (number,) = bus.ask(
        _SERVER,
        "Notify",
        "Meridian",
        last,
        notification.icon,
        title,
        text,
        [_PRESSED, button.label] if button else [],
        _hints(notification),
        _expires(notification.expire),
        signature="susssasa{sv}i",
        limit=limit,
    )
    if server and numbers:
        numbers.keep(tag, server, number)
    return OnDesktop(int(number), button)


def _words(notification: Notification, able: list[str]) -> tuple[str, str]:
    title, text = notification.title, notification.text
    if "body" not in able:
        return (f"{title}: {text}" if text else title), ""
    return title, html.escape(text, quote=False) if "body-markup" in able else text


def _hints(notification: Notification) -> Mapping[str, tuple[str, Any]]:
    """Return what servers read beside the words; those of a tag are dunst's and older."""
    hints: dict[str, tuple[str, Any]] = {"urgency": ("y", _URGENCY[notification.urgency])}
    if notification.tag:
        hints["x-dunst-stack-tag"] = ("s", notification.tag)
        hints["x-canonical-private-synchronous"] = ("s", notification.tag)
    return hints


def _expires(seconds: float | None) -> int:
    if seconds is None:
        return _AS_THE_SERVER_LIKES
    return min(_LONGEST_MS, round(seconds * 1000))


def is_pressed(bus: Bus, there: OnDesktop) -> bool:
    """Wait until the button is pressed, or the notification gone; then no dead button is left."""
    if there.button is None:
        return False
    limit = TimeLimit(there.button.seconds)
    pressed = None
    try:
        while pressed is None:
            pressed = _told(*bus.signal(limit), there.number)
    except session_bus.FAILURES:  # the time is over, or the bus is gone
        return False
    finally:
        if pressed is None:
            with suppress(*session_bus.FAILURES):
                bus.ask(
                    _SERVER, "CloseNotification", there.number, signature="u", limit=TimeLimit(1)
                )
    return pressed


def _told(signal: str, values: tuple[Any, ...], number: int) -> bool | None:
    """Return what a signal says of a notification's button; None if it still stands there."""
    match (signal, *values):
        case ("ActionInvoked", shown, action) if shown == number:
            return bool(action == _PRESSED)
        case ("NotificationClosed", shown, *_) if shown == number:
            return False
        case ("NameOwnerChanged", name, *_) if name == _SERVER_NAME:  # its server has ended
            return False
        case _:
            return None
