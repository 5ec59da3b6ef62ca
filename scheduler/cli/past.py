"""The journal in, what happened out: `history`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from difflib import get_close_matches
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler import sources
from scheduler.cli import completing, given, rows, show, tables
from scheduler.cli.tables import Cell, When
from scheduler.clock import RealClock
from scheduler.errors import MeridianError
from scheduler.journal import AttemptRow, Journal, RunRow
from scheduler.model import Exited, State
from scheduler.tick import Jump
from scheduler.wording import of_outcome, of_seconds

app = typer.Typer()

REMEMBERED = 5000  # runs that are searched for a name like the one that nobody knows


class NothingThere(MeridianError):
    """The journal or a crontab holds nothing of that name."""


@app.command(epilog="Example:  meridian history nightly-backup -n 5")
def history(
    job: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB]",
            help="One job only.",
            show_default=False,
            autocompletion=completing.jobs,
        ),
    ] = None,
    number: Annotated[int, typer.Option("-n", metavar="N", min=1, help="The newest N runs.")] = 20,
    jumps: Annotated[
        bool,
        typer.Option("--jumps", help="Instead: when the clock jumped, or no daemon ran."),
    ] = False,
    state: given.State = None,
    json: given.Json = False,
) -> None:
    """Say what ran and what did not, and why: a run a line, the newest last.

    It reads the journal alone, so it works while the daemon runs and when it does not.
    """
    if jumps and job is not None:
        raise typer.BadParameter("a jump of the clock is no job's: leave out the name, or --jumps")
    with closing(given.journal(state, must_exist=True)) as journal:
        if jumps:
            _print_jumps(journal.jumps(limit=min(number, sys.maxsize)), json=json)
            return
        found = journal.history(job, limit=min(number, sys.maxsize))
        if job is not None and not found:
            explain_absence(journal, job)
    if json:
        for run in found:
            show.row(rows.of_run(run))
    elif found:
        header = ("RUN", "JOB", "SCHEDULED", "ZONE", "STATE", "ATTEMPTS", "TOOK", "HOW")
        now = RealClock().now()
        show.table(header, [_told(run, now) for run in found])
    else:
        show.remark("Nothing has run yet.")


def _print_jumps(found: Sequence[Jump], *, json: bool) -> None:
    if json:
        for jump in found:
            show.row(rows.of_jump(jump))
        return
    zone, now = given.own_zone(), RealClock().now()
    lines = [
        (
            When(jump.last.astimezone(zone), now),
            When(jump.at.astimezone(zone), now, clock="%H:%M:%S"),
            zone.key,
            of_seconds(abs(jump.seconds)),
            jump.kind.value,
            jump.verdict.value,
        )
        for jump in found
    ]
    if lines:
        show.table(("LAST MINUTE", "NOTICED", "ZONE", "SIZE", "WHAT", "AND THEN"), lines)
    else:
        show.remark("The clock has not jumped, and no daemon was missing.")


def explain_absence(journal: Journal, job: str) -> None:
    """Tell a job that has not run yet from a name that nobody knows, which raises."""
    places = given.here()
    by_root = places.folder is not None
    how = given.how(ZoneInfo("UTC"), named=False, system=by_root, keep_others=True)
    entries = sources.load(given.own_files(places), how).entries
    if any(entry.job == job for entry in entries):
        return
    names = {run.run.job for run in journal.history(limit=REMEMBERED)}
    near = get_close_matches(job, names | {entry.job for entry in entries}, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; meridian list names the jobs"
    raise NothingThere(f"There is no job {job!r}{hint}")


def _told(run: RunRow, now: datetime) -> tuple[Cell, ...]:
    zone = zone_of(run.zone)
    until = None if run.until is None else run.until.astimezone(zone)
    last = run.attempts[-1] if run.attempts else None
    how = ["by hand"] if run.by_hand else []
    if last and last.outcome and (run.state, last.outcome) != (State.SUCCEEDED, Exited(0)):
        how.append(of_outcome(last.outcome, last.limit))
    if run.reason is not None:
        how.append(run.reason.value)
    if run.due is not None and run.attempts:
        how.append(f"next attempt at {run.due.astimezone(zone):%H:%M:%S}")
    return (
        str(run.run.number),
        run.run.job,
        When(run.run.instant.astimezone(zone), now, until),
        run.zone,
        tables.state(run.state.value),
        str(len(run.attempts) or ""),
        _took(last),
        ", ".join(how),
    )


def zone_of(name: str) -> ZoneInfo:
    """Return the zone of this name, UTC if this machine does not know it any more."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _took(attempt: AttemptRow | None) -> str:
    if attempt is None or attempt.started is None or attempt.ended is None:
        return ""
    return of_seconds(max(0.0, (attempt.ended - attempt.started).total_seconds()))
