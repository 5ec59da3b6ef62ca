"""The pid file of cron daemons in, the right to run cron's tables out: one daemon has it at a time.

A cron daemon takes a lock on /run/crond.pid when it starts, and gives up where another has it.
Debian's cron 3.0 locks by flock(2), cronie by fcntl(2), and neither sees the lock of the other. So
both are taken here: whoever has the two keeps every cron out, even one that a package's upgrade has
just started, and no cron runs beside who got both.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.system import boot, crons_record
from scheduler.system.clock import RealClock
from scheduler.system.crons_record import CronUntil

if TYPE_CHECKING:
    from datetime import datetime

CRON_PID = Path("/run/crond.pid")
_BOOT_MARKERS = ("crond.reboot", "cron.reboot")  # Debian's cron and cronie, beside their pid file
_PID_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PID_DIGITS = 20
_LOCK_TRIES = 3  # to lock the file before it is taken away, as a cron that ends may do
_OWN_LINE = b"meridian\n"  # behind the pid: no cron writes a second line, or leaves one


@dataclass(frozen=True, slots=True)
class CronHolder:
    """Which process runs cron's tables now; `is_meridian`: it is a system daemon of Meridian's."""

    pid: int | None
    name: str
    is_meridian: bool


class CronLock:
    """Keeps cron daemons and this one from running the same tables at once.

    Owns the open pid file and its two locks. A system daemon makes one, and calls `take` before it
    reads cron's tables and again before each minute, `release` when it ends. Invariant: while
    `take` says yes, the file of that name is locked both ways by this process. An fcntl lock ends
    when the process closes *any* descriptor of the file, so nothing else in it may open this file.

    `until` says, once it is taken, by when what was due is another cron's, whether that ran or not;
    the `record` lets the next daemon know. `has_rebooted` says that the `@reboot` jobs of this boot
    have been run.
    """

    def __init__(self, path: Path = CRON_PID, record: Path | None = None) -> None:
        self._path = path
        self._record = record
        self._open: int | None = None
        self.refusal = ""  # why the last `take` said no, for a message
        self.until: datetime | None = None
        self.has_rebooted = False

    def take(self) -> bool:
        """Have the lock, or go on having it; else say no, and why in `refusal`."""
        if self._is_held():
            return True
        self.release()  # somebody has taken the file away: its lock keeps nobody out any more
        for _ in range(_LOCK_TRIES):
            if not self._locked():
                return False
            if self._is_held():
                self.has_rebooted = self._was_booted()
                return True
            self.release()  # taken away just before it was locked
        self.refusal = f"{self._path} is taken away again and again"
        return False

    def _locked(self) -> bool:
        """Have locked the file that had this name a moment ago; else say why not in `refusal`."""
        was_there = os.path.lexists(self._path)
        try:
            descriptor = os.open(self._path, _PID_FILE, 0o600)
        except OSError as error:
            self.refusal = f"can't open {self._path}: {error.strerror}"
            return False
        try:
            self._lock(descriptor, was_there=was_there)
        except OSError as error:
            self.refusal = self._why(descriptor, error)
            os.close(descriptor)
            return False
        self._open, self.refusal = descriptor, ""
        return True

    def rebooted(self) -> None:
        """Let each cron daemon know that the `@reboot` jobs of this boot have been run."""
        for path in self._markers():
            with suppress(OSError):
                path.touch(mode=0o600)

    def release(self) -> None:
        """Let the next cron daemon have it; one that was not had is none to release."""
        if self._open is None:
            return
        descriptor, self._open = self._open, None
        with suppress(OSError):
            if os.path.samestat(self._path.lstat(), os.fstat(descriptor)):
                os.truncate(descriptor, 0)  # nobody is to signal a process that has this pid later
        os.close(descriptor)

    def _is_held(self) -> bool:
        if self._open is None:
            return False
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(self._open))
        except OSError:
            return False

    def _markers(self) -> list[Path]:
        return [self._path.with_name(name) for name in _BOOT_MARKERS]

    def _lock(self, descriptor: int, *, was_there: bool) -> None:
        """Take both locks and write the pid; OSError where one is another's."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        before = os.pread(descriptor, 2 * _PID_DIGITS, 0)
        self._keep_until(before if was_there else None)  # first: a crash may come behind the pid
        os.fchmod(descriptor, 0o600)  # who can't open it can't lock it, and keep root's daemon out
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n%b" % (os.getpid(), _OWN_LINE), 0)

    def _keep_until(self, before: bytes | None) -> None:
        """Find by when the tables were another cron's, and let the next daemon know.

        `before` is what was in the pid file: a system daemon leaves it empty, or its own line;
        Debian's cron leaves its pid. There was none where cronie took it away; or where the machine
        has booted: then no cron has left its mark of this boot.
        """
        now, this_boot = RealClock().now(), boot.boot_id()
        kept = crons_record.read(self._record) if self._record else None
        if kept is None:
            is_ours = False  # for the first time
        elif before is None:
            is_ours = kept.boot != this_boot and not self._was_booted()
        else:
            is_ours = not before or before.endswith(_OWN_LINE)
        self.until = min(kept.until, now) if kept and is_ours else now
        if self._record:
            crons_record.write(self._record, CronUntil(self.until, this_boot))

    def _was_booted(self) -> bool:
        return any(os.path.lexists(path) for path in self._markers())

    def _why(self, descriptor: int, error: OSError) -> str:
        if not isinstance(error, BlockingIOError | PermissionError):
            return f"can't lock {self._path}: {error.strerror}"
        return f"a cron daemon ({_named(descriptor)}) has {self._path}"


def holder(path: Path = CRON_PID, proc: Path = Path("/proc")) -> CronHolder | None:
    """Return who has the lock; None if nobody has. OSError where that can't be told.

    It is read from the list of locks (proc_locks(5)): trying it would keep out a cron that starts
    just then.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        if not _is_locked(os.fstat(descriptor), (proc / "locks").read_text()):
            return None
        pid, name = _process(descriptor)
        is_meridian = os.pread(descriptor, 2 * _PID_DIGITS, 0).endswith(_OWN_LINE)
        return CronHolder(pid, name, is_meridian)
    finally:
        os.close(descriptor)


def _is_locked(status: os.stat_result, locks: str) -> bool:
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    return f" {device}:{status.st_ino} " in locks


def _named(descriptor: int) -> str:
    """Return who wrote the pid file, as far as it tells."""
    pid, name = _process(descriptor)
    if pid is None:
        return "pid unknown"
    return f"{name}, pid {pid}" if name else f"pid {pid}"


def _process(descriptor: int) -> tuple[int | None, str]:
    with suppress(OSError, ValueError):
        pid = int(os.pread(descriptor, _PID_DIGITS, 0).partition(b"\n")[0])
        with suppress(OSError):
            return pid, Path(f"/proc/{pid}/comm").read_text("utf-8", "backslashreplace").strip()
        return pid, ""
    return None, ""
