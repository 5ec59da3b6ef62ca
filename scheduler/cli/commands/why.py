"""A job and a time in, why it ran, ran late or did not run then out: `why`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler.cli import (
    completion,
    crontabs,
    day_instants,
    human_time,
    intervals,
    options,
    output,
    problems_view,
    run_view,
    state_folder,
    which_daemon,
)
from scheduler.cli.own_zone import own_zone
from scheduler.cli.which_run import (
    NothingThere,
    explain_absence,
    in_damaged,
    nothing_kept,
    run_number,
)
from scheduler.cli.why_answer import MinuteFacts, answer, of_repeated, of_skipped
from scheduler.entry import Entry
from scheduler.errors import SourceRefused
from scheduler.journal.journal import Journal
from scheduler.journal.rows import RunRow
from scheduler.schedule import dst
from scheduler.schedule.dst import walls
from scheduler.schedule.tick import DAY, MINUTE, minute_of
from scheduler.schedule.timetable import Timetable
from scheduler.schedule.zone_data import named_or_utc
from scheduler.system.clock import RealClock
from scheduler.text import counted

app = typer.Typer()

_LONGEST_GAP = DAY  # where a zone dropped a date
_LONGEST_DAY = 2 * DAY  # at the most
_MOST_INSTANTS = 10  # instants of a day


_Which = Annotated[
    str,
    typer.Argument(
        metavar="JOB|RUN",
        help="The job's name; or a run's number, without a time.",
        autocompletion=completion.jobs,
    ),
]
_Time = Annotated[
    str | None,
    typer.Argument(
        metavar="[TIME]",
        help="In the job's zone: 2027-03-28 2:30, 2:30, yesterday 2:30, sun 2:30, or 2h (ago);"
        " 2027-03-28 or yesterday for the whole day; without it the job's last instant.",
        show_default=False,
    ),
]


@app.command(epilog='Example:  meridian why nightly-backup "2027-03-28 02:30"')
def why(
    which: _Which,
    time: _Time = None,
    files: options.Files = None,
    system: options.SystemForm = False,
    state: state_folder.State = None,
    json: options.Json = False,
) -> None:
    """Say why a job ran at a time, ran late, or did not run.

    The journal answers, and where it has no record the rules do; no daemon has to run.
    """
    if not files:  # from which the rules answer
        which_daemon.refuse_machines("why", state)
    with closing(state_folder.journal(state)) as journal:
        run = _run(journal, which) if time is None else None
        job = which if run is None else run.run.job
        entries = _entries(files, job, system=system, state=state, json=json)
        entry = next((entry for entry in entries if entry.job == job), None)
        if entry is None and not journal.queries.history(job, limit=1):
            explain_absence(journal, job, state, entries if files else None)
        zone = _zone(journal, job, entry, state)
        now = RealClock().now()
        if time is not None and (day := _day(time, now, zone)) is not None:
            for known in _of_day(journal, job, entry, day, zone, now, json=json):
                _tell(
                    known,
                    _told(known, state),
                    json=json,
                    heads=known.is_due or known.row is not None,
                )
            return
        if run is not None:
            at, sentences = run.run.instant, [_of_run(run)]
        elif time is not None:
            at, sentences = _minute(time, zone, json=json)
        else:
            at, sentences = _last_instant(journal, job, entry, zone, now)
        known = known_of(journal, job, entry, at, zone, now, run)
    _tell(known, [*sentences, *_told(known, state)], json=json)


def _told(known: MinuteFacts, state: Path | None) -> list[str]:
    is_lost = known.is_due and known.row is None and known.at <= known.now
    return [*answer(known), *filter(None, [in_damaged(state) if is_lost else ""])]


def _tell(known: MinuteFacts, told: Sequence[str], *, json: bool, heads: bool = False) -> None:
    """Say it, a sentence a line; of one of several minutes on a line that its time `heads`."""
    if json:
        output.row(_row(known, told))
    elif heads:
        output.say(f"{known.at.astimezone(known.zone):%H:%M}: {' '.join(told)}")
    else:
        for sentence in told:
            output.say(sentence)


def _day(time: str, now: datetime, zone: ZoneInfo) -> tuple[date, datetime] | None:
    """Return the day that was typed without a time, and when it begins; None for a minute."""
    typed = options.typed(time, now, zone, looks_back=True)
    day = human_time.day(time, now, zone)
    return None if day is None else (day, typed.at)


def _of_day(
    journal: Journal,
    job: str,
    entry: Entry | None,
    day: tuple[date, datetime],
    zone: ZoneInfo,
    now: datetime,
    *,
    json: bool,
) -> Iterator[MinuteFacts]:
    """Yield what is known of a job's instants of a day; of what tells why there are none."""
    start = day[1]
    rows = journal.queries.history(job, since=start, before=start + _LONGEST_DAY)
    instants = {row.run.instant for row in rows if row.until is None}
    found = {at for at in instants if at.astimezone(zone).date() == day[0]}
    telling = start
    if entry is not None:
        timetable = _timetable(journal, entry, start)
        found.update(day_instants.instants(timetable, entry, *day))
        telling = telling if found else day_instants.telling(timetable, entry, *day)
    if not json:
        number = counted(len(found), "instant")
        output.say(f"{job} has {number} on {day[0]:%A %Y-%m-%d} {zone.key}.")
    shown = sorted(found)[: None if json else _MOST_INSTANTS] or [telling]
    for at in shown:
        yield known_of(journal, job, entry, at, zone, now)
    if not json and len(found) > len(shown):
        more = counted(len(found) - len(shown), "instant")
        output.say(f"And {more} more: meridian why {job} with a time tells of one.")


def _run(journal: Journal, which: str) -> RunRow | None:
    """Return the run of this number; None for a job's name."""
    number = run_number(which)
    return None if number is None else journal.queries.run(number)


def _of_run(run: RunRow) -> str:
    return f"Run {run.run.number} of {run.run.job}, {run_view.scheduled(run)}."


def _zone(journal: Journal, job: str, entry: Entry | None, state: Path | None) -> ZoneInfo:
    """Return the job's zone; NothingThere for a job that nobody knows, or that left nothing."""
    if entry is not None:
        return entry.zone
    newest = journal.queries.history(job, limit=1)
    if not newest:
        raise NothingThere(f"{nothing_kept(journal, job, state)} It is in none of these crontabs.")
    return named_or_utc(newest[0].zone)


def _last_instant(
    journal: Journal, job: str, entry: Entry | None, zone: ZoneInfo, now: datetime
) -> tuple[datetime, list[str]]:
    """Return a job's newest instant by now, by its line or the journal, and which it is."""
    found = [
        row.run.instant if row.until is None else row.until
        for row in journal.queries.history(job, before=now, limit=1)
    ]
    if entry is not None:
        after = minute_of(now) + MINUTE
        last = _timetable(journal, entry, after).last_instant(entry, after)
        found += [] if last is None else [last]
    if not found:
        return minute_of(now), [f"{job} has had no instant yet."]
    at = max(found)
    return at, [f"The last instant of {job} is {output.to_second(at.astimezone(zone))} {zone.key}."]


def _entries(
    files: Sequence[str] | None, job: str, *, system: bool, state: Path | None, json: bool
) -> Sequence[Entry]:
    """Return the entries; what is wrong with the crontabs is said where none is the job's."""
    zone = own_zone()
    try:
        loaded = crontabs.load(files, zone, system=system, state=state, json=json, keep_others=True)
    except SourceRefused:  # there is no crontab at all
        return ()
    if any(entry.job == job and which_daemon.runs(entry) for entry in loaded.entries):
        raise which_daemon.RootsJournal("why")
    if all(entry.job != job for entry in loaded.entries):
        problems_view.mention(loaded.problems)  # its line may be one that is refused
    return loaded.entries


def _minute(time: str, zone: ZoneInfo, *, json: bool) -> tuple[datetime, list[str]]:
    """Return the minute asked for, and what to say of a time that no clock showed, or two did."""
    typed = options.typed(time, RealClock().now(), zone, looks_back=True)
    at = minute_of(typed.at)
    if not typed.is_skipped:
        options.echo(zone, {"at": typed}, json=json)
    if typed.local is not None and typed.is_repeated:
        return at, [of_repeated(typed.local, zone)]
    if typed.local is None or not typed.is_skipped:
        return at, []
    # As if the old offset still held, so that it lies behind where the new one begins.
    behind = dst.last_change(zone, at - _LONGEST_GAP, at + MINUTE) or at
    answers = any(minute_of(wall.time) == minute_of(typed.local) for wall in walls(zone, behind))
    return behind, [of_skipped(typed.local, zone, behind, answers=answers)]


def known_of(
    journal: Journal,
    job: str,
    entry: Entry | None,
    at: datetime,
    zone: ZoneInfo,
    now: datetime,
    run: RunRow | None = None,
) -> MinuteFacts:
    """Return what the journal and the job's line (None: it has none) say of one of its minutes.

    Where it was asked for, it is that `run` that accounts for it.
    """
    row, unreal = (run, ()) if run is not None else _accounted(journal, job, at)
    before = after = None
    is_due = is_excluded = False
    if entry is not None:
        timetable = _timetable(journal, entry, at)
        is_due, is_excluded = bool(timetable.due(at)), bool(timetable.excluded(at))
        before, after = timetable.last_instant(entry, at), timetable.next_instant(entry, at)
    return MinuteFacts(
        job=job,
        at=at,
        zone=zone,
        now=now,
        entry=entry,
        is_due=is_due,
        is_excluded=is_excluded,
        row=row,
        jumps=tuple(journal.queries.jumps_over(at)),
        last_tick=journal.daemon_state.last_tick(),
        unreal=unreal if row is None or not row.is_unreal else (row,),
        to_come=journal.daemon_state.first_to_come(now),
        backlog=journal.daemon_state.backlog(job),
        before=before,
        after=after,
    )


def _accounted(
    journal: Journal, job: str, at: datetime
) -> tuple[RunRow | None, tuple[RunRow, ...]]:
    """Return the row that accounts for an instant, and those of a time that was not real."""
    eras = [0, *(each.number for each in journal.daemon_state.eras())]
    rows = [
        row for era in reversed(eras) if (row := journal.queries.at(job, at, era=era)) is not None
    ]
    unreal = tuple(row for row in rows if _is_of_another_time(row, at))
    return next((row for row in rows if row not in unreal), None), unreal


def _is_of_another_time(row: RunRow, at: datetime) -> bool:
    """Say whether an instant of the row came again after the clock was set back."""
    return row.again_from is not None and row.again_from <= at


def _timetable(journal: Journal, entry: Entry, at: datetime) -> Timetable:
    """Return the entry's instants; an interval that has not begun has none by `at`."""
    anchor = intervals.of(journal, (entry,)).get(entry.job, at)
    return Timetable((entry,), {entry.job: anchor})


def _row(known: MinuteFacts, told: Sequence[str]) -> dict[str, object]:
    row = known.row
    return {
        "job": known.job,
        "at": output.utc(known.at),
        "local": known.at.astimezone(known.zone).isoformat(timespec="seconds"),
        "zone": str(known.zone),
        "due": None if known.entry is None else known.is_due,
        "run": None if row is None else row.run.number,
        "state": None if row is None else row.state.value,
        "reason": None if row is None or row.reason is None else row.reason.value,
        "text": " ".join(told),
    }
