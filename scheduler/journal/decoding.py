"""Rows of the journal's statements in, jumps, pauses and the like out; runs are `run_decoding`'s.

ValueError, OverflowError and their kind say that nobody wrote such a row: see `Connection.read`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from math import inf
from typing import TYPE_CHECKING, Any

from scheduler import codec
from scheduler.errors import NoAnswer
from scheduler.journal.columns import (
    flag,
    instant,
    maybe,
    number,
    real,
    text,
    whole_instant,
)
from scheduler.journal.rows import (
    NoticeRow,
    NoticeState,
)
from scheduler.notice import Notice, Recipient
from scheduler.pause import Paused
from scheduler.schedule.backlog import Backlog
from scheduler.schedule.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from datetime import datetime

Rows = Iterable[tuple[Any, ...]]


def when(unix: object) -> datetime | None:
    """Return the UTC datetime of Unix seconds, exact to the microsecond; None where there is none.

    ValueError or OverflowError for what is no time.
    """
    return maybe(instant, unix)


def count(rows: Rows) -> int:
    """Return the one number that is told; 0 where there is none."""
    return max((number(each) for (each,) in rows), default=0)


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


def recipients(rows: Rows) -> list[tuple[Recipient, datetime]]:
    """Return who is told, and a time, from each row."""
    return [(Recipient.of_key(text(target)), instant(due)) for target, due in rows]


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
