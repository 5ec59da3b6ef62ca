"""Where the log goes: bytes in, written to a descriptor by a thread of its own, so nobody waits.

A pipe whose reader has stopped, a terminal that is frozen with Ctrl-S, a stuck collector and a hung
disk all block a write. The thread owns nothing but bytes on their way out: the state of the daemon
stays on the one thread of the loop.
"""

from __future__ import annotations

import os
import select
import sys
from collections import deque
from contextlib import suppress
from io import RawIOBase, TextIOWrapper
from threading import Condition
from typing import TYPE_CHECKING

from scheduler.system.background import start_apart

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

MOST_UNREAD = 1 << 20  # bytes that wait for their reader: some 8,000 lines
_WRITTEN_AT_ONCE = 1 << 16  # bytes of one write: what a pipe holds


class Sink(RawIOBase):
    """Owns the bytes on their way to `descriptor`, at most `most` of them; any thread may write.

    The log's handler calls `write`, the daemon `drain` at its end. Invariant: nobody waits in
    `write`, and order is kept. What comes while there is no room is dropped up to the next moment
    in which everything before it is written, and then `lost` words how many lines that were. The
    descriptor is never set to non-blocking: it is shared with the shell that started the daemon.
    """

    def __init__(self, descriptor: int, *, most: int = MOST_UNREAD) -> None:
        super().__init__()
        self.lost: Callable[[int], str] = _plainly
        self._descriptor = descriptor
        self._most = most
        self._waiting: deque[bytes] = deque()
        self._size = 0  # of what waits and of what is being written
        self._lost = 0  # lines
        self._is_refused = False  # the last write failed: tried again when there is more to say
        self._is_cut = False  # a line that was begun was not finished
        self._changed = Condition()
        start_apart(self._serve, "log")

    def write(self, data: Buffer, /) -> int:
        """Take bytes, return at once, and say that all were taken: also where some are dropped."""
        piece = bytes(data)
        with self._changed:
            if self._lost or self._size + len(piece) > self._most:
                self._lost += piece.count(b"\n")
            else:
                self._waiting.append(piece)
                self._size += len(piece)
            self._is_refused = False
            self._changed.notify_all()
        return len(piece)

    def drain(self, seconds: float) -> bool:
        """Wait until all is written, but no longer than this; False if it is not."""
        with self._changed:
            return self._changed.wait_for(self._is_empty, seconds)

    def room(self) -> int:
        """Return how many more bytes it takes before it drops some."""
        return 0 if self._lost else self._most - self._size

    def writable(self) -> bool:
        """Say that one may write to it."""
        return True

    def isatty(self) -> bool:
        """Say whether a terminal shows it."""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """Return the descriptor that it writes to."""
        return self._descriptor

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                told = 0 if self._waiting else self._lost
                piece = self._next()
            written = self._write(piece)
            with self._changed:
                self._size -= len(piece)
                self._is_refused = written < len(piece)
                if self._is_refused:
                    self._lost += told or piece[written:].count(b"\n")
                if written:
                    self._is_cut = not piece[:written].endswith(b"\n")
                self._changed.notify_all()

    def _has_work(self) -> bool:
        return bool(self._waiting) or (self._lost > 0 and not self._is_refused)

    def _is_empty(self) -> bool:
        return not self._size and not self._has_work()

    def _next(self) -> bytes:
        """Return what is written next; that lines were lost is said where they are missing."""
        taken = [b"\n"] if self._is_cut else []
        size = 0
        while self._waiting and (not size or size + len(self._waiting[0]) <= _WRITTEN_AT_ONCE):
            taken.append(self._waiting.popleft())
            size += len(taken[-1])
        if not size:
            taken.append(self.lost(self._lost).encode(errors="backslashreplace"))
            self._lost = 0
        piece = b"".join(taken)
        self._size += len(piece) - size
        return piece

    def _write(self, piece: bytes) -> int:
        """Write it, however long that takes, and return how much the system took."""
        done = 0
        with suppress(OSError):  # the reader has gone, the disk is full
            while done < len(piece):
                try:
                    done += os.write(self._descriptor, piece[done : done + _WRITTEN_AT_ONCE])
                except BlockingIOError:  # somebody who shares it has set it to non-blocking
                    poll = select.poll()
                    poll.register(self._descriptor, select.POLLOUT)
                    poll.poll()
        return done


def take_stderr() -> Sink:
    """Let standard error of this process go through a sink: whoever writes there waits no more."""
    sink = Sink(sys.stderr.fileno())
    sys.stderr.flush()
    encoding = sys.stderr.encoding
    sys.stderr = TextIOWrapper(sink, encoding, "backslashreplace", write_through=True)
    return sink


def _plainly(lines: int) -> str:
    return f"{lines} lines were dropped\n"
