"""A stand-in for the services of a desktop, on a real bus: it answers by script.

    with BusServices(address, {"org.gnome.ScreenSaver.GetActive": ("b", (True,))}) as services:
        ...
    assert services.calls == [("org.gnome.ScreenSaver.GetActive", ())]

A property stands in the script as a method of no words does. Who answers `NEVER` says nothing, and
a word alone is an error's name. The names that it has on the bus are those of the interfaces, unless
they are given.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageType,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.bus_messages import message_bus
from jeepney.io.blocking import DBusConnection, open_dbus_connection
from jeepney.wrappers import unwrap_msg

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Words = tuple[Any, ...]
    Given = tuple[str, Words] | str
    Answer = Given | Callable[[Words], Given]

NEVER = "never"
NOTIFICATIONS = "org.freedesktop.Notifications"


class BusServices:
    """Owns names on a bus; a thread of its own answers whoever calls them."""

    def __init__(
        self, address: str, script: Mapping[str, Answer], names: Sequence[str] = ()
    ) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self._script = script
        self._bus: DBusConnection = open_dbus_connection(address)
        for name in names or {key.rpartition(".")[0] for key in script}:
            unwrap_msg(self._bus.send_and_get_reply(message_bus.RequestName(name)))
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._bus.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._bus.close()

    def emit(self, member: str, signature: str, *values: object) -> None:
        """Tell all who listen to the notification server."""
        server = DBusAddress("/org/freedesktop/Notifications", interface=NOTIFICATIONS)
        self._bus.send(new_signal(server, member, signature, values))

    def said(self, member: str) -> list[tuple[Any, ...]]:
        """The words of each call of a method."""
        return [words for name, words in self.calls if name.endswith(f".{member}")]

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                call = self._bus.receive()
                if call.header.message_type is MessageType.method_call:
                    self._answer(call)

    def _answer(self, call: Message) -> None:
        interface = call.header.fields[HeaderFields.interface]
        member = call.header.fields[HeaderFields.member]
        is_property = interface == "org.freedesktop.DBus.Properties"
        key = ".".join(call.body) if is_property else f"{interface}.{member}"
        self.calls.append((key, () if is_property else call.body))
        answer = self._script.get(key, "org.freedesktop.DBus.Error.UnknownMethod")
        if callable(answer):
            answer = answer(call.body)
        if answer == NEVER:
            return
        if isinstance(answer, str):
            self._bus.send(new_error(call, answer))
            return
        signature, values = answer
        if is_property:
            signature, values = "v", ((signature, values[0]),)
        self._bus.send(new_method_return(call, signature, values))


def notification_server(
    address: str, able: Sequence[str] = ("body",), **more: Answer
) -> BusServices:
    """One that shows nothing, and numbers what it is asked to show from 1 on."""
    numbers = iter(range(1, 1000))

    def notify(words: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        return "u", (words[1] or next(numbers),)

    script: dict[str, Answer] = {
        "GetCapabilities": ("as", (list(able),)),
        "Notify": notify,
        "CloseNotification": ("", ()),
    }
    script = {f"{NOTIFICATIONS}.{name}": answer for name, answer in (script | more).items()}
    return BusServices(address, script)
