"""Jobs in, which start nothing by their schedules from now on: `pause`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import by_hand, completion, options, output, state_folder, which_daemon
from scheduler.cli.own_zone import own_zone
from scheduler.protocol import Pause, PauseReply
from scheduler.system.clock import RealClock
from scheduler.text import shortened

app = typer.Typer()


@app.command(epilog='Example:  meridian pause nightly-backup --until 18:00 --note "disk is full"')
def pause(
    jobs: completion.Jobs,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            help="18:00, tomorrow 9:00, 2027-03-28 or 2h, in this machine's zone. "
            "Without --until and --for: until `meridian resume`.",
        ),
    ] = None,
    length: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="Instead: for so long.")
    ] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="Why, for whoever looks.")] = "",
    state: state_folder.State = None,
    system: which_daemon.System = False,
    json: options.JsonReply = False,
) -> None:
    """Start nothing of these jobs by their schedule; what runs goes on.

    The journal has each instant that is left out, as paused. A pause outlives the daemon; but a
    daemon must be running when you pause and when you resume, since only it writes the journal.
    """
    if until is not None and length is not None:
        raise typer.BadParameter("--until and --for are two ends: give one")
    end = None if until is None else _future(until)
    end = end if length is None else _in(length)
    asked, where = (
        Pause(tuple(dict.fromkeys(jobs)), end, note),
        which_daemon.chosen(state, system=system),
    )
    by_hand.carry_out(asked, PauseReply, where, _paused, json=json)


def _future(text: str) -> datetime:
    now = RealClock().now()
    zone = own_zone()
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


def _paused(done: PauseReply) -> str:
    zone = own_zone()
    said = f"Paused {_end(done.until, zone, len(done.jobs))}: {', '.join(done.jobs)}"
    before = [
        f"{each.job} {_end(each.until, zone)}" + (f" ({each.note})" if each.note else "")
        for each in done.replaced
    ]
    return f"{said}; this replaces the pause of {', of '.join(before)}" if before else said


def _end(until: datetime | None, zone: ZoneInfo, jobs: int = 1) -> str:
    if until is None:
        return f"until you resume {'it' if jobs == 1 else 'them'}"
    return f"until {output.to_second(until.astimezone(zone))} {zone.key}"
