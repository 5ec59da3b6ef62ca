"""Crontabs in, their entries out, each with its next and its last run: `list`."""

from __future__ import annotations

import typer

from scheduler.cli import crontabs, list_view, options, output, problems_view, state_folder
from scheduler.cli.own_zone import own_zone
from scheduler.system.clock import RealClock

app = typer.Typer()


@app.command("list", epilog="Example:  meridian list --json crontabs/world.crontab")
def list_entries(
    files: options.Files = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """List the entries: job, schedule, zone, next and last run, command.

    Values of variables whose names look secret are shown as stars, but --json has every command
    exactly as it is run.
    """
    zone = own_zone()
    loaded = crontabs.load(files, zone, system=system, state=state, json=json, keep_others=True)
    now = RealClock().now()
    found = list_view.listed(loaded, state, now)
    if json:
        for each in found:
            output.row(each.row())
    elif loaded.entries:
        alerts = any(entry.settings.alert is not None for entry in loaded.entries)
        users = list_view.have_users(loaded.entries)
        rows = [each.cells(zone, now, alerts=alerts, users=users) for each in found]
        output.table(list_view.header(alerts=alerts, users=users), rows)
    elif not problems_view.have_errors(loaded.problems):
        output.note("There are no entries.")
    problems_view.mention(loaded.problems)
    problems_view.end(loaded.problems)
