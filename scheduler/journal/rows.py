"""What the journal tells of runs, and the form in which it holds outcomes.

Their rows are `decoding`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scheduler.journal.columns import number
from scheduler.run import Exited, Lost, NotStarted, Outcome, Signalled, TimedOut

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.notice import Notice
    from scheduler.run import Limit, Reason, Run, State

NOT_STARTED = "not started: "

_HIGHEST_CODE = 255  # of an exit, and more than any signal has


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


class NoticeState(StrEnum):
    """Where a notice stands: `sending` is one that a sender has, `failed` one that is given up."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether it is not sent any more."""
        return self in {NoticeState.SENT, NoticeState.FAILED}


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A notice as journalled.

    `delivery` is what it was sent in last, None before; `done` when it was sent, or given up. A
    `repeated` one may have been sent before, and nobody can tell. `error` is that of the last try;
    of one that was sent, what there is to say of it.
    """

    number: int
    notice: Notice
    state: NoticeState
    due: datetime
    delivery: int | None = None
    tries: int = 0
    repeated: bool = False
    error: str = ""
    done: datetime | None = None


def outcome_from(text: str) -> Outcome:
    """Return the outcome whose `str()` is this text; ValueError if there is none."""
    outcome = _outcome(text)
    if outcome is None or str(outcome) != text:
        raise ValueError(f"{text!r:.60} is an outcome that nobody knows")
    return outcome


def _outcome(text: str) -> Outcome | None:
    if text.startswith(NOT_STARTED):
        return NotStarted(text.removeprefix(NOT_STARTED))
    match text.split(" "):
        case ["exit", code] if code.isdecimal():
            return Exited(number(int(code), most=_HIGHEST_CODE))
        case ["signal", signal] if signal.isdecimal():
            return Signalled(number(int(signal), most=_HIGHEST_CODE))
        case ["timed", "out"]:
            return TimedOut()
        case ["lost"]:
            return Lost()
        case _:
            return None
