"""Crontabs in, everything that is wrong with them out: `check`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import (
    alert_targets,
    crontabs,
    json_rows,
    options,
    output,
    problems_view,
    state_folder,
    which_daemon,
)
from scheduler.cli.own_zone import own_zone
from scheduler.crontab import diagnostics, zone_changes
from scheduler.entry import Problem
from scheduler.errors import MeridianError
from scheduler.system import crontab_files, crontab_place
from scheduler.system.clock import RealClock
from scheduler.system.crontab_loader import Loaded

app = typer.Typer()

OfMachine = Annotated[
    bool, typer.Option("--system", help="As root: all crontabs that `meridian run --system` reads.")
]


@app.command(epilog="Example:  meridian check crontabs/*.crontab")
def check(
    files: options.Files = None,
    system: options.SystemForm = False,
    machine: OfMachine = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say every problem of the crontabs, with the line, a caret and a hint.

    The exit status is 1 if a line is refused; warnings alone leave it 0.
    """
    if machine:
        loaded = _of_machine(files)
    else:
        loaded = crontabs.load(files, own_zone(), system=system, state=state, json=json)
    zones = {entry.zone.key for entry in loaded.entries}
    is_users = which_daemon.keeps_crontab(state)  # the rest is root's
    ignored = () if files or is_users else _ignored(loaded, state_folder.here(state).folder)
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


def _ignored(loaded: Loaded, own: Path | None) -> tuple[Problem, ...]:
    """Return a warning for each file that is not read for its name."""
    are_crons = any(crontab_place.of_file(table.file).is_crons for table in loaded.crontabs)
    of_cron = crontab_place.ignored() if are_crons else ()
    return (*(() if own is None else crontab_files.ignored(own)), *of_cron)


def _of_machine(files: Sequence[str] | None) -> Loaded:
    if files:
        raise typer.BadParameter("--system reads the machine's own crontabs: name no file with it")
    if os.geteuid() != 0:
        raise MeridianError("--system needs root, who alone can read the tables of all users")
    return crontabs.of_machine(own_zone())
