"""Problems in, the lines that a person reads about them out: place, message, caret, hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.cells import cell_len

from scheduler.entry import Severity
from scheduler.printable import clean
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.entry import Problem

_WINDOW = 76  # characters of an offending line that are shown
_SHOWN_BEFORE = 48  # of them at most so many in front of the caret, where the line is cut
_CUT = "…"
UNDER, HINT = 4, "hint: "  # where an excerpt stands under its headline, and what follows it


def place(problem: Problem) -> str:
    """Return `file:line:column`, as far as they are known."""
    numbers = [str(n) for n in (problem.line, problem.column) if n]
    return ":".join([clean(problem.file), *numbers])


def headline(problem: Problem) -> str:
    """Return `file:line:column: code message`; a warning says at its end that it is one."""
    mark = " (warning)" if problem.severity is Severity.WARNING else ""
    return f"{place(problem)}: {problem.code} {clean(problem.message)}{mark}"


def excerpt(problem: Problem) -> tuple[str, str] | None:
    """Return the offending line and one with a caret under its column; None if there is no line.

    A long line is cut around the column; a tab is shown as one blank, wide characters count as
    the two cells that a terminal gives them.
    """
    if not problem.column or not problem.text.strip():
        return None
    column = min(problem.column - 1, len(problem.text))
    start = column - _SHOWN_BEFORE if column > _SHOWN_BEFORE and len(problem.text) > _WINDOW else 0
    before = (_CUT if start else "") + _line(problem.text[start:column])
    after = _line(problem.text[column : start + _WINDOW])
    more = _CUT if start + _WINDOW < len(problem.text) else ""
    return before + after + more, " " * cell_len(before) + "^"


def lines(problem: Problem) -> tuple[str, ...]:
    """Return everything about one problem: headline, excerpt and hint, the latter two indented."""
    shown = excerpt(problem) or ()
    hint = (f"{HINT}{clean(problem.hint)}",) if problem.hint else ()
    return headline(problem), *(f"{'':{UNDER}}{line}" for line in (*shown, *hint))


def summary(entries: int, problems: Sequence[Problem]) -> str:
    """Return what a check comes to: `12 entries, 2 problems (1 error, 1 warning)`."""
    total = f"{counted(entries, 'entry')}, {counted(len(problems), 'problem')}"
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    kinds = ((errors, "error"), (len(problems) - errors, "warning"))
    parts = ", ".join(counted(number, noun) for number, noun in kinds if number)
    return f"{total} ({parts})" if parts else total


def _line(text: str) -> str:
    return clean(text.replace("\t", " "))
