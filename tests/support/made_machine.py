"""A machine's folders below a root of a test's own, with the crontabs that cron would run there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.daemon.machine_tables import MachineTables
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.system.crontab_loader import ReadOptions
from scheduler.system.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Locks a file as Debian's cron and as anacron do, until its standard input ends.
_LOCKER = """
import fcntl, os, sys
opened = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(opened, fcntl.LOCK_EX)
fcntl.lockf(opened, fcntl.LOCK_EX)
os.pwrite(opened, b"%d\\n" % os.getpid(), 0) if "pid" in sys.argv[1] else None
print("locked", flush=True)
sys.stdin.read()
"""


class MadeMachine:
    """Owns a root folder with /etc, /run and /var in it; a test writes crontabs there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("etc/meridian/crontabs", "etc/cron.d", "run", "state", "var/spool/anacron"):
            (root / folder).mkdir(parents=True)
        self.spool = root / "var/spool/cron/crontabs"
        self.spool.mkdir(parents=True)
        self.spool.chmod(0o1730)

    def writes(self, file: str, text: str, *, owner: int = 0) -> Path:
        """Write a crontab as root does, or as crontab(1) does for a user."""
        path = self.root / file
        path.write_text(text)
        path.chmod(0o600 if path.parent == self.spool else 0o644)
        if os.geteuid() == 0:
            os.chown(path, owner, 0)
        return path

    def user_writes(self, user: str, text: str, *, owner: int = 0) -> Path:
        return self.writes(f"var/spool/cron/crontabs/{user}", text, owner=owner)

    def crontabs(self, *, every_user: bool = True) -> WatchedCrontabs:
        """Return the crontabs of a system daemon of this machine."""
        own = self.root / "etc/meridian/crontabs"
        paths = Paths(own / "crontab", own, self.root / "state", self.root / "run")
        how = ReadOptions(0, "root", ZoneInfo("UTC"), system=True, every_user=every_user)
        return WatchedCrontabs(
            (), paths, how, MachineTables(own, paths.state / "cron-until", self.root)
        )

    def short(self, file: str) -> str:
        return file.removeprefix(f"{self.root}/")


@contextmanager
def another_locks(path: Path) -> Iterator[None]:
    """Have another process lock a file, as cron does its pid file and anacron its stamps."""
    pipe = subprocess.PIPE
    words = (sys.executable, "-c", _LOCKER, str(path))
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as locker:
        assert locker.stdin
        assert locker.stdout
        assert locker.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            locker.stdin.close()
