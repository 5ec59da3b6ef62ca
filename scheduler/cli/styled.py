"""Lines in pieces, each with a style by rich's name for it: built without rich.

Much output goes to a pipe, where a style is nothing; a screen gets it through `terminal`.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

from rich.cells import cell_len


class Text:
    """Owns the pieces of one line, or of several joined by a separator.

    Whoever lays out a line calls it. Its `plain` text is the pieces, one behind the other.
    """

    __slots__ = ("pieces", "style")

    def __init__(self, plain: str = "", style: str = "") -> None:
        self.style = style
        self.pieces: list[tuple[str, str]] = [(plain, style)] if plain else []

    @property
    def plain(self) -> str:
        """The text without its styles."""
        return "".join(plain for plain, _ in self.pieces)

    def __str__(self) -> str:
        return self.plain

    @property
    def cell_len(self) -> int:
        """How many cells of a terminal it takes."""
        return cell_len(self.plain)

    def append_text(self, other: Text) -> Text:
        """Put another behind it; returns itself."""
        self.pieces += other.pieces
        return self

    def pad_right(self, cells: int) -> None:
        """Put so many blanks behind it, none for a number below one."""
        if cells > 0:
            self.pieces.append((" " * cells, ""))

    def join(self, lines: Iterable[Text]) -> Text:
        """Return the lines with this one between each two."""
        joined = Text()
        for number, line in enumerate(lines):
            if number:
                joined.append_text(self)
            joined.append_text(line)
        return joined

    def __rich__(self) -> Any:
        return import_module("scheduler.cli.terminal").styled(self)
