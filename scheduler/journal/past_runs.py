"""Runs as the journal has them in, as the control socket tells them out; and back, for who asks."""

from __future__ import annotations

from scheduler.errors import NoAnswer
from scheduler.journal.rows import AttemptRow, RunRow, outcome_from
from scheduler.past import PastAttempt, PastRun
from scheduler.run import Limit, Reason, Run, State


def told(row: RunRow) -> PastRun:
    """Return what is told of a run."""
    return PastRun(
        run=row.run.number,
        job=row.run.job,
        user=row.run.user,
        at=row.run.instant,
        zone=row.zone,
        state=row.state.value,
        reason=None if row.reason is None else row.reason.value,
        until=row.until,
        due=row.due,
        made_up=row.made_up,
        by_hand=row.by_hand,
        reopened=row.reopened,
        set_back=row.set_back,
        again_from=row.again_from,
        attempts=tuple(map(_told_attempt, row.attempts)),
    )


def _told_attempt(row: AttemptRow) -> PastAttempt:
    return PastAttempt(
        attempt=row.number,
        started=row.started,
        ended=row.ended,
        outcome=None if row.outcome is None else str(row.outcome),
        took_s=row.took,
        cpu_s=row.cpu_s,
        memory_bytes=row.memory_bytes,
        pid=row.pid,
        limit=None if row.limit is None else row.limit.value,
        emptied=row.emptied,
        left_behind=row.left_behind,
        output=row.output,
    )


def heard(told: PastRun) -> RunRow:
    """Return the run that was told; NoAnswer for words that this version does not know."""
    try:
        return RunRow(
            run=Run(told.run, told.job, told.at, user=told.user),
            state=State(told.state),
            reason=None if told.reason is None else Reason(told.reason),
            until=told.until,
            due=told.due,
            zone=told.zone,
            attempts=tuple(map(_heard_attempt, told.attempts)),
            made_up=told.made_up,
            by_hand=told.by_hand,
            reopened=told.reopened,
            set_back=told.set_back,
            again_from=told.again_from,
        )
    except ValueError as error:
        why = f"the daemon's answer makes no sense here ({error}); is it of another version?"
        raise NoAnswer(why) from error


def _heard_attempt(told: PastAttempt) -> AttemptRow:
    return AttemptRow(
        number=told.attempt,
        started=told.started,
        ended=told.ended,
        outcome=None if told.outcome is None else outcome_from(told.outcome),
        cpu_s=told.cpu_s,
        memory_bytes=told.memory_bytes,
        pid=told.pid,
        pid_started=None,
        output=told.output,
        limit=None if told.limit is None else Limit(told.limit),
        took=told.took_s,
        emptied=told.emptied,
        left_behind=told.left_behind,
    )
