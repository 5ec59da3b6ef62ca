"""Crontabs and a year in, what that year's clock changes do to them out: `audit`."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer

from scheduler.cli import crontabs, json_rows, numbers, options, output, problems_view, state_folder
from scheduler.cli.own_zone import own_zone
from scheduler.entry import Entry
from scheduler.schedule.dst_audit import FIRST_YEAR, LAST_YEAR, Audit, Change, ChangeEffect, audit
from scheduler.system.clock import RealClock
from scheduler.text import counted

app = typer.Typer()


@app.command("audit", epilog="Example:  meridian audit --year 2027 crontabs/world.crontab")
def audit_entries(
    files: options.Files = None,
    year: Annotated[
        int | None,
        typer.Option(
            metavar="Y",
            help=f"The year, {FIRST_YEAR} to {LAST_YEAR}; without it this year.",
            parser=numbers.whole(FIRST_YEAR, LAST_YEAR),
        ),
    ] = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say which entries clock changes touch in a year, and what happens.

    An entry that is not listed runs as on any other day.
    """
    zone = own_zone()
    loaded = crontabs.load(files, zone, system=system, state=state, json=json, keep_others=True)
    asked = RealClock().now().astimezone(zone).year if year is None else year
    audited = audit(loaded.entries, asked)
    if json:
        for entry, finding in audited.found:
            output.row(json_rows.of_finding(entry, finding))
    else:
        _print(audited)
    problems_view.mention(loaded.problems)
    problems_view.end(loaded.problems)


def _print(audited: Audit) -> None:
    for change, pairs in groupby(audited.found, key=_change):
        output.say(f"{change.zone.key}: {change}", style="bold")
        lines = [(entry.job, entry.schedule_text, found.what) for entry, found in pairs]
        output.table(("JOB", "SCHEDULE", "WHAT HAPPENS"), lines)
        output.say("")
    output.say(_summary(audited))


def _change(pair: tuple[Entry, ChangeEffect]) -> Change:
    return pair[1].change


def _summary(audited: Audit) -> str:
    if not audited.entries:
        return counted(0, "entry")
    touched, changing = ("is touched", "are touched"), ("changes its clock", "change their clocks")
    entries = _of(audited.touched, audited.entries, "entry", touched)
    zones = _of(audited.changing_zones, audited.zones, "zone", changing)
    return f"{entries} by clock changes in {audited.year}; {zones}"


def _of(number: int, total: int, noun: str, verbs: tuple[str, str]) -> str:
    """Return `3 of 12 entries are touched`, or `is` where one is the subject."""
    one, many = verbs
    return f"{number} of {counted(total, noun)} {one if 1 in (number, total) else many}"
