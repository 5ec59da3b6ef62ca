"""The journal in, who was told of what, and who could not be, out: `alerts`."""

from __future__ import annotations

import sys
from contextlib import closing
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import (
    json_rows,
    numbers,
    options,
    output,
    state_folder,
    tables,
    which_daemon,
)
from scheduler.cli.own_zone import own_zone
from scheduler.cli.tables import Cell, When
from scheduler.journal.rows import NoticeRow, NoticeState
from scheduler.printable import clean
from scheduler.redact import mask_error, shown_recipient
from scheduler.system.clock import RealClock

app = typer.Typer()

USUAL_ALERTS = 20
_HEADER = ("WHEN", "JOB", "ALERT", "STATE", "TRIES", "TO", "REASON")
_STILL_TO_SEND = (NoticeState.WAITING, NoticeState.SENDING)

_Failed = Annotated[bool, typer.Option("--failed", help="Only those that were given up.")]
_Waiting = Annotated[bool, typer.Option("--waiting", help="Only those that are still to be sent.")]
_Number = Annotated[
    int, typer.Option("-n", metavar="N", help="The newest N.", parser=numbers.whole(1))
]


@app.command(epilog="Example:  meridian alerts --failed")
def alerts(
    failed: _Failed = False,
    waiting: _Waiting = False,
    number: _Number = USUAL_ALERTS,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say who was told of what, who is still to hear it, who could not.

    An alert a line, the newest last: mail, notifications, commands, messages, pings.
    One that fails is tried again for two days, a ping for 20 minutes; then it is given up. It reads
    the journal alone, which keeps what was sent for a week and what was given up for a month.
    """
    if failed and waiting:
        raise typer.BadParameter("--failed and --waiting exclude each other: ask for one")
    which_daemon.refuse_machines("alerts", state)
    states = (NoticeState.FAILED,) if failed else _STILL_TO_SEND if waiting else ()
    with closing(state_folder.journal(state, must_exist=True)) as journal:
        found = journal.outbox.notices(*states, limit=min(number, sys.maxsize))
    if json:
        for row in found:
            output.row(json_rows.of_notice(row))
    elif found:
        zone, now = own_zone(), RealClock().now()
        output.table(_HEADER, [_line(row, zone, now) for row in found])
    else:
        output.note(f"No alert {'was given up' if failed else 'waits' if waiting else 'is known'}.")


def _line(row: NoticeRow, zone: ZoneInfo, now: datetime) -> tuple[Cell, ...]:
    notice = row.notice
    return (
        When(notice.at.astimezone(zone), now),
        notice.facts.job,
        f"{notice.kind} {notice.facts.detail}".rstrip(),
        tables.state(row.state.value),
        str(row.tries or ""),
        shown_recipient(notice.recipient),
        _reason(row, zone),
    )


def _reason(row: NoticeRow, zone: ZoneInfo) -> str:
    """Return what there is to say beside its state."""
    told = [clean(mask_error(row.error, row.notice.target))] if row.error else []
    if row.repeated:
        told.append("perhaps sent twice")
    if row.state is NoticeState.WAITING and row.tries:
        told.append(f"next try {output.wall(row.due.astimezone(zone))}")
    return "; ".join(told)
