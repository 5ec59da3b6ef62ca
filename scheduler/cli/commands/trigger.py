"""What a running daemon is to do in, what came of it out: `trigger`, `retry`, `kill` and their kin.

Each asks the daemon through its control socket; nothing is done without one.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler import protocol, status
from scheduler.cli import choosing, completion, options, output, status_view
from scheduler.cli.choosing import NotOneRun
from scheduler.cli.client import ask
from scheduler.errors import NoAnswer, NoDaemon
from scheduler.protocol import (
    Json,
    Kill,
    Pause,
    Refused,
    Reload,
    Request,
    Resume,
    Retry,
    Trigger,
)
from scheduler.system.clock import RealClock
from scheduler.text import shortened

app = typer.Typer()

Job = Annotated[
    str,
    typer.Argument(metavar="JOB", help="The job's name.", autocompletion=completion.jobs),
]
Jobs = Annotated[
    list[str],
    typer.Argument(metavar="JOB...", help="The jobs' names.", autocompletion=completion.jobs),
]
Run = Annotated[
    str,
    typer.Argument(
        metavar="RUN|JOB",
        help="The run's number, as in meridian history; or its job, if only one run is meant.",
        autocompletion=completion.jobs,
    ),
]
Json_ = Annotated[bool, typer.Option("--json", help="The daemon's reply, as one JSON object.")]


@app.command(epilog="Example:  meridian trigger nightly-backup")
def trigger(job: Job, state: options.State = None, json: Json_ = False) -> None:
    """Start a run of a job now, whatever its schedule says.

    Its limits and CRON_OVERLAP are those of any run, so it may have to wait, or be refused.
    """

    def told(reply: Json) -> str:
        moved = status.of_run(reply)
        return f"Run {moved.run} of {moved.job} {_begun(moved)}; {_look(moved.run, state)}"

    _carry_out(Trigger(job), state, told, json=json)


@app.command(epilog="Example:  meridian retry 42")
def retry(run: Run, state: options.State = None, json: Json_ = False) -> None:
    """Start the next attempt of a run that failed or waits, now.

    Instead of the run you may name its job, if exactly one of its runs waits or has failed since
    the job last succeeded.
    """

    def told(reply: Json) -> str:
        moved = status.of_run(reply)
        attempt = "The next attempt" if moved.attempt is None else f"Attempt {moved.attempt}"
        what = f"{attempt} of run {moved.run} of {moved.job}"
        return f"{what} {_begun(moved)}; {_look(moved.run, state)}"

    _carry_out(lambda: Retry(choosing.to_retry(run, state)), state, told, json=json)


@app.command(epilog="Example:  meridian kill 42")
def kill(run: Run, state: options.State = None, json: Json_ = False) -> None:
    """End a run; it is not tried again.

    Its processes get SIGTERM, and SIGKILL after CRON_KILL_AFTER. A run that waits is not started.
    Instead of the run you may name its job, if exactly one of its runs runs or waits.
    """

    def told(reply: Json) -> str:
        moved = status.of_run(reply)
        became = {"running": "is being ended", "skipped": "will not start"}
        return f"Run {moved.run} of {moved.job} {became.get(moved.state, 'has been ended')}"

    _carry_out(lambda: Kill(choosing.to_kill(run, state)), state, told, json=json)


@app.command(epilog='Example:  meridian pause nightly-backup --until 18:00 --note "disk is full"')
def pause(
    jobs: Jobs,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            help="18:00, tomorrow 9:00, 2027-03-28 or 2h, of this machine's zone; else until told.",
        ),
    ] = None,
    length: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Instead: for so long.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever looks.")] = "",
    state: options.State = None,
    json: Json_ = False,
) -> None:
    """Start nothing of these jobs by their schedule; what runs goes on.

    The journal has each instant that is left out, as paused. A pause outlives the daemon; but a
    daemon must be running when you pause and when you resume, since only it writes the journal.
    """
    if until is not None and length is not None:
        raise typer.BadParameter("--until and --for are two ends: give one")
    end = None if until is None else _future(until)
    end = end if length is None else _in(length)
    _carry_out(Pause(tuple(dict.fromkeys(jobs)), end, note), state, _paused, json=json)


@app.command(epilog="Example:  meridian resume nightly-backup")
def resume(jobs: Jobs, state: options.State = None, json: Json_ = False) -> None:
    """Let paused jobs go by their schedules again.

    Nothing that was left out is made up for.
    """

    def told(reply: Json) -> str:
        return f"Go by their schedules again: {', '.join(status.Members(reply).texts('jobs'))}"

    _carry_out(Resume(tuple(dict.fromkeys(jobs))), state, told, json=json)


@app.command(name="reload", epilog="Example:  meridian reload")
def reload_(state: options.State = None, json: Json_ = False) -> None:
    """Read the crontabs again now; no running job is touched. Exit status 1 if lines are refused.

    A file that was changed is read before the next minute anyway.
    """
    reply = _carry_out(Reload(), state, _reloaded, json=json)
    if status.of_crontabs(reply).problems:
        raise typer.Exit(1)


def _begun(moved: status.Moved) -> str:
    if moved.state == "running":
        return "has started"
    return "waits for its start" + (f" ({moved.reason})" if moved.reason else "")


def _look(run: int, state: Path | None) -> str:
    where = "" if state is None else f" --state {shlex.quote(str(state))}"
    return f"see meridian logs {run}{where}"


def _future(text: str) -> datetime:
    now = RealClock().now()
    zone = options.own_zone()
    at = options.when(text, now, zone, option="--until").at.replace(microsecond=0)
    if at <= now:
        read = f"{output.to_second(at.astimezone(zone))} {zone.key}"
        why = f"{shortened(text)} is over ({read}): a pause ends in the future"
        raise typer.BadParameter(why, param_hint="--until")
    return at


def _in(text: str) -> datetime:
    seconds = options.length(text, "--for")
    if seconds < 1:
        raise typer.BadParameter("a pause lasts a second or longer", param_hint="--for")
    return (RealClock().now() + timedelta(seconds=seconds)).replace(microsecond=0)


def _paused(reply: Json) -> str:
    found = status.Members(reply)
    zone = options.own_zone()
    said = f"Paused {_end(found.maybe_time('until'), zone)}: {', '.join(found.texts('jobs'))}"
    before = [
        f"{each.job} {_end(each.until, zone)}" + (f" ({each.note})" if each.note else "")
        for each in status.replaced_by(reply)
    ]
    return f"{said}; this replaces the pause of {', of '.join(before)}" if before else said


def _end(until: datetime | None, zone: ZoneInfo) -> str:
    if until is None:
        return "until told"
    return f"until {output.to_second(until.astimezone(zone))} {zone.key}"


def _reloaded(reply: Json) -> str:
    return f"Read again: {status_view.crontabs(status.of_crontabs(reply))}"


# --- asking the daemon ---------------------------------------------------------------------------


def _carry_out(
    request: Request | Callable[[], Request],
    state: Path | None,
    told: Callable[[Json], str],
    *,
    json: bool,
) -> Json:
    """Ask the daemon and say what came of it; exit status 1 if it did not do it."""
    try:
        reply = ask(request() if callable(request) else request, state)
    except (NoDaemon, NoAnswer, NotOneRun) as error:
        if not json:
            raise
        reply = as_refusal(error)
    if json:
        output.row(protocol.as_json(reply))
    elif isinstance(reply, Refused):
        output.complain(reply.message)
    else:
        output.say(told(reply))
    if isinstance(reply, Refused):
        raise typer.Exit(1)
    return reply


def as_refusal(error: NoDaemon | NoAnswer | NotOneRun) -> Refused:
    """Return what a program reads where nobody replied, or was asked."""
    if isinstance(error, NotOneRun):
        return Refused(error.code, str(error))
    return Refused("no-daemon" if isinstance(error, NoDaemon) else "no-answer", str(error))
