"""A schedule or a line of a crontab in, what it means in words out: `explain`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import json_rows, options, output, problems_view
from scheduler.cli.own_zone import own_zone
from scheduler.cli.tables import When
from scheduler.crontab import parser
from scheduler.entry import Entry, Problem, Severity
from scheduler.errors import BadValue
from scheduler.redact import mask
from scheduler.schedule import expression
from scheduler.schedule.describe import explain as in_words
from scheduler.schedule.upcoming import ComingRun, coming
from scheduler.system import crontab_files
from scheduler.system.calendars import waiting_shelf
from scheduler.system.clock import RealClock
from scheduler.text import shortened

app = typer.Typer()

EXPLAINED = 5

_DRAWN = re.compile(r"(?<![a-z0-9])h(?![a-z])|~", re.IGNORECASE)
_NO_JOB = "looks-like-entry"  # a warning, since cron takes it for an assignment
_COMMAND = " x"  # makes a line of a schedule


@app.command(epilog='Example:  meridian explain "30 7 * * 1-5" --tz Europe/Berlin')
def explain(
    fields: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPRESSION",
            help="A schedule, quoted or as five arguments; @every 90m; or a line of a crontab.",
        ),
    ],
    zone_name: Annotated[
        str | None, typer.Option("--tz", metavar="ZONE", help="A zone, if not this machine's.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Say in words what a schedule means, with its next runs."""
    zone = options.zone_named(zone_name) if zone_name else own_zone()
    entry, problems = _read(fields, zone)
    problems_view.show(problems, err=True)
    if entry is None:
        raise typer.Exit(1)
    if _DRAWN.search(entry.schedule_text):
        output.note("H and ~ are drawn for each job; this is what one job may get")
    now = RealClock().now()
    runs = list(islice(coming((entry,), now, {}), EXPLAINED))
    if json:
        output.row(_explained(entry, runs))
        return
    output.say(in_words(entry.schedule))
    if entry.command:
        output.say(f"command {mask(entry.command)}", style="dim")
    output.say(f"zone {entry.zone.key}", style="dim")
    if runs:
        zone = entry.zone
        lines = [(When(run.at.astimezone(zone), now), output.utc(run.at), run.note) for run in runs]
        output.table(("NEXT", "UTC", "NOTE"), lines)


def _read(fields: Sequence[str], zone: ZoneInfo) -> tuple[Entry | None, list[Problem]]:
    """Return the entry that the words make, without a command where they have none, or None.

    And the problems with it, told of an expression instead of a file.
    """
    text = re.sub(r"[\r\n]+", " ", " ".join(fields))
    found: list[Problem] = []
    read = partial(crontab_files.read, named=True, uid=os.geteuid(), trusts=True)
    calendars = waiting_shelf(read).of("")
    for command in ("", _COMMAND):
        line = f"{text}{command}".encode("utf-8", "surrogateescape")
        table = parser.parse(line, file="expression", zone=zone, calendars=calendars)
        found = [_of_expression(each, command) for each in table.problems]
        for entry in table.entries:
            return replace(entry, command="") if command else entry, found
    if (put := _put_by_the_shell(fields, text)) is not None:
        return None, [put]
    is_told = any(each.severity is Severity.ERROR or each.code == _NO_JOB for each in found)
    return None, found if is_told and not _is_short(text) else [_no_schedule(text)]


def _of_expression(problem: Problem, command: str) -> Problem:
    return replace(problem, line=0, text=problem.text.removesuffix(command))


def _is_short(text: str) -> bool:
    return len(text.split()) < 5 and not text.startswith("@") and "=" not in text


def _no_schedule(text: str) -> Problem:
    try:
        expression.parse(text)
    except BadValue as bad:
        return _problem(text, bad)
    raise AssertionError(text)


def _put_by_the_shell(fields: Sequence[str], text: str) -> Problem | None:
    """Return the error about a `*` that the shell has replaced by the names of files."""
    names = [word for word in fields if os.path.lexists(word)] if len(fields) > 1 else []
    if not names:
        return None
    message = f"the shell has put names of files, such as {shortened(names[0])}, in place of a *"
    hint = 'quote the schedule: meridian explain "*/5 * * * *"'
    return _problem(text, BadValue("file-names", message, offset=text.index(names[0]), hint=hint))


def _problem(text: str, bad: BadValue) -> Problem:
    at = bad.offset + 1
    return Problem("expression", 0, at, Severity.ERROR, bad.code, bad.message, bad.hint, mask(text))


def _explained(entry: Entry, runs: Sequence[ComingRun]) -> json_rows.Row:
    keys = ("at", "local", "note")
    return {
        "expression": entry.schedule_text,
        "words": in_words(entry.schedule),
        "zone": entry.zone.key,
        "fields": json_rows.of_schedule(entry.schedule),
        "next": [{key: json_rows.of_coming(run)[key] for key in keys} for run in runs],
    }
