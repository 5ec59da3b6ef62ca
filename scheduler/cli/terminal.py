"""Where rich stands: what is shown on a terminal, in its colours and at its width.

Whoever may have a terminal in front of it imports this when it has one: rich takes as long as all
the rest of a short command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text as RichText

if TYPE_CHECKING:
    from scheduler.cli.styled import Text


def console(*, err: bool = False) -> Console:
    """Return where to print: colour only on a terminal and without NO_COLOR, nothing wrapped."""
    return Console(stderr=err, soft_wrap=True, highlight=False, markup=False, emoji=False)


def styled(text: Text) -> RichText:
    """Return the text as rich has it."""
    return RichText.assemble(*text.pieces)


def folded(text: str, width: int) -> list[str]:
    """Return the text in lines of so many cells, broken at blanks, and a longer word within."""
    return [line.plain.rstrip() for line in RichText(text).wrap(Console(width=width), width)]
