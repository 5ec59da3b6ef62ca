"""How a daemon stands in, what a person reads of it out: lines, each with its style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from scheduler.cli import health, output, run_view, sections
from scheduler.cli.failing import Failing
from scheduler.cli.sections import Section
from scheduler.cli.tables import Cell, When
from scheduler.printable import clean
from scheduler.runs.messages import of_seconds
from scheduler.schedule.zone_data import named_or_utc
from scheduler.status import (
    Coming,
    CrontabFile,
    Crontabs,
    RunningNow,
    Standing,
    WaitingNow,
    ZoneData,
)
from scheduler.text import counted

_Styled = tuple[str, str]  # text and style

_PLAIN, _HEAD, _BAD, _DOUBT = "", "bold", "bold red", "yellow"
INDENT = len("Crontabs  ")  # where what is said of the daemon goes on in the next line
_FILES = 5  # crontabs that are named, whole or not


@dataclass(frozen=True, slots=True)
class Known:
    """What the state folder tells beside the daemon.

    The files of journals that were moved aside; the jobs that fail, None where nobody can tell.
    """

    damaged: Sequence[str] = ()
    failing: Sequence[Failing] | None = ()


def lines(
    standing: Standing, known: Known, zone: ZoneInfo, width: int | None, height: int | None = None
) -> Iterator[Text]:
    """Yield all there is to say, in this zone where it is no job's; tables are made to fit `width`.

    With a `height`, sections are cut to it.
    """
    head = [Text(*line) for line in _daemon(standing, zone)]
    if known.damaged:
        head.append(Text(*damage(known.damaged)))
    if known.failing is None:
        head.append(Text("Failing   nobody can tell: the journal can't be read", _BAD))
    yield from head
    parts = (
        _failing(standing, known.failing or ()),
        _running(standing),
        _waiting(standing),
        _catching_up(standing),
        _paused(standing, zone),
        _next(standing),
    )
    if height is None:
        yield from sections.whole(parts, width)
    else:
        yield from sections.fitted(parts, width, height - len(head))


def _daemon(standing: Standing, zone: ZoneInfo) -> Iterator[_Styled]:
    up = _ago(standing.started, standing.now)
    yield f"Meridian {clean(standing.version)}, pid {standing.pid}, up for {up}", _HEAD
    yield f"Since     {_time(standing.started, zone)} {zone.key}", _PLAIN
    yield f"State     {clean(standing.state)}", _PLAIN
    is_whole = not (standing.crontabs.problems or standing.crontabs.kept)
    is_one = len(standing.files) == 1 and health.is_whole(standing.files[0])
    where = f" of {clean(standing.files[0].file)}" if is_one else ""
    yield f"Crontabs  {crontabs(standing.crontabs)}{where}", _PLAIN if is_whole else _DOUBT
    yield from () if is_one else _files(standing.files)
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


def _files(files: Sequence[CrontabFile]) -> Iterator[_Styled]:
    """Yield a line a crontab; of many those that have something refused."""
    in_trouble = [file for file in files if not health.is_whole(file)]
    shown = files if len(files) <= _FILES else in_trouble[:_FILES]
    for file in shown:
        what = clean(health.of_file(file))
        yield f"          {what}", _PLAIN if health.is_whole(file) else _DOUBT
    if more := len(files) - len(shown):
        yield f"          … {more} more files", _PLAIN


def _last_minute(standing: Standing, zone: ZoneInfo) -> _Styled:
    if standing.last_tick is None:
        return "Minute    none handled yet", _PLAIN
    late = health.behind(standing, standing.now)
    is_late = late > health.LATE
    words = f"{of_seconds(late.total_seconds())} behind the clock" if is_late else "in time"
    if (wait := health.ahead(standing, standing.now)) > health.LATE:
        words = health.waiting_out(wait)
    said = f"Minute    {_time(standing.last_tick, zone)} {zone.key} was handled last: {words}"
    return said, _BAD if is_late else _PLAIN


def _failing(standing: Standing, failing: Sequence[Failing]) -> Section:
    rows = [
        (
            str(each.run.run.number),
            each.run.run.job,
            _when(each.run.run.instant, each.run.zone, standing),
            each.run.zone,
            "" if each.times == 1 else _when(each.since, each.run.zone, standing),
            counted(each.times, "time"),
            Text(run_view.how(each.run), _BAD),
        )
        for each in failing
    ]
    header = ("RUN", "JOB", "SCHEDULED", "ZONE", "SINCE", "FAILED", "HOW")
    return Section(f"{len(rows)} failing", header, rows, len(rows))


def _running(standing: Standing) -> Section:
    most = "" if standing.max_running is None else f" of at most {standing.max_running}"
    title = f"{standing.runs} running{most}"
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
    header = ("RUN", "JOB", "SCHEDULED", "ZONE", "ATTEMPT", "PID", "FOR")
    return Section(title, header, rows, standing.runs)


def _waiting(standing: Standing) -> Section:
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
    header = ("RUN", "JOB", "SCHEDULED", "ZONE", "ATTEMPT", "DUE", "WHY")
    return Section(f"{standing.waits} waiting", header, rows, standing.waits)


def _catching_up(standing: Standing) -> Section:
    rows = [
        (
            each.job,
            str(each.left),
            _when(each.at, each.zone, standing),
            _when(each.until, each.zone, standing),
            each.zone,
        )
        for each in standing.catching_up
    ]
    header = ("JOB", "LEFT", "NEXT", "UNTIL", "ZONE")
    title = f"{counted(standing.backlogs, 'job')} with missed instants that are still to run"
    return Section(title, header, rows, standing.backlogs)


def _paused(standing: Standing, zone: ZoneInfo) -> Section:
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
    header = ("JOB", "SINCE", "UNTIL", "NOTE")
    return Section(f"{standing.pauses} paused", header, rows, standing.pauses)


def _next(standing: Standing) -> Section:
    rows = [
        (run.job, *_instant(run, standing), f"in {_ago(standing.now, run.at)}")
        for run in standing.coming
    ]
    return Section("Next", ("JOB", "AT", "ZONE", "IN"), rows, len(rows))


def _instant(run: RunningNow | WaitingNow | Coming, standing: Standing) -> tuple[Cell, Cell]:
    return _when(run.at, run.zone, standing), run.zone or "UTC"


def _when(at: datetime, zone: str | None, standing: Standing, clock: str = "%H:%M") -> When:
    return When(at.astimezone(named_or_utc(zone or "UTC")), standing.now, clock=clock)


def _time(at: datetime, zone: ZoneInfo) -> str:
    return output.wall(at.astimezone(zone))


def _ago(since: datetime, now: datetime) -> str:
    return of_seconds(max(0.0, (now - since).total_seconds()))
