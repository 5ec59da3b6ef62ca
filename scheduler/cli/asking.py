"""A job and a time in, why it ran, ran late or did not run then out: `why`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler import shifts, sources
from scheduler.answer import Known, answer, of_repeated, of_skipped
from scheduler.cli import anchors, completing, given, show
from scheduler.cli.past import NothingThere, explain_absence
from scheduler.cli.run_view import zone_of
from scheduler.clock import RealClock
from scheduler.due import walls
from scheduler.journal import Journal
from scheduler.model import Entry
from scheduler.tick import MINUTE, minute_of
from scheduler.timetable import Timetable

app = typer.Typer()

_LONGEST_GAP = shifts.DAY  # where a zone dropped a date


@app.command(epilog='Example:  meridian why nightly-backup "2027-03-28 02:30"')
def why(
    job: Annotated[
        str,
        typer.Argument(metavar="JOB", help="The job's name.", autocompletion=completing.jobs),
    ],
    time: Annotated[
        str,
        typer.Argument(
            metavar="TIME",
            help="In the job's zone: 2027-03-28 2:30, 2:30, yesterday 2:30, sun 2:30, or 2h (ago).",
        ),
    ],
    files: given.Files = None,
    system: given.SystemForm = False,
    state: given.State = None,
    json: given.Json = False,
) -> None:
    """Say why a job ran at a time, ran late, or did not run.

    The journal answers, and where it has no record the rules do; no daemon has to run.
    """
    entry = _entry(job, files, system=system)
    with closing(given.journal(state)) as journal:
        newest = journal.history(job, limit=1)
        if entry is None and not newest:
            explain_absence(journal, job)
            raise NothingThere(f"{job} has not run yet, and is in none of these crontabs")
        zone = entry.zone if entry is not None else zone_of(newest[0].zone)
        at, remarks = _minute(time, zone)
        known = known_of(journal, job, entry, at, zone, RealClock().now())
    told = [*remarks, *answer(known)]
    if json:
        show.row(_row(known, told))
    else:
        for sentence in told:
            show.say(sentence)


def _entry(job: str, files: Sequence[str] | None, *, system: bool) -> Entry | None:
    """Return the job's line, None if it has none (any more)."""
    own = given.own_files(given.here())
    if not files and not any(sources.is_there(Path(file)) for file in own):
        return None
    loaded = given.load(files, given.own_zone(), system=system, keep_others=True)
    return next((entry for entry in loaded.entries if entry.job == job), None)


def _minute(time: str, zone: ZoneInfo) -> tuple[datetime, list[str]]:
    """Return the minute asked for, and what to say of a time that no clock showed, or two did."""
    typed = given.typed(time, RealClock().now(), zone, looks_back=True)
    at = minute_of(typed.at)
    if typed.local is not None and typed.is_repeated:
        return at, [of_repeated(typed.local, zone)]
    if typed.local is None or not typed.is_skipped:
        return at, []
    # As if the old offset still held, so that it lies behind where the new one begins.
    behind = shifts.last(zone, at - _LONGEST_GAP, at + MINUTE) or at
    answers = any(minute_of(wall.time) == minute_of(typed.local) for wall in walls(zone, behind))
    return behind, [of_skipped(typed.local, zone, behind, answers=answers)]


def known_of(
    journal: Journal, job: str, entry: Entry | None, at: datetime, zone: ZoneInfo, now: datetime
) -> Known:
    """Return what the journal and the job's line (None: it has none) say of one of its minutes."""
    row = journal.at(job, at)
    before = after = None
    is_due = False
    if entry is not None:
        # An interval that has not begun is not due yet.
        anchor = anchors.of(journal, (entry,)).get(entry.job, at)
        timetable = Timetable((entry,), {entry.job: anchor})
        is_due = bool(timetable.due(at))
        before, after = timetable.last_instant(entry, at), timetable.next_instant(entry, at)
    return Known(
        job=job,
        at=at,
        zone=zone,
        now=now,
        entry=entry,
        is_due=is_due,
        row=row,
        jumps=tuple(journal.jumps_over(at)),
        last_tick=journal.last_tick(),
        before=before,
        after=after,
    )


def _row(known: Known, told: Sequence[str]) -> dict[str, object]:
    row = known.row
    return {
        "job": known.job,
        "at": show.utc(known.at),
        "local": known.at.astimezone(known.zone).isoformat(timespec="seconds"),
        "zone": str(known.zone),
        "due": None if known.entry is None else known.is_due,
        "run": None if row is None else row.run.number,
        "state": None if row is None else row.state.value,
        "reason": None if row is None or row.reason is None else row.reason.value,
        "text": " ".join(told),
    }
