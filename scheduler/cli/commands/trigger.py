"""A job in, a run of it now: `trigger`."""

from __future__ import annotations

import typer

from scheduler.cli import by_hand, completion, options, state_folder, which_daemon
from scheduler.protocol import RunReply, Trigger

app = typer.Typer()


@app.command(epilog="Example:  meridian trigger nightly-backup")
def trigger(
    job: completion.Job,
    state: state_folder.State = None,
    system: which_daemon.System = False,
    json: options.JsonReply = False,
) -> None:
    """Start a run of a job now, whatever its schedule says.

    Its limits and CRON_OVERLAP are those of any run, so it may have to wait, or be refused.
    """
    where = which_daemon.chosen(state, system=system)

    def told(moved: RunReply) -> str:
        return by_hand.attempt_told(f"Run {moved.run} of {moved.job}", moved, where)

    by_hand.carry_out(Trigger(job), RunReply, where, told, json=json)
