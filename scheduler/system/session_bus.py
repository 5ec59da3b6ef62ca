"""Where a message bus may be in, a connection to it that never waits for ever out.

Addresses are those of the D-Bus Specification, "Server Addresses": a list, each tried in turn.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from scheduler.errors import NotifyError, NotifyTimeout

# What goes wrong in a call on a bus; the first ones are what the library makes of broken messages.
_BROKEN = (LookupError, TypeError, AttributeError, struct.error)

try:
    from jeepney import (
        DBusAddress,
        DBusErrorResponse,
        Message,
        MessageFlag,
        MessageType,
        Properties,
        new_method_call,
    )
    from jeepney.bus_messages import MatchRule, message_bus
    from jeepney.io.blocking import DBusConnection, prep_socket
    from jeepney.wrappers import unwrap_msg
except ModuleNotFoundError:  # only Linux asks for it, and only Linux gets as far as using it
    HAVE_DBUS = False
    FAILURES: tuple[type[Exception], ...] = (OSError,)
else:
    HAVE_DBUS = True
    FAILURES = (*_BROKEN, OSError, ValueError, RuntimeError, DBusErrorResponse)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.system.time_limit import TimeLimit


@dataclass(frozen=True, slots=True)
class BusAddress:
    """One place where a bus may be: what connect(2) takes, or why that can't be had.

    `uid` is whom root has to be for it: a session's bus takes nobody but its own user.
    """

    text: str
    socket: str = ""
    refusal: str = ""
    uid: int | None = None


@dataclass(frozen=True, slots=True)
class BusObject:
    """An object on a bus, by its well-known name, path and interface."""

    name: str
    path: str
    interface: str = ""

    @property
    def address(self) -> DBusAddress:
        """Return it as the library has it; the interface is mostly called as the name."""
        return DBusAddress(self.path, bus_name=self.name, interface=self.interface or self.name)


def listed(text: str, runtime: str) -> list[BusAddress]:
    """Return each address of a list, in its order; `runtime` is XDG_RUNTIME_DIR."""
    return [_address(each.strip(), runtime) for each in text.split(";") if each.strip()]


def _address(text: str, runtime: str) -> BusAddress:
    transport, _, rest = text.partition(":")
    pairs = [pair.partition("=") for pair in rest.split(",") if pair]
    values = {key: unquote(value, errors="surrogateescape") for key, _, value in pairs}
    if not all(sign for _, sign, _ in pairs) or not transport or ":" not in text:
        return BusAddress(text, refusal="is no address of a bus")
    if transport != "unix":
        return BusAddress(text, refusal=f"the transport {transport} is not supported")
    return _unix(text, values, runtime)


def _unix(text: str, values: dict[str, str], runtime: str) -> BusAddress:
    if "path" in values:
        return BusAddress(text, values["path"])
    if "abstract" in values:
        return BusAddress(text, f"\0{values['abstract']}")
    if values.get("runtime") != "yes":
        return BusAddress(text, refusal="names no socket to connect to")
    if not runtime:
        return BusAddress(text, refusal="XDG_RUNTIME_DIR is not set")
    return BusAddress(text, str(Path(runtime, "bus")))


class Bus:
    """Owns a connection to a bus; `connected` opens one, and closes it.

    Whoever shows or asks something calls it. Invariant: no call takes longer than its limit has
    left, and none starts a service that does not run.
    """

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection

    def ask(
        self,
        target: BusObject,
        method: str,
        *values: object,
        signature: str | None = None,
        limit: TimeLimit,
        starts: bool = False,
    ) -> tuple[Any, ...]:
        """Return what an object answers; TimeoutError, DBusErrorResponse, OSError.

        With `starts` the bus starts who has the name, if it can and nobody has it.
        """
        call = new_method_call(target.address, method, signature, values)
        return self._answer(call, limit, starts=starts)

    def property(self, target: BusObject, name: str, limit: TimeLimit) -> Any:
        """Return the value of an object's property; raises as `ask`."""
        ((_, value),) = self._answer(Properties(target.address).get(name), limit)
        return value

    def owner(self, name: str, limit: TimeLimit) -> str:
        """Return who has a name now, in words that nobody else is ever called by; raises as `ask`.

        A connection's name is unique on its bus only, so the bus's own number stands before it.
        """
        (owner,) = self._answer(message_bus.GetNameOwner(name), limit)
        (bus,) = self._answer(message_bus.GetId(), limit)
        return f"{bus} {owner}"

    def listen(self, name: str, limit: TimeLimit) -> None:
        """Have the signals of who has a name come here from now on, and those of its end.

        The name is that of the signals' interface too. See `signal`.
        """
        signals = MatchRule(type="signal", interface=name)
        owner = MatchRule(type="signal", interface=message_bus.interface, member="NameOwnerChanged")
        owner.add_arg_condition(0, name)
        for rule in (signals, owner):
            self._answer(message_bus.AddMatch(rule), limit)

    def signal(self, limit: TimeLimit) -> tuple[str, tuple[Any, ...]]:
        """Return the name and the values of the next signal; TimeoutError, OSError."""
        while True:
            message = self._connection.receive(timeout=limit.left())
            if message.header.message_type is MessageType.signal:
                fields = {field.name: value for field, value in message.header.fields.items()}
                return fields["member"], message.body

    def _answer(self, call: Message, limit: TimeLimit, *, starts: bool = False) -> tuple[Any, ...]:
        if not starts:
            call.header.flags |= MessageFlag.no_auto_start
        self._connection.sock.settimeout(limit.left())
        reply: tuple[Any, ...] = unwrap_msg(
            self._connection.send_and_get_reply(call, timeout=limit.left())
        )
        return reply


@contextmanager
def connected(address: BusAddress, limit: TimeLimit) -> Iterator[Bus]:
    """Connect to a bus for as long as a block takes; OSError, ValueError (it admits nobody)."""
    if not HAVE_DBUS:
        raise NotifyError("the jeepney library, which speaks D-Bus, is not installed")
    if address.refusal:
        raise NotifyError(address.refusal)
    with _acting_as(address.uid):
        opened = prep_socket(address.socket, timeout=limit.left())
    with closing(opened):
        with _hanging_up(opened, limit):
            connection = DBusConnection(opened)
        with connection:
            yield Bus(connection)


@contextmanager
def refusals(address: BusAddress, limit: TimeLimit) -> Iterator[None]:
    """Raise a NotifyError that names the bus for what goes wrong in a block."""
    try:
        yield
    except NotifyError as refused:
        raise NotifyError(f"{address.text}: {refused}") from refused
    except TimeoutError as late:
        raise NotifyTimeout(f"{address.text}: no answer within {limit.seconds:.2g} s") from late
    except FAILURES as error:
        name = getattr(error, "name", None)  # of an answer that is an error
        said = f"answered {name}" if name else f"can't be used ({error})"
        raise NotifyError(f"{address.text}: {said}") from error


@contextmanager
def _acting_as(uid: int | None) -> Iterator[None]:
    """Be another user while a block connects: the bus asks the kernel who does, unix(7).

    So root also opens no socket that this user could not. It is so for the whole process: whoever
    calls this has no other thread that works meanwhile.
    """
    if uid is None or uid == os.geteuid():
        yield
        return
    before = os.geteuid()
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before)


@contextmanager
def _hanging_up(sock: socket.socket, limit: TimeLimit) -> Iterator[None]:
    """Hang up when the time is over, raising TimeoutError; the library's Hello waits for ever."""
    late = threading.Event()

    def hang_up() -> None:
        late.set()
        with suppress(OSError):  # the bus hung up first
            sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(limit.left(), hang_up)
    timer.start()
    try:
        yield
    except OSError as error:
        if late.is_set():
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        timer.join()
