"""The journal and a job's files in, what it wrote out, also while it writes: `logs`."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from scheduler.cli import completion, numbers, output, state_folder, which_daemon
from scheduler.cli.output_source import JournalOutputs, MachineOutputs, OutputSource
from scheduler.cli.which_daemon import Machine
from scheduler.cli.which_run import (
    NothingThere,
    Past,
    explain_absence,
    nothing_kept,
    run_number,
)
from scheduler.journal.journal import Journal
from scheduler.journal.rows import AttemptRow, RunRow
from scheduler.printable import OutputScreen
from scheduler.process.output_files import Omitted, Reader
from scheduler.run import State
from scheduler.runs.outcome_words import of_outcome
from scheduler.schedule.zone_data import named_or_utc
from scheduler.system import clock, state_files
from scheduler.text import of_size

app = typer.Typer()

LOOK_SOON = 0.2  # seconds between looks at an output that grows
LOOK_SELDOM = 1.0  # and at one that does not
SILENCE_TIMEOUT = (
    30.0  # a daemon looks at a process that is not its child each 15 s; then it has told
)
OPEN_STATES = (State.SCHEDULED, State.RUNNING)


@app.command(epilog="Example:  meridian logs nightly-backup --follow")
def logs(
    which: Annotated[
        str,
        typer.Argument(
            metavar="JOB|RUN",
            help="A job, for its newest run, or a run's number.",
            autocompletion=completion.jobs,
        ),
    ],
    number: Annotated[
        int | None,
        typer.Option(
            "--attempt",
            metavar="N",
            help="Attempt N instead of the newest.",
            parser=numbers.whole(1),
        ),
    ] = None,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on until the run is over, its retries with it."),
    ] = False,
    state: state_folder.State = None,
    system: which_daemon.System = False,
) -> None:
    """Print what a run wrote.

    Into a pipe or file it is byte for byte; on a terminal it is safe to look at.
    If the middle of a long output was not kept, a note on standard error stands in its place.
    """
    if isinstance(which_daemon.chosen(state, system=system), Machine):
        source = MachineOutputs()
        _show(source, _machines_run(source, which), number, follow=follow)
        return
    with closing(which_daemon.own_journal(state)) as journal:
        run, folder = _run(journal, which, state), state_folder.here(state).state
        with state_files.looked_into(folder):
            _show(JournalOutputs(journal, folder), run, number, follow=follow)


def _show(source: OutputSource, run: RunRow, number: int | None, *, follow: bool) -> None:
    attempt = _attempt(run, number)
    if follow:
        _Follower(source, is_one=number is not None).print_to_the_end(run, attempt)
    else:
        _print(source, run, attempt)


def _print(source: OutputSource, run: RunRow, attempt: AttemptRow) -> None:
    output.note(_heading(run, attempt))
    with closing(source.opened(run, attempt)) as reader:
        if attempt.emptied:
            output.note(_EMPTIED)
        sink = _OutputPrinter()
        _pour(reader, sink)
        sink.end()


def _found(past: Past, which: str) -> RunRow | None:
    """Return the run of this number, or the newest of this job; None if there is none."""
    number = run_number(which)
    if number is not None and (run := past.run(number)) is not None:
        return run
    return past.latest(which, clock.RealClock().now())


def _machines_run(source: MachineOutputs, which: str) -> RunRow:
    run = _found(source.past, which)
    if run is None:
        what = f"no run {which} of yours" if run_number(which) else "no run of yours of that job"
        raise NothingThere(f"The machine's daemon tells of {what}; meridian history lists them")
    return run


def _run(journal: Journal, which: str, state: Path | None) -> RunRow:
    run = _found(journal.queries, which)
    if run is not None:
        return run
    number = run_number(which)
    if number is not None:
        raise NothingThere(f"There is no run {which}; meridian history lists the runs")
    explain_absence(journal, which, state)
    raise NothingThere(nothing_kept(journal, which, state))


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
    at = f"{output.wall(run.run.instant.astimezone(named_or_utc(run.zone)))} {run.zone}"
    outcome = "running" if attempt.started else "not started yet"
    if attempt.outcome is not None:
        outcome = of_outcome(attempt.outcome, attempt.limit)
    return f"{run.run.job}, run {run.run.number} of {at}, attempt {attempt.number}: {outcome}"


def _pour(reader: Reader, sink: _OutputPrinter) -> bool:
    """Print what has come; False if nothing has."""
    has_come = False
    for piece in reader.pieces():
        sink.take(piece)
        has_come = True
    return has_come


class _OutputPrinter:
    """Owns where standard output is in a line, and what a terminal has not been shown of it yet.

    Whoever reads an output calls it with each piece. A terminal is shown what does not steer it,
    anything else gets the bytes. What is left out is told on standard error, so that nobody takes
    it for the job's own words; no line is made up of what stood before a gap and what stood behind.
    """

    def __init__(self) -> None:
        self._is_terminal = output.is_terminal()
        self._screen = OutputScreen()
        self._is_within_line = False

    def take(self, piece: bytes | Omitted) -> None:
        """Print a piece, or tell of a gap."""
        if isinstance(piece, Omitted):
            self.end()
            self._write(b"\n" if self._is_within_line else b"")
            output.note(_told(piece))
        else:
            self._write(piece)

    def end(self) -> None:
        """Print what a terminal has not been shown yet."""
        typer.echo(self._screen.show(b"", is_last=True), nl=False)

    def _write(self, piece: bytes) -> None:
        self._is_within_line = not piece.endswith(b"\n") if piece else self._is_within_line
        if self._is_terminal:
            typer.echo(self._screen.show(piece), nl=False)
        else:
            sys.stdout.buffer.write(piece)
        sys.stdout.flush()


_EMPTIED = (
    "… this attempt has emptied its own output (> /dev/stderr does): what it wrote before is gone …"
)


def _told(gap: Omitted) -> str:
    if gap.size is None:
        return "… the job has emptied its output; what follows is new …"
    return f"… {of_size(gap.size)} left out …"


@dataclass
class _Follower:
    """Owns for how long an attempt's process has not been seen.

    `logs --follow` calls it once. It prints what an attempt writes until its end, and then its
    run's further ones; it ends itself where nobody runs them any more.
    """

    source: OutputSource
    is_one: bool  # of the run's attempts only the one that was asked for
    sink: _OutputPrinter = field(default_factory=_OutputPrinter)
    gone_for: float = 0.0  # seconds of looking without the attempt's process

    def print_to_the_end(self, run: RunRow, attempt: AttemptRow) -> None:
        """Print all that is to come; exit status 1 if nobody runs it any more."""
        while True:
            output.note(_heading(run, attempt))
            run, ended = self._print(run, attempt)
            if ended.outcome != attempt.outcome:
                output.note(_heading(run, ended))
            if ended.ended is None:
                self._give_up("its process is gone, and no daemon has told of its end")
            if self.is_one or run.state not in OPEN_STATES:
                return
            run, attempt = self._wait(run, ended)

    def _print(self, run: RunRow, attempt: AttemptRow) -> tuple[RunRow, AttemptRow]:
        """Print one attempt's output until it is over."""
        reader: Reader | None = None
        wait, self.gone_for = LOOK_SOON, 0.0
        try:
            while True:
                run = self._now(run)
                row = _attempt(run, attempt.number)
                is_over = row.ended is not None or self._is_given_up(row, wait)
                if reader is None:
                    with suppress(NothingThere):  # it has not begun yet
                        reader = self.source.opened(run, row)
                has_come = reader is not None and _pour(reader, self.sink)
                if is_over:
                    return run, row
                wait = LOOK_SOON if has_come else min(2 * wait, LOOK_SELDOM)
                clock.rest(wait)
        finally:
            self.sink.end()
            if reader is not None:
                reader.close()

    def _wait(self, run: RunRow, ended: AttemptRow) -> tuple[RunRow, AttemptRow]:
        """Return a run's next attempt when it has come, or its last once there are no more."""
        at = "" if run.due is None else f" at {run.due.astimezone(named_or_utc(run.zone)):%H:%M:%S}"
        output.note(f"attempt {ended.number + 1} follows{at}")
        while (last := run.attempts[-1]).number == ended.number:
            if run.state not in OPEN_STATES:
                output.note(f"attempt {ended.number + 1} does not come: {run.reason}")
                raise typer.Exit
            if not self.source.is_served():
                self._give_up("no daemon runs that would start it")
            clock.rest(LOOK_SELDOM)
            run = self._now(run)
        return run, last

    def _now(self, run: RunRow) -> RunRow:
        now = self.source.past.run(run.run.number)
        if now is None:
            raise NothingThere(f"The journal does not keep run {run.run.number} any more")
        return now

    def _is_given_up(self, row: AttemptRow, passed: float) -> bool:
        """Say whether no process does this attempt any more, and no daemon will tell of its end."""
        if row.pid is not None:
            if self.source.lives(row):
                self.gone_for = 0.0
                return False
            self.gone_for += passed
        return self.gone_for >= SILENCE_TIMEOUT or not self.source.is_served()

    def _give_up(self, why: str) -> None:
        output.complain(f"not followed any further: {why}")
        raise typer.Exit(1)
