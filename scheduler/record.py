"""What the journal tells: rows of its `record` view come in, runs with their attempts go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from scheduler.errors import JournalDamaged
from scheduler.model import (
    Exited,
    Limit,
    Lost,
    NotStarted,
    Outcome,
    Reason,
    Run,
    Signalled,
    State,
    TimedOut,
)
from scheduler.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOT_STARTED = "not started: "


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """An attempt as journalled; None is what has not happened or could not be told."""

    number: int
    started: datetime | None
    ended: datetime | None
    outcome: Outcome | None
    cpu_s: float | None
    memory_bytes: int | None
    pid: int | None
    pid_started: int | None
    output: str
    limit: Limit | None = None
    took: float | None = None  # seconds, by a clock that nobody sets
    emptied: bool = False  # by its own job: what it had written before is gone
    left_behind: int = 0  # processes that got away when the daemon ended it, by another group


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as journalled; with `until` it stands for all the job's instants up to that one.

    What `set_back` says is when the clock was set back, so that its instants from `again_from` on
    came again: those were of a time that was not real. None if none did.
    """

    run: Run
    state: State
    reason: Reason | None
    until: datetime | None
    due: datetime | None
    zone: str
    attempts: tuple[AttemptRow, ...]
    made_up: bool = False  # for an instant that was missed
    by_hand: bool = False  # started by its user: the instant is that second
    reopened: datetime | None = None  # tried again by its user when it was over
    set_back: datetime | None = None
    again_from: datetime | None = None

    @property
    def is_unreal(self) -> bool:
        """Whether all of it was of a time that was not real."""
        return self.again_from is not None and self.again_from <= self.run.instant


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that is not over; `due` is when its next attempt may start, None for at once.

    `reason` is what it waits for beside that, or why its process is being ended.
    """

    run: Run
    state: State
    due: datetime | None
    attempts: tuple[AttemptRow, ...]
    made_up: bool = False
    by_hand: bool = False
    reason: Reason | None = None
    reopened: datetime | None = None


@dataclass(frozen=True, slots=True)
class OldRun:
    """A finished run that may go, and the paths of its outputs."""

    number: int
    outputs: tuple[str, ...]


def whole(instant: datetime) -> int:
    """Return the whole Unix seconds of an instant; TypeError for a datetime without a zone."""
    return (instant - EPOCH) // SECOND


def seconds(at: datetime) -> float:
    """Return Unix seconds with their fraction; TypeError for a datetime without a zone."""
    return (at - EPOCH).total_seconds()


def when(unix: float | None) -> datetime | None:
    """Return the UTC datetime of Unix seconds, exact to the microsecond."""
    return None if unix is None else EPOCH + timedelta(seconds=unix)


def storable(text: str) -> str:
    """Return the same text, with bytes of a file name that are no UTF-8 written as escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def outcome_from(text: str) -> Outcome:
    """Return the outcome whose `str()` is this text; JournalDamaged if there is none."""
    outcome = _outcome(text)
    if outcome is None or str(outcome) != text:
        raise JournalDamaged(f"the journal holds an outcome that nobody knows: {text!r}")
    return outcome


def _outcome(text: str) -> Outcome | None:
    if text.startswith(NOT_STARTED):
        return NotStarted(text.removeprefix(NOT_STARTED))
    match text.split(" "):
        case ["exit", code] if code.isdecimal():
            return Exited(int(code))
        case ["signal", signal] if signal.isdecimal():
            return Signalled(int(signal))
        case ["timed", "out"]:
            return TimedOut()
        case ["lost"]:
            return Lost()
        case _:
            return None


def runs(rows: Iterable[tuple[Any, ...]]) -> list[RunRow]:
    """Return runs from rows of the view, a run's together; JournalDamaged for unknown words."""
    return [_run(list(group)) for _, group in groupby(rows, key=itemgetter(0))]


def old_runs(rows: Iterable[tuple[int, str | None]]) -> list[OldRun]:
    """Return runs from rows of their number and an output, a run's together."""
    return [
        OldRun(number, tuple(output for _, output in group if output is not None))
        for number, group in groupby(rows, key=itemgetter(0))
    ]


def eras(rows: Iterable[tuple[int, int, int, float]]) -> tuple[Era, ...]:
    """Return eras from their rows."""
    return tuple(
        Era(number, EPOCH + since * SECOND, EPOCH + last * SECOND, EPOCH + noticed * SECOND)
        for number, since, last, noticed in rows
    )


def jumps(rows: Iterable[tuple[Any, ...]]) -> list[Jump]:
    """Return jumps from their rows; JournalDamaged for unknown words."""
    try:
        return [
            Jump(
                JumpKind(kind),
                EPOCH + last * SECOND,
                EPOCH + noticed * SECOND,
                size,
                Verdict(verdict),
            )
            for last, noticed, kind, size, verdict in rows
        ]
    except ValueError as error:
        raise JournalDamaged(f"the journal holds a jump that nobody knows: {error}") from error


def _run(rows: list[tuple[Any, ...]]) -> RunRow:
    number, job, instant, era, zone, state, reason, *rest = rows[0][:14]
    until, due, made_up, by_hand, reopened, set_back, again_from = rest
    try:
        known = None if reason is None else Reason(reason)
    except ValueError as error:
        raise JournalDamaged(f"the journal holds a reason that nobody knows: {reason!r}") from error
    return RunRow(
        run=Run(number, job, EPOCH + timedelta(seconds=instant), era),
        state=State(state),
        reason=known,
        until=when(until),
        due=when(due),
        zone=zone,
        attempts=tuple(_attempt(*row[14:]) for row in rows if row[14] is not None),
        made_up=bool(made_up),
        by_hand=bool(by_hand),
        reopened=when(reopened),
        set_back=when(set_back),
        again_from=when(again_from),
    )


def _attempt(
    number: int, started: float | None, ended: float | None, outcome: str | None, *rest: Any
) -> AttemptRow:
    told = None if outcome is None else outcome_from(outcome)
    cpu_s, memory_bytes, pid, pid_started, output, limited, took, emptied, left_behind = rest
    limit = None if limited is None else Limit(limited)
    return AttemptRow(
        number,
        when(started),
        when(ended),
        told,
        cpu_s,
        memory_bytes,
        pid,
        pid_started,
        output,
        limit,
        took,
        bool(emptied),
        left_behind or 0,
    )
