"""A desktop for a test: a screen that nobody has (Xvfb), a session bus and dunst, all real ones."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jeepney.bus_messages import message_bus
from jeepney.io.blocking import open_dbus_connection
from jeepney.wrappers import unwrap_msg
from programs import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DUNSTRC = """
[global]
    markup = full
    font = DejaVu Sans 12
[urgency_low]
    timeout = 0
[urgency_normal]
    timeout = 0
[urgency_critical]
    timeout = 0
"""


def until(what: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.05)


@dataclass
class RealDesktop:
    """A screen, the variables of its session, and its notification server."""

    environ: dict[str, str]
    server: subprocess.Popen[bytes]
    folder: Path

    def tell_server(self, *words: str) -> str:
        """What dunst answers."""
        return self._run(program("dunstctl"), *words).strip()

    def number_shown(self) -> int:
        return int(self.tell_server("count", "displayed"))

    def colours(self) -> int:
        """How many colours the screen shows: an empty one has one."""
        picture = str(self.folder / "screen.png")
        self._run(program("import"), "-window", "root", picture)
        return int(self._run(program("identify"), "-format", "%k", picture))

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            words, env=self.environ, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout


@contextmanager
def session_bus(folder: Path) -> Iterator[str]:
    """Start a private session bus where XDG_RUNTIME_DIR would have it; yield its address."""
    address = f"unix:path={folder}/bus"
    words = ["--session", "--nofork", "--print-address", f"--address={address}"]
    daemon = subprocess.Popen([program("dbus-daemon"), *words], stdout=subprocess.PIPE, text=True)
    with daemon:
        assert daemon.stdout is not None
        try:
            yield daemon.stdout.readline().strip()
        finally:
            daemon.terminate()


@contextmanager
def real_desktop(folder: Path, bus: str) -> Iterator[RealDesktop]:
    """Start a screen, and a notification server for the session of this bus on it."""
    with ExitStack() as stack:
        display = _screen(stack)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DISPLAY": display,
            "DBUS_SESSION_BUS_ADDRESS": bus,
            "RUNTIME_DIRECTORY": str(folder / "meridian"),
        }
        (folder / "dunstrc").write_text(DUNSTRC)
        words = [program("dunst"), "-conf", str(folder / "dunstrc")]
        server = subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL)
        stack.enter_context(_ended(server))
        desktop = RealDesktop(environ, server, folder)
        until(lambda: _is_served(bus))
        yield desktop


def _screen(stack: ExitStack) -> str:
    reader, writer = os.pipe()
    words = [program("Xvfb"), "-displayfd", str(writer), "-screen", "0", "800x600x24"]
    server = subprocess.Popen(words, pass_fds=(writer,), stderr=subprocess.DEVNULL)
    os.close(writer)
    stack.enter_context(_ended(server))
    with os.fdopen(reader) as told:
        return f":{told.readline().strip()}"


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def _is_served(bus: str) -> bool:
    """Say whether the session has a notification server: to ask that one would start another."""
    with open_dbus_connection(bus) as connection:
        ask = message_bus.NameHasOwner("org.freedesktop.Notifications")
        (has_owner,) = unwrap_msg(connection.send_and_get_reply(ask))
    return bool(has_owner)
