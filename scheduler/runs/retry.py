"""What follows an attempt: its outcome and the retry policy in, a decision out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, assert_never

from scheduler.run import (
    Decision,
    Done,
    Exited,
    GiveUp,
    Lost,
    NotStarted,
    Outcome,
    Reason,
    RetryAt,
    Signalled,
    TimedOut,
)

if TYPE_CHECKING:
    from scheduler.entry import RetryPolicy, Settings

PUNCTUAL = timedelta(seconds=5)  # a start that is late by less is in time: the loop had work to do


def wait(policy: RetryPolicy, number: int, draw: float) -> float:
    """Return the seconds before retry `number` (from 1); `draw` in [-1, 1] chooses the jitter."""
    try:
        grown = policy.delay * policy.factor ** (number - 1)
    except OverflowError:  # beyond every limit, unless it grows from nothing
        grown = policy.max_delay if policy.delay else 0.0
    return min(policy.max_delay, grown) * (1 + policy.jitter * draw)


def succeeded(settings: Settings, outcome: Outcome) -> bool:
    """Say whether this ending is what CRON_SUCCESS calls success."""
    return isinstance(outcome, Exited) and outcome.code in settings.success


def decide(
    settings: Settings,
    attempt: int,
    outcome: Outcome,
    *,
    ended: datetime,
    first_start: datetime,
    next_instant: datetime | None,
    draw: float,
) -> Decision:
    """Return what follows attempt number `attempt` (from 1) of a run that ended with `outcome`.

    A retry never starts at or after the job's next instant, whatever the policy allows.
    """
    policy = settings.retry
    if succeeded(settings, outcome):
        return Done()
    if not _is_retried(policy, outcome):
        return GiveUp(Reason.NOT_RETRIED)
    if attempt > policy.retries:
        return GiveUp(Reason.EXHAUSTED)
    at = ended + timedelta(seconds=wait(policy, attempt, draw))
    reason = expired(policy, at, at, first_start=first_start, next_instant=next_instant)
    return RetryAt(at) if reason is None else GiveUp(reason)


def expired(
    policy: RetryPolicy,
    due: datetime,
    now: datetime,
    *,
    first_start: datetime,
    next_instant: datetime | None,
) -> Reason | None:
    """Return why a retry that was due at `due` is not started at `now` any more; None if it is."""
    at = due if now - due < PUNCTUAL else now
    if policy.within is not None and at > first_start + timedelta(seconds=policy.within):
        return Reason.WINDOW
    if next_instant is not None and at >= next_instant:
        return Reason.SUPERSEDED
    return None


def _is_retried(policy: RetryPolicy, outcome: Outcome) -> bool:
    kind = _kind(outcome)
    if kind is None:
        return True  # lost says nothing about the job, so no list of endings is asked
    return kind not in policy.never_on and (policy.on is None or kind in policy.on)


def _kind(outcome: Outcome) -> int | str | None:
    """Return the word by which CRON_RETRY_ON and CRON_NO_RETRY_ON call this outcome."""
    match outcome:
        case Exited(code):
            return code
        case Signalled():
            return "signal"
        case TimedOut():
            return "timeout"
        case NotStarted():
            return "start"
        case Lost():
            return None
        case _:
            assert_never(outcome)
