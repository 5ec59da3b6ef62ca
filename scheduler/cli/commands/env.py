"""A job in, the variables that its processes see out, or how they differ from this shell's: `env`.

Secret values are stars, and there is no option to see them: `meridian exec` runs the job with them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from scheduler.cli import completion, inherited, job_line, options, output, state_folder
from scheduler.entry import Entry
from scheduler.process import job_environment
from scheduler.redact import masked

app = typer.Typer()

# What differs with each attempt, by what stands in its place.
_OF_EACH_ATTEMPT = ("CRON_RUN", "CRON_ATTEMPT", "CRON_SCHEDULED")
_HERE, _THERE = "red", "green"

Diff = Annotated[
    bool, typer.Option("--diff", help="Only what differs from this shell: - here, + for the job.")
]


@app.command(epilog="Example:  meridian env nightly-backup --diff")
def env(
    job: completion.Job,
    files: options.Files = None,
    diff: Diff = False,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Show the environment that a job sees, as its daemon gives it.

    Where no daemon runs it is worked out from this shell. Values of variables whose names look
    secret are shown as stars.
    """
    entry = job_line.of_job(job, files, system=system, state=state, json=json)
    found = inherited.of_entry(entry, state)
    base = found.inheritance.of(entry.environment)
    if not json:
        output.note(f"{found.said}; {_beside(entry, base.variables, found.umask)}")
    seen = {**base.variables, "CRON_JOB": entry.job}
    if diff:
        _show_difference(seen, json=json)
    else:
        _show(entry, seen, "daemon" if found.is_daemons else "shell", json=json)


def _beside(entry: Entry, variables: Mapping[str, str], umask: int | None) -> str:
    """Return what else a job finds."""
    stdin = "/dev/null" if entry.stdin is None else "the text behind %"
    told = f"in {variables['HOME']}, by {variables['SHELL']}, standard input is {stdin}"
    return told if umask is None else f"{told}, umask {umask:04o}"


def _show(entry: Entry, seen: Mapping[str, str], giver: str, *, json: bool) -> None:
    assigned = {name for name, _ in entry.environment}
    for name, value in sorted({**_shown(seen), **dict.fromkeys(_OF_EACH_ATTEMPT, "")}.items()):
        is_each = name in _OF_EACH_ATTEMPT
        if json:
            source = "crontab" if name in assigned else giver
            is_run = is_each or name == "CRON_JOB"
            row = {"name": name, "value": None if is_each else value}
            output.row(row | {"from": "run" if is_run else source})
        else:
            output.say(f"{name}=(of each attempt)" if is_each else f"{name}={value}")


def _show_difference(seen: Mapping[str, str], *, json: bool) -> None:
    here = {name: job_environment.text(os.fsencode(value)) for name, value in os.environ.items()}
    shown, shown_here = _shown(seen), _shown(here)
    for name, change in _changes(here, seen):
        one, other = shown_here.get(name), shown.get(name)
        if json:
            output.row({"name": name, "change": change, "here": one, "job": other})
            continue
        if one is not None:
            output.say(f"- {name}={one}", style=_HERE)
        if other is not None:
            differs = "  (another value)" if one == other else ""
            output.say(f"+ {name}={other}{differs}", style=_THERE)


def _changes(here: Mapping[str, str], seen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield each name whose value is another, or that only one side has, and which of these."""
    for name in sorted(here.keys() | seen.keys()):
        if name not in here:
            yield name, "added"
        elif name not in seen:
            yield name, "missing"
        elif here[name] != seen[name]:
            yield name, "changed"


def _shown(variables: Mapping[str, str]) -> dict[str, str]:
    return masked(tuple(variables.items()))
