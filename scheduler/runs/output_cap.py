"""The outputs of what runs: attempts in, looks at their files out, each kept within the cap."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from math import ceil
from typing import TYPE_CHECKING

from scheduler.process import output_files, output_trim
from scheduler.process.output_files import output_of

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.process.output_files import Found
    from scheduler.process.output_throttle import OutputThrottle
    from scheduler.run import Attempt
    from scheduler.system.clock import Clock

_FIRST = 1.0  # seconds between a start and the first look at its output, and the shortest wait
_LONGEST_WAIT = 15.0  # the longest wait, for one that does not grow
_LONGEST_AFTER = 60.0  # and for one whose job has ended and left somebody behind who may write
_GRID = 0.25  # looks are due at whole quarters of seconds, so that many share one wake-up
_LOOKS_TIME = 0.05  # seconds of looking without a look at anything else
_ROUNDING = 1e-6


@dataclass(slots=True)
class _CappedFile:
    """A file, when it is looked at next, and what the last look saw."""

    path: Path
    due: float
    wait: float = _FIRST
    size: int = 0
    has_ended: bool = False


class OutputCap:
    """Keeps each output to `most` bytes; None is no cap, and nobody looks.

    Owns which files it looks at, and when each is due, on the monotonic clock. The loop has it
    look; the supervisor adds and ends attempts. Invariant: a file that grows is looked at again
    before it would grow by a quarter of the cap.
    """

    def __init__(
        self, clock: Clock, state: Path, most: int | None, throttle: OutputThrottle | None = None
    ) -> None:
        self._throttle = throttle
        self._clock = clock
        self._state = state
        self._most = most
        self._watched: dict[Path, _CappedFile] = {}
        self._queue: list[tuple[float, int, _CappedFile]] = []
        self._numbers = count()

    def add(self, attempt: Attempt, leader: int | None = None) -> None:
        """Look at the output of an attempt from now on; see `OutputThrottle.add`."""
        path = self._state / output_of(attempt)
        if self._most is not None and path not in self._watched:
            watched = self._watched[path] = _CappedFile(path, 0.0)
            self._wait(watched)
            if self._throttle is not None:
                self._throttle.add(path, leader)

    def keep_within(self, found: Found) -> None:
        """Look at a file that an earlier daemon left, and go on for as long as it is written to."""
        path = found.path
        if self._most is not None and found.size > self._most and path not in self._watched:
            watched = self._watched[path] = _CappedFile(path, 0.0, has_ended=True)
            if self._throttle is not None:
                self._throttle.add(path, leader=0)
            self._look(watched)

    def end(self, attempt: Attempt) -> None:
        """Look once more, at once: the attempt is over."""
        watched = self._watched.get(self._state / output_of(attempt))
        if watched is not None:
            watched.has_ended = True
            self._put(watched, self._clock.monotonic())

    def look(self) -> None:
        """Look at the files whose time has come, for one slice of time."""
        now = self._clock.monotonic()
        while (wait := self.next_look()) is not None and wait <= _ROUNDING:
            self._look(heappop(self._queue)[2])
            if self._clock.monotonic() >= now + _LOOKS_TIME:
                return

    def next_look(self) -> float | None:
        """Return in how many seconds a look is due; None if none is."""
        while self._queue and self._queue[0][0] != self._queue[0][2].due:
            heappop(self._queue)  # it was put off, or preferred
        return max(0.0, self._queue[0][0] - self._clock.monotonic()) if self._queue else None

    def _look(self, watched: _CappedFile) -> None:
        """Keep a file within its bound, and say when to look again.

        One whose attempt is over is left alone once nobody can write to it any more. What the
        system refuses is tried again, and what takes long is done in steps.
        """
        size, is_done, is_over = watched.size, True, watched.has_ended
        if self._is_throttled(watched):
            self._wait_after(watched, size)
            return
        try:
            bounded = output_trim.trim(watched.path, self._most or 0)
            size, is_done = bounded.size, bounded.is_done
            is_over = watched.has_ended and is_done and not output_files.is_written(watched.path)
        except FileNotFoundError:
            is_over = True
        except OSError:
            pass
        if is_over:
            del self._watched[watched.path]
            if self._throttle is not None:
                self._throttle.drop(watched.path)
            watched.due = -1.0
        elif not is_done:
            self._put(watched, self._clock.monotonic())
        else:
            self._wait_after(watched, size)

    def _is_throttled(self, watched: _CappedFile) -> bool:
        """Say whether it is bounded elsewhere just now: two who cut one file would cut it twice."""
        return self._throttle is not None and watched.path in self._throttle.under_way

    def _wait_after(self, watched: _CappedFile, size: int) -> None:
        """Let a file that has this size by now wait for its next look."""
        rate = abs(size - watched.size) / watched.wait
        longest = _LONGEST_AFTER if watched.has_ended else _LONGEST_WAIT
        wait = (self._most or 0) / 4 / rate if rate else longest
        watched.wait = min(max(wait, _FIRST), 2 * watched.wait, longest)
        watched.size = size
        self._wait(watched)

    def _wait(self, watched: _CappedFile) -> None:
        at = self._clock.monotonic() + watched.wait
        self._put(watched, ceil(at / _GRID) * _GRID)

    def _put(self, watched: _CappedFile, due: float) -> None:
        watched.due = due
        heappush(self._queue, (due, next(self._numbers), watched))
