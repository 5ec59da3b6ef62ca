"""Paused jobs in, which go by their schedules again: `resume`."""

from __future__ import annotations

import typer

from scheduler.cli import by_hand, completion, options, state_folder, which_daemon
from scheduler.protocol import Resume, ResumeReply

app = typer.Typer()


@app.command(epilog="Example:  meridian resume nightly-backup")
def resume(
    jobs: completion.Jobs,
    state: state_folder.State = None,
    system: which_daemon.System = False,
    json: options.JsonReply = False,
) -> None:
    """Let paused jobs go by their schedules again.

    Nothing that was left out is made up for.
    """

    def told(done: ResumeReply) -> str:
        return f"Resumed: {', '.join(done.jobs)}"

    by_hand.carry_out(
        Resume(tuple(dict.fromkeys(jobs))),
        ResumeReply,
        which_daemon.chosen(state, system=system),
        told,
        json=json,
    )
