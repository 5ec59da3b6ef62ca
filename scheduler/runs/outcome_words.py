"""How an attempt ended in, the words for it out: the log and the command line say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.run import Limit, Outcome


def of_left_behind(number: int) -> str:
    """Return what is said of processes that got away when their attempt was ended."""
    return f"left {number} process{'' if number == 1 else 'es'} behind, which got SIGTERM too"


def of_outcome(outcome: Outcome, limit: Limit | None) -> str:
    """Return how an attempt ended, with the limit that ended it where one did."""
    return str(outcome) if limit is None else f"{outcome} ({limit.value} limit)"
