"""A message bus in a thread of the test: as much of the D-Bus Specification as a desktop needs.

For who has no dbus-daemon. It takes the same tests as the real one: each connection has a name, may
own others, and reaches their owners; signals go to all; who waits for somebody that has gone is told.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from jeepney import (
    DBusAddress,
    HeaderFields,
    Message,
    MessageFlag,
    MessageType,
    Parser,
    new_error,
    new_method_return,
    new_signal,
)

if TYPE_CHECKING:
    from pathlib import Path

BUS = "org.freedesktop.DBus"
GUID = "0123456789abcdef0123456789abcdef"
BEGIN = b"BEGIN\r\n"


class Client:
    """One connection: its name, and what it has said so far."""

    def __init__(self, sock: socket.socket, name: str) -> None:
        self.sock = sock
        self.name = name
        self.parser = Parser()
        self.greeting: bytes | None = b""

    def messages(self, data: bytes) -> list[Message]:
        """What it says, once it has been admitted as the specification has it."""
        if self.greeting is not None:
            data = self._greeted(self.greeting + data)
        self.parser.add_data(data)
        return list(iter(self.parser.get_next_message, None))

    def _greeted(self, said: bytes) -> bytes:
        if b"AUTH" in said and b"\r\n" in said and BEGIN not in said:
            self.sock.sendall(b"OK %s\r\n" % GUID.encode())
            said = b""
        before, begin, after = said.partition(BEGIN)
        self.greeting = None if begin else before
        return after


class SmallBus:
    """Owns a socket, its connections and who has which name; one thread does all of it."""

    def __init__(self, path: Path) -> None:
        self.address = f"unix:path={path},guid={GUID}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._stop, self._stopped = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._selector.register(self._stop, selectors.EVENT_READ, None)
        self._clients: dict[str, Client] = {}
        self._owners: dict[str, str] = {}
        self._waiting: dict[str, list[Message]] = {}
        self._numbers, self._serials = count(1), count(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._stopped)
        self._thread.join()
        for client in self._clients.values():
            client.sock.close()
        self._listener.close()
        self._selector.close()
        os.close(self._stop)

    def _serve(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj == self._stop:
                    return
                if key.data is None:
                    self._admit()
                else:
                    self._hear(key.data)

    def _admit(self) -> None:
        client = Client(self._listener.accept()[0], f":1.{next(self._numbers)}")
        self._clients[client.name] = client
        self._selector.register(client.sock, selectors.EVENT_READ, client)

    def _hear(self, client: Client) -> None:
        try:
            data = client.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._leave(client)
            return
        for message in client.messages(data):
            message.header.fields[HeaderFields.sender] = client.name
            self._route(client, message)

    def _leave(self, client: Client) -> None:
        self._selector.unregister(client.sock)
        client.sock.close()
        del self._clients[client.name]
        for call in self._waiting.pop(client.name, []):
            self._answer(call, new_error(call, f"{BUS}.Error.NoReply"))
        for name in [name for name, owner in self._owners.items() if owner == client.name]:
            del self._owners[name]
            bus = DBusAddress("/org/freedesktop/DBus", interface=BUS)
            self._tell_all(new_signal(bus, "NameOwnerChanged", "sss", (name, client.name, "")))

    def _route(self, client: Client, message: Message) -> None:
        to = message.header.fields.get(HeaderFields.destination)
        if message.header.message_type is MessageType.signal:
            self._tell_all(message)
        elif message.header.message_type is not MessageType.method_call:
            self._waiting[client.name] = []
            self._send(to or "", message, message.header.serial)
        elif to == BUS:
            self._answer(message, self._own_answer(client, message))
        elif to in self._owners:
            self._waiting.setdefault(self._owners[to], []).append(message)
            self._send(self._owners[to], message, message.header.serial)
        else:
            starts = not message.header.flags & MessageFlag.no_auto_start
            error = "ServiceUnknown" if starts else "NameHasNoOwner"
            self._answer(message, new_error(message, f"{BUS}.Error.{error}"))

    def _own_answer(self, client: Client, call: Message) -> Message:
        name = call.body[0] if call.body else ""
        member = call.header.fields[HeaderFields.member]
        if member == "RequestName":
            self._owners[name] = client.name
        answers: dict[str, tuple[str | None, tuple[Any, ...]]] = {
            "Hello": ("s", (client.name,)),
            "GetId": ("s", (GUID,)),
            "AddMatch": (None, ()),
            "RequestName": ("u", (1,)),
            "NameHasOwner": ("b", (name in self._owners,)),
        }
        if name in self._owners:
            answers["GetNameOwner"] = ("s", (self._owners[name],))
        if member not in answers:
            return new_error(call, f"{BUS}.Error.NameHasNoOwner")
        return new_method_return(call, *answers[member])

    def _answer(self, call: Message, answer: Message) -> None:
        answer.header.fields[HeaderFields.sender] = BUS
        self._send(call.header.fields[HeaderFields.sender], answer, next(self._serials))

    def _tell_all(self, message: Message) -> None:
        for name in self._clients:
            self._send(name, message, next(self._serials))

    def _send(self, name: str, message: Message, serial: Any) -> None:
        with suppress(OSError, KeyError):
            self._clients[name].sock.sendall(message.serialise(serial=serial))
