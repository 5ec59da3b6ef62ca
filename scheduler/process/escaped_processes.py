"""Attempts that were ended in, the living processes of theirs that are in no group of theirs out.

A process is known by its environment, which anybody may write. So it counts only for an attempt of
the very user who started it: nobody has another's ended with it, or holds up another's job.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scheduler.process.job_environment import attempt_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.process.limiter import Limiter
    from scheduler.process.procfs import Process, Processes
    from scheduler.run import Attempt


class EscapedProcesses:
    """Owns which children run as another user than this process's, for as long as that is asked.

    The spawner calls it: `started` and `ended` once for each such child.
    """

    def __init__(self, processes: Processes, limiter: Limiter) -> None:
        self._processes = processes
        self._limiter = limiter
        self._uids: dict[int, int] = {}
        self._over: set[int] = set()

    def started(self, pid: int, uid: int) -> None:
        """Hear as whom a child runs."""
        self._uids[pid] = uid

    def ended(self, pid: int, *, was_signalled: bool) -> None:
        """Hear that a child is gone; of one that was signalled more may be looked for."""
        if pid in self._uids:
            self._over.add(pid)
        if not was_signalled:
            self._forget({pid})

    def _forget(self, pids: set[int]) -> None:
        for pid in pids & self._over:
            self._over.remove(pid)
            del self._uids[pid]

    def of(self, ended: Mapping[Attempt, int]) -> dict[Attempt, list[Process]]:
        """Return what got away from these attempts, by the pid of each.

        They descend from this process, which adopts what their parents leave. Raises OSError where
        the system can't tell now.
        """
        found: dict[Attempt, list[Process]] = {}
        for process, attempt in (*self._own(ended), *self._of_users(ended)):
            if process.group != ended[attempt]:
                found.setdefault(attempt, []).append(process)
        for attempt, pid in ended.items():
            for process in self._in_cgroup(attempt, pid):
                if process not in found.get(attempt, ()):
                    found.setdefault(attempt, []).append(process)
        self._forget(self._over - {*ended.values()})
        return found

    def _own(self, ended: Mapping[Attempt, int]) -> Iterator[tuple[Process, Attempt]]:
        for process, environment in self._processes.descendants(os.getpid()):
            attempt = attempt_of(environment)
            if attempt is not None and attempt in ended and ended[attempt] not in self._uids:
                yield process, attempt

    def _of_users(self, ended: Mapping[Attempt, int]) -> Iterator[tuple[Process, Attempt]]:
        users = {self._uids[pid] for pid in ended.values() if pid in self._uids}
        for each in self._processes.descendants_by_user(os.getpid(), users):
            process, environment, uid = each
            attempt = attempt_of(environment)
            if attempt is not None and attempt in ended and self._uids.get(ended[attempt]) == uid:
                yield process, attempt

    def _in_cgroup(self, attempt: Attempt, group: int) -> Iterator[Process]:
        """Yield what got away within the cgroup of an attempt, whatever it did to its variables."""
        for pid in self._limiter.living(attempt):
            process = self._processes.find(pid)
            if process is not None and not process.is_dead and process.group != group:
                yield process
