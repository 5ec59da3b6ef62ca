"""A run that failed or waits in, its next attempt now: `retry`."""

from __future__ import annotations

import typer

from scheduler.cli import by_hand, completion, options, state_folder, which_daemon, which_run
from scheduler.protocol import Retry, RunReply

app = typer.Typer()


@app.command(epilog="Example:  meridian retry 42")
def retry(
    run: completion.RunOrJob,
    state: state_folder.State = None,
    system: which_daemon.System = False,
    json: options.JsonReply = False,
) -> None:
    """Start the next attempt of a run that failed or waits, now.

    Instead of the run you may name its job, if only one of its runs is waiting, or has failed
    after the last success.
    """
    where = which_daemon.chosen(state, system=system)

    def told(moved: RunReply) -> str:
        attempt = "The next attempt" if moved.attempt is None else f"Attempt {moved.attempt}"
        what = f"{attempt} of run {moved.run} of {moved.job}"
        return by_hand.attempt_told(what, moved, where)

    by_hand.carry_out(
        lambda: Retry(which_run.to_retry(run, where)), RunReply, where, told, json=json
    )
