"""A run in, its end out: `kill`."""

from __future__ import annotations

import typer

from scheduler.cli import by_hand, completion, options, state_folder, which_daemon, which_run
from scheduler.protocol import Kill, RunReply

app = typer.Typer()


@app.command(epilog="Example:  meridian kill 42")
def kill(
    run: completion.RunOrJob,
    state: state_folder.State = None,
    system: which_daemon.System = False,
    json: options.JsonReply = False,
) -> None:
    """End a run; it is not tried again.

    Its processes get SIGTERM, and SIGKILL after CRON_KILL_AFTER. A run that waits is not started.
    Instead of the run you may name its job, if it has only one active run.
    """
    where = which_daemon.chosen(state, system=system)

    def told(moved: RunReply) -> str:
        became = {"running": "is being ended", "skipped": "will not start"}
        return f"Run {moved.run} of {moved.job} {became.get(moved.state, 'has been ended')}"

    by_hand.carry_out(lambda: Kill(which_run.to_kill(run, where)), RunReply, where, told, json=json)
