"""Rows of the journal's statements in, runs and their attempts out; all else is `decoding`'s.

ValueError, OverflowError and their kind say that nobody wrote such a row: see `Connection.read`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any

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
from scheduler.journal.rows import AttemptRow, OldRun, OpenRun, RunRow, outcome_from
from scheduler.run import Limit, Reason, Run, State

_HIGHEST_PID = 2**31 - 1

Rows = Iterable[tuple[Any, ...]]


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


def _run(rows: list[tuple[Any, ...]]) -> RunRow:
    run, job, at, era, zone, state, reason, *rest = rows[0][:15]
    until, due, made_up, by_hand, reopened, set_back, again_from, user = rest
    return RunRow(
        run=Run(number(run, 1), text(job), whole_instant(at), number(era), maybe(text, user)),
        state=State(state),
        reason=maybe(Reason, reason),
        until=maybe(whole_instant, until),
        due=maybe(instant, due),
        zone=text(zone),
        attempts=tuple(_attempt(*row[15:]) for row in rows if row[15] is not None),
        made_up=flag(made_up),
        by_hand=flag(by_hand),
        reopened=maybe(instant, reopened),
        set_back=maybe(instant, set_back),
        again_from=maybe(instant, again_from),
    )


def _attempt(
    attempt: object, started: object, ended: object, outcome: object, *rest: object
) -> AttemptRow:
    cpu_s, memory_bytes, pid, pid_started, output, limited, took, emptied, left_behind = rest
    if (ended is None) != (outcome is None) or (pid is None) != (started is None):
        raise ValueError("half of an attempt is missing")
    return AttemptRow(
        number(attempt, 1),
        maybe(instant, started),
        maybe(instant, ended),
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
