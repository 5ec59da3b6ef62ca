"""Outputs that grow faster than they can be trimmed: their writers are stopped, and then go on.

Nothing slows down what a job writes into its own file, as a full pipe would: a few programs that
write without end fill any disk, whatever is taken away behind them. So the writers of a file that
is far over its cap wait until it is trimmed.
"""

from __future__ import annotations

import os
import select
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from scheduler.process import output_trim
from scheduler.process.file_writers import writing
from scheduler.process.inotify import Changes
from scheduler.process.procfs import Processes
from scheduler.process.stopped_writers import StoppedWriters
from scheduler.system import state_files
from scheduler.system.background import start_apart

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scheduler.process.procfs import Process

THROTTLE_OVER = 32 << 20  # bytes over its cap that an output has before its writers are stopped
_LOOK_PAUSE = 0.05  # seconds between two looks at a file that is written to
_FILES_AT_ONCE = 64  # files that are looked at together: 6 ms in which the loop may have to wait
_LOOK_UNTOLD = 0.25  # and at one of which the system does not tell when it is
_STEPS = 8  # of taking away at a time what is more than it was at first
_PAGE_BYTES = 4096
_SECTOR = 512  # what stat(2) counts a file's blocks in
_LAST = 2.0  # seconds in which writers that are stopped are continued at the end
_MOST_TRIES = 20  # at that, a pause apart


@dataclass(slots=True)
class _ThrottledFile:
    """An output, and who wrote it when it was too large; the throttle changes it, on its thread.

    For `leader` see `OutputThrottle.add`.
    """

    path: Path
    leader: int | None
    is_inherited: bool  # an earlier daemon may have been killed over it; nobody has looked since
    number: int | None = None  # by which the next write is told
    was_told: bool = False
    writers: list[Process] = field(default_factory=list)


class OutputThrottle:
    """Owns the outputs that may grow too fast, on a thread of its own, and who of them is stopped.

    The loop calls `add`, `drop` and `close`, and never waits; `under_way` says to it which outputs
    are trimmed here. Invariant: nobody stays stopped. Of all files that were too large the writers
    of one go on at each look, so that all of them together grow no faster than one; and where a
    daemon was killed meanwhile, they go on when the next one looks at their file. `tell` hears, on
    that thread, of each output whose writers are stopped for the first time, and `broke` of each
    kind of error that is a bug.
    """

    def __init__(
        self,
        most: int,
        tell: Callable[[Path], object],
        broke: Callable[[Exception], object],
    ) -> None:
        self.under_way: set[Path] = set()  # trimmed here, not by the loop
        self._most = most
        self._tell = tell
        self._broke = broke
        self._broken: set[type[Exception]] = set()  # that `broke` has heard of
        self._asked: deque[Callable[[], object]] = deque()
        self._processes = Processes()
        self._changes = Changes()
        self._outputs: dict[Path, _ThrottledFile] = {}
        self._numbers: dict[int, _ThrottledFile] = {}
        self._due: dict[Path, _ThrottledFile] = {}
        self._stopped = StoppedWriters(self._processes, self._try)
        self._closing, self._has_ended = Event(), Event()
        self._waker, self._wake = os.pipe()
        for end in (self._waker, self._wake):
            os.set_blocking(end, False)
        start_apart(self._serve, "throttle")

    def add(self, path: Path, leader: int | None = None) -> None:
        """Look at an output from now on.

        Of a job that an earlier daemon started `leader` leads its session; it is 0 if unknown.
        """
        self._ask(partial(self._add, _ThrottledFile(path, leader, is_inherited=leader is not None)))

    def drop(self, path: Path) -> None:
        """Look at it no more: nobody writes it."""
        self._ask(partial(self._drop, path))

    def close(self) -> None:
        """Let whoever is stopped go on, and end."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._wake_up()
        if self._has_ended.wait(_LAST):
            os.close(self._waker)
            os.close(self._wake)

    def _ask(self, what: Callable[[], object]) -> None:
        if not self._closing.is_set():  # then the pipe's number may be another file's
            self._asked.append(what)
            self._wake_up()

    def _wake_up(self) -> None:
        with suppress(BlockingIOError):  # it is awake
            os.write(self._wake, b"!")

    # --- its thread ----------------------------------------------------------------------------

    def _serve(self) -> None:
        # What begins, or is written, within that pause is looked at once.
        pause = partial(self._closing.wait, _LOOK_PAUSE)
        let_one = partial(self._stopped.some_go_on, 1)
        try:
            while not self._closing.is_set():
                for step in (self._wait, pause, self._hear, self._look, let_one):
                    self._try(step)
        finally:
            try:
                self._end()
            finally:
                self._has_ended.set()

    def _try(self, step: Callable[[], object]) -> bool:
        """Take a step, and say whether it went well; if not, nobody may stay stopped for that."""
        try:
            step()
        except Exception as error:  # noqa: BLE001 (a bug over one file must not let any other grow)
            if type(error) not in self._broken:
                self._broken.add(type(error))
                with suppress(Exception):
                    self._broke(error)
            return False
        return True

    def _hear(self) -> None:
        for _ in range(len(self._asked)):
            self._try(self._asked.popleft())

    def _look(self) -> None:
        with suppress(OSError, MemoryError):  # they are looked at again
            self._throttle([each for each in self._next() if self._is_too_large(each)])

    def _end(self) -> None:
        """Let all go on, and trim what the loop, which is over, has left."""
        for _ in range(_MOST_TRIES):
            self._try(partial(self._stopped.some_go_on, len(self._stopped)))
            if not self._stopped or self._has_ended.wait(_LOOK_PAUSE):
                break
        for path in list(self._outputs):
            self._try(partial(self._trim_last, path))
        self.under_way.clear()
        self._changes.close()

    def _next(self) -> list[_ThrottledFile]:
        """Return what to look at now: each that is throttled, and the next of the others."""
        due = list(self._due.values())
        throttled = [each for each in due if each.path in self.under_way]
        others = [each for each in due if each.path not in self.under_way]
        return throttled + others[:_FILES_AT_ONCE]

    def _wait(self) -> None:
        """Wait until there is something to look at."""
        poll = select.poll()
        poll.register(self._waker, select.POLLIN)
        if self._changes.descriptor is not None:
            poll.register(self._changes.descriptor, select.POLLIN)
        is_at_work = self._asked or self._due or self._stopped  # asked still, if hearing it failed
        poll.poll(_LOOK_UNTOLD * 1000 if is_at_work else None)
        with suppress(BlockingIOError):
            os.read(self._waker, _PAGE_BYTES)
        numbers = self._changes.told()
        for number in list(self._numbers) if numbers is None else numbers:
            if (output := self._numbers.pop(number, None)) is not None:
                output.number = None
                self._due[output.path] = output

    def _add(self, output: _ThrottledFile) -> None:
        if output.path not in self._outputs:
            self._outputs[output.path] = self._due[output.path] = output

    def _drop(self, path: Path) -> None:
        output = self._outputs.pop(path, None)
        self._due.pop(path, None)
        self.under_way.discard(path)
        self._stopped.go_on(path)
        if output is not None and output.number is not None:
            self._changes.forget(output.number)
            self._numbers.pop(output.number, None)

    def _is_too_large(self, output: _ThrottledFile) -> bool:
        """Look at a file that has been written to; it is told of when it is written to again."""
        self._due[output.path] = self._due.pop(output.path)  # it stays, or comes again: as last
        try:
            with state_files.open_for(output.path, os.O_RDONLY) as file:
                self._notice_writes(output, file)
                status = os.fstat(file)
        except FileNotFoundError:
            self._drop(output.path)
            return False
        except OSError:  # it is looked at again
            return False
        was_throttled = output.is_inherited and status.st_size > self._most
        if was_throttled or status.st_blocks * _SECTOR > self._most + THROTTLE_OVER:
            return True
        if output.path in self._stopped:
            return False
        output.is_inherited = False
        self.under_way.discard(output.path)
        if output.number is not None:
            del self._due[output.path]
        return False

    def _notice_writes(self, output: _ThrottledFile, file: int) -> None:
        if output.number is None:
            output.number = self._changes.notice(file)
            if output.number is not None:
                self._numbers[output.number] = output

    def _throttle(self, large: list[_ThrottledFile]) -> None:
        """Stop whoever writes these files, and trim all of them."""
        self._stop(large)
        for output in large:
            self._note(output)
            with suppress(OSError):  # it is looked at again, and now the others are
                if self._grew_while_trimmed(output.path):
                    output.writers = []  # there are others

    def _stop(self, large: list[_ThrottledFile]) -> None:
        """Stop the writers of these files, those that are known and if need be all others."""
        unknown: dict[Path, _ThrottledFile] = {}
        for output in large:
            self._stopped.begin(output.path)
            if not sum(self._stopped.stop(output.path, each) for each in output.writers):
                unknown[output.path] = output
                output.writers = []
        leaders = {path: output.leader for path, output in unknown.items()}
        for path, process in writing(self._processes, leaders, os.getpid()) if leaders else ():
            if self._stopped.stop(path, process):
                unknown[path].writers.append(process)

    def _note(self, output: _ThrottledFile) -> None:
        if output.path not in self.under_way and not output.is_inherited:
            self.under_way.add(output.path)
            if not output.was_told:
                self._tell(output.path)
            output.was_told = True
        output.is_inherited = False

    def _grew_while_trimmed(self, path: Path) -> bool:
        """Take away what is too much, and say whether somebody wrote meanwhile."""
        status = state_files.status(path)
        first = size = status.st_size
        for _ in range(_STEPS + status.st_blocks * _SECTOR // output_trim.HOLE_BYTES):
            trimmed = output_trim.trim(path, self._most)
            size = trimmed.size
            if trimmed.is_done:
                break
        return size > first

    def _trim_last(self, path: Path) -> None:
        with suppress(OSError):  # the next daemon looks at it
            self._grew_while_trimmed(path)
