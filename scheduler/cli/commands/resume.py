"""Paused jobs in, which go by their schedules again: `resume`."""

from __future__ import annotations

import typer

from scheduler import status
from scheduler.cli import by_hand, completion, options
from scheduler.protocol import (
    Json,
    Resume,
)

app = typer.Typer()


@app.command(epilog="Example:  meridian resume nightly-backup")
def resume(
    jobs: completion.Jobs, state: options.State = None, json: options.JsonReply = False
) -> None:
    """Let paused jobs go by their schedules again.

    Nothing that was left out is made up for.
    """

    def told(reply: Json) -> str:
        return f"Go by their schedules again: {', '.join(status.Members(reply).texts('jobs'))}"

    by_hand.carry_out(Resume(tuple(dict.fromkeys(jobs))), state, told, json=json)
