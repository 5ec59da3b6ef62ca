"""Debian's cron on a private spool: its package comes in, a running daemon that touches nothing out.

It is unpacked, not installed. In a mount namespace of its own it sees the spool, /run, /etc/cron.d
and /etc/pam.d that are made for it here; the rest of the machine never sees them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .daemons import BenchError, daemon
from .jobs import lateness, told_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from .jobs import Load

START_S = 0.5  # until the namespace stands and cron is executed in it

_MOUNTS = """
cd "$1"
mount --bind spool /var/spool
mount --bind run /run
mount --bind pam.d /etc/pam.d
if [ -d /etc/cron.d ]; then mount --bind cron.d /etc/cron.d; fi
if [ -e /etc/crontab ]; then mount --bind crontab /etc/crontab; fi
exec package/usr/sbin/cron -f
"""


class Cron:
    """An unpacked cron; `why_not` says why there is none, empty if there is."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.why_not = self._get()
        self.version = "" if self.why_not else self._version()

    @contextmanager
    def running(self, crontab: str) -> Iterator[int]:
        """Run it on root's crontab; yields its pid."""
        spool = self._furnish()
        table = spool / "root"
        table.write_text(crontab, encoding="utf-8")
        table.chmod(0o600)
        command = ["unshare", "--mount", "sh", "-ec", _MOUNTS, "sh", str(self._folder)]
        environment = {"PATH": os.environ.get("PATH", os.defpath), "TZ": "UTC"}
        with daemon(command, self._folder / "log", environment) as process:
            _await_start(process, self._folder / "log")
            yield process.pid

    def file(self, load: Load) -> Path:
        """Return where the jobs of this load say when they started."""
        return self._folder / f"told-{load.name}"

    def starts(self, load: Load, minute: datetime) -> list[float]:
        """Return how late the load's jobs started in this minute."""
        return lateness(told_in(self.file(load)), minute)

    def _get(self) -> str:
        if os.geteuid() != 0:
            return "it needs root (cron runs jobs as their users, on a private spool)"
        missing = [name for name in ("apt-get", "dpkg-deb", "unshare") if not shutil.which(name)]
        if missing:
            return f"this machine has no {missing[0]}"
        return (
            self._try("apt-get", "-q", "-o", "APT::Sandbox::User=root", "download", "cron")
            or self._try("sh", "-c", "dpkg-deb -x cron_*.deb package")
            or self._try("unshare", "--mount", "true")
        )

    def _try(self, *command: str) -> str:
        """Run a step of the preparation; returns why it failed, empty if it did not."""
        try:
            done = subprocess.run(
                command, cwd=self._folder, capture_output=True, text=True, check=False, timeout=60
            )
        except subprocess.TimeoutExpired:
            return f"{command[0]} took more than a minute"
        if done.returncode == 0:
            return ""
        return f"{command[0]}: {done.stderr.strip().rpartition(chr(10))[2] or done.returncode}"

    def _version(self) -> str:
        package = next(self._folder.glob("cron_*.deb"))
        return package.name.split("_")[1]

    def _furnish(self) -> Path:
        """Make the folders that cron is to see, and return the folder of crontabs."""
        spool = self._folder / "spool/cron/crontabs"
        for place in (spool, self._folder / "run", self._folder / "cron.d"):
            place.mkdir(parents=True, exist_ok=True)
        (self._folder / "crontab").touch()
        pam = self._folder / "pam.d"
        if not pam.exists():
            shutil.copytree("/etc/pam.d", pam)
            shutil.copy(self._folder / "package/etc/pam.d/cron", pam / "cron")
        return spool


def _await_start(process: subprocess.Popen[bytes], log: Path) -> None:
    try:
        process.wait(START_S)
    except subprocess.TimeoutExpired:
        return
    said = log.read_text(encoding="utf-8", errors="replace").strip()
    raise BenchError(f"cron ended at once (exit {process.returncode}): {said}")
