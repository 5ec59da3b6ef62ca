"""What several test files share: a person at a command line, with folders of their own."""

from __future__ import annotations

import asyncio.sslproto  # noqa: F401 (before the package: its daemon has asyncio without TLS)
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from typer.testing import CliRunner
from web_server import WebServer, web_server

from scheduler.alerts.channel import Place
from scheduler.cli import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

# Whoever starts the tests in the background has Ctrl-C ignored, and so would everything they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# In CI too, whose own profile would try the same examples each time. No example has a deadline: a
# busy machine, or one that counts lines, is no failure.
settings.register_profile("ours", settings.get_profile("default"), deadline=None)
settings.load_profile("ours")

# As root the crontab has a user column and stands in a folder; everything else is the same.
BY_ROOT = os.geteuid() == 0


@dataclass(frozen=True)
class Person:
    """Someone who lives in Berlin and types commands."""

    home: Path

    @property
    def crontab(self) -> Path:
        return self.home / "config" / ("crontabs/crontab" if BY_ROOT else "crontab")

    @property
    def state(self) -> Path:
        return self.home / "state"

    @property
    def nobody(self) -> str:
        """What a command says where no daemon runs with this person's state folder."""
        way = "meridian run starts one, or name another folder with --state"
        return f"no daemon runs with the state folder {self.state}; {way}"

    def line(self, schedule: str, command: str) -> str:
        """One job line as this person's own crontab wants it."""
        return f"{schedule} {'root ' if BY_ROOT else ''}{command}\n"

    def has(self, text: str) -> None:
        """Let the person have a crontab with this text."""
        self.crontab.parent.mkdir(parents=True, exist_ok=True)
        self.crontab.write_text(text)
        self.crontab.chmod(0o600)

    def file(self, text: str | bytes, name: str = "a.crontab") -> str:
        """A crontab to name on the command line."""
        path = self.home / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(0o600)
        return str(path)

    def has_addresses(self, name: str, text: str, mode: int = 0o600) -> None:
        """Let the person have a file of addresses, which `@name` stands for."""
        path = self.home / "config" / "alerts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def types(self, *words: str, stdin: str | bytes | None = None) -> Result:
        """Run a command in this process, without a terminal."""
        result = CliRunner().invoke(app, words, input=stdin, prog_name="meridian")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def starts(self, *words: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a command as a process of its own."""
        command = (sys.executable, "-m", "scheduler", *words)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
        return subprocess.Popen(command, **pipes)  # type: ignore[call-overload,no-any-return]  # any of Popen's options


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", str(tmp_path / "config"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "state"))
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("VISUAL", "EDITOR", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Person(tmp_path)


@pytest.fixture
def server() -> Iterator[WebServer]:
    """Yield a real HTTP server on loopback, which keeps what it was asked."""
    with web_server() as one:
        yield one


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return where a channel finds outputs and addresses: one folder of the test's own."""
    return Place(tmp_path, tmp_path, os.environ)
