"""A title and a text in, a desktop notification out: `notify`."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.cli import numbers, output
from scheduler.system.desktop import notify as show_notification

app = typer.Typer()


@app.command(epilog='Example:  meridian notify "Take a break" "Twenty minutes are over"')
def notify(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The bold line.")],
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="What stands below it.")] = "",
    timeout: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="How long a notifier may take.", parser=numbers.number(0.1, 600)
        ),
    ] = 10.0,
) -> None:
    """Show a notification on this desktop, or on the terminal.

    A job that reaches no desktop has it shown on the terminals where you are logged in. The command
    says who showed it. Title and text are shown as they are, never run.
    """
    way = show_notification(title, text, timeout=timeout)
    output.say("shown on the terminal" if way == "terminal" else f"shown by {way}", style="dim")
