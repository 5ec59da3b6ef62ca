"""Rows of the journal's statements in, runs, jumps, pauses and the like out.

ValueError, OverflowError and their kind say that nobody wrote such a row: see `Connection.read`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from scheduler import codec
from scheduler.errors import NoAnswer
from scheduler.journal.columns import (
    flag,
    inner_path,
    instant,
    maybe,
    number,
    real,
    text,
    whole_instant,
)
from scheduler.journal.rows import (
    AttemptRow,
    NoticeRow,
    NoticeState,
    OldRun,
    OpenRun,
    RunRow,
    outcome_from,
)
from scheduler.notice import Notice
from scheduler.pause import Paused
from scheduler.run import Limit, Reason, Run, State
from scheduler.schedule.backlog import Backlog
from scheduler.schedule.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from datetime import datetime

_HIGHEST_PID = 2**31 - 1

Rows = Iterable[tuple[Any, ...]]


def when(unix: object) -> datetime | None:
    """Return the UTC datetime of Unix seconds, exact to the microsecond; None where there is none.

    ValueError or OverflowError for what is no time.
    """
    return maybe(instant, unix)


def count(rows: Rows) -> int:
    """Return the one number that is told; 0 where there is none."""
    return max((number(each) for (each,) in rows), default=0)


def runs(rows: Rows) -> list[RunRow]:
    """Return runs from rows of the view, a run's together."""
    return list(each_run(rows))


def each_run(rows: Rows) -> Iterator[RunRow]:
    """Yield them one by one."""
    return (_run(list(group)) for _, group in groupby(rows, key=itemgetter(0)))


def open_runs(rows: Rows) -> list[OpenRun]:
    """Return runs that are not over from rows of the view, a run's together."""
    return [_open(row) for row in runs(rows)]


def old_runs(rows: Rows) -> list[OldRun]:
    """Return runs from rows of their number and an output, a run's together."""
    return [
        OldRun(number(run, 1), tuple(inner_path(output) for _, output in group if output))
        for run, group in groupby(rows, key=itemgetter(0))
    ]


def eras(rows: Rows) -> tuple[Era, ...]:
    """Return eras from their rows."""
    return tuple(
        Era(number(era, 1), whole_instant(since), whole_instant(last), instant(noticed))
        for era, since, last, noticed in rows
    )


def jumps(rows: Rows) -> list[Jump]:
    """Return jumps from their rows."""
    return [
        Jump(
            JumpKind(kind),
            whole_instant(last),
            instant(noticed),
            real(size, least=-inf),
            Verdict(verdict),
        )
        for last, noticed, kind, size, verdict in rows
    ]


def pauses(rows: Rows) -> list[Paused]:
    """Return pauses from their rows."""
    return [
        Paused(text(job), instant(since), when(until), text(note))
        for job, since, until, note in rows
    ]


def backlogs(rows: Rows) -> list[Backlog]:
    """Return backlogs from their rows."""
    return [
        Backlog(
            text(job),
            text(schedule),
            text(zone),
            whole_instant(first),
            whole_instant(last),
            number(left, 1),
            missed=when(missed),
            late=when(late),
        )
        for job, schedule, zone, first, last, left, missed, late in rows
    ]


def words(rows: Rows) -> list[str]:
    """Return names from rows of one each."""
    return [text(name) for (name,) in rows]


def numbers(rows: Rows) -> list[int]:
    """Return numbers from rows of one each."""
    return [number(value) for (value,) in rows]


def counted(rows: Rows) -> list[tuple[int, datetime | None]]:
    """Return a number and a time, which is None where nothing was counted, from each row."""
    return [(number(value), maybe(whole_instant, at)) for value, at in rows]


def paths(rows: Rows) -> list[tuple[int, datetime]]:
    """Return an era's number and an instant in it from each row."""
    return [(number(era), whole_instant(at)) for era, at in rows]


def instants(rows: Rows) -> list[datetime]:
    """Return times from rows that begin with one."""
    return [instant(row[0]) for row in rows]


def stretches(rows: Rows) -> list[tuple[datetime, datetime]]:
    """Return the first and the last instant from each row."""
    return [(whole_instant(first), whole_instant(last)) for first, last in rows]


def durations(rows: Rows) -> list[float]:
    """Return seconds from their rows."""
    return [real(took) for (took,) in rows]


def notices(rows: Rows) -> list[NoticeRow]:
    """Return notices from their rows."""
    return list(each_notice(rows))


def each_notice(rows: Rows) -> Iterator[NoticeRow]:
    """Yield them one by one."""
    return (_notice(*row) for row in rows)


def targets(rows: Rows) -> list[tuple[str, datetime]]:
    """Return a target and a time from each row."""
    return [(text(target), instant(due)) for target, due in rows]


def _notice(
    row: object, body: object, state: object, due: object, delivery: object, *rest: object
) -> NoticeRow:
    tries, repeated, error, done = rest
    where = NoticeState(text(state))
    if where.is_over != (done is not None):
        raise ValueError("a notice is over, and was not sent or given up, or the other way round")
    return NoticeRow(
        number(row, 1),
        _notice_from(text(body)),
        where,
        instant(due),
        None if delivery is None else number(delivery, 1),
        number(tries),
        flag(repeated),
        text(error),
        when(done),
    )


def _notice_from(body: str) -> Notice:
    try:
        return codec.decode(Notice, json.loads(body))
    except (NoAnswer, RecursionError) as error:
        raise ValueError(f"{body!r:.60} is no notice") from error


def _run(rows: list[tuple[Any, ...]]) -> RunRow:
    run, job, at, era, zone, state, reason, *rest = rows[0][:14]
    until, due, made_up, by_hand, reopened, set_back, again_from = rest
    return RunRow(
        run=Run(number(run, 1), text(job), whole_instant(at), number(era)),
        state=State(state),
        reason=maybe(Reason, reason),
        until=maybe(whole_instant, until),
        due=when(due),
        zone=text(zone),
        attempts=tuple(_attempt(*row[14:]) for row in rows if row[14] is not None),
        made_up=flag(made_up),
        by_hand=flag(by_hand),
        reopened=when(reopened),
        set_back=when(set_back),
        again_from=when(again_from),
    )


def _attempt(
    attempt: object, started: object, ended: object, outcome: object, *rest: object
) -> AttemptRow:
    cpu_s, memory_bytes, pid, pid_started, output, limited, took, emptied, left_behind = rest
    if (ended is None) != (outcome is None) or (pid is None) != (started is None):
        raise ValueError("half of an attempt is missing")
    return AttemptRow(
        number(attempt, 1),
        when(started),
        when(ended),
        None if outcome is None else outcome_from(text(outcome)),
        maybe(real, cpu_s),
        maybe(number, memory_bytes),
        None if pid is None else number(pid, 1, _HIGHEST_PID),
        maybe(number, pid_started),
        inner_path(output),
        maybe(Limit, limited),
        maybe(real, took),
        flag(emptied),
        maybe(number, left_behind) or 0,
    )


def _open(row: RunRow) -> OpenRun:
    """Return a run that is not over; its state and its attempts have to agree.

    The last of them is under way while it runs, and none while it waits. Else one that lives would
    be started beside itself.
    """
    under_way = [attempt.ended is None for attempt in row.attempts]
    expected = {State.SCHEDULED: [], State.RUNNING: [True]}[row.state]
    follows = all(b.number == a.number + 1 for a, b in pairwise(row.attempts))
    if any(under_way[:-1]) or [True for each in under_way[-1:] if each] != expected or not follows:
        raise ValueError(f"run {row.run.number} is {row.state}, and its attempts tell otherwise")
    return OpenRun(
        run=row.run,
        state=row.state,
        due=row.due,
        attempts=row.attempts,
        made_up=row.made_up,
        by_hand=row.by_hand,
        reason=row.reason,
        reopened=row.reopened,
    )
