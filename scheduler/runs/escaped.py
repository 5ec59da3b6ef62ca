"""Attempts that were ended in, the processes of theirs that got away out: told, and ended too.

`Escaped` owns the attempts that this daemon has ended itself (a timeout, a kill, `replace`, a stop)
and of which a process may live on in a session or a process group of its own, where the signals to
the attempt's group do not reach. The loop's verbs add to them and look; a look goes through the
processes of the machine, so nobody looks while there is nobody to look for. Invariant: SIGTERM
comes before SIGKILL, with CRON_KILL_AFTER between them. What a job leaves behind that ended by
itself is no concern here: it may have started a daemon on purpose, as under any cron.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.process.procfs import Process
    from scheduler.process.spawner import Spawner
    from scheduler.run import Attempt
    from scheduler.runs.supervisor import Running
    from scheduler.system.clock import Clock

_LOOK_EVERY = 0.5  # seconds between two looks
_DYING = 5.0  # seconds after SIGKILL in which a process should be gone


@dataclass(slots=True)
class _Left:
    """One such attempt; `kill_at` is on the monotonic clock, None while nothing of it was found."""

    running: Running
    kill_at: float | None = None
    seen: set[int] = field(default_factory=set)
    told: int = 0


class Escaped:
    """See the module."""

    def __init__(self, clock: Clock, spawner: Spawner) -> None:
        self._clock = clock
        self._spawner = spawner
        self._left: dict[Attempt, _Left] = {}
        self._look_at = 0.0

    def __len__(self) -> int:
        """Return of how many attempts processes may live on."""
        return len(self._left)

    def add(self, running: Running) -> None:
        """Look for what this attempt leaves, which has ended or is about to.

        An adopted one is left out: what an earlier daemon started is no descendant of this one.
        """
        if running.adopted is None:
            self._left[running.attempt] = _Left(running)

    def look(self) -> Iterator[tuple[Running, int]]:
        """Signal what got away; yield an attempt when more was found, and how many there are."""
        now = self._clock.monotonic()
        if not self._left or now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY
        try:
            found = self._spawner.escaped({a: left.running.pid for a, left in self._left.items()})
        except OSError:  # no descriptor to look with: the next look may have one
            return
        for attempt, left in list(self._left.items()):
            self._end(left, found.get(attempt, ()), now)
            if len(left.seen) > left.told:
                left.told = len(left.seen)
                yield left.running, left.told
            if self._is_over(left, found.get(attempt, ()), now):
                del self._left[attempt]

    def kill_now(self) -> None:
        """Let SIGKILL be due now."""
        for left in self._left.values():
            left.kill_at = self._clock.monotonic()
        self._look_at = 0.0

    def next_look(self) -> float | None:
        """Return in how many seconds to look again; None if there is nothing to look for."""
        return max(0.0, self._look_at - self._clock.monotonic()) if self._left else None

    def _end(self, left: _Left, processes: Iterable[Process], now: float) -> None:
        for process in processes:
            if left.kill_at is None:
                left.kill_at = now + left.running.entry.settings.kill_after
            is_due = now >= left.kill_at
            if is_due or process.pid not in left.seen:
                self._spawner.end(process, signal.SIGKILL if is_due else signal.SIGTERM)
            left.seen.add(process.pid)

    def _is_over(self, left: _Left, processes: Iterable[Process], now: float) -> bool:
        """Say whether nothing is left to wait for: the rest of its group may still start others."""
        if processes:
            return left.kill_at is not None and now >= left.kill_at + _DYING
        return not self._spawner.signal(left.running.pid, 0)
