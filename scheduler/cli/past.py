"""The journal in, what happened and what it printed out: `history`, `logs`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from contextlib import closing
from difflib import get_close_matches
from typing import Annotated, BinaryIO
from zoneinfo import ZoneInfo

import typer

from scheduler import sources
from scheduler.cli import completing, given, rows, show
from scheduler.errors import MeridianError
from scheduler.journal import AttemptRow, Journal, RunRow
from scheduler.redact import screened
from scheduler.tick import Jump
from scheduler.wording import of_outcome, of_seconds

app = typer.Typer()

REMEMBERED = 5000  # runs that are searched for a name like the one that nobody knows
LONGEST_PIECE = 65536  # a line without an end must not fill the memory


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
        header = ("RUN", "JOB", "SCHEDULED", "STATE", "ATTEMPTS", "TOOK", "HOW")
        show.table(header, [_told(run) for run in found])
    else:
        show.remark("Nothing has run yet.")


def _print_jumps(found: Sequence[Jump], *, json: bool) -> None:
    if json:
        for jump in found:
            show.row(rows.of_jump(jump))
        return
    zone = given.own_zone()
    lines = [
        (
            show.wall(jump.last.astimezone(zone)),
            f"{jump.at.astimezone(zone):%a %Y-%m-%d %H:%M:%S}",
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


def _told(run: RunRow) -> tuple[str, ...]:
    at = show.wall(run.run.instant.astimezone(zone_of(run.zone)))
    if run.until is not None:
        at += f" to {show.wall(run.until.astimezone(zone_of(run.zone)))}"
    last = run.attempts[-1] if run.attempts else None
    how = [of_outcome(last.outcome, last.limit)] if last and last.outcome else []
    if run.reason is not None:
        how.append(run.reason.value)
    if run.due is not None and run.attempts:
        how.append(f"next attempt at {run.due.astimezone(zone_of(run.zone)):%H:%M:%S}")
    return (
        str(run.run.number),
        run.run.job,
        f"{at} {run.zone}",
        run.state.value,
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


@app.command(epilog="Example:  meridian logs nightly-backup")
def logs(
    which: Annotated[
        str,
        typer.Argument(
            metavar="JOB|RUN",
            help="A job, for its newest run, or a run's number.",
            autocompletion=completing.jobs,
        ),
    ],
    number: Annotated[
        int | None,
        typer.Option("--attempt", metavar="N", min=1, help="Attempt N instead of the newest."),
    ] = None,
    state: given.State = None,
) -> None:
    """Print what a run wrote, byte for byte into a pipe or file, safe to look at on a terminal."""
    with closing(given.journal(state, must_exist=True)) as journal:
        run = _run(journal, which)
    attempt = _attempt(run, number)
    path = given.here(state).state / attempt.output
    show.remark(_heading(run, attempt))
    try:
        with path.open("rb") as output:
            _pour(output)
    except FileNotFoundError as error:
        raise NothingThere(f"The output of that attempt is not kept any more: {path}") from error


def _run(journal: Journal, which: str) -> RunRow:
    number = int(which) if which.isdecimal() and len(which) < 19 else None
    if number is not None and (run := journal.run(number)) is not None:
        return run
    run = journal.latest(which)
    if run is not None:
        return run
    if number is not None:
        raise NothingThere(f"There is no run {which}; meridian history lists the runs")
    explain_absence(journal, which)
    raise NothingThere(f"{which} has not run yet")


def _attempt(run: RunRow, number: int | None) -> AttemptRow:
    if not run.attempts:
        raise NothingThere(f"Run {run.run.number} of {run.run.job} has no attempts: {run.state}")
    if number is None:
        return run.attempts[-1]
    for attempt in run.attempts:
        if attempt.number == number:
            return attempt
    raise NothingThere(
        f"Run {run.run.number} of {run.run.job} has no attempt {number}, only {len(run.attempts)}"
    )


def _heading(run: RunRow, attempt: AttemptRow) -> str:
    at = f"{show.wall(run.run.instant.astimezone(zone_of(run.zone)))} {run.zone}"
    outcome = "running" if attempt.started else "not started yet"
    if attempt.outcome is not None:
        outcome = of_outcome(attempt.outcome, attempt.limit)
    return f"{run.run.job}, run {run.run.number} of {at}, attempt {attempt.number}: {outcome}"


def _pour(output: BinaryIO) -> None:
    if not show.is_terminal():
        shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    for line in iter(lambda: output.readline(LONGEST_PIECE), b""):
        typer.echo(screened(line.decode("utf-8", "surrogateescape")), nl=False)
