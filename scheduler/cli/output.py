"""Rows, problems and sentences in, what the terminal, a pipe or a JSON reader gets out.

And the one question that is asked, yes or no.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import typer
from rich.console import Console

from scheduler.cli import tables
from scheduler.cli.tables import Cell
from scheduler.crontab import diagnostics
from scheduler.entry import Problem, Severity
from scheduler.printable import clean

MENTIONED = 5  # refusals that are told beside an answer
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def console(*, err: bool = False) -> Console:
    """Return where to print: colour only on a terminal and without NO_COLOR, nothing wrapped."""
    return Console(stderr=err, soft_wrap=True, highlight=False, markup=False, emoji=False)


def say(text: str, *, style: str | None = None) -> None:
    """Print a line on standard output."""
    _print(console(), text, style)


def note(text: str) -> None:
    """Print a line that is not the answer: on standard error."""
    _print(console(err=True), text, "dim")


def complain(text: str) -> None:
    """Print why it was not done: on standard error."""
    _print(console(err=True), text, "bold red")


def _print(target: Console, text: str, style: str | None, indent: int = 0) -> None:
    """Print a line; a screen is not left to break it within a word."""
    whole = clean(text)
    lines = diagnostics.wrapped(whole, target.width, indent) if target.is_terminal else [whole]
    for line in lines:
        target.print(line, style=style)


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


def problems(found: Iterable[Problem], *, err: bool = False) -> None:
    """Print each problem with its line, caret and hint."""
    target = console(err=err)
    for problem in found:
        headline, *rest = diagnostics.lines(problem)
        _print(target, headline, STYLES[problem.severity], diagnostics.UNDER)
        for line in rest:
            is_hint = line.lstrip().startswith(diagnostics.HINT)
            _print(target, line, None, diagnostics.UNDER + len(diagnostics.HINT) if is_hint else 0)


def mention(found: Iterable[Problem]) -> None:
    """Say on standard error what is refused, so that nobody takes a part for the whole."""
    refused = [each for each in found if each.severity is Severity.ERROR]
    for problem in refused[:MENTIONED]:
        complain(diagnostics.headline(problem))
    if len(refused) > MENTIONED:
        note(f"and {len(refused) - MENTIONED} more; meridian check shows them all")


def has_errors(found: Iterable[Problem]) -> bool:
    """Say whether something is refused; warnings alone are no errors."""
    return any(problem.severity is Severity.ERROR for problem in found)


def end(found: Iterable[Problem]) -> None:
    """End with exit status 1 if something is refused."""
    if has_errors(found):
        raise typer.Exit(1)


def table(header: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print columns; on a terminal they are made to fit, elsewhere they are whole."""
    target = console()
    for line in tables.lines(header, rows, target.width if target.is_terminal else None):
        target.print(line)


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
