"""Problems of crontabs in, what a person reads of them out, and the exit status they come to."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from scheduler.cli import output
from scheduler.crontab import diagnostics
from scheduler.entry import Problem, Severity

MENTIONED = 5  # refusals that are told beside an answer
STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def show(found: Iterable[Problem], *, err: bool = False) -> None:
    """Print each problem with its line, caret and hint."""
    for problem in found:
        headline, *rest = diagnostics.lines(problem)
        output.line(headline, STYLES[problem.severity], indent=diagnostics.UNDER, err=err)
        for text in rest:
            is_hint = text.lstrip().startswith(diagnostics.HINT)
            under = diagnostics.UNDER + len(diagnostics.HINT) if is_hint else 0
            output.line(text, indent=under, err=err)


def mention(found: Iterable[Problem]) -> None:
    """Say on standard error what is refused, so that nobody takes a part for the whole."""
    refused = [each for each in found if each.severity is Severity.ERROR]
    for problem in refused[:MENTIONED]:
        output.complain(diagnostics.headline(problem))
    if len(refused) > MENTIONED:
        output.note(f"and {len(refused) - MENTIONED} more; meridian check shows them all")


def have_errors(found: Iterable[Problem]) -> bool:
    """Say whether something is refused; warnings alone are no errors."""
    return any(problem.severity is Severity.ERROR for problem in found)


def end(found: Iterable[Problem]) -> None:
    """End with exit status 1 if something is refused."""
    if have_errors(found):
        raise typer.Exit(1)
