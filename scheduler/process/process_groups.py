"""Process groups and their leaders: a pid in, its group signalled or known to be gone out.

A number goes round: the group that it named once can be another's by the time of a signal, and no
signal may reach that one. So while its number is surely its own, a descriptor of the leader itself
is opened and kept: pidfd_open(2). Where Linux has none that reaches groups (before 6.9), or few
descriptors are left, a group is the same for as long as somebody is in it whom the last look has
seen there. Such a look goes through all processes of the machine: `one_look` is for many signals.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import os
import resource
import select
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.process.procfs import GroupMembers, Members, Process, Processes

_TO_GROUP = 4  # PIDFD_SIGNAL_PROCESS_GROUP of pidfd_send_signal(2)


@dataclass(slots=True)
class _Leader:
    """One that is kept: its start if known, its descriptor if any; `Leaders` alone changes it."""

    start: int | None
    descriptor: int | None
    reaches_group: bool = False
    members: Members = field(default_factory=set)  # as last seen


class Leaders:
    """Owns which leaders of process groups are kept, and a descriptor of each where there is one.

    The spawner calls it: `take` before a signal, `drop` when nobody is to be signalled any more.
    Invariant: a signal reaches the group of a leader that is kept, or nobody. `has_pidfds` is False
    where the system is to have none.
    """

    def __init__(self, processes: Processes, *, has_pidfds: bool = True) -> None:
        self._processes = processes
        self._has_pidfds = has_pidfds and hasattr(os, "pidfd_open")
        self._kept: dict[int, _Leader] = {}
        self._shared: Callable[[], GroupMembers | None] | None = None  # the look of `one_look`

    def __contains__(self, pid: int) -> bool:
        """Say whether this leader is kept."""
        return pid in self._kept

    def take(self, pid: int, start: int | None) -> None:
        """Keep a leader: a child that is not reaped, or whoever has this number and `start`."""
        if pid in self._kept:
            return
        descriptor = self._opened(pid)
        leader = _Leader(start, descriptor, _reaches_group(descriptor))
        if not self._is_another(pid, start):
            self._kept[pid] = leader
        elif descriptor is not None:
            os.close(descriptor)

    @contextlib.contextmanager
    def one_look(self) -> Iterator[None]:
        """Let everything that is asked inside share one look at the groups, made when needed."""
        before = self._shared
        self._shared = before or functools.cache(self._look)
        try:
            yield
        finally:
            self._shared = before

    def before_reaping(self, pid: int) -> None:
        """Remember who is in the group of a child that has ended: its number is still its own."""
        leader = self._kept.get(pid)
        if leader is not None and not leader.reaches_group:
            leader.members = self._members(pid) or set()

    def drop(self, pid: int) -> None:
        """Forget a leader, who need not be kept."""
        leader = self._kept.pop(pid, None)
        if leader is not None and leader.descriptor is not None:
            os.close(leader.descriptor)

    def start_of(self, pid: int) -> int | None:
        """Return the start of one that is kept; None if it has ended, or nobody can tell."""
        leader = self._kept[pid]
        if leader.descriptor is None or _has_ended(leader.descriptor):
            return None
        return leader.start

    def tells(self, pid: int) -> bool:
        """Say whether `start_of` tells of this one, whatever /proc hides."""
        leader = self._kept.get(pid)
        return leader is not None and None not in (leader.descriptor, leader.start)

    def signal(self, pid: int, number: int, *, is_pinned: bool = False) -> bool:
        """Signal the group of one that is kept; False if nobody is left in it that can be reached.

        The number of one that is not reaped yet is pinned to it: nobody else can have that.
        """
        leader = self._kept.get(pid)
        if leader is None:
            return False
        try:
            if leader.descriptor is not None and leader.reaches_group:
                descriptor = leader.descriptor
                _send(lambda each: _by(descriptor, each, _TO_GROUP), number)
            elif is_pinned or self._is_same(pid, leader):
                _send(lambda each: os.killpg(pid, each), number)
            else:
                return False
        except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            return False
        return True

    def _is_same(self, pid: int, leader: _Leader) -> bool:
        """Say whether a group is still the one of its leader, and remember who is in it."""
        members = self._members(pid)
        if members is None:
            return True
        is_same = (pid, leader.start) in members or bool(members & leader.members)
        leader.members = members if is_same else set()
        return is_same

    def _members(self, pid: int) -> Members | None:
        """Return who is in a group; None where its number has to do, since nobody ever tells."""
        groups = (self._shared or self._look)()
        return None if groups is None else groups.get(pid, set())

    def _look(self) -> GroupMembers | None:
        """Return who is in which group: nobody in any where the system does not tell now.

        Rather no signal than one to another's processes.
        """
        try:
            return self._processes.groups()
        except OSError:
            return {}

    def _is_another(self, pid: int, start: int | None) -> bool:
        """Say whether the system tells that a number is another's than the one of this start."""
        try:
            found = self._processes.find(pid) if start is not None else None
        except OSError:
            return False
        return start is not None and (found is None or found.start != start)

    def _opened(self, pid: int) -> int | None:
        """Return a descriptor of a process; None where there is none, or few are left."""
        if not self._has_pidfds:
            return None
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            return _high(pid, soft, hard) if soft < hard else _low(pid, soft // 2)
        except (OSError, ValueError):
            return None


def signal_one(processes: Processes, process: Process, number: int) -> None:
    """Signal one process, unless its number is another's by now."""
    descriptor = None
    with contextlib.suppress(AttributeError, OSError):
        descriptor = os.pidfd_open(process.pid)
    try:
        found = processes.find(process.pid)  # behind the descriptor: it is of whom this tells
        if found is not None and found.start == process.start:
            if descriptor is None:
                _send(lambda each: os.kill(process.pid, each), number)
            else:
                _send(lambda each: _by(descriptor, each), number)
    except (ProcessLookupError, PermissionError):
        pass  # gone, or not ours to end
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _high(pid: int, soft: int, hard: int) -> int:
    """Return a descriptor above the soft limit: those below are for what is to start.

    The limit is raised for this moment alone, so that jobs get it as it was; what is open stays so.
    """
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        descriptor = os.pidfd_open(pid)
        try:
            return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, soft)
        finally:
            os.close(descriptor)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _low(pid: int, most: int) -> int | None:
    descriptor = os.pidfd_open(pid)
    if descriptor < most:
        return descriptor
    os.close(descriptor)
    return None


def _send(kill: Callable[[int], None], number: int) -> None:
    """Send a signal; one that asks to end reaches a stopped process only with SIGCONT behind it."""
    kill(number)
    if number == signal.SIGTERM:
        kill(signal.SIGCONT)


def _by(descriptor: int, number: int, flags: int = 0) -> None:
    signal.pidfd_send_signal(descriptor, number, None, flags)


def _reaches_group(descriptor: int | None) -> bool:
    """Say whether this system can signal the group of a leader by a descriptor of it."""
    if descriptor is None:
        return False
    try:
        _by(descriptor, 0, _TO_GROUP)
    except OSError as error:
        return error.errno == errno.EPERM
    return True


def _has_ended(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
