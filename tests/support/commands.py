"""The commands of the command line, each of them imported; and what they print for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer.main

from scheduler.cli import app

if TYPE_CHECKING:
    from typer.testing import Result

GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = {
    name: GROUP.get_command(None, name) for name in GROUP.list_commands(None)
}


def rows(result: Result) -> list[dict[str, Any]]:
    """Return the objects that a command has printed, one a line."""
    return [json.loads(line) for line in result.stdout.splitlines()]
