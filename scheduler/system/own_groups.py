"""Programs that this process waits for: each has a process group, and none outlives who waits.

In a group of its own a program can be ended with all that it has started. But then a signal to the
group of this process does not reach it, so whoever is to end ends these first: see `end`.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from scheduler.system.clock import rest
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class GroupLeader(Protocol):
    """A process that was started as the leader of a group; its number is the group's."""

    pid: int


Leader = TypeVar("Leader", bound=GroupLeader)

_GROUPS_LOOKED_AT = 0.02  # seconds


class _GroupsWaitedFor:
    """Owns the groups whose leaders have been started and are still waited for.

    Called by: every thread that runs a program, and whoever ends this process. Invariant: what is
    started while this process ends is killed at once.
    """

    def __init__(self) -> None:
        self.leaders: set[int] = set()
        self.is_ending = False


_groups = _GroupsWaitedFor()


@contextmanager
def leader(start: Callable[[], Leader]) -> Iterator[Leader]:
    """Start a program that leads a group, and give it to who waits for it; OSError if it can't be.

    Its caller has waited for it when this ends.
    """
    if _groups.is_ending:
        raise OSError(errno.ECANCELED, "this process is ending")
    process = start()
    _groups.leaders.add(process.pid)
    if _groups.is_ending:
        _signal(process.pid, signal.SIGKILL)
    try:
        yield process
    finally:
        _groups.leaders.discard(process.pid)


def end(seconds: float) -> None:
    """Ask all groups to end, and kill what is left of them when their leaders have ended.

    These have so many seconds. The threads that wait for them must go on meanwhile.
    """
    _groups.is_ending = True
    limit = TimeLimit(seconds)
    leaders = tuple(_groups.leaders)
    for each in leaders:
        _signal(each, signal.SIGTERM)
    while _groups.leaders and not limit.is_over():
        rest(_GROUPS_LOOKED_AT)
    for each in leaders:  # its number is no other's as long as its group has anybody
        _signal(each, signal.SIGKILL)


def _signal(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
