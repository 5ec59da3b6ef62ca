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

from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

T = TypeVar("T")
Identity = tuple[int, int]  # a file's device and number: what tells it from any other
Members = set[tuple[int, int]]  # of a process group: their pids and starts
GroupMembers = dict[int, Members]

PROC = Path("/proc")
_BOOT_SHIFT = 44
_TICKS = os.sysconf("SC_CLK_TCK")  # a second
# Where they stand behind the name; the start is in ticks
_STATE_AT, _PARENT_AT, _GROUP_AT, _SESSION_AT, _START_AT = 0, 1, 2, 3, 19
_UIDS = re.compile(rb"^Uid:\t(\d+)\t(\d+)\t(\d+)", re.MULTILINE)  # real, effective, saved
_WRITES = 0o200  # of a link in /proc/PID/fd: its file is open to be written
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
        self._exists = exists or _exists
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
        if self._exists(pid):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return None

    def _find_without_proc(self, pid: int) -> Process | None:
        """Take whoever leads a session for the one that it was, since every job does.

        That its number has gone round, to another leader, is less likely than that a job lives on,
        and would be started again beside itself.
        """
        if not self._exists(pid):
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
        leaders = [each for each in self._all() if each.leads_session and not each.is_dead]
        for process in sorted(leaders, key=lambda each: (each.start, each.pid)):
            environment = self._environment(process.pid) if self._is_own(process.pid) else None
            if environment is not None:
                yield process, environment

    def descendants(self, of: int) -> Iterator[tuple[Process, dict[bytes, bytes]]]:
        """Yield the living processes of our user's that descend from this one, with environments.

        None where there is no /proc. Raises OSError where the system does not tell of all now.
        """
        everyone = {process.pid: process for process in self._all()}
        found = _descendants(of, everyone.values())
        for process in everyone.values():
            if not process.is_dead and process.pid in found:
                environment = self._environment(process.pid)
                if environment is not None:
                    yield process, environment

    def groups(self) -> GroupMembers | None:
        """Return who is in which process group, dead ones too; None without /proc.

        Raises OSError where the system does not tell of all now.
        """
        if not self._is_there:
            return None
        found: GroupMembers = {}
        for each in self._all():
            found.setdefault(each.group, set()).add((each.pid, each.start))
        return found

    def writers(self, files: Mapping[Identity, Path]) -> dict[Identity, int | None]:
        """Return the living leaders of sessions in which somebody has these files open to write.

        So a process is found whose environment says nothing (`env -i`) or is not for us to read,
        as a set-uid program's. Of those the system tells only root; where it does not, nobody. None
        is a leader who has ended, 0 one who is hidden from us.
        """
        found: dict[Identity, int | None] = {}
        names = {path.name for path in files.values()}
        everybody = {each.pid: each for each in self._all()} if files else {}
        for process in sorted(everybody.values(), key=lambda each: (each.start, each.pid)):
            for file in files.keys() & set(self._written(process.pid, names)):
                if found.get(file) is None:
                    found[file] = self._leader(process.session, everybody)
        return found

    def writing(
        self, leaders: Mapping[Path, int | None], of: int
    ) -> Iterator[tuple[Path, Process]]:
        """Yield the living processes that have one of these files open to write, and are a job's.

        A job of this daemon has None as its file's leader; its processes descend from process `of`.
        The processes of an earlier daemon's job are in its leader's session (0 is an unknown one),
        or are our user's own, as what copies into the file is. A process of none of these was given
        the file by a job, and is left out. Raises OSError.
        """
        files = {identity: path for path in leaders if (identity := _identity(path)) is not None}
        names = {path.name for path in leaders}
        is_any_earlier = any(leader is not None for leader in leaders.values())
        living = [each for each in self._all() if not each.is_dead]
        ours = _descendants(of, living)
        for process in living:
            is_ours = process.pid in ours
            if is_ours or is_any_earlier:
                for file in files.keys() & set(self._written(process.pid, names)):
                    if is_ours or self._is_of_earlier(process, leaders[files[file]]):
                        yield files[file], process

    def _is_of_earlier(self, process: Process, leader: int | None) -> bool:
        if leader is None or process.pid == os.getpid():
            return False
        # Session 0 is any whose leader is outside our pid namespace: pid_namespaces(7).
        is_in_session = leader != 0 and process.session == leader
        return is_in_session or self._is_own(process.pid)

    def _leader(self, session: int, everybody: Mapping[int, Process]) -> int | None:
        """Return a session's living leader: None if there is none, 0 if it is hidden."""
        if session in everybody:
            return None if everybody[session].is_dead else session
        return 0 if session and self._exists(session) else None

    def _written(self, pid: int, names: Collection[str]) -> Iterator[Identity]:
        """Yield the files of these names that a process has open to write.

        Of no other is it asked which it is: one on a network that is down would never answer.
        """
        folder = self._proc / str(pid) / "fd"
        with contextlib.suppress(OSError):  # gone, or not ours to look at
            for descriptor in self._spared(lambda: list(folder.iterdir())):
                if descriptor.lstat().st_mode & _WRITES:  # else it only reads, as `logs -f` does
                    with contextlib.suppress(OSError):  # closed meanwhile
                        if descriptor.readlink().name in names:
                            status = descriptor.stat()
                            yield status.st_dev, status.st_ino

    def _all(self) -> Iterator[Process]:
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

    def _is_own(self, pid: int) -> bool:
        """Say whether real, effective and saved user of a process are ours."""
        try:
            status = self._spared((self._proc / str(pid) / "status").read_bytes)
        except PermissionError:
            return False
        except OSError as error:
            if error.errno in _GONE:
                return False
            raise
        found = _UIDS.search(status)
        return found is not None and {*map(int, found.groups())} == {os.geteuid()}

    def _environment(self, pid: int) -> dict[bytes, bytes] | None:
        """Return the environment that a process of our user's began with; None if it is gone."""
        folder = self._proc / str(pid)
        try:
            is_own = folder.stat().st_uid == os.geteuid()
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


def _descendants(of: int, everyone: Iterable[Process]) -> set[int]:
    children: dict[int, list[int]] = {}
    for process in everyone:
        children.setdefault(process.parent, []).append(process.pid)
    found, parents = set[int](), [of]
    while parents:  # each once: a number that goes round meanwhile must not lead in a circle
        some = children.pop(parents.pop(), [])
        found.update(some)
        parents += some
    return found - {of}


def _identity(path: Path) -> Identity | None:
    with contextlib.suppress(OSError):
        status = state_files.status(path)
        return status.st_dev, status.st_ino
    return None


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
