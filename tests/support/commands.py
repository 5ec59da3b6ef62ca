"""The commands of the command line, each of them imported."""

from __future__ import annotations

from typing import Any

import typer.main

from scheduler.cli import app

GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = {
    name: GROUP.get_command(None, name) for name in GROUP.list_commands(None)
}
