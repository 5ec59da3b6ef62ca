"""The whole screen of `status --watch`: each text in place of the last."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from scheduler.cli import screen, terminal
from scheduler.cli.styled import Text

if TYPE_CHECKING:
    import pytest


def test_each_text_takes_the_place_of_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=20, height=5)
    monkeypatch.setattr(terminal, "console", lambda: console)
    with screen.Screen() as shown:
        assert shown.size == (20, 5)
        shown.show(Text("first"))
        shown.show(Text("x" * 30))
    said = written.getvalue()
    assert said.startswith("\x1b[?1049h"), "a screen of its own"
    assert "\x1b[?1049l" in said, "and the terminal is as it was"
    assert "first" in said
    assert "x" * 19 + "…" in said, "what is too long is cut"
