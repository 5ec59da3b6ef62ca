"""A sender's process: deliveries in as lines, answers out as lines, and its end in any case.

Each line of an answer may take as long as that one delivery takes, and no longer: then the process
is killed, with all of its group.
"""

from __future__ import annotations

import os
import select
import selectors
import signal
import subprocess
from contextlib import suppress
from threading import Lock
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

LAST_MOMENT = 2.0  # in which a sender ends what it has started
LONGEST_ANSWER = 65536  # bytes of an answer
LONGEST_COMPLAINT = 4096  # bytes of standard error that are kept, the last ones
MOST_HEARD = 16 << 20  # bytes of it that are read at all: who writes on waits for ever

_PIECE = 65536


class SenderProcess:
    """One process of a channel, in a session of its own.

    Owns: the process, its pipes, and the end of what it wrote on standard error. Called by: a
    courier's thread, and the loop, which only ends it. Invariant: it is signalled only while it
    has its end of the pipe of answers, which nobody else has: so its number is not another's. One
    of another user than the daemon's may give its end away, so there a descriptor of the process
    tells (pidfd_open(2), where the system has it). It is the daemon's reaper that hears of its end,
    so what it exits with is known to nobody here.
    """

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        files: Sequence[int] = (),
        *,
        is_other_users: bool = False,
    ) -> None:
        self._popen = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environ,
            cwd="/",
            start_new_session=True,
            pass_fds=files,
        )
        self._process = _descriptor(self._popen.pid) if is_other_users else None
        self._popen.returncode = 0  # nobody waits for it here
        self._input = cast("IO[bytes]", self._popen.stdin)
        self._output = cast("IO[bytes]", self._popen.stdout)
        self._errors = cast("IO[bytes]", self._popen.stderr)
        self._lock = Lock()
        self._is_closed = False
        self._complaint = b""
        self._complained = 0  # bytes
        self._unsent, self._line = memoryview(b""), b""  # of its input, and of an answer

    @property
    def complaint(self) -> str:
        """The end of what it wrote on standard error."""
        return self._complaint.decode("utf-8", "replace")

    def answers(
        self, lines: bytes, patience: float, monotonic: Callable[[], float]
    ) -> Iterator[bytes]:
        """Give it all lines, and yield what it answers until it closes its end.

        Raises TimeoutError when it says nothing for so many seconds, and ValueError for a line that
        is too long.
        """
        with selectors.DefaultSelector() as selector:
            for pipe in (self._input, self._output, self._errors):
                os.set_blocking(pipe.fileno(), False)
                is_input = pipe is self._input
                event = selectors.EVENT_WRITE if is_input else selectors.EVENT_READ
                selector.register(pipe, event)
            self._unsent, self._line = memoryview(lines), b""
            yield from self._converse(selector, patience, monotonic)

    def terminate(self) -> None:
        """Ask it to end what it has started, and itself."""
        self._signal(signal.SIGTERM, within=0.0)

    def kill(self, *, within: float = LAST_MOMENT) -> None:
        """Ask for its end, and kill it with its group if it is not over within so many seconds."""
        self.terminate()
        self._signal(signal.SIGKILL, within)

    def _signal(self, number: int, within: float) -> None:
        """Signal its group, unless it ends by itself within so many seconds."""
        with self._lock:
            if not self._is_closed and not self._has_ended(within):
                with suppress(OSError):
                    os.killpg(self._popen.pid, number)

    def close(self) -> None:
        """Let go of the pipes."""
        with self._lock:
            self._is_closed = True
            for pipe in (self._input, self._output, self._errors):
                with suppress(OSError):
                    pipe.close()
            if self._process is not None:
                os.close(self._process)
                self._process = None

    def _has_ended(self, within: float) -> bool:
        poll = select.poll()
        poll.register(self._output.fileno(), 0)  # for the end of the pipe
        if self._process is not None:
            poll.register(self._process, select.POLLIN)
        return bool(poll.poll(within * 1000))

    def _converse(
        self, selector: selectors.BaseSelector, patience: float, monotonic: Callable[[], float]
    ) -> Iterator[bytes]:
        end, is_open = monotonic() + patience, True
        while is_open:
            ready = selector.select(max(0.0, end - monotonic()))
            if monotonic() >= end:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is self._input:
                    self._write(selector)
                elif key.fileobj is self._errors:
                    self._hear(selector)
                else:
                    lines, is_open = self._read()
                    for line in lines:
                        yield line
                        end = monotonic() + patience
        self._hear(selector)

    def _read(self) -> tuple[Sequence[bytes], bool]:
        """Return the whole lines that there are, and whether more may come."""
        piece = os.read(self._output.fileno(), _PIECE)
        *whole, self._line = (self._line + piece).split(b"\n")
        if len(self._line) > LONGEST_ANSWER:
            raise ValueError("the line of an answer never ends")
        return whole, bool(piece)

    def _write(self, selector: selectors.BaseSelector) -> None:
        """Write what the pipe takes; what nobody reads any more is left."""
        try:
            written = os.write(self._input.fileno(), self._unsent[:_PIECE])
            self._unsent = self._unsent[written:]
        except BlockingIOError:
            return
        except OSError:
            self._unsent = self._unsent[:0]
        if not self._unsent:
            selector.unregister(self._input)
            self._input.close()

    def _hear(self, selector: selectors.BaseSelector) -> None:
        """Keep the end of what it complains of."""
        try:
            piece = os.read(self._errors.fileno(), _PIECE)
        except OSError:
            return
        self._complaint = (self._complaint + piece)[-LONGEST_COMPLAINT:]
        self._complained += len(piece)
        if not piece or self._complained > MOST_HEARD:
            with suppress(KeyError):
                selector.unregister(self._errors)


def _descriptor(pid: int) -> int | None:
    """Return what tells that a process has ended; None where there is no such thing, or it has."""
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None
