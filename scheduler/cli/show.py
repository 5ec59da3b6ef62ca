"""Rows, problems and sentences in, what the terminal, a pipe or a JSON reader gets out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console

from scheduler import report
from scheduler.model import Problem, Severity
from scheduler.redact import clean

GAP = "  "
NARROWEST = 12  # cells that a column keeps however narrow the terminal is
MENTIONED = 5  # refusals that are told beside an answer

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def console(*, err: bool = False) -> Console:
    """Return where to print: colour only on a terminal and without NO_COLOR, nothing wrapped."""
    return Console(stderr=err, soft_wrap=True, highlight=False, markup=False, emoji=False)


def say(text: str, *, style: str | None = None) -> None:
    """Print a line on standard output."""
    console().print(clean(text), style=style)


def remark(text: str) -> None:
    """Print a line that is not the answer: on standard error."""
    console(err=True).print(clean(text), style="dim")


def complain(text: str) -> None:
    """Print why it was not done: on standard error."""
    console(err=True).print(clean(text), style="bold red")


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
        headline, *rest = report.lines(problem)
        target.print(headline, style=STYLES[problem.severity])
        for line in rest:
            target.print(line)


def mention(found: Iterable[Problem]) -> None:
    """Say on standard error what is refused, so that nobody takes a part for the whole."""
    refused = [each for each in found if each.severity is Severity.ERROR]
    for problem in refused[:MENTIONED]:
        complain(report.headline(problem))
    if len(refused) > MENTIONED:
        remark(f"and {len(refused) - MENTIONED} more; meridian check shows them all")


def end(found: Iterable[Problem]) -> None:
    """End with exit status 1 if something is refused."""
    if any(problem.severity is Severity.ERROR for problem in found):
        raise typer.Exit(1)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns; on a terminal they are cut to fit, elsewhere they are whole."""
    target = console()
    head, *lines = columns(header, rows, target.width if target.is_terminal else None)
    target.print(head, style="bold")
    for line in lines:
        target.print(line)


def columns(
    header: Sequence[str], rows: Sequence[Sequence[str]], width: int | None
) -> Iterator[str]:
    """Yield the lines of a table, its header first, cut to this many cells (None: whole)."""
    cells = [[clean(cell) for cell in cells] for cells in (header, *rows)]
    widths = _widths(cells, width)
    for line in cells:
        yield _joined(line, widths)


def _widths(rows: Sequence[Sequence[str]], width: int | None) -> list[int]:
    """Return what each column needs; when that is too much, the widest give way first."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    if width is None:
        return widths
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    while excess > 0 and max(widths) > NARROWEST:
        widest = widths.index(max(widths))
        widths[widest] -= 1
        excess -= 1
    return widths


def _joined(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(map(_fitted, cells, widths)).rstrip()


def _fitted(cell: str, width: int) -> str:
    if cell_len(cell) <= width:
        return set_cell_size(cell, width)
    return set_cell_size(cell, width - 1) + "…"


def is_terminal() -> bool:
    """Say whether standard output is a person's screen."""
    return sys.stdout.isatty()
