"""anacron's stamps: when its jobs ran last, and the locks that keep it from running them, too.

A stamp is a file of the job's name with a date in it (20270310). anacron(8) locks it by fcntl(2)
while the job waits and runs, and leaves out a job whose stamp another has locked.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

STAMPS = Path("var/spool/anacron")  # below the root
_STAMP_FLAGS = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_STAMP_BYTES = 8


class AnacronStamps:
    """Keeps anacron and a system daemon from running the same jobs at once.

    Owns the open stamps of the jobs that this daemon runs, each locked. Whoever reads anacron's
    table locks a job before it counts, and writes the stamp when the job has ended. Invariant: a
    job that is locked is run by nobody else. The lock ends when the process closes *any* descriptor
    of the stamp, so a locked one is read and written by its own descriptor alone.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        self._folder = root / STAMPS
        self._held: dict[str, int] = {}
        self.refused: dict[str, str] = {}  # stamps that could not be locked, and why

    def last_run(self, name: str) -> date | None:
        """Return the date of the job's last run; None if it has none."""
        if name in self._held:
            return _date(os.pread(self._held[name], _STAMP_BYTES, 0))
        return last_run(self._folder, name)

    def lock(self, name: str) -> bool:
        """Have the job for this daemon; else say no, and why in `refused`."""
        if name in self._held:
            if self._is_same(name):
                return True
            os.close(self._held.pop(name))
        try:
            self._held[name] = self._locked(name)
        except OSError as error:
            is_locked = isinstance(error, BlockingIOError | PermissionError)
            path = self._folder / name
            why = "anacron runs it now" if is_locked else f"can't open {path}: {error.strerror}"
            self.refused[name] = why
            return False
        self.refused.pop(name, None)
        return True

    def keep(self, names: set[str]) -> None:
        """Let go of all jobs but these."""
        for name in self._held.keys() - names:
            os.close(self._held.pop(name))
        for name in self.refused.keys() - names:
            del self.refused[name]

    def write(self, name: str, day: date) -> None:
        """Stamp a job that is locked with the date of its run; OSError."""
        text = f"{day:%Y%m%d}\n".encode()
        os.pwrite(self._held[name], text, 0)
        os.truncate(self._held[name], len(text))

    def release(self) -> None:
        """Let go of all jobs: anacron may run them again."""
        self.keep(set())

    def _is_same(self, name: str) -> bool:
        try:
            return os.path.samestat((self._folder / name).lstat(), os.fstat(self._held[name]))
        except OSError:
            return False

    def _locked(self, name: str) -> int:
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | _STAMP_FLAGS, 0o600)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def last_run(folder: Path, name: str) -> date | None:
    """Return the date in a stamp; None if it has none, or can't be read."""
    with suppress(OSError):
        descriptor = os.open(folder / name, os.O_RDONLY | _STAMP_FLAGS)
        try:
            return _date(os.read(descriptor, _STAMP_BYTES))
        finally:
            os.close(descriptor)
    return None


def _date(text: bytes) -> date | None:
    try:
        return datetime.strptime(text.decode("ascii"), "%Y%m%d").date()  # noqa: DTZ007 (a date)
    except ValueError:
        return None
