"""The user's crontab in, removed, with its text kept, out: `remove`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from scheduler.cli import crontabs, output, own_crontab, state_folder
from scheduler.system import crontab_files, crontab_versions
from scheduler.system.clock import RealClock

app = typer.Typer()


@app.command(epilog="Example:  meridian remove --yes")
def remove(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    state: state_folder.State = None,
) -> None:
    """Remove your crontab; its text is kept."""
    paths = state_folder.with_crontab(state)
    path = paths.crontab
    if not crontab_files.is_there(path):
        raise own_crontab.NotEdited(f"There is no crontab {path}")
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody is there to ask: say --yes", param_hint="--yes")
        if not output.confirmed(f"Remove {path}?", default=False):
            raise own_crontab.NotEdited("Nothing is changed")
    kept = own_crontab.keep(paths, RealClock().now())
    crontab_versions.remove(path)
    output.say(f"Removed {path}; its text is kept in {kept}")
    output.say(crontabs.reader(path, state, "lets go of its jobs"))
