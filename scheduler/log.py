"""The daemon's log: a fixed message and facts in, a line for a person, systemd or a machine out."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, TextIO

from scheduler.redact import clean
from scheduler.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Mapping

Format = Literal["human", "systemd", "json"]
Fact = str | int | float | None

_PRIORITY = {logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}
_COLOUR = {
    "started": "36", "succeeded": "32", "failed": "31", "retry": "33", "gave up": "1;31",
    "skipped": "33", "next": "2",
}  # fmt: skip


class Log:
    """Facts beside a fixed message, so that no machine has to parse a sentence."""

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
        handler.setFormatter(_Human(colour=stream.isatty() if colour is None else colour))
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
        facts = " ".join(f"{name}={_quoted(value)}" for name, value in _facts(record).items())
        return f"<{_PRIORITY[record.levelno]}>{record.getMessage()} {facts}".rstrip()


class _Human(logging.Formatter):
    """Local time, what happened, to which job, and the rest in a few words."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")  # noqa: DTZ006 (the reader's own wall clock)
        facts = _facts(record)
        message = record.getMessage()
        subject = facts.pop("job", None)
        words = _said(record).get("say") or "  ".join(
            f"{name}={_quoted(value)}" for name, value in facts.items()
        )
        head = f"{message:<9}"
        if self._colour:
            default = "31" if record.levelno >= logging.WARNING else "0"
            head = f"\x1b[{_COLOUR.get(message, default)}m{head}\x1b[0m"
        place = "" if subject is None else f"{clean(str(subject)):<22} "
        text = "\n".join(clean(line) for line in str(words).split("\n"))
        return f"{time}  {head}  {place}{text}".rstrip()


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
