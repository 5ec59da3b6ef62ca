"""A running daemon in, how it does out, for a person, a program or a monitor: `status`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from scheduler import wire
from scheduler.cli import client, health, output, state_folder, status_view, which_daemon
from scheduler.cli.command import Command
from scheduler.cli.health import AlertTrouble, Finding, Level, Trouble
from scheduler.cli.own_zone import own_zone
from scheduler.cli.styled import Text
from scheduler.cli.which_daemon import MACHINE, Machine, Where
from scheduler.errors import JournalError, MeridianError, NoAnswer, NoDaemon
from scheduler.printable import clean
from scheduler.system.clock import RealClock, rest
from scheduler.wrapping import wrapped

if TYPE_CHECKING:
    from scheduler.cli.failing_jobs import FailingJob
    from scheduler.journal.glance import Glance
    from scheduler.journal.rows import RunRow
    from scheduler.status import Snapshot

app = typer.Typer()

_WRONG_USAGE = 2
_EACH_SECOND = 1.0
_MONITOR = 5.0  # seconds: monitors themselves wait for ten


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
    system: which_daemon.System = False,
    json: Annotated[
        bool, typer.Option("--json", help="The daemon's reply, and what fails, as one JSON object.")
    ] = False,
) -> None:
    """Say what fails, runs, waits and why, is paused, and comes next.

    Exit status 1 if no daemon answers. With --check: 0 is OK, 1 a warning (a run waits for a
    retry, an alert was given up in the last day, a crontab has lines that are refused or kept in
    their last good version, a damaged journal was moved aside), 2 critical (no daemon, one that is
    stopping or more than two and a half minutes behind, a journal that refuses, a job whose newest
    finished run failed), 3 wrong usage, or nobody can tell. Paused jobs are no trouble, nor are
    runs that were ended by hand.
    """
    try:
        _check_answers(check + watch + json)
        where = which_daemon.chosen(state, system=system)
    except typer.BadParameter as wrong:
        wrong.exit_code = Level.UNKNOWN if check else _WRONG_USAGE
        raise
    if check:
        finding = _checked(where)
        output.say(str(finding))
        raise typer.Exit(finding.level)
    if watch:
        _watch(where)
    elif json:
        _print_json(where)
    else:
        _print(where)


def _check_answers(asked: int) -> None:
    if asked > 1:
        three = "--watch, --check and --json are three answers: ask for one"
        raise typer.BadParameter(three)


def _print(where: Where) -> None:
    zone = own_zone()
    try:
        snapshot = client.snapshot(where)
    except (NoDaemon, NoAnswer) as error:
        output.say(_silence(error, where, zone))
        if damaged := _damaged(where):
            output.say(status_view.damage(damaged)[0])
        raise typer.Exit(1) from error
    target, width = output.console(), output.width()
    for line in status_view.lines(snapshot, _state_folder(where), zone, width):
        if width is None or line.cell_len <= width:
            target.print(line)
        else:
            for piece in wrapped(line.plain, width, status_view.WORDS_INDENT):
                target.print(piece, style=line.style)


def _print_json(where: Where) -> None:
    try:
        reply = wire.as_json(client.status(where))
        found = _failing(where)
        row = reply | {"failing": found and [_failing_jobs().row(each) for each in found]}
        output.row(row | {"alerts": None if (told := _alerts(where)) is None else asdict(told)})
    except (NoDaemon, NoAnswer) as error:
        last = _last_tick(where)
        extra = {"last_tick": None if last is None else output.utc(last)}
        output.row(wire.as_json(client.as_refusal(error)) | extra)
        raise typer.Exit(1) from error


def _silence(error: MeridianError, where: Where, zone: ZoneInfo) -> str:
    """Return that nobody answers, and what the journal knows of the last one who did."""
    last = _last_tick(where)
    if last is None:
        return str(error)
    at = f"{output.wall(last.astimezone(zone))} {zone.key}"
    return f"{error}. The last minute that was handled: {at}"


def _last_tick(where: Where) -> datetime | None:
    if isinstance(where, Machine):
        return None
    try:
        return state_folder.glance(where, lambda journal: journal.last_tick())
    except JournalError:
        return None


def _state_folder(where: Where) -> status_view.StateFolder:
    damaged, alerts = _damaged(where), _alerts(where)
    return status_view.StateFolder(damaged, _failing(where), alerts or AlertTrouble())


def _alerts(where: Where) -> AlertTrouble | None:
    """Return who could not be told of something; None if nobody can tell."""
    try:
        return _alert_trouble(where, RealClock().now())
    except MeridianError:
        return None


def _alert_trouble(where: Where, now: datetime) -> AlertTrouble:
    if isinstance(where, Machine):
        return AlertTrouble()  # root hears of those

    def ask(journal: Glance) -> AlertTrouble:
        return AlertTrouble(journal.failed_alerts(now), journal.retried_alerts())

    return state_folder.glance(where, ask) or AlertTrouble()


def _failing(where: Where) -> list[FailingJob] | None:
    """Return the jobs in force whose newest finished run failed; None if nobody can tell."""
    now = RealClock().now()

    def ask(journal: Glance) -> list[FailingJob]:
        runs = journal.failing(now)
        found: list[FailingJob] = []
        return _failing_jobs().of(runs, journal, where, now, _MONITOR) if runs else found

    try:
        if isinstance(where, Machine):
            return _machines_failing(now)
        return state_folder.glance(where, ask) or []
    except MeridianError:
        return None


def _machines_failing(now: datetime) -> list[FailingJob]:
    """Return one's own jobs in force that fail, by the word of the machine's daemon."""
    past = import_module("scheduler.cli.machine_past").MachinePast()
    failing: list[FailingJob] = past.failing(now)
    runs = _failing_jobs().in_force([each.run for each in failing], MACHINE, _MONITOR)
    return [each for each in failing if each.run in runs]


def _damaged(where: Where) -> list[str]:
    """Return the damaged journals beside one's own; of the machine's root hears alone."""
    return [] if isinstance(where, Machine) else state_folder.damaged(where)


def _failing_jobs() -> Any:
    """Return what tells of failing jobs: nobody waits for it where there are none."""
    return import_module("scheduler.cli.failing_jobs")


# --- watching ------------------------------------------------------------------------------------


def _watch(where: Where) -> None:
    """Show it again and again, also while there is no daemon; Ctrl-C ends it."""
    if not output.is_terminal():
        raise typer.BadParameter("--watch needs a terminal; --json is for programs")
    zone, whole = own_zone(), import_module("scheduler.cli.screen").Screen()
    try:
        with whole as screen:
            while True:
                screen.show(_screen(where, zone, *screen.size))
                rest(_EACH_SECOND)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _screen(where: Where, zone: ZoneInfo, width: int, height: int) -> Text:
    try:
        snapshot = client.snapshot(where, timeout=_EACH_SECOND)
    except (NoDaemon, NoAnswer) as error:
        return Text(clean(_silence(error, where, zone)), "bold red")
    lines = status_view.lines(snapshot, _state_folder(where), zone, width, height)
    return Text("\n").join(lines)


# --- checking ------------------------------------------------------------------------------------


def _checked(where: Where) -> Finding:
    """Return the finding on the daemon; what went wrong in asking is one too."""
    now = RealClock().now()
    try:
        snapshot = client.snapshot(where, timeout=_MONITOR)
        failing, retrying = _trouble(where, now, snapshot)
        damaged, alerts = _damaged(where), _alert_trouble(where, now)
    except (NoDaemon, NoAnswer) as error:
        return Finding(Level.CRITICAL, _silence(error, where, own_zone()))
    except JournalError as error:
        return Finding(Level.CRITICAL, str(error))
    except (MeridianError, OSError) as error:
        return Finding(Level.UNKNOWN, str(error))
    return health.judge(snapshot, Trouble(failing, retrying, damaged, alerts), now)


def _trouble(where: Where, now: datetime, snapshot: Snapshot) -> tuple[list[str], list[str]]:
    """Return the jobs in force that fail, and the runs that wait for a retry."""
    if isinstance(where, Machine):
        retrying = (each for each in snapshot.waiting if each.reason == "retry")
        named = [f"{each.job} (run {each.run})" for each in retrying]
        return [_named(each.run) for each in _machines_failing(now)], named
    found = state_folder.glance(where, lambda each: (each.failing(now), each.retrying()))
    failing, waiting = found or ([], [])
    if failing:
        failing = _failing_jobs().in_force(failing, where, _MONITOR)
    return [_named(run) for run in failing], [_named(run) for run in waiting]


def _named(run: RunRow) -> str:
    return f"{run.run.job} (run {run.run.number})"
