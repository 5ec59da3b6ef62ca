"""What jobs write, once more in the daemon's own log: attempts in, prefixed lines out.

A job writes into its own file, whoever reads this. A thread reads those files, and it alone waits
for a disk: the loop only tells it which there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import count
from threading import Condition
from typing import TYPE_CHECKING, Protocol

from scheduler import own_secrets, redact
from scheduler.process.output_files import Omitted, Reader, output_of
from scheduler.system import state_files
from scheduler.system.background import start_apart
from scheduler.text import of_size

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.run import Attempt
    from scheduler.system.log import Fact

_ECHO_SOON = 0.1  # seconds between looks while something comes
_ECHO_SELDOM = 1.0  # and while nothing does
_ECHOED_AT_ONCE = 1 << 16  # bytes of one look at all outputs: some 10 ms, ten times a second
_BEHIND = 1 << 20  # bytes that an attempt may be ahead of what is shown; of more the end is shown
_LINE_SHOWN = 2000  # characters of a line that are shown
_READ_BEHIND = 500  # bytes of it that are read behind those, at least
_MOST_ENDED = 1000  # attempts that are over and not shown to their end
_CUT = "…"


class OutputTo(StrEnum):
    """Where what jobs write is shown; their files have it wherever that is."""

    FILES = "files"  # nowhere else
    LOG = "log"
    JOURNAL = "journal"


class OutputLog(Protocol):
    """Where lines of jobs are shown: the daemon's own log, or systemd's journal."""

    def info(self, message: str, **facts: Fact) -> None:
        """Show the `text` of these facts, a line of a `job`."""


@dataclass
class _Shown:
    """An output, how far it has been shown, and what has come of a line that is not over."""

    attempt: Attempt
    path: Path
    position: int | None  # None: what is there now was shown by an earlier daemon
    entry: Entry | None = None
    inherited: Sequence[str] = ()  # secrets that all jobs inherit
    has_ended: bool = False
    begun: bytes = b""
    is_cut: bool = False  # the rest of this line is not read

    @cached_property
    def secrets(self) -> list[re.Pattern[str]]:
        """What no reader of the log may see of it."""
        values = [] if self.entry is None else own_secrets.of_entry(self.entry)
        return list(map(own_secrets.pattern, [*values, *self.inherited]))


class Echo:
    """Shows in a log what jobs write, on a thread of its own.

    Owns how far each output has been shown. The supervisor calls `add` and `end`, and never waits.
    Invariant: the log always has `room` for the daemon's own lines, too: a reader who is slow or
    gone is waited for, since the files keep everything.
    """

    def __init__(
        self,
        state: Path,
        log: OutputLog,
        room: Callable[[], int],
        *,
        least: int,
        inherited: Sequence[str] = (),
    ) -> None:
        self._state = state
        self._inherited = inherited
        self._log = log
        self._room = room
        self._least = least
        self._shown: dict[Attempt, _Shown] = {}
        self._wait = _ECHO_SOON
        self._left = 0  # bytes that this look may still show
        self._is_looking = False
        self._is_draining = False
        self._has_ended = False  # an attempt, since the last look
        self._changed = Condition()
        start_apart(self._serve, "echo")

    def add(
        self, attempt: Attempt, entry: Entry | None = None, *, is_adopted: bool = False
    ) -> None:
        """Show what this attempt of the entry writes, from its beginning or from now on."""
        position = None if is_adopted else 0
        shown = _Shown(attempt, self._state / output_of(attempt), position, entry, self._inherited)
        with self._changed:
            self._wait = self._wait if self._shown else _ECHO_SOON
            self._shown.setdefault(attempt, shown)
            self._changed.notify_all()

    def end(self, attempt: Attempt) -> None:
        """Show the rest, and then no more of it."""
        with self._changed:
            if (shown := self._shown.get(attempt)) is None:
                return
            shown.has_ended = True
            ended = [each.attempt for each in self._shown.values() if each.has_ended]
            for oldest in ended[: max(0, len(ended) - _MOST_ENDED)]:
                del self._shown[oldest]
            self._has_ended = True
            self._changed.notify_all()

    def drain(self, seconds: float) -> bool:
        """Wait until what has ended is shown, but no longer than this; False if it is not."""
        with self._changed:
            self._is_draining = True
            self._changed.notify_all()
            is_over = self._changed.wait_for(self._is_over, seconds)
            self._is_draining = False
            return is_over

    def _is_over(self) -> bool:
        return not self._is_looking and not any(each.has_ended for each in self._shown.values())

    # --- in the thread ---------------------------------------------------------------------------

    def _serve(self) -> None:
        """Look at all outputs again and again, a little at a time: the loop needs its turn."""
        for turn in count():
            with self._changed:
                self._is_looking = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._shown)
                self._changed.wait_for(lambda: self._is_draining or self._has_ended, self._wait)
                if self._has_ended:  # soon, with others that end now, and not at each one's end
                    self._changed.wait_for(lambda: self._is_draining, _ECHO_SOON)
                self._has_ended = False
                found = list(self._shown.values())
                self._is_looking = True
            self._left = _ECHOED_AT_ONCE
            first = turn % max(1, len(found))
            has_come = [self._look(each) for each in (*found[first:], *found[:first])]
            self._wait = _ECHO_SOON if any(has_come) else min(2 * self._wait, _ECHO_SELDOM)

    def _has_room(self) -> bool:
        return self._room() >= self._least

    def _look(self, shown: _Shown) -> bool:
        """Show what has come of an attempt, up to a bound; False if nothing has."""
        if self._left <= 0 or not self._has_room():
            return False
        is_over = shown.has_ended  # asked before the look: what came before that is seen
        begun = shown.position
        try:
            size = state_files.status(shown.path).st_size
            if shown.position is None:
                shown.position = size
            if size != shown.position:
                self._read(shown, size)
        except OSError:  # removed: it is too old, or its job did that
            is_over = True
        if is_over and shown.position == begun:
            self._finish(shown)
        return shown.position != begun

    def _read(self, shown: _Shown, size: int) -> None:
        """Show a piece of a file that has grown to this size, or shrunk."""
        position = shown.position or 0
        if size - position > _BEHIND:
            self._skip(shown, size - _ECHOED_AT_ONCE - position)
            position = size - _ECHOED_AT_ONCE
        reader = Reader(shown.path, position)
        try:
            for piece in reader.pieces():
                if isinstance(piece, Omitted):
                    self._skip(shown, piece.size)
                else:
                    self._take(shown, piece)
                if reader.position - position >= self._left:
                    break
        finally:
            self._left -= reader.position - position
            shown.position = reader.position
            reader.close()

    def _skip(self, shown: _Shown, size: int | None) -> None:
        self._end_line(shown)
        if size is None:
            self._say(shown, f"{_CUT} the job has emptied its output {_CUT}")
        else:
            run = shown.attempt.run.number
            self._say(shown, f"{_CUT} {of_size(size)} left out: meridian logs {run} {_CUT}")

    def _take(self, shown: _Shown, piece: bytes) -> None:
        *whole, rest = piece.split(b"\n")
        for line in whole:
            self._add(shown, line)
            self._end_line(shown, is_whole=True)
        self._add(shown, rest)

    def _add(self, shown: _Shown, part: bytes) -> None:
        if not shown.is_cut:
            shown.begun += part
            shown.is_cut = len(shown.begun) > _LINE_SHOWN + _READ_BEHIND

    def _end_line(self, shown: _Shown, *, is_whole: bool = False) -> None:
        if shown.begun or is_whole:
            text = shown.begun.removesuffix(b"\r").decode(errors="surrogateescape")
            # More is read than is shown, so that a secret that the cut goes through is known.
            for secret in shown.secrets:
                text = secret.sub(redact.MASK, text)
            text = redact.mask(text)
            is_cut = shown.is_cut or len(text) > _LINE_SHOWN
            self._say(shown, text[:_LINE_SHOWN] + _CUT if is_cut else text)
        shown.begun, shown.is_cut = b"", False

    def _finish(self, shown: _Shown) -> None:
        self._end_line(shown)
        with self._changed:
            self._shown.pop(shown.attempt, None)

    def _say(self, shown: _Shown, text: str) -> None:
        run, number = shown.attempt.run, shown.attempt.number
        facts: dict[str, Fact] = {
            "job": run.job,
            "run": run.number,
            "attempt": number,
            "text": text,
        }
        self._log.info("output", **facts, say=text)
