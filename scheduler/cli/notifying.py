"""A title and a text in, a desktop notification out: `notify`."""

from __future__ import annotations

from typing import Annotated

import typer

from scheduler.cli import show
from scheduler.notify import notify as show_notification

app = typer.Typer()


@app.command(epilog='Example:  meridian notify "Take a break" "Twenty minutes are over"')
def notify(
    title: Annotated[str, typer.Argument(metavar="TITLE", help="The bold line.")],
    text: Annotated[str, typer.Argument(metavar="[TEXT]", help="What stands below it.")] = "",
    timeout: Annotated[
        float,
        typer.Option(metavar="SECONDS", min=0.1, max=600, help="How long a notifier may take."),
    ] = 10.0,
) -> None:
    """Show a notification on this desktop, or on the terminal.

    From a job, which has no terminal, it is shown on those where you are logged in. Says which way
    it went. Title and text are shown as they are, never run.
    """
    show.say(f"shown by {show_notification(title, text, timeout=timeout)}", style="dim")
