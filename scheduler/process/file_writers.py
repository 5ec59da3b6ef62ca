"""Who has files open to write: files in, whether anybody does, and which processes do, out.

Whether anybody does, the kernel says by a lease, whoever that is, seen or hidden; who it is, it
says in /proc, whatever a process says of itself. Where there is no /proc, nobody is found.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
from typing import TYPE_CHECKING

from scheduler.process.procfs import descendants_of
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from scheduler.process.procfs import Process, Processes

Identity = tuple[int, int]  # a file's device and number: what tells it from any other
_WRITES = 0o200  # of a link in /proc/PID/fd: its file is open to be written


def is_open_to_write(descriptor: int) -> bool | None:
    """Say whether some process has this file open to write; None where the system can't tell.

    The descriptor is one to read alone. Linux gives a read lease only on a file that nobody has
    open to write, whoever that is: fcntl(2). Should one be opened in the moment that the lease is
    held, the signal that tells of it has to be harmless.
    """
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except AttributeError:  # another system than Linux
        return None
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    return False


def leaders_of_writers(
    processes: Processes, files: Mapping[Identity, Path]
) -> dict[Identity, int | None]:
    """Return the living leaders of sessions in which somebody has these files open to write.

    So a process is found whose environment says nothing (`env -i`) or is not for us to read,
    as a set-uid program's. Of those the system tells only root; where it does not, nobody. None
    is a leader who has ended, 0 one who is hidden from us.
    """
    found: dict[Identity, int | None] = {}
    names = {path.name for path in files.values()}
    everybody = {each.pid: each for each in processes.everybody()} if files else {}
    for process in sorted(everybody.values(), key=lambda each: (each.start, each.pid)):
        for file in files.keys() & set(_written(processes, process.pid, names)):
            if found.get(file) is None:
                found[file] = _leader(processes, process.session, everybody)
    return found


def writing(
    processes: Processes, leaders: Mapping[Path, int | None], of: int
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
    living = [each for each in processes.everybody() if not each.is_dead]
    ours = descendants_of(of, living)
    for process in living:
        is_ours = process.pid in ours
        if is_ours or is_any_earlier:
            for file in files.keys() & set(_written(processes, process.pid, names)):
                if is_ours or _is_of_earlier(processes, process, leaders[files[file]]):
                    yield files[file], process


def _is_of_earlier(processes: Processes, process: Process, leader: int | None) -> bool:
    if leader is None or process.pid == os.getpid():
        return False
    # Session 0 is any whose leader is outside our pid namespace: pid_namespaces(7).
    is_in_session = leader != 0 and process.session == leader
    return is_in_session or processes.is_own(process.pid)


def _leader(processes: Processes, session: int, everybody: Mapping[int, Process]) -> int | None:
    """Return a session's living leader: None if there is none, 0 if it is hidden."""
    if session in everybody:
        return None if everybody[session].is_dead else session
    return 0 if session and processes.exists(session) else None


def _written(processes: Processes, pid: int, names: Collection[str]) -> Iterator[Identity]:
    """Yield the files of these names that a process has open to write.

    Of no other is it asked which it is: one on a network that is down would never answer.
    """
    try:
        descriptors = processes.descriptors(pid)
    except OSError:  # gone, or not ours to look at
        return
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # closed meanwhile, and others need not be
            is_to_write = descriptor.lstat().st_mode & _WRITES  # `logs -f` only reads
            if is_to_write and descriptor.readlink().name in names:
                status = descriptor.stat()
                yield status.st_dev, status.st_ino


def _identity(path: Path) -> Identity | None:
    with contextlib.suppress(OSError):
        status = state_files.status(path)
        return status.st_dev, status.st_ino
    return None
