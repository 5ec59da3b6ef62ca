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


def completed(line: str) -> list[str]:
    """What a shell is offered for a line that is not finished."""
    _, name, *words, last = line.split(" ")
    command = COMMANDS[name]
    asking = command.make_context(name, words, resilient_parsing=True)
    argument = next(each for each in command.params if each.param_type_name == "argument")
    return [each.value for each in argument.shell_complete(asking, last)]
