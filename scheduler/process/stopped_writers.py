"""Processes that are stopped for what they write, and go on: SIGSTOP and SIGCONT go out."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.process.procfs import Process, Processes

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # to signal a process: it is tried again


class StoppedWriters:
    """Owns which processes are stopped, by the output that they write; who waits longest is first.

    The throttle of outputs alone calls it, on its thread. Invariant: whoever is stopped is noted
    before, and stays noted until it was told to go on. `tries` takes a step whose error must not
    stop the others, and says whether it went well.
    """

    def __init__(self, processes: Processes, tries: Callable[[Callable[[], object]], bool]) -> None:
        self._processes = processes
        self._tries = tries
        self._by_output: dict[Path, list[Process]] = {}

    def __contains__(self, path: Path) -> bool:
        """Say whether the writers of this output are stopped, or about to be."""
        return path in self._by_output

    def __len__(self) -> int:
        """Return how many outputs have writers that are stopped, or about to be."""
        return len(self._by_output)

    def begin(self, path: Path) -> None:
        """Let the writers of an output be stopped from now on; it is the last to go on."""
        self._by_output.setdefault(path, [])

    def stop(self, path: Path, process: Process) -> bool:
        """Stop a process, which is noted before: it goes on even if this goes wrong."""
        stopped = self._by_output[path]
        stopped.append(process)
        is_stopped = self.signal(process, signal.SIGSTOP)
        if not is_stopped:
            stopped.pop()
        return is_stopped

    def some_go_on(self, outputs: int) -> None:
        """Let the writers of so many outputs go on, those that have waited longest."""
        for path in list(self._by_output)[:outputs]:
            self.go_on(path)

    def go_on(self, path: Path) -> None:
        """Let the writers of a file go on; who could not be told to is told again, after others."""
        stopped = self._by_output.get(path, ())
        left = [
            each for each in stopped if not self._tries(partial(self.signal, each, signal.SIGCONT))
        ]
        self._by_output.pop(path, None)
        if left:
            self._by_output[path] = left

    def signal(self, process: Process, number: signal.Signals) -> bool:
        """Signal a process, and none that has its number by now; False if it is gone or not ours.

        While the descriptor is open its number is nobody else's: pidfd_open(2). Raises OSError
        where there is no room for it now.
        """
        with _unless_refused(), suppress(AttributeError):  # before Linux 5.3 nobody is stopped
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
    """Raise only that there is no room just now, and nothing else that the system refuses."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
