"""What another user's job writes in the foreground in, the same on this command's own output.

Such a job is not given that output itself: if it is a terminal, whoever has it open reads what is
typed there, and steers it. A terminal gets what is safe to look at, as from `logs`.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import sys
import termios

from scheduler.printable import OutputScreen
from scheduler.process.launch import STDOUT

_PIPE_TAKES = select.PIPE_BUF  # bytes that a pipe with room takes at once


class OutputCopy:
    """Owns the reading end of a job's pipe, and what came out of it but is not written yet.

    `foreground` calls it between its waits for signals. Invariant: nothing is read before what was
    read is written, and nothing that what is behind standard output has no room for is waited for.
    Where nobody takes what is written, the pipe is closed: the job hears of it by SIGPIPE.
    """

    def __init__(self, reader: int) -> None:
        self._reader: int | None = reader
        self._screen = OutputScreen() if os.isatty(STDOUT) else None
        self._held = b""
        self._left: int | None = None  # bytes that may still be read; None: any number

    def waits_for(self) -> tuple[list[int], list[int]]:
        """Return what is to be readable, and what writable, before a `step` can do something."""
        if self._held:
            return [], [STDOUT]
        return ([] if self._reader is None else [self._reader]), []

    def is_done(self) -> bool:
        """Say whether nothing more is to come."""
        return self._reader is None and not self._held

    def step(self) -> None:
        """Move a piece on, if one can be."""
        reads, writes, _ = select.select(*self.waits_for(), [], 0)
        if writes:
            self._write()
        elif reads:
            self._read(reads[0])

    def job_ended(self) -> None:
        """Take no more than what is in the pipe by now: what it left behind may write for ever."""
        if self._reader is None:
            return
        found = array.array("i", [0])
        fcntl.ioctl(self._reader, termios.FIONREAD, found)
        self._left = found[0]
        if not self._left:
            self._end()

    def close(self) -> None:
        """Let go of the pipe."""
        if self._reader is not None:
            os.close(self._reader)
        self._reader = None

    def _read(self, reader: int) -> None:
        piece = os.read(reader, _PIPE_TAKES if self._left is None else min(_PIPE_TAKES, self._left))
        self._held += self._shown(piece)
        if self._left is not None:
            self._left -= len(piece)
        if not piece or self._left == 0:
            self._end()

    def _end(self) -> None:
        self._held += self._shown(b"", is_last=True)
        self.close()

    def _shown(self, piece: bytes, *, is_last: bool = False) -> bytes:
        if self._screen is None:
            return piece
        text = self._screen.show(piece, is_last=is_last)
        return text.encode(sys.stdout.encoding, "backslashreplace")

    def _write(self) -> None:
        try:
            self._held = self._held[os.write(STDOUT, self._held[:_PIPE_TAKES]) :]
        except OSError:
            self._held = b""
            self.close()
