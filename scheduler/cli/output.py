"""Rows, problems and sentences in, what the terminal, a pipe or a JSON reader gets out.

And the one question that is asked, yes or no.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, TextIO, Union

import typer

from scheduler.cli import tables
from scheduler.cli.styled import Text
from scheduler.cli.tables import Cell
from scheduler.printable import clean
from scheduler.wrapping import wrapped

if TYPE_CHECKING:
    from rich.console import Console

_FORCED = {"FORCE_COLOR", "TTY_COMPATIBLE"}  # by these rich takes a pipe for a screen


class Pipe:
    """Standard output or standard error where no screen is behind it: lines go out as they are."""

    is_terminal = False

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def print(self, text: str | Text, style: str | None = None) -> None:  # noqa: ARG002 (as rich's)
        """Write a line; a style is for screens."""
        self._stream.write(f"{text}\n")
        self._stream.flush()


Target = Union["Console", Pipe]


def console(*, err: bool = False) -> Target:
    """Return where to print: rich's console if it may be a terminal, which rich then finds out."""
    stream = sys.stderr if err else sys.stdout
    if stream.isatty() or _FORCED & os.environ.keys():
        made: Console = import_module("scheduler.cli.terminal").console(err=err)
        return made
    return Pipe(stream)


def width() -> int | None:
    """Return how many cells the screen is wide; None where standard output is no screen."""
    return _width(console())


def _width(target: Target) -> int | None:
    return target.width if not isinstance(target, Pipe) and target.is_terminal else None


def say(text: str, *, style: str | None = None) -> None:
    """Print a line on standard output."""
    line(text, style)


def note(text: str) -> None:
    """Print a line that is not the answer: on standard error."""
    line(text, "dim", err=True)


def complain(text: str) -> None:
    """Print why it was not done: on standard error."""
    line(text, "bold red", err=True)


def line(text: str, style: str | None = None, *, indent: int = 0, err: bool = False) -> None:
    """Print a line; a screen is not left to break it within a word."""
    target, whole = console(err=err), clean(text)
    room = _width(target)
    for piece in [whole] if room is None else wrapped(whole, room, indent):
        target.print(piece, style=style)


def row(values: Mapping[str, object]) -> None:
    """Print one JSON object as one line."""
    typer.echo(json.dumps(values))


def utc(at: datetime) -> str:
    """Return the instant as `2027-03-28T01:00:00Z`."""
    return at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def wall(local: datetime) -> str:
    """Return a local time as a person reads it, `Sun 2027-03-28 03:00`."""
    return f"{local:%a %Y-%m-%d %H:%M}"


def to_second(local: datetime) -> str:
    """Return a local time as `wall`, with its seconds where it has some."""
    return f"{wall(local)}:{local:%S}" if local.second else wall(local)


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print columns; on a terminal they are made to fit, elsewhere they are whole."""
    target = console()
    for each in tables.lines(header, rows, _width(target)):
        target.print(each)


def confirmed(question: str, *, default: bool) -> bool:
    """Ask until the answer is yes or no; Enter alone is the default. Abort where nobody answers."""
    choices = "Y/n" if default else "y/N"
    answer: bool = typer.prompt(
        f"{question} [{choices}]", default=default, show_default=False, value_proc=_yes_or_no
    )
    return answer


def _yes_or_no(text: str | bool) -> bool:
    match str(text).strip().lower():
        case "y" | "yes" | "true":
            return True
        case "n" | "no" | "false":
            return False
        case _:
            raise typer.BadParameter("write y for yes or n for no")


def is_terminal() -> bool:
    """Say whether standard output is a person's screen."""
    return sys.stdout.isatty()
