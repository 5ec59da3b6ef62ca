"""The journal in, what happened out: `history`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

import typer

from scheduler.cli import (
    client,
    completion,
    json_rows,
    numbers,
    options,
    output,
    run_view,
    state_folder,
    which_daemon,
)
from scheduler.cli.own_zone import own_zone
from scheduler.cli.tables import When
from scheduler.cli.which_daemon import MACHINE, Machine, Where
from scheduler.cli.which_run import (
    NothingThere,
    Past,
    explain_absence,
    machine_past,
    nothing_kept,
    run_number,
)
from scheduler.journal.journal import Journal
from scheduler.journal.rows import RunRow
from scheduler.schedule.tick import Jump
from scheduler.system.clock import RealClock
from scheduler.text import of_seconds, shortened

app = typer.Typer()

USUAL_RUNS = 20


_Which = Annotated[
    str | None,
    typer.Argument(
        metavar="[JOB|RUN]",
        help="One job only; or a run's number, for all there is to say of that run.",
        show_default=False,
        autocompletion=completion.jobs,
    ),
]
_Job = Annotated[
    str | None,
    typer.Option("--job", metavar="JOB", help="One job only.", autocompletion=completion.jobs),
]
_Number = Annotated[
    int | None,
    typer.Option(
        "-n",
        metavar="N",
        help="The newest N. Default: 20, or all if you give --since or --until.",
        parser=numbers.whole(1),
    ),
]
_Since = Annotated[
    str | None,
    typer.Option(metavar="T", help="From T on: 2027-03-28, 9:00, yesterday 9:00, or 2h (ago)."),
]
_Until = Annotated[str | None, typer.Option(metavar="T", help="Before T only.")]
_Failed = Annotated[bool, typer.Option("--failed", help="Failed runs only.")]
_Jumps = Annotated[
    bool, typer.Option("--jumps", help="Instead: when the clock jumped, or no daemon ran.")
]


@app.command(epilog="Example:  meridian history nightly-backup --since yesterday --failed")
def history(
    which: _Which = None,
    job: _Job = None,
    number: _Number = None,
    since: _Since = None,
    until: _Until = None,
    failed: _Failed = False,
    jumps: _Jumps = False,
    state: state_folder.State = None,
    system: which_daemon.System = False,
    json: options.Json = False,
) -> None:
    """Say what ran and what did not, and why: a run a line.

    A run's number tells that run in full: its attempts, what each waited for and used, how it
    ended. Times without an offset are times of this machine's zone, and look back. It reads the
    journal, so no daemon need run; of the machine's, users ask its daemon for their own runs.
    """
    _check_usage(which, job, failed=failed, jumps=jumps)
    asked = _Selection.of(since, until, number, failed=failed, state=state, json=json)
    where = which_daemon.chosen(state, system=system)
    if isinstance(where, Machine):
        _print_machines(which, job, asked, jumps=jumps, json=json)
        return
    with closing(which_daemon.own_journal(state)) as journal:
        if jumps:
            _print_jumps(asked.jumps(journal), json=json)
        elif which is not None and (run := _numbered(journal.queries, which)) is not None:
            asked.refuse_for_a_run()
            _print_run(run, where, json=json)
        else:
            _print_runs(journal, which if job is None else job, asked, json=json)


def _print_machines(
    which: str | None, job: str | None, asked: _Selection, *, jumps: bool, json: bool
) -> None:
    """Print what the machine's daemon tells of one's own runs."""
    if jumps:
        raise typer.BadParameter(
            "of the machine's clock root is told: sudo meridian history --jumps"
        )
    past = machine_past()
    if which is not None and (run := _numbered(past, which)) is not None:
        asked.refuse_for_a_run()
        _print_run(run, MACHINE, json=json)
        return
    name = which if job is None else job
    found = asked.runs(past, name)
    if found or past.history(name, limit=1):
        _print_found(found, _none_such(asked, name), json=json)
    else:
        _print_found((), _nothing_told(name), json=json)


def _nothing_told(job: str | None) -> str:
    """Return that no run of one's own is kept there; NothingThere for a job that is not one's."""
    if job is None:
        return "Nothing of yours has run yet, or its runs are no longer kept."
    if job not in (client.snapshot(MACHINE, (job,)).in_force or ()):
        where = "with the machine's daemon"
        raise NothingThere(f"There is no job or run {shortened(job)} of yours {where}")
    return f"Nothing is kept of {job}: it has not run yet, or its runs are no longer kept."


def _check_usage(which: str | None, job: str | None, *, failed: bool, jumps: bool) -> None:
    if job is not None and which is not None:
        raise typer.BadParameter("a job or run was named, and --job too: name one")
    if jumps and (which is not None or job is not None or failed):
        why = "a jump of the clock is no job's, and none fails: leave out the name and --failed"
        raise typer.BadParameter(why)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Of which time, how many and which runs are asked for, in which state folder."""

    since: datetime | None
    before: datetime | None
    number: int | None
    failed: bool
    state: Path | None

    @classmethod
    def of(
        cls,
        since: str | None,
        until: str | None,
        number: int | None,
        *,
        failed: bool,
        state: Path | None,
        json: bool,
    ) -> Self:
        """Read what was typed, and say as what it was read."""
        now, zone = RealClock().now(), own_zone()
        times = {
            word: options.when(text, now, zone, option=f"--{word}", looks_back=True)
            for word, text in (("since", since), ("until", until))
            if text is not None
        }
        options.echo(zone, times, json=json)
        first, last = (times[word].at if word in times else None for word in ("since", "until"))
        return cls(first, last, number, failed, state)

    @property
    def is_of_a_time(self) -> bool:
        return self.since is not None or self.before is not None

    @property
    def limit(self) -> int | None:
        """How many at most; None for all."""
        usual = None if self.is_of_a_time else USUAL_RUNS
        return usual if self.number is None else min(self.number, sys.maxsize)

    def runs(self, past: Past, job: str | None) -> list[RunRow]:
        """Return the runs, the newest last."""
        return past.history(
            job, since=self.since, before=self.before, failed=self.failed, limit=self.limit
        )

    def jumps(self, journal: Journal) -> list[Jump]:
        """Return the jumps, the newest last."""
        found = journal.queries.jumps(limit=None if self.is_of_a_time else self.limit)
        inside = [
            jump
            for jump in found
            if (self.since is None or jump.at >= self.since)
            and (self.before is None or jump.at < self.before)
        ]
        return inside if self.limit is None else inside[-self.limit :]

    def refuse_for_a_run(self) -> None:
        """Refuse what chooses among runs where one was named."""
        if self.is_of_a_time or self.failed or self.number is not None:
            why = "a run was named by its number: leave out -n, --since, --until and --failed"
            raise typer.BadParameter(why)


def _numbered(past: Past, which: str) -> RunRow | None:
    """Return the run of this number; None for a job's name, NothingThere if it is neither."""
    number = run_number(which)
    if number is None:
        return None
    run = past.run(number)
    if run is None and not past.history(which, limit=1):
        raise NothingThere(f"There is no run {which}; meridian history lists the runs")
    return run


def _print_runs(journal: Journal, job: str | None, asked: _Selection, *, json: bool) -> None:
    """Print the runs of a job, or of all (None); for a person also why there are none."""
    found = asked.runs(journal.queries, job)
    _print_found(found, "" if found else _nothing(journal, job, asked), json=json)


def _print_found(found: Sequence[RunRow], nothing: str, *, json: bool) -> None:
    """Print runs; for a person also why there are none."""
    if json:
        for each in found:
            output.row(json_rows.of_run(each))
    elif found:
        now, users = RealClock().now(), run_view.has_users(found)
        lines = [run_view.line(each, now, users=users) for each in found]
        output.table(run_view.runs_header(users=users), lines)
    else:
        output.note(nothing)


def _print_run(run: RunRow, where: Where, *, json: bool) -> None:
    if json:
        output.row(json_rows.of_whole_run(run))
        return
    for label, text in run_view.head(run):
        output.say(f"{label:<9}  {text}")
    if run.attempts:
        output.say("")
        output.table(run_view.ATTEMPTS, list(run_view.attempts(run)))
        output.say("")
        option = which_daemon.option(where)
        output.note(f"meridian logs {run.run.number}{option} prints what it wrote")
    if not isinstance(where, Machine):  # of the machine's daemon root is told why
        output.note(f"meridian why {run.run.number} says why it ran, ran late or did not run")


def _nothing(journal: Journal, job: str | None, asked: _Selection) -> str:
    """Return why there is no run to be told; NothingThere for a job that nobody knows."""
    if job is not None:
        if not journal.queries.history(job, limit=1):
            explain_absence(journal, job, asked.state)
            return nothing_kept(journal, job, asked.state)
        return _none_such(asked, job)
    if asked.is_of_a_time or asked.failed:
        return _none_such(asked)
    return nothing_kept(journal, "what has run", asked.state)


def _none_such(asked: _Selection, job: str | None = None) -> str:
    """Return that there are runs, but none such as was asked for."""
    what = "failed run" if asked.failed else "run"
    whose = "" if job is None else f" of {job}"
    return f"There is no {what}{whose}{' in that time' if asked.is_of_a_time else ''}."


def _print_jumps(found: Sequence[Jump], *, json: bool) -> None:
    if json:
        for jump in found:
            output.row(json_rows.of_jump(jump))
        return
    zone, now = own_zone(), RealClock().now()
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
        output.table(("LAST MINUTE", "NOTICED", "ZONE", "SIZE", "WHAT", "AND THEN"), lines)
    else:
        output.note("The clock has not jumped, and no daemon was missing.")
