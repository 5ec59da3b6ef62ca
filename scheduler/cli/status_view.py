"""A snapshot in, what a person reads of it out: lines, each with its style."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.cli import health, output, sections, tables
from scheduler.cli.health import AlertTrouble
from scheduler.cli.sections import Section
from scheduler.cli.styled import Text
from scheduler.cli.tables import Cell, When
from scheduler.printable import clean
from scheduler.schedule.zone_data import named_or_utc
from scheduler.status import (
    Coming,
    CrontabFile,
    Crontabs,
    RunningNow,
    Snapshot,
    WaitingNow,
    ZoneData,
)
from scheduler.text import counted, of_entries, of_seconds

if TYPE_CHECKING:
    from scheduler.cli.failing_jobs import FailingJob

_Styled = tuple[str, str]  # text and style

_NO_STYLE, _HEAD, _BAD, _DOUBT = "", "bold", "bold red", "yellow"
WORDS_INDENT = len("Crontabs  ")  # where what is said of the daemon goes on in the next line
_FILES = 5  # crontabs that are named, whole or not


@dataclass(frozen=True, slots=True)
class StateFolder:
    """What the state folder tells beside the daemon.

    The files of journals that were moved aside; the jobs that fail, None where nobody can tell; who
    could not be told of something.
    """

    damaged: Sequence[str] = ()
    failing: Sequence[FailingJob] | None = ()
    alerts: AlertTrouble = field(default_factory=AlertTrouble)


def lines(
    snapshot: Snapshot,
    folder: StateFolder,
    zone: ZoneInfo,
    width: int | None,
    height: int | None = None,
) -> Iterator[Text]:
    """Yield all there is to say, in this zone where it is no job's; tables are made to fit `width`.

    With a `height`, sections are cut to it.
    """
    head = [Text(*line) for line in _daemon(snapshot, zone)]
    if folder.damaged:
        head.append(Text(*damage(folder.damaged)))
    if folder.failing is None:
        head.append(Text("Failing   nobody can tell: the journal can't be read", _BAD))
    if told := str(folder.alerts):
        head.append(Text(f"Alerts    {told}: see meridian alerts", _DOUBT))
    yield from head
    parts = (
        _failing(snapshot, folder.failing or ()),
        _running(snapshot),
        _waiting(snapshot),
        _catching_up(snapshot),
        _paused(snapshot, zone),
        _next(snapshot),
    )
    if height is None:
        yield from sections.whole(parts, width)
    else:
        yield from sections.fitted(parts, width, height - len(head))


def _daemon(snapshot: Snapshot, zone: ZoneInfo) -> Iterator[_Styled]:
    daemon, up = snapshot.daemon, _ago(snapshot.daemon.started, snapshot.now)
    yield f"Meridian {clean(daemon.version)}, pid {daemon.pid}, up for {up}", _HEAD
    yield f"Since     {_time(daemon.started, zone)} {zone.key}", _NO_STYLE
    yield f"State     {clean(daemon.state)}", _NO_STYLE
    is_whole = not (snapshot.crontabs.problems or snapshot.crontabs.kept)
    is_one = len(snapshot.files) == 1 and health.is_whole(snapshot.files[0])
    where = f" of {clean(snapshot.files[0].file)}" if is_one else ""
    yield f"Crontabs  {crontabs(snapshot.crontabs)}{where}", _NO_STYLE if is_whole else _DOUBT
    yield from () if is_one else _files(snapshot.files)
    if snapshot.reads is not None and snapshot.reads.without_cron:
        yield f"Cron      its tables are not read: {clean(snapshot.reads.without_cron)}", _DOUBT
    yield _last_minute(snapshot, zone)
    if snapshot.journal is not None:
        yield f"Journal   refuses: {clean(snapshot.journal)}; nothing new starts", _BAD
    if snapshot.is_stopping:
        yield "Stopping  no new runs; what runs is waited for", _BAD
    if snapshot.zone_data:
        yield f"Zones     {'; '.join(map(_zone_data, snapshot.zone_data))}", _NO_STYLE


def damage(files: Sequence[str]) -> _Styled:
    """Return what is said of damaged journals that were moved aside."""
    return f"Damage    {clean(health.damage(files))}", _BAD


def crontabs(found: Crontabs) -> str:
    """Return in a sentence what there is in the crontabs, and what is wrong with them."""
    said = of_entries(found.entries, found.zones)
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
        yield f"          {what}", _NO_STYLE if health.is_whole(file) else _DOUBT
    if more := len(files) - len(shown):
        yield f"          … {more} more files", _NO_STYLE


def _last_minute(snapshot: Snapshot, zone: ZoneInfo) -> _Styled:
    if snapshot.last_tick is None:
        return "Minute    none handled yet", _NO_STYLE
    late = health.behind(snapshot, snapshot.now)
    is_late = late > health.LATE
    words = f"{of_seconds(late.total_seconds())} behind the clock" if is_late else "in time"
    if (wait := health.ahead(snapshot, snapshot.now)) > health.LATE:
        words = health.waiting_out(wait)
    said = f"Minute    {_time(snapshot.last_tick, zone)} {zone.key} was handled last: {words}"
    return said, _BAD if is_late else _NO_STYLE


def _failing(snapshot: Snapshot, failing: Sequence[FailingJob]) -> Section:
    users = [each.run.run.user for each in failing]
    rows = [
        (
            str(each.run.run.number),
            each.run.run.job,
            *_user(each.run.run.user, users),
            _when(each.run.run.instant, each.run.zone, snapshot),
            each.run.zone,
            "" if each.times == 1 else _when(each.since, each.run.zone, snapshot),
            counted(each.times, "time"),
            Text(each.how, _BAD),
        )
        for each in failing
    ]
    whose = _user("USER", users)
    header = ("RUN", "JOB", *whose, "SCHEDULED", "ZONE", "SINCE", "FAILED", "HOW")
    return Section(f"{len(rows)} failing", header, rows, len(rows))


def _running(snapshot: Snapshot) -> Section:
    most = "" if snapshot.max_running is None else f" of at most {snapshot.max_running}"
    title = f"{snapshot.counts.running} running{most}"
    users = [run.user for run in snapshot.running]
    rows = [
        (
            str(run.run),
            run.job,
            *_user(run.user, users),
            *_instant(run, snapshot),
            str(run.attempt),
            "" if run.pid is None else str(run.pid),
            "" if run.for_s is None else of_seconds(run.for_s),
        )
        for run in snapshot.running
    ]
    header = ("RUN", "JOB", *_user("USER", users), "SCHEDULED", "ZONE", "ATTEMPT", "PID", "FOR")
    return Section(title, header, rows, snapshot.counts.running)


def _waiting(snapshot: Snapshot) -> Section:
    users = [run.user for run in snapshot.waiting]
    rows = [
        (
            str(run.run),
            run.job,
            *_user(run.user, users),
            *_instant(run, snapshot),
            str(run.attempt),
            "" if run.due is None else _when(run.due, run.zone, snapshot, clock="%H:%M:%S"),
            run.reason,
        )
        for run in snapshot.waiting
    ]
    header = ("RUN", "JOB", *_user("USER", users), "SCHEDULED", "ZONE", "ATTEMPT", "DUE", "WHY")
    return Section(f"{snapshot.counts.waiting} waiting", header, rows, snapshot.counts.waiting)


def _catching_up(snapshot: Snapshot) -> Section:
    rows = [
        (
            each.job,
            str(each.left),
            _when(each.at, each.zone, snapshot),
            _when(each.until, each.zone, snapshot),
            each.zone,
        )
        for each in snapshot.catching_up
    ]
    header = ("JOB", "LEFT", "NEXT", "UNTIL", "ZONE")
    jobs = snapshot.counts.catching_up
    title = f"{counted(jobs, 'job')} with missed instants that are still to run"
    return Section(title, header, rows, jobs)


def _paused(snapshot: Snapshot, zone: ZoneInfo) -> Section:
    rows = [
        (
            pause.job,
            When(pause.since.astimezone(zone), snapshot.now),
            "until resumed"
            if pause.until is None
            else When(pause.until.astimezone(zone), snapshot.now),
            pause.note,
        )
        for pause in snapshot.paused
    ]
    header = ("JOB", "SINCE", "UNTIL", "NOTE")
    return Section(f"{snapshot.counts.paused} paused", header, rows, snapshot.counts.paused)


def _next(snapshot: Snapshot) -> Section:
    users = [run.user for run in snapshot.coming]
    rows = [
        (
            run.job,
            *_user(run.user, users),
            *_instant(run, snapshot),
            f"in {_ago(snapshot.now, run.at)}",
        )
        for run in snapshot.coming
    ]
    return Section("Next", ("JOB", *_user("USER", users), "AT", "ZONE", "IN"), rows, len(rows))


def _user(cell: str | None, users: Sequence[str | None]) -> tuple[str, ...]:
    """Return a cell that says whose a row is; none where all are root's or the daemon's own."""
    return (cell or "",) if tables.are_others(users) else ()


def _instant(run: RunningNow | WaitingNow | Coming, snapshot: Snapshot) -> tuple[Cell, Cell]:
    return _when(run.at, run.zone, snapshot), run.zone or "UTC"


def _when(at: datetime, zone: str | None, snapshot: Snapshot, clock: str = "%H:%M") -> When:
    return When(at.astimezone(named_or_utc(zone or "UTC")), snapshot.now, clock=clock)


def _time(at: datetime, zone: ZoneInfo) -> str:
    return output.wall(at.astimezone(zone))


def _ago(since: datetime, now: datetime) -> str:
    return of_seconds(max(0.0, (now - since).total_seconds()))
