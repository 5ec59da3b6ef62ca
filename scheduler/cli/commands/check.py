"""Crontabs in, everything that is wrong with them out: `check`."""

from __future__ import annotations

import typer

from scheduler.cli import (
    alert_targets,
    crontabs,
    json_rows,
    options,
    output,
    problems_view,
    state_folder,
)
from scheduler.cli.own_zone import own_zone
from scheduler.crontab import diagnostics, zone_changes
from scheduler.system import crontab_files
from scheduler.system.clock import RealClock

app = typer.Typer()


@app.command(epilog="Example:  meridian check crontabs/*.crontab")
def check(
    files: options.Files = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say every problem of the crontabs, with the line, a caret and a hint.

    The exit status is 1 if a line is refused; warnings alone leave it 0.
    """
    loaded = crontabs.load(files, own_zone(), system=system, state=state, json=json)
    zones = {entry.zone.key for entry in loaded.entries}
    folder = None if files else state_folder.here(state).folder
    ignored = () if folder is None else crontab_files.ignored(folder)
    conflicts = zone_changes.conflicts(zones, RealClock().now())
    config = state_folder.paths_of(state).config
    alerts = (each for table in loaded.crontabs for each in alert_targets.warnings(table, config))
    problems = (*loaded.problems, *alerts, *ignored, *conflicts)
    if json:
        for problem in problems:
            output.row(json_rows.of_problem(problem))
    else:
        problems_view.show(problems)
        output.say(diagnostics.summary(len(loaded.entries), problems))
    problems_view.end(problems)
