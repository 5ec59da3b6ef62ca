"""Texts in, each on the whole screen in place of the last, out: what `status --watch` looks at."""

from __future__ import annotations

from typing import Self

from rich.live import Live

from scheduler.cli import terminal
from scheduler.cli.styled import Text


class Screen:
    """Owns the whole screen while `status --watch` runs; each text takes the place of the last.

    The command enters and leaves it: afterwards the terminal is as it was.
    """

    def __init__(self) -> None:
        self._console = terminal.console()
        self._live = Live(console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    @property
    def size(self) -> tuple[int, int]:
        """Its width and its height, in cells and lines."""
        return self._console.size

    def show(self, text: Text) -> None:
        """Show these lines; what is too long for one is cut."""
        shown = terminal.styled(text)
        shown.no_wrap, shown.overflow = True, "ellipsis"
        self._live.update(shown, refresh=True)
