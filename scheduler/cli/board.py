"""How a daemon stands in, what a person reads of it out: lines, each with its style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from scheduler import health
from scheduler.cli import show, tables
from scheduler.cli.run_view import zone_of
from scheduler.cli.tables import Cell, When
from scheduler.redact import clean
from scheduler.replies import Coming, Crontabs, RunningNow, Standing, WaitingNow, ZoneData
from scheduler.report import counted
from scheduler.wording import of_seconds

_Styled = tuple[str, str]  # text and style

_PLAIN, _HEAD, _BAD = "", "bold", "bold red"


def lines(
    standing: Standing, damaged: Sequence[str], zone: ZoneInfo, width: int | None
) -> Iterator[Text]:
    """Yield all there is to say, in this zone where it is no job's; tables are made to fit `width`.

    `damaged` are the files of journals that were moved aside.
    """
    head = [*_daemon(standing, zone), *([damage(damaged)] if damaged else [])]
    yield from (Text(*line) for line in head)
    yield from _table(_running(standing), width)
    yield from _table(_waiting(standing), width)
    yield from _table(_paused(standing, zone), width)
    yield from _table(_next(standing), width)


def _daemon(standing: Standing, zone: ZoneInfo) -> Iterator[_Styled]:
    up = _ago(standing.started, standing.now)
    yield f"Meridian {clean(standing.version)}, pid {standing.pid}, up for {up}", _HEAD
    yield f"Since     {_time(standing.started, zone)} {zone.key}", _PLAIN
    yield f"State     {clean(standing.state)}", _PLAIN
    is_whole = not (standing.crontabs.problems or standing.crontabs.kept)
    yield f"Crontabs  {crontabs(standing.crontabs)}", _PLAIN if is_whole else "yellow"
    yield _last_minute(standing, zone)
    if standing.journal is not None:
        yield f"Journal   refuses: {clean(standing.journal)}; nothing new starts", _BAD
    if standing.is_stopping:
        yield "Stopping  no new runs; what runs is waited for", _BAD
    if standing.zone_data:
        yield f"Zones     {'; '.join(map(_zone_data, standing.zone_data))}", _PLAIN


def damage(files: Sequence[str]) -> _Styled:
    """Return what is said of damaged journals that were moved aside."""
    return f"Damage    {clean(health.damage(files))}", _BAD


def crontabs(found: Crontabs) -> str:
    """Return in a sentence what there is in the crontabs, and what is wrong with them."""
    said = f"{counted(found.entries, 'entry')} in {counted(found.zones, 'zone')}"
    if found.problems:
        said += f"; {counted(found.problems, 'problem')}, which meridian check shows"
    if found.kept:
        said += f"; {counted(found.kept, 'unreadable entry')} kept in the last good version"
    return said


def _zone_data(found: ZoneData) -> str:
    version = "of an unknown version" if found.version is None else found.version
    return f"{counted(found.zones, 'zone')} from {clean(found.where)}, {clean(version)}"


def _last_minute(standing: Standing, zone: ZoneInfo) -> _Styled:
    if standing.last_tick is None:
        return "Minute    none handled yet", _PLAIN
    late = health.behind(standing, standing.now)
    is_late = late > health.LATE
    words = f"{of_seconds(late.total_seconds())} behind the clock" if is_late else "in time"
    said = f"Minute    {_time(standing.last_tick, zone)} {zone.key} was handled last: {words}"
    return said, _BAD if is_late else _PLAIN


_Table = tuple[str, Sequence[str], Sequence[Sequence[Cell]]]  # title, header, rows


def _running(standing: Standing) -> _Table:
    most = "" if standing.max_running is None else f" of at most {standing.max_running}"
    title = f"{standing.runs} running{most}{_cut(standing.runs, standing.running)}"
    rows = [
        (
            str(run.run),
            run.job,
            *_instant(run, standing),
            str(run.attempt),
            "" if run.pid is None else str(run.pid),
            "" if run.lasts is None else of_seconds(run.lasts),
        )
        for run in standing.running
    ]
    return title, ("RUN", "JOB", "SCHEDULED", "ZONE", "ATTEMPT", "PID", "FOR"), rows


def _waiting(standing: Standing) -> _Table:
    title = f"{standing.waits} waiting{_cut(standing.waits, standing.waiting)}"
    rows = [
        (
            str(run.run),
            run.job,
            *_instant(run, standing),
            str(run.attempt),
            "" if run.due is None else _when(run.due, run.zone, standing, clock="%H:%M:%S"),
            run.reason,
        )
        for run in standing.waiting
    ]
    return title, ("RUN", "JOB", "SCHEDULED", "ZONE", "ATTEMPT", "DUE", "WHY"), rows


def _paused(standing: Standing, zone: ZoneInfo) -> _Table:
    rows = [
        (
            pause.job,
            When(pause.since.astimezone(zone), standing.now),
            "until told"
            if pause.until is None
            else When(pause.until.astimezone(zone), standing.now),
            pause.note,
        )
        for pause in standing.paused
    ]
    title = f"{standing.pauses} paused{_cut(standing.pauses, standing.paused)}"
    return title, ("JOB", "SINCE", "UNTIL", "NOTE"), rows


def _next(standing: Standing) -> _Table:
    rows = [
        (run.job, *_instant(run, standing), f"in {_ago(standing.now, run.at)}")
        for run in standing.coming
    ]
    return "Next", ("JOB", "AT", "ZONE", "IN"), rows


def _table(table: _Table, width: int | None) -> Iterator[Text]:
    """Yield a table under its title; nothing for one without rows."""
    title, header, rows = table
    if not rows:
        return
    yield Text()
    yield Text(title, _HEAD)
    yield from tables.lines(header, rows, width)


def _cut(whole: int, rows: Sequence[object]) -> str:
    return f", {len(rows)} of them shown" if whole > len(rows) else ""


def _instant(run: RunningNow | WaitingNow | Coming, standing: Standing) -> tuple[Cell, Cell]:
    return _when(run.at, run.zone, standing), run.zone or "UTC"


def _when(at: datetime, zone: str | None, standing: Standing, clock: str = "%H:%M") -> When:
    return When(at.astimezone(zone_of(zone or "UTC")), standing.now, clock=clock)


def _time(at: datetime, zone: ZoneInfo) -> str:
    return show.wall(at.astimezone(zone))


def _ago(since: datetime, now: datetime) -> str:
    return of_seconds(max(0.0, (now - since).total_seconds()))
