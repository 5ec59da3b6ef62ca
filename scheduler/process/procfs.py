"""Processes that need not be our children: a pid in, when it started out; and who leads a session.

Linux tells of them in /proc, see proc_pid_stat(5); other systems tell less.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

T = TypeVar("T")
Members = set[tuple[int, int]]  # of a process group: their pids and starts
GroupMembers = dict[int, Members]

PROC = Path("/proc")
_BOOT_SHIFT = 44
_TICKS = os.sysconf("SC_CLK_TCK")  # a second
# Where they stand behind the name; the start is in ticks
_STATE_AT, _PARENT_AT, _GROUP_AT, _SESSION_AT, _START_AT = 0, 1, 2, 3, 19
_UIDS = re.compile(rb"^Uid:\t(\d+)\t(\d+)\t(\d+)", re.MULTILINE)  # real, effective, saved
_GONE = (errno.ENOENT, errno.ESRCH, errno.ENOTDIR)  # all else says nothing of a process


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `start` tells it from a later one, `is_dead` if it only waits to be reaped."""

    pid: int
    start: int
    leads_session: bool
    is_dead: bool = False
    parent: int = field(default=0, compare=False)
    group: int = field(default=0, compare=False)
    session: int = field(default=0, compare=False)  # the pid of its session's leader


class Processes:
    """The processes of this machine, as the folder `proc` tells of them.

    Owns a spare descriptor alone, so that it can look when no other is left; every look is new. The
    spawner, the survivors and the throttle of outputs call it.

    `start` alone would take a process of this boot for one of the last; the checksum of what names
    the `boot` stands above it, in what is left of SQLite's 63 bits. `exists` says whether anybody
    has a number, also whom the folder hides from us (hidepid of proc(5)).
    """

    _spare: int | None = None

    def __init__(
        self,
        proc: Path = PROC,
        boot: str | None = None,
        exists: Callable[[int], bool] | None = None,
    ) -> None:
        self._proc = proc
        self.exists = exists or _exists
        self._is_there = (proc / "self/stat").exists()
        self._spare = _spare()
        self._boot = zlib.crc32((boot or "").encode()) % 2**18 << _BOOT_SHIFT

    def __del__(self) -> None:
        """Give the spare descriptor back."""
        if self._spare is not None:
            os.close(self._spare)

    def find(self, pid: int) -> Process | None:
        """Return the process of this number; None if it is gone.

        Raises OSError where the system does not tell now: it may live; PermissionError where it
        never will: somebody has that number who is hidden from us.
        """
        if not self._is_there:
            return self._find_without_proc(pid)
        with contextlib.suppress(PermissionError):
            found = self._read(self._proc / str(pid))
            if found is not None:
                return found
        if self.exists(pid):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return None

    def _find_without_proc(self, pid: int) -> Process | None:
        """Take whoever leads a session for the one that it was, since every job does.

        That its number has gone round, to another leader, is less likely than that a job lives on,
        and would be started again beside itself.
        """
        if not self.exists(pid):
            return None
        try:
            is_leader = os.getsid(pid) == pid
        except ProcessLookupError:  # macOS: only to be reaped
            return Process(pid, self._boot, leads_session=True, is_dead=True)
        return Process(pid, self._boot + (0 if is_leader else 1), leads_session=is_leader)

    def began(self, start: int) -> float | None:
        """Return how many seconds after the boot a process began whose `start` this is.

        None if that was another boot, or the system does not tell.
        """
        return ticks(start) if self._is_there and self.is_of_this_boot(start) else None

    def is_of_this_boot(self, start: int) -> bool:
        """Say whether a process whose `start` this is can live."""
        return start >> _BOOT_SHIFT == self._boot >> _BOOT_SHIFT

    def own_leaders(self) -> Iterator[tuple[Process, dict[bytes, bytes]]]:
        """Yield the living leaders of sessions that are our user's, with their environments.

        A set-uid program that another user started is none of them, whose environment is that
        user's: real, effective and saved user are ours. The eldest comes first; where there is no
        /proc, nobody. Raises OSError where the system does not tell of all now.
        """
        leaders = [each for each in self.everybody() if each.leads_session and not each.is_dead]
        for process in sorted(leaders, key=lambda each: (each.start, each.pid)):
            environment = self._environment(process.pid) if self.is_own(process.pid) else None
            if environment is not None:
                yield process, environment

    def descendants(self, of: int) -> Iterator[tuple[Process, dict[bytes, bytes]]]:
        """Yield the living processes of our user's that descend from this one, with environments.

        None where there is no /proc. Raises OSError where the system does not tell of all now.
        """
        for process in self._descendants(of):
            environment = self._environment(process.pid)
            if environment is not None:
                yield process, environment

    def descendants_by_user(
        self, of: int, users: Collection[int]
    ) -> Iterator[tuple[Process, dict[bytes, bytes], int]]:
        """Yield the same of other users, each with the number of the one who started it.

        That is its real user, whoever it has become by a set-uid program. Only root is told.
        """
        for process in self._descendants(of) if users else ():
            uid = next(iter(self._uids(process.pid)), None)
            environment = self._environment(process.pid, is_others=True) if uid in users else None
            if environment is not None and uid is not None:
                yield process, environment, uid

    def _descendants(self, of: int) -> Iterator[Process]:
        everyone = {process.pid: process for process in self.everybody()}
        found = descendants_of(of, everyone.values())
        return (each for each in everyone.values() if not each.is_dead and each.pid in found)

    def groups(self) -> GroupMembers | None:
        """Return who is in which process group, dead ones too; None without /proc.

        Raises OSError where the system does not tell of all now.
        """
        if not self._is_there:
            return None
        found: GroupMembers = {}
        for each in self.everybody():
            found.setdefault(each.group, set()).add((each.pid, each.start))
        return found

    def descriptors(self, pid: int) -> list[Path]:
        """Return the links that stand for what a process has open; OSError."""
        folder = self._proc / str(pid) / "fd"
        return self._spared(lambda: list(folder.iterdir()))

    def everybody(self) -> Iterator[Process]:
        """Yield all processes that we are told of; OSError where that fails now."""
        for folder in self._spared(self._folders) if self._is_there else ():
            # Mounted with hidepid=1: it is not our user's.
            with contextlib.suppress(PermissionError):
                process = self._read(folder) if folder.name.isdecimal() else None
                if process is not None:
                    yield process

    def _folders(self) -> list[Path]:
        return list(self._proc.iterdir())

    def _read(self, folder: Path) -> Process | None:
        try:
            stat = self._spared((folder / "stat").read_bytes)
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise
        fields = stat[stat.rindex(b")") + 2 :].split()
        return Process(
            int(folder.name),
            start=self._boot + int(fields[_START_AT]),
            leads_session=fields[_SESSION_AT] == folder.name.encode(),
            is_dead=fields[_STATE_AT] in (b"Z", b"X"),
            parent=int(fields[_PARENT_AT]),
            group=int(fields[_GROUP_AT]),
            session=int(fields[_SESSION_AT]),
        )

    def _spared(self, look: Callable[[], T]) -> T:
        """Look at something; a spare descriptor is for when there is no other.

        Without it nobody could tell what lives when the daemon has many jobs.
        """
        try:
            return look()
        except OSError as error:
            if error.errno != errno.EMFILE or self._spare is None:
                raise
        os.close(self._spare)
        self._spare = None
        try:
            return look()
        finally:
            with contextlib.suppress(OSError):
                self._spare = _spare()

    def is_own(self, pid: int) -> bool:
        """Say whether real, effective and saved user of a process are ours."""
        return set(self._uids(pid)) == {os.geteuid()}

    def _uids(self, pid: int) -> dict[int, None]:
        """Return real, effective and saved user of a process, each once; none if it is gone."""
        try:
            status = self._spared((self._proc / str(pid) / "status").read_bytes)
        except PermissionError:
            return {}
        except OSError as error:
            if error.errno in _GONE:
                return {}
            raise
        found = _UIDS.search(status)
        return {} if found is None else dict.fromkeys(map(int, found.groups()))

    def _environment(self, pid: int, *, is_others: bool = False) -> dict[bytes, bytes] | None:
        """Return the environment that a process began with; None if it is gone.

        It is our user's, or for root another's, whoever that has become by a set-uid program.
        """
        folder = self._proc / str(pid)
        try:
            is_own = is_others or folder.stat().st_uid == os.geteuid()
            return _variables(self._spared((folder / "environ").read_bytes)) if is_own else None
        except PermissionError:  # not for us to read is the same as gone
            return None
        except OSError as error:
            if error.errno in _GONE:
                return None
            raise


def ticks(start: int) -> float:
    """Return how many seconds after its boot a process began, by its `start`."""
    return (start & (1 << _BOOT_SHIFT) - 1) / _TICKS


def apart(one: int | None, other: int | None) -> float | None:
    """Return how many seconds after `one` process the `other` began, by their `start`s.

    No setting of the clock moves them. None where they are not of one boot, or not known.
    """
    if one is None or other is None or one >> _BOOT_SHIFT != other >> _BOOT_SHIFT:
        return None
    return ticks(other) - ticks(one)


def descendants_of(of: int, everyone: Iterable[Process]) -> set[int]:
    """Return the pids of those among these processes that descend from one of them."""
    children: dict[int, list[int]] = {}
    for process in everyone:
        children.setdefault(process.parent, []).append(process.pid)
    found, parents = set[int](), [of]
    while parents:  # each once: a number that goes round meanwhile must not lead in a circle
        some = children.pop(parents.pop(), [])
        found.update(some)
        parents += some
    return found - {of}


def _exists(pid: int) -> bool:
    """Say whether anybody has this number: kill(2) tells of those whom /proc hides, too."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, as somebody else
    return True


def _spare() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _variables(environment: bytes) -> dict[bytes, bytes]:
    """Take an environment apart; of two of one name the first counts, as for getenv(3)."""
    pairs = (entry.partition(b"=") for entry in environment.split(b"\0"))
    found: dict[bytes, bytes] = {}
    for name, _, value in pairs:
        found.setdefault(name, value)
    return found
