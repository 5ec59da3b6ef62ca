"""Daemons under measurement: a command line comes in, a running process and its figures go out."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.journal.journal import Journal

from .jobs import Load, lateness, told_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from scheduler.journal.rows import AttemptRow

READY_WITHIN_S = 60.0
END_WITHIN_S = 15.0
IDLE_S = 1.0  # a process that used next to no CPU for so long is idle
NEXT_TO_NONE_S = 0.001


class BenchError(Exception):
    """The bench can't go on; its text says why."""


@contextmanager
def daemon(
    command: Sequence[str], log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a daemon in a session of its own, so that Ctrl-C is ours, and end it afterwards."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Meridian:
    """`python -m scheduler run` on one crontab, with its state in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.state = folder / "state"
        self.log = folder / "log"
        self.crontab = folder / "crontab"
        self._socket = folder / "notify"

    @contextmanager
    def running(self) -> Iterator[tuple[int, float]]:
        """Run it; yields its pid and how many seconds it took until it was ready."""
        words = "-m scheduler run --log-format json --grace 1 --state".split()
        command = [sys.executable, *words, str(self.state), str(self.crontab)]
        with ExitStack() as stack:
            listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            listener.bind(str(self._socket))
            environment = os.environ | {"NOTIFY_SOCKET": str(self._socket)}
            begin = time.monotonic()
            process = stack.enter_context(daemon(command, self.log, environment))
            self._await_ready(listener, process)
            yield process.pid, time.monotonic() - begin

    def file(self, load: Load) -> Path | None:
        """Return where the jobs of this load say when they started; None is their output file."""
        return self._folder / "told" if load is Load.SHELLED else None

    def starts(self, load: Load, minute: datetime) -> list[float]:
        """Return how late the load's runs of this minute started, as they say themselves."""
        file = self.file(load)
        files = [file] if file else [self.state / a.output for a in self._attempts(minute)]
        return lateness([at for file in files for at in told_in(file)], minute)

    def journalled(self, minute: datetime) -> list[float]:
        """Return the same from the journal."""
        attempts = self._attempts(minute)
        return lateness([a.started.timestamp() for a in attempts if a.started], minute)

    def _attempts(self, minute: datetime) -> list[AttemptRow]:
        with closing(Journal.open(self.state / "journal.db", readonly=True)) as journal:
            rows = journal.queries.history()
        return [
            attempt for row in rows if row.run.instant == minute for attempt in row.attempts[:1]
        ]

    def _await_ready(self, listener: socket.socket, process: subprocess.Popen[bytes]) -> None:
        listener.settimeout(0.2)
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until and process.poll() is None:
            with suppress(TimeoutError):
                if b"READY=1" in listener.recv(4096):
                    return
        said = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise BenchError(f"Meridian did not become ready (exit {process.poll()}):\n{said}")


def resident(pid: int) -> int:
    """Return the bytes of memory that the process holds: VmRSS of proc_pid_status(5)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def processor_time(pid: int) -> float:
    """Return the CPU seconds that the process has used, by its clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def wait_until_idle(pid: int) -> None:
    """Return when the process has used no CPU for a while."""
    used = -1.0
    while (now := processor_time(pid)) > used + NEXT_TO_NONE_S:
        used = now
        time.sleep(IDLE_S)


def end_on_sigterm() -> None:
    """Let SIGTERM unwind as Ctrl-C does, so that the daemons are ended and the folders removed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
