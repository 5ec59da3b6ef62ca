"""What installing or removing a service takes: how things are in, changes out, none made yet.

Whoever reads them before they are made, or instead (--dry-run), sees all of it.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from scheduler.system.service_files import LABEL, SERVICE_NAME, ServiceFile


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write this file, and the folders above it."""

    file: ServiceFile

    def __str__(self) -> str:
        return f"write {self.file.path}"


@dataclass(frozen=True, slots=True)
class DeleteFile:
    """Delete this file."""

    path: Path

    def __str__(self) -> str:
        return f"delete {self.path}"


@dataclass(frozen=True, slots=True)
class Call:
    """Run this command to its end; one that `may_fail` undoes what need not be there."""

    words: tuple[str, ...]
    may_fail: bool = False

    def __str__(self) -> str:
        return f"run {shlex.join(self.words)}"


ServiceChange = WriteFile | DeleteFile | Call


@dataclass(frozen=True, slots=True)
class SystemdService:
    """A service of systemd: the machine's, or with `user` one user's.

    `packaged` is the unit that a package has installed, which needs no other.
    """

    file: ServiceFile
    user: str | None = None
    packaged: Path | None = None

    @property
    def where(self) -> Path:
        """The file that counts."""
        return self.packaged if self.packaged and not self.file.path.exists() else self.file.path

    def install(self) -> list[ServiceChange]:
        """Return what makes, enables and starts it."""
        write = () if self._is_packaged() or self.file.is_there() else (WriteFile(self.file),)
        return [*write, self.call("daemon-reload"), self.call("enable", "--now", SERVICE_NAME)]

    def remove(self) -> list[ServiceChange]:
        """Return what stops it, keeps it from being started, and takes its file away."""
        if not self.where.exists():
            return []
        stop = self.call("disable", "--now", SERVICE_NAME)
        if self._is_packaged():
            return [stop]
        return [stop, DeleteFile(self.file.path), self.call("daemon-reload")]

    def call(self, *words: str) -> Call:
        """Return a call of systemctl for whose service this is."""
        return Call(("systemctl", *(("--user",) if self.user else ()), *words))

    def _is_packaged(self) -> bool:
        return self.packaged is not None and not self.file.path.exists()


@dataclass(frozen=True, slots=True)
class LaunchdService:
    """A daemon of launchd, or with a `uid` an agent of the session of that user: launchctl(1)."""

    file: ServiceFile
    uid: int | None = None

    @property
    def where(self) -> Path:
        """The file that counts."""
        return self.file.path

    @property
    def domain(self) -> str:
        """What launchctl calls whose services these are."""
        return "system" if self.uid is None else f"gui/{self.uid}"

    def install(self) -> list[ServiceChange]:
        """Return what makes it and starts it, now and at each boot or login."""
        write: list[ServiceChange] = []
        if not self.file.is_there():
            # What is loaded goes by the old file, and can't be loaded again.
            write = [self._out(), WriteFile(self.file)]
        enable = Call(("launchctl", "enable", f"{self.domain}/{LABEL}"))
        load = Call(("launchctl", "bootstrap", self.domain, str(self.file.path)))
        start = Call(("launchctl", "kickstart", f"{self.domain}/{LABEL}"))
        return [*write, enable, load, start] if write else [enable, start]

    def remove(self) -> list[ServiceChange]:
        """Return what ends it and takes its file away."""
        if not self.file.path.exists():
            return []
        return [self._out(), DeleteFile(self.file.path)]

    def _out(self) -> Call:
        return Call(("launchctl", "bootout", f"{self.domain}/{LABEL}"), may_fail=True)


ServiceOf = SystemdService | LaunchdService
