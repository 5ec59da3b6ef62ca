"""Crontabs and a stretch of time in, what the daemon would do in it out: `simulate`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from scheduler.cli import (
    crontabs,
    intervals,
    options,
    output,
    problems_view,
    state_folder,
    terminal,
    which_daemon,
)
from scheduler.cli.human_time import Typed
from scheduler.cli.own_zone import own_zone
from scheduler.cli.simulation_view import EventLines, Tally
from scheduler.daemon.incidents import Incident, Mishap, OutOfOrder, in_order
from scheduler.daemon.job_duration import usual_duration
from scheduler.daemon.simulation import Simulation
from scheduler.entry import Entry
from scheduler.errors import MeridianError
from scheduler.journal.journal import Journal
from scheduler.schedule.tick import MINUTE, minute_of
from scheduler.system.clock import RealClock
from scheduler.text import shortened

app = typer.Typer()

_PRINTED_AT_ONCE = 500  # events printed at once


_From = Annotated[
    str, typer.Option("--from", metavar="T", help="When the daemon starts; a whole minute.")
]
_Until = Annotated[str, typer.Option("--until", metavar="T", help="What happens before T.")]
_Downtime = Annotated[
    list[str] | None,
    typer.Option(metavar="A..B", help="The daemon is killed at A and starts again at B."),
]
_Suspend = Annotated[
    list[str] | None, typer.Option(metavar="A..B", help="The machine sleeps from A until B.")
]
_SetClock = Annotated[
    list[str] | None, typer.Option(metavar="A=B", help="At A somebody sets the clock to B.")
]


@app.command(
    epilog="Example:  meridian simulate --from 2027-03-28 --until 1d --downtime 1:10..3:20"
)
def simulate(
    *,
    since: _From,
    until: _Until,
    files: options.Files = None,
    downtime: _Downtime = None,
    suspend: _Suspend = None,
    set_clock: _SetClock = None,
    most: options.MaxRunning = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say what the daemon would run and skip in a time, when and why.

    It is the daemon itself on a virtual clock, and no command is run. A job takes as long as its
    newest successful runs did by the journal (their median), or 1 second where it knows none; all
    succeed unless CRON_TIMEOUT, CRON_OVERLAP=replace or a downtime ends them first.

    Times without an offset are times of this machine's zone, those without a date are of the day
    of --from, durations count from there. --downtime, --suspend and --set-clock may be given more
    than once. Each happens once: when the clock first shows A.
    """
    zone, now = own_zone(), RealClock().now()
    first = options.when(since, now, zone, option="--from")
    read = _TimeReader(now, _whole(first.at), zone)
    last = read.end(until)
    options.echo(zone, {"from": first, "until": last}, json=json)
    incidents_of = {Mishap.DOWNTIME: downtime, Mishap.SUSPEND: suspend, Mishap.SET_CLOCK: set_clock}
    incidents = read.incidents(incidents_of, last.at)
    loaded = crontabs.load(files, zone, system=system, state=state, json=json)
    known, lasts = _known(state, loaded.entries)
    simulation = Simulation(
        loaded, read.start, last.at, incidents=incidents, anchors=known, lasts=lasts, most=most
    )
    width = output.width()
    days = (last.at - read.start).total_seconds() / 86400
    _tell(simulation, EventLines(loaded.entries, zone, width=width, days=days), json=json)
    problems_view.mention(loaded.problems)
    problems_view.end(loaded.problems)


def _whole(at: datetime) -> datetime:
    minute = minute_of(at)
    return minute if minute == at else minute + MINUTE


@dataclass(frozen=True, slots=True)
class _TimeReader:
    """How times are read: what has no date is of the day of `start`."""

    now: datetime
    start: datetime
    zone: ZoneInfo

    def end(self, text: str) -> Typed:
        """Return where the simulation ends; wrong usage if that is not after its start."""
        end = self._when(text, "--until")
        if end.at <= self.start:
            raise typer.BadParameter("it is not later than --from", param_hint="--until")
        return end

    def incidents(
        self, incidents_of: Mapping[Mishap, Sequence[str] | None], end: datetime
    ) -> list[Incident]:
        """Return what happens to the machine; wrong usage if that can't be."""
        found = [
            self._incident(mishap, text, end)
            for mishap, texts in incidents_of.items()
            for text in texts or ()
        ]
        try:
            return in_order(found)
        except OutOfOrder as error:
            names = f"--{error.before.mishap.value} and --{error.after.mishap.value}"
            why = "one begins before the other is over"
            raise typer.BadParameter(why, param_hint=names) from error

    def _incident(self, mishap: Mishap, text: str, end: datetime) -> Incident:
        mark = "=" if mishap is Mishap.SET_CLOCK else ".."
        try:
            at, to = self._two(text, mark)
            self._judge(mishap, text, at, to, end)
        except typer.BadParameter as error:
            raise typer.BadParameter(error.message, param_hint=f"--{mishap.value}") from error
        return Incident(mishap, at, to)

    def _two(self, text: str, mark: str) -> tuple[datetime, datetime]:
        first, found, second = text.partition(mark)
        if not found:
            example = f"2027-03-28 01:10{mark}03:20"
            raise typer.BadParameter(f"{shortened(text)} is not two times; write {example}")
        return self._when(first).at, self._when(second).at

    def _judge(self, mishap: Mishap, text: str, at: datetime, to: datetime, end: datetime) -> None:
        if to == at or (to < at and mishap is not Mishap.SET_CLOCK):
            raise typer.BadParameter(f"{shortened(text)} ends no later than it begins")
        if min(at, to) < self.start or max(at, to) > end:
            raise typer.BadParameter(f"{shortened(text)} is not between --from and --until")

    def _when(self, text: str, option: str | None = None) -> Typed:
        is_now = text.strip().lower() == "now"
        return options.when(text, self.now if is_now else self.start, self.zone, option=option)


def _known(
    state: Path | None, entries: Sequence[Entry]
) -> tuple[dict[str, datetime], dict[str, float]]:
    """Return from where `@every` jobs count and how many seconds jobs take, by the journal.

    That it can't be read is said on standard error.
    """
    if which_daemon.keeps_crontab(state) and any(map(which_daemon.runs, entries)):
        output.note("How long jobs take stands in root's journal: each is taken for new")
        return {}, {}
    try:
        with closing(state_folder.journal(state)) as journal:
            return intervals.of(journal, entries), _durations(journal, entries)
    except MeridianError as error:
        output.note(f"warning: {error}; every job is taken for new")
        return {}, {}


def _durations(journal: Journal, entries: Sequence[Entry]) -> dict[str, float]:
    found = {entry.job: usual_duration(journal, entry.job) for entry in entries}
    return {job: took for job, took in found.items() if took is not None}


def _tell(simulation: Simulation, lines: EventLines, *, json: bool) -> None:
    """Print what happens as it happens, and for a person what it comes to."""
    events, tally = simulation.events(), Tally()
    with _progress(simulation) as (console, advance):
        if not json:
            console.print(lines.header())
        while batch := list(islice(events, _PRINTED_AT_ONCE)):
            tally.add(batch)
            text = lines.as_json(batch) if json else lines.as_lines(batch)
            if output.is_terminal():
                console.print(text)
            else:
                sys.stdout.write(f"{text}\n")
            advance()
    if not json:
        for line in tally.lines(simulation.running()):
            output.say(line, style="bold")


@contextmanager
def _progress(simulation: Simulation) -> Iterator[tuple[output.Target, Callable[[], None]]]:
    """Yield where to print, and what moves the bar on: under the lines, or on standard error."""
    screen = terminal.console(err=not output.is_terminal())
    bar = Progress(
        TextColumn("simulating"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.file.isatty(),
        redirect_stdout=False,
        redirect_stderr=False,
    )
    task = bar.add_task("", total=simulation.length())
    with bar:
        yield (
            screen if output.is_terminal() else output.console(),
            lambda: bar.update(task, completed=simulation.passed()),
        )
