"""The crontabs read again, now: `reload`."""

from __future__ import annotations

import typer

from scheduler.cli import by_hand, options, state_folder, status_view, which_daemon
from scheduler.protocol import Reload
from scheduler.status import Crontabs

app = typer.Typer()

_PATIENCE = 60.0  # seconds: it may have to read calendars first


@app.command(name="reload", epilog="Example:  meridian reload")
def reload_(state: state_folder.State = None, json: options.JsonReply = False) -> None:
    """Read the crontabs again now; no running job is touched. Exit status 1 if lines are refused.

    A file that was changed is read before the next minute anyway.
    """
    where = which_daemon.chosen(state, system=False)  # the machine's says whose a reload is
    found = by_hand.carry_out(Reload(), Crontabs, where, _reloaded, json=json, timeout=_PATIENCE)
    if found.problems:
        raise typer.Exit(1)


def _reloaded(found: Crontabs) -> str:
    return f"Read again: {status_view.crontabs(found)}"
