"""Readers of a daemon's log that have stopped for good, and can be made to go on."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import termios
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

F_SETPIPE_SZ = 1031


class Reader:
    """`descriptor` is what the daemon writes to; nothing more goes in until `goes_on` is called."""

    def __init__(
        self,
        descriptor: int,
        source: int,
        goes_on: Callable[[], None] = lambda: None,
        program: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.descriptor = descriptor
        self._source = source
        self._goes_on = goes_on
        self._program = program
        self._is_closed = False
        self.text = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        if self._program is not None:
            self._program.kill()
            self._program.wait()
        os.close(self.descriptor)

    def goes_on(self) -> None:
        """Read everything from now on."""
        self._goes_on()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError):  # EIO: the terminal's other end is closed
            while not self._is_closed:
                piece = os.read(self._source, 65536)
                self.text += piece
                if not piece:  # of a pipe that is the end, of a file only for now
                    time.sleep(0.02)
        os.close(self._source)


def _fill(descriptor: int) -> None:
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        while True:
            os.write(descriptor, b".")
    os.set_blocking(descriptor, True)


def full_pipe(_: Path) -> Reader:
    """`meridian run 2>&1 | something` that never reads."""
    source, descriptor = os.pipe()
    fcntl.fcntl(descriptor, F_SETPIPE_SZ, 4096)
    _fill(descriptor)
    return Reader(descriptor, source)


def stopped_program(folder: Path) -> Reader:
    """`meridian run 2>&1 | less`, put into the background with Ctrl-Z."""
    source, descriptor = os.pipe()
    with (folder / "read").open("wb") as file:
        program = subprocess.Popen(("cat",), stdin=source, stdout=file)
    os.close(source)
    program.send_signal(signal.SIGSTOP)
    os.waitpid(program.pid, os.WUNTRACED)
    fcntl.fcntl(descriptor, F_SETPIPE_SZ, 4096)
    _fill(descriptor)
    source = os.open(folder / "read", os.O_RDONLY)
    return Reader(descriptor, source, lambda: program.send_signal(signal.SIGCONT), program)


def frozen_terminal(_: Path) -> Reader:
    """Ctrl-S."""
    source, descriptor = os.openpty()
    termios.tcflow(descriptor, termios.TCOOFF)
    return Reader(descriptor, source, lambda: termios.tcflow(descriptor, termios.TCOON))


def forgotten_terminal(_: Path) -> Reader:
    """A terminal program that hangs."""
    source, descriptor = os.openpty()
    _fill(descriptor)
    return Reader(descriptor, source)


def stuck_journal(_: Path) -> Reader:
    """A stream as journald gives it to a service."""
    one, other = socket.socketpair()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    source, descriptor = other.detach(), one.detach()
    _fill(descriptor)
    return Reader(descriptor, source)


KINDS = (full_pipe, stopped_program, frozen_terminal, forgotten_terminal, stuck_journal)
