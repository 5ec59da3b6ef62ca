"""The real daemon in a process of its own, and what a test does to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


MINUTE = timedelta(minutes=1)


@dataclass
class Process:
    """A daemon, and where it writes its log."""

    popen: subprocess.Popen[bytes]
    log: Path
    started: datetime

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged as JSON by now."""
        # One that a signal like SIGBUS ends leaves a trace, which faulthandler writes at the end.
        text = self.log.read_text().partition("Fatal Python error")[0]
        whole = text.rpartition("\n")[0].splitlines()
        plain = [line for line in whole if not line.startswith("{")]
        assert plain == [], "what a daemon says that can't go on"
        return [json.loads(line) for line in whole]

    def said(self, message: str, **facts: object) -> list[dict[str, Any]]:
        """The lines with this message and these facts."""
        wanted = {"message": message, **facts}.items()
        return [line for line in self.lines() if wanted <= line.items()]

    def ends(self, by: int) -> int:
        """Send a signal, and return the exit status."""
        self.popen.send_signal(by)
        return self.popen.wait(timeout=30)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def now() -> datetime:
    return datetime.now(UTC)


def until(what: Callable[[], object], seconds: float = 70) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.1)


def clear_of_the_minute() -> datetime:
    """Wait until there is time to save something before the next minute, and return that."""
    until(lambda: 0.2 < now().second + now().microsecond / 1e6 < 57)
    return now().replace(second=0, microsecond=0) + MINUTE


def meridian(*words: str) -> bytes:
    """What a command prints."""
    command = (sys.executable, "-m", "scheduler", *words)
    return subprocess.run(command, check=True, capture_output=True, timeout=30).stdout


def is_alive(pid: int) -> bool:
    """Say whether there is such a process; a zombie that nobody reaps is none."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@contextmanager
def running(*words: str, log: Path, **environment: str) -> Iterator[Process]:
    """A daemon that is gone at the end, whatever happens."""
    command = (sys.executable, "-m", "scheduler", "run", *words)
    started = now()
    with log.open("wb") as stream:
        popen = subprocess.Popen(command, stderr=stream, env={**os.environ, **environment})
    try:
        yield Process(popen, log, started)
    finally:
        popen.kill()
        popen.wait()


def by_rename(file: Path, text: str) -> None:
    new = file.with_suffix(".new")
    new.write_text(text)
    new.chmod(0o600)
    new.rename(file)


@contextmanager
def no_job_left(pids: Path) -> Iterator[None]:
    """Whoever has written a pid into this file is gone at the end, whatever happens."""
    try:
        yield
    finally:
        for pid in map(int, pids.read_text().split() if pids.exists() else ()):
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
