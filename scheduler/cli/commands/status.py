"""A running daemon in, how it does out, for a person, a program or a monitor: `status`."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from scheduler import protocol
from scheduler.cli import client, failing_jobs, health, output, state_folder, status_view
from scheduler.cli.command import Command
from scheduler.cli.failing_jobs import FailingJob
from scheduler.cli.health import Finding, Level, Trouble
from scheduler.cli.own_zone import own_zone
from scheduler.cli.styled import Text
from scheduler.errors import JournalError, MeridianError, NoAnswer, NoDaemon
from scheduler.journal.rows import RunRow
from scheduler.printable import clean
from scheduler.system.clock import RealClock, rest
from scheduler.wrapping import wrapped

app = typer.Typer()

_WRONG_USAGE = 2
_EACH_SECOND = 1.0
_MONITOR = 5.0  # seconds: monitors themselves wait for ten
_ASKED_AT_ONCE = 500  # jobs asked about in one request


class _StatusCommand(Command):
    """A monitor takes 2 for critical: wrong usage of `--check` ends with 3, unknown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        is_check = "--check" in args
        try:
            return super().parse_args(ctx, args)
        except Exception as error:  # it goes on as it is, but for its exit status
            if is_check and getattr(error, "exit_code", None) == _WRONG_USAGE:
                error.exit_code = Level.UNKNOWN  # type: ignore[attr-defined]  # it has one
            raise


@app.command(cls=_StatusCommand, epilog="Example:  meridian status --watch")
def status(
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew each second, until Ctrl-C.")
    ] = False,
    check: Annotated[
        bool,
        typer.Option("--check", help="One line and an exit status for a monitor, as said above."),
    ] = False,
    state: state_folder.State = None,
    json: Annotated[
        bool, typer.Option("--json", help="The daemon's reply, and what fails, as one JSON object.")
    ] = False,
) -> None:
    """Say what fails, runs, waits and why, is paused, and comes next.

    Exit status 1 if no daemon answers. With --check: 0 is OK, 1 a warning (a run waits for a
    retry, a crontab has lines that are refused or kept in their last good version, a damaged
    journal was moved aside), 2 critical (no daemon, one that is stopping or more than two and a
    half minutes behind, a journal that refuses, a job whose newest finished run failed), 3 wrong
    usage, or nobody can tell. Paused jobs are no trouble, nor are runs that were ended by hand.
    """
    if check + watch + json > 1:
        wrong = typer.BadParameter("--watch, --check and --json are three answers: ask for one")
        wrong.exit_code = Level.UNKNOWN if check else _WRONG_USAGE
        raise wrong
    if check:
        finding = _checked(state)
        output.say(str(finding))
        raise typer.Exit(finding.level)
    if watch:
        _watch(state)
    elif json:
        _print_json(state)
    else:
        _print(state)


def _print(state: Path | None) -> None:
    zone = own_zone()
    try:
        snapshot = client.snapshot(state)
    except (NoDaemon, NoAnswer) as error:
        output.say(_silence(error, state, zone))
        if damaged := state_folder.damaged(state):
            output.say(status_view.damage(damaged)[0])
        raise typer.Exit(1) from error
    target, width = output.console(), output.width()
    for line in status_view.lines(snapshot, _state_folder(state), zone, width):
        if width is None or line.cell_len <= width:
            target.print(line)
        else:
            for piece in wrapped(line.plain, width, status_view.WORDS_INDENT):
                target.print(piece, style=line.style)


def _print_json(state: Path | None) -> None:
    try:
        reply = protocol.as_json(client.status(state))
        found = _failing(state)
        output.row(
            reply | {"failing": None if found is None else list(map(failing_jobs.row, found))}
        )
    except (NoDaemon, NoAnswer) as error:
        last = _last_tick(state)
        extra = {"last_tick": None if last is None else output.utc(last)}
        output.row(protocol.as_json(client.as_refusal(error)) | extra)
        raise typer.Exit(1) from error


def _silence(error: MeridianError, state: Path | None, zone: ZoneInfo) -> str:
    """Return that nobody answers, and what the journal knows of the last one who did."""
    last = _last_tick(state)
    if last is None:
        return str(error)
    at = f"{output.wall(last.astimezone(zone))} {zone.key}"
    return f"{error}. The last minute that was handled: {at}"


def _last_tick(state: Path | None) -> datetime | None:
    try:
        with closing(state_folder.journal(state, must_exist=True)) as journal:
            return journal.daemon_state.last_tick()
    except JournalError:
        return None


def _state_folder(state: Path | None) -> status_view.StateFolder:
    return status_view.StateFolder(state_folder.damaged(state), _failing(state))


def _failing(state: Path | None) -> list[FailingJob] | None:
    """Return the jobs in force whose newest finished run failed; None if nobody can tell."""
    now = RealClock().now()
    try:
        with closing(state_folder.journal(state)) as journal:
            runs = journal.queries.failing(now)
            gone = _not_in_force(state, sorted({run.run.job for run in runs}))
            return failing_jobs.of(journal, [run for run in runs if run.run.job not in gone], now)
    except MeridianError:
        return None


# --- watching ------------------------------------------------------------------------------------


def _watch(state: Path | None) -> None:
    """Show it again and again, also while there is no daemon; Ctrl-C ends it."""
    if not output.is_terminal():
        raise typer.BadParameter("--watch needs a terminal; --json is for programs")
    zone, terminal = own_zone(), import_module("scheduler.cli.terminal")
    try:
        with terminal.Screen() as screen:
            while True:
                screen.show(_screen(state, zone, *screen.size))
                rest(_EACH_SECOND)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _screen(state: Path | None, zone: ZoneInfo, width: int, height: int) -> Text:
    try:
        snapshot = client.snapshot(state, timeout=_EACH_SECOND)
    except (NoDaemon, NoAnswer) as error:
        return Text(clean(_silence(error, state, zone)), "bold red")
    lines = status_view.lines(snapshot, _state_folder(state), zone, width, height)
    return Text("\n").join(lines)


# --- checking ------------------------------------------------------------------------------------


def _checked(state: Path | None) -> Finding:
    """Return the finding on the daemon; what went wrong in asking is one too."""
    now = RealClock().now()
    try:
        snapshot = client.snapshot(state, timeout=_MONITOR)
        with closing(state_folder.journal(state)) as journal:
            failed, retrying = journal.queries.failing(now), journal.queries.retrying()
        damaged = state_folder.damaged(state)
        gone = _not_in_force(state, sorted({run.run.job for run in failed}))
    except (NoDaemon, NoAnswer) as error:
        return Finding(Level.CRITICAL, _silence(error, state, own_zone()))
    except JournalError as error:
        return Finding(Level.CRITICAL, str(error))
    except (MeridianError, OSError) as error:
        return Finding(Level.UNKNOWN, str(error))
    trouble = Trouble(
        failing=[_named(run) for run in failed if run.run.job not in gone],
        retrying=[_named(run) for run in retrying],
        damaged=damaged,
    )
    return health.judge(snapshot, trouble, now)


def _not_in_force(state: Path | None, jobs: list[str]) -> set[str]:
    """Return those of the jobs that no crontab has any more, by the daemon's word."""
    gone: set[str] = set()
    for start in range(0, len(jobs), _ASKED_AT_ONCE):
        some = jobs[start : start + _ASKED_AT_ONCE]
        in_force = client.snapshot(state, some, _MONITOR).in_force
        gone.update(set(some) - set(some if in_force is None else in_force))
    return gone


def _named(run: RunRow) -> str:
    return f"{run.run.job} (run {run.run.number})"
