"""The daemon's log: a fixed message and facts in, a line for a person, systemd or a machine out."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, TextIO

from rich.cells import cell_len, set_cell_size

from scheduler.crontab.diagnostics import HINT, UNDER
from scheduler.printable import clean
from scheduler.system.log_sink import Sink
from scheduler.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

Format = Literal["human", "systemd", "json"]
Fact = str | int | float | tuple[str, ...] | None

_PRIORITY = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_COLOUR = {
    "started": "36", "succeeded": "32", "failed": "31", "retry": "33", "gave up": "1;31",
    "skipped": "33", "next": "2",
}  # fmt: skip


_WIDE = 22  # cells of the column with jobs' names in a file


class Log:
    """A logger that takes facts beside a fixed message, so that no machine parses a sentence.

    The fact `say` is their wording for a person: one line, or a tuple of lines. A newline within a
    fact ends no line, whoever named a file so.
    """

    def __init__(self, logger: logging.Logger, *, is_for_person: bool = False) -> None:
        self._logger = logger
        self.is_for_person = is_for_person

    def info(self, message: str, **facts: Fact) -> None:
        """Record what happened."""
        self._logger.info(message, extra={"facts": facts})

    def warning(self, message: str, **facts: Fact) -> None:
        """Record what its user should look at."""
        self._logger.warning(message, extra={"facts": facts})

    def error(self, message: str, **facts: Fact) -> None:
        """Record what is broken until somebody mends it."""
        self._logger.error(message, extra={"facts": facts})


def open_log(style: Format, stream: TextIO | None = None, *, colour: bool | None = None) -> Log:
    """Return a log that writes to `stream`, or to stderr; colour on a terminal, or as said.

    Where a sink is behind the stream, what it drops is told as a line of this log.
    """
    stream = sys.stderr if stream is None else stream
    handler = logging.StreamHandler(stream)
    formatters = {"json": _Json, "systemd": _Systemd}
    if style in formatters:
        handler.setFormatter(formatters[style]())
    else:
        handler.setFormatter(_Human(stream, colour=colour))
    logger = logging.Logger("meridian", logging.INFO)  # noqa: LOG001 (its own, so that no library's set-up reaches it)
    logger.addHandler(handler)
    if isinstance(sink := getattr(stream, "buffer", None), Sink):
        sink.lost = partial(_lost_line, handler)
    return Log(logger, is_for_person=style == "human")


def _lost_line(handler: logging.Handler, lines: int) -> str:
    """Return the line that stands for so many others; the journal has what they told."""
    record = logging.LogRecord("meridian", logging.WARNING, "", 0, "dropped", None, None)
    lost = f"{lines:,} {'line' if lines == 1 else 'lines'} of this log"
    say = f"{lost} while nobody read them (or the disk was full); the journal has what happened"
    record.__dict__["facts"] = {"lines": lines, "say": say}
    return handler.format(record) + "\n"


class _Json(logging.Formatter):
    """One object a line: time (UTC), level, message, and the facts."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": time.replace("+00:00", "Z"), "level": record.levelname.lower()}
        return json.dumps(head | {"message": record.getMessage()} | _facts(record))


class _Systemd(logging.Formatter):
    """A line with its priority in front (sd-daemon(3)); the journal adds the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        said = _said(record)
        # A job's own line: nothing stands between its words.
        if record.getMessage() == "output" and "text" in said:
            text = clean(f"{said['job']}[{said['run']}]: {said['text']}")
            return f"<{_PRIORITY[record.levelno]}>{text}"
        facts = " ".join(f"{name}={_quoted(value)}" for name, value in _facts(record).items())
        return f"<{_PRIORITY[record.levelno]}>{record.getMessage()} {facts}".rstrip()


class _Human(logging.Formatter):
    """When, what happened, to which job and run, and the rest in words; facts are for machines.

    A person at a terminal sees the time of day, in colour and broken at blanks. What goes into a
    file is read later and elsewhere: it has the date, the offset from UTC, and whole lines.
    """

    def __init__(self, stream: TextIO, *, colour: bool | None) -> None:
        super().__init__()
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._colour = self._is_terminal if colour is None else colour

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or the lines where its words have several."""
        said = _said(record)
        message = record.getMessage()
        head = f"{self._time(record.created)}  {message:<9}"
        width, indent = self._width(), cell_len(head) + 2
        subject = self._subject(said, width // 8 if width else _WIDE)
        first, *others = (clean(line) for line in _wording(said))
        first = subject + first
        first, *rest = wrapped(f"{head}  {first}", width, indent) if width else [f"{head}  {first}"]
        below = (piece for line in others for piece in _below(line, width))
        text = "\n".join(line.rstrip() for line in (first, *rest, *below))
        return self._coloured(text, head, message, record.levelno) if self._colour else text

    def _time(self, created: float) -> str:
        here = datetime.fromtimestamp(created).astimezone()  # the reader's own wall clock
        return f"{here:%H:%M:%S}" if self._is_terminal else here.isoformat(" ", "seconds")

    def _subject(self, said: Mapping[str, Fact], cells: int) -> str:
        """Return the job, in a column of so many cells at least, and the number of its run."""
        job, run = said.get("job"), said.get("run")
        if job is None:
            return ""
        name = clean(str(job))
        number = "" if run is None else f"run {run}" + (": " if said.get("say") else "")
        return f"{set_cell_size(name, max(cells, cell_len(name)))}  {number}"

    def _width(self) -> int | None:
        """Return how many cells a line has, None where that is not a screen's."""
        with suppress(OSError, ValueError):  # no descriptor, or no terminal behind it
            if self._is_terminal:
                return os.get_terminal_size(self._stream.fileno()).columns or None
        return None

    def _coloured(self, text: str, head: str, message: str, level: int) -> str:
        default = "31" if level >= logging.WARNING else "0"
        start = len(head) - max(len(message), 9)
        return (
            f"{text[:start]}\x1b[{_COLOUR.get(message, default)}m{text[start : len(head)]}\x1b[0m"
            f"{text[len(head) :]}"
        )


def _wording(said: Mapping[str, Fact]) -> tuple[str, ...]:
    """Return the lines of a record's wording, one at least."""
    say = said.get("say") or ""
    return say if isinstance(say, tuple) else (str(say),)


def _below(line: str, width: int | None) -> list[str]:
    """Return a line under the first as it fits: a hint is broken at blanks, an excerpt is not.

    It is indented, since only the head of a record begins in the first column.
    """
    is_hint = line.lstrip().startswith(HINT)
    line = line if line.startswith(" ") else f"{'':{UNDER}}{line}"
    return wrapped(line, width, UNDER + len(HINT)) if width and is_hint else [line]


def _facts(record: logging.LogRecord) -> dict[str, Fact]:
    """Return the record's facts without `say`, which is their wording for a person."""
    return {k: v for k, v in _said(record).items() if v is not None and k != "say"}


def _said(record: logging.LogRecord) -> Mapping[str, Fact]:
    facts: Mapping[str, Fact] = record.__dict__.get("facts", {})
    return facts


def _quoted(value: Fact) -> str:
    text = str(value)
    plain = text and text.isprintable() and not {" ", '"', "="} & set(text)
    return text if plain else json.dumps(text)
