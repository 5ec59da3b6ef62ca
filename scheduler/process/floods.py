"""Outputs that grow faster than they can be bounded: their writers are stopped, and then continued.

What a job writes into its own file nobody holds back, as a full pipe would: a few programs that
write without end fill any disk, whatever is taken away behind them. So a file that is far over its
bound lets its writers wait until it is within it again.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING

from scheduler.process import output_trim
from scheduler.process.inotify import Changes
from scheduler.process.procfs import Processes
from scheduler.system import state_files
from scheduler.system.background import start_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.process.procfs import Process

FLOOD_BYTES = 32 << 20  # over its cap that an output may have before its writers are stopped
_LOOK_PAUSE = 0.05  # seconds between two looks at a file that is written to
_FILES_AT_ONCE = 64  # files that are looked at together: 6 ms in which the loop may have to wait
_LOOK_UNTOLD = 0.25  # and at one of which the system does not tell when it is
_STEPS = 8  # of taking away at a time what is more than it was at first
_PAGE_BYTES = 4096
_SECTOR = 512  # what stat(2) counts a file's blocks in
_LAST = 2.0  # seconds in which writers that are stopped are continued at the end
_MOST_TRIES = 20  # at that, a pause apart
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # to signal a process: it is tried again


@dataclass(slots=True)
class _FloodedFile:
    """An output, and who wrote it when it was too large; see `Floods.add` for its `leader`."""

    path: Path
    leader: int | None
    is_met: bool  # an earlier daemon may have been killed over it, and nobody has looked since
    number: int | None = None  # by which the next write is told
    has_flooded: bool = False
    writers: list[Process] = field(default_factory=list)


class Floods:
    """Owns who is stopped, on a thread of its own; the loop calls the rest, and never waits.

    Nobody stays stopped: of all files that were too large the writers of one go on at each look, so
    that all of them together grow no faster than one; and where a daemon was killed meanwhile, they
    go on when the next one looks at their file. `tell` hears, on that thread, of each output whose
    writers are stopped for the first time, and `broke` of each kind of error that is a bug.
    """

    def __init__(
        self,
        most: int,
        tell: Callable[[Path], object],
        broke: Callable[[Exception], object],
    ) -> None:
        self.under_way: set[Path] = set()  # bounded here, not by the loop
        self._most = most
        self._tell = tell
        self._broke = broke
        self._broken: set[type[Exception]] = set()  # that `broke` has heard of
        self._asked: deque[Callable[[], object]] = deque()
        self._processes = Processes()
        self._changes = Changes()
        self._watched: dict[Path, _FloodedFile] = {}
        self._numbers: dict[int, _FloodedFile] = {}
        self._due: dict[Path, _FloodedFile] = {}
        self._stopped: dict[Path, list[Process]] = {}  # the one that waits longest first
        self._closing, self._has_ended = Event(), Event()
        self._waker, self._wake = os.pipe()
        for end in (self._waker, self._wake):
            os.set_blocking(end, False)
        start_apart(self._serve, "floods")

    def add(self, path: Path, leader: int | None = None) -> None:
        """Look at an output from now on.

        Of a job that an earlier daemon started `leader` leads its session; it is 0 if unknown.
        """
        self._ask(partial(self._add, _FloodedFile(path, leader, is_met=leader is not None)))

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
        pause, let_one = partial(self._closing.wait, _LOOK_PAUSE), partial(self._let_go_on, 1)
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
            self._hold_back([each for each in self._next() if self._is_flood(each)])

    def _end(self) -> None:
        """Let all go on, and bound what the loop, which is over, has left."""
        for _ in range(_MOST_TRIES):
            self._try(partial(self._let_go_on, len(self._stopped)))
            if not self._stopped or self._has_ended.wait(_LOOK_PAUSE):
                break
        for path in list(self._watched):
            self._try(partial(self._bound_last, path))
        self.under_way.clear()
        self._changes.close()

    def _next(self) -> list[_FloodedFile]:
        """Return what to look at now: each that is held back, and the next of the others."""
        due = list(self._due.values())
        held = [each for each in due if each.path in self.under_way]
        return held + [each for each in due if each.path not in self.under_way][:_FILES_AT_ONCE]

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
            if (watched := self._numbers.pop(number, None)) is not None:
                watched.number = None
                self._due[watched.path] = watched

    def _add(self, watched: _FloodedFile) -> None:
        if watched.path not in self._watched:
            self._watched[watched.path] = self._due[watched.path] = watched

    def _drop(self, path: Path) -> None:
        watched = self._watched.pop(path, None)
        self._due.pop(path, None)
        self.under_way.discard(path)
        self._go_on(path)
        if watched is not None and watched.number is not None:
            self._changes.forget(watched.number)
            self._numbers.pop(watched.number, None)

    def _is_flood(self, watched: _FloodedFile) -> bool:
        """Look at a file that has been written to; it is told of when it is written to again."""
        self._due[watched.path] = self._due.pop(watched.path)  # it stays, or comes again: as last
        try:
            with state_files.open_for(watched.path, os.O_RDONLY) as file:
                self._watch(watched, file)
                status = os.fstat(file)
        except FileNotFoundError:
            self._drop(watched.path)
            return False
        except OSError:  # it is looked at again
            return False
        was_flood = watched.is_met and status.st_size > self._most
        if was_flood or status.st_blocks * _SECTOR > self._most + FLOOD_BYTES:
            return True
        if watched.path in self._stopped:
            return False
        watched.is_met = False
        self.under_way.discard(watched.path)
        if watched.number is not None:
            del self._due[watched.path]
        return False

    def _watch(self, watched: _FloodedFile, file: int) -> None:
        if watched.number is None:
            watched.number = self._changes.watch(file)
            if watched.number is not None:
                self._numbers[watched.number] = watched

    def _hold_back(self, floods: list[_FloodedFile]) -> None:
        """Stop whoever writes these files, and bring all of them within their bounds."""
        self._stop(floods)
        for watched in floods:
            self._note(watched)
            with suppress(OSError):  # it is looked at again, and now the others are
                if self._grew_while_bounded(watched.path):
                    watched.writers = []  # there are others

    def _stop(self, floods: list[_FloodedFile]) -> None:
        """Stop the writers of these files, those that are known and if need be all others."""
        unknown: dict[Path, _FloodedFile] = {}
        for watched in floods:
            self._stopped.setdefault(watched.path, [])
            if not sum(self._stop_one(watched.path, each) for each in watched.writers):
                unknown[watched.path] = watched
                watched.writers = []
        leaders = {path: watched.leader for path, watched in unknown.items()}
        for path, process in self._processes.writing(leaders, os.getpid()) if leaders else ():
            if self._stop_one(path, process):
                unknown[path].writers.append(process)

    def _stop_one(self, path: Path, process: Process) -> bool:
        """Stop a process, which is noted before: it goes on even if this goes wrong."""
        stopped = self._stopped[path]
        stopped.append(process)
        is_stopped = self._signal(process, signal.SIGSTOP)
        if not is_stopped:
            stopped.pop()
        return is_stopped

    def _let_go_on(self, files: int) -> None:
        """Let the writers of so many files go on, those that have waited longest."""
        for path in list(self._stopped)[:files]:
            self._go_on(path)

    def _go_on(self, path: Path) -> None:
        """Let the writers of a file go on; who could not be told to is told again, after others."""
        stopped = self._stopped.get(path, ())
        left = [
            each for each in stopped if not self._try(partial(self._signal, each, signal.SIGCONT))
        ]
        self._stopped.pop(path, None)
        if left:
            self._stopped[path] = left

    def _note(self, watched: _FloodedFile) -> None:
        if watched.path not in self.under_way and not watched.is_met:
            self.under_way.add(watched.path)
            if not watched.has_flooded:
                self._tell(watched.path)
            watched.has_flooded = True
        watched.is_met = False

    def _grew_while_bounded(self, path: Path) -> bool:
        """Take away what is too much, and say whether somebody wrote meanwhile."""
        status = state_files.status(path)
        first = size = status.st_size
        for _ in range(_STEPS + status.st_blocks * _SECTOR // output_trim.HOLE_BYTES):
            bounded = output_trim.trim(path, self._most)
            size = bounded.size
            if bounded.is_done:
                break
        return size > first

    def _bound_last(self, path: Path) -> None:
        with suppress(OSError):  # the next daemon looks at it
            self._grew_while_bounded(path)

    def _signal(self, process: Process, number: signal.Signals) -> bool:
        """Signal a process, and none that has its number by now; False if it is gone or not ours.

        While the descriptor is open its number is nobody else's: pidfd_open(2). Raises OSError
        where there is no room for it now.
        """
        with (
            _unless_refused(),
            suppress(AttributeError),
        ):  # none before Linux 5.3: nobody is stopped
            descriptor = os.pidfd_open(process.pid)
            try:
                found = self._processes.find(process.pid)
                if found is not None and found.start == process.start:
                    signal.pidfd_send_signal(descriptor, number)
                    return True
            finally:
                os.close(descriptor)
        return False


@contextmanager
def _unless_refused() -> Iterator[None]:
    """Pass over what the system refuses, and not over what it has no room for just now."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
