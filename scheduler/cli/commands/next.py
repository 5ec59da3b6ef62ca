"""Crontabs and a time in, what is due in it out: `next`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice, takewhile
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import (
    crontabs,
    journal_facts,
    json_rows,
    list_view,
    numbers,
    options,
    output,
    problems_view,
    state_folder,
)
from scheduler.cli.own_zone import own_zone
from scheduler.cli.tables import Cell, When
from scheduler.entry import Entry, Reboot
from scheduler.schedule.upcoming import ComingRun, coming
from scheduler.system.clock import RealClock

app = typer.Typer()


USUAL_INSTANTS = 10


_From = Annotated[
    str,
    typer.Option(
        "--from", metavar="T", help="Runs at T or later: 2027-03-28, 9:00, tomorrow 9:00, now."
    ),
]
_Until = Annotated[
    str | None,
    typer.Option("--until", metavar="T", help="Runs before T only; 2h is so long after --from."),
]
_Number = Annotated[
    int | None,
    typer.Option(
        "-n",
        metavar="N",
        help="At most N runs. Default: 10; no limit with --until.",
        parser=numbers.whole(0),
    ),
]


@app.command("next", epilog="Example:  meridian next --from 2027-03-28 --until 2027-03-29")
def next_runs(
    files: options.Files = None,
    since: _From = "now",
    until: _Until = None,
    number: _Number = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say the coming runs of all entries, in their zones and in yours.

    If the clock was set back, minutes that were handled before are left out.

    Times without an offset are times of this machine's zone, those without a date of the day of
    --from.
    """
    zone = own_zone()
    now = RealClock().now()
    first = options.when(since, now, zone, option="--from")
    last = None if until is None else options.when(until, first.at, zone, option="--until")
    start, end = first.at, None if last is None else last.at
    is_typed = last is not None or since != "now"
    options.echo(zone, {"from": first, "until": last} if is_typed else {}, json=json)
    loaded = crontabs.load(files, zone, system=system, state=state, json=json)
    most = number if number is not None or end else USUAL_INSTANTS
    facts = journal_facts.read(state, loaded.entries, now)
    runs = coming(loaded.entries, start, facts.anchors)
    still = (run for run in runs if not now <= run.at < facts.ahead)
    inside = takewhile(lambda run: end is None or run.at < end, still)
    some = islice(inside, None if most is None else min(most, sys.maxsize))
    shown = journal_facts.marked(some, facts.pauses)
    is_told = _print_runs(shown, zone, json=json)
    if not is_told and (loaded.entries or not problems_view.have_errors(loaded.problems)):
        output.note("Nothing runs in that time.")
    _mention_reboot(loaded.entries)
    problems_view.mention(loaded.problems)
    problems_view.end(loaded.problems)


def _print_runs(runs: Iterator[ComingRun], zone: ZoneInfo, *, json: bool) -> bool:
    """Print the runs; False if a person has been told nothing."""
    if json:
        for run in runs:
            output.row(json_rows.of_coming(run))
        return True
    now = RealClock().now()
    shown = list(runs)
    users = list_view.have_users(run.entry for run in shown)
    if shown:
        whose = ("USER",) if users else ()
        lines = [_coming(run, zone, now, users=users) for run in shown]
        output.table(("IN ITS ZONE", "ZONE", "HERE", "JOB", *whose, "NOTE"), lines)
    return bool(shown)


def _coming(run: ComingRun, zone: ZoneInfo, now: datetime, *, users: bool) -> tuple[Cell, ...]:
    local, here = (When(run.at.astimezone(each), now) for each in (run.entry.zone, zone))
    whose = (run.entry.user or "",) if users else ()
    return (local, run.entry.zone.key, here, run.entry.job, *whose, run.note)


def _mention_reboot(entries: Sequence[Entry]) -> None:
    names = [entry.job for entry in entries if isinstance(entry.schedule, Reboot)]
    if names:
        output.note(f"At the next boot: {', '.join(names)}")
