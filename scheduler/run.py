"""What happens: runs, their attempts, how these end, what follows, and the reasons.

All frozen, with no behaviour but their own arithmetic. Instants are aware datetimes in UTC;
durations are seconds unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 (the codec reads the types of a pause)
from enum import StrEnum


class Reason(StrEnum):
    """Why a run did not start, waits for its start, or is not tried again."""

    OVERLAP = "overlap"
    REPLACED = "replaced"
    SUPERSEDED = "superseded"
    MISSED = "missed"
    TOO_LATE = "too late"
    POOL = "its pool is full"
    CROWD = "as many run as may"
    PAUSED = "paused"
    EXCLUDED = "excluded"  # its day is one on which it does not run
    KILLED = "killed by hand"
    STOPPED = "daemon stopped"
    REMOVED = "no longer in a crontab"
    SET_BACK = "the clock was set back"
    EXHAUSTED = "no attempts left"
    NOT_RETRIED = "this ending is not retried"
    WINDOW = "retry window over"


class State(StrEnum):
    """Where a run stands; the words every task queue knows."""

    SCHEDULED = "scheduled"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Run:
    """One entry at one scheduled instant; `number` is the journal's.

    The key is (job, instant, era): when the clock is set back far, instants come again. `user` may
    ask about it, as may root; None: only the daemon's own user, and root.
    """

    number: int
    job: str
    instant: datetime
    era: int = field(default=0, compare=False)  # the number alone tells a run from another
    user: str | None = field(default=None, compare=False)

    @property
    def order(self) -> tuple[int, datetime]:
        """What puts the runs of a job in the order of time, also when the clock is set back."""
        return self.era, self.instant


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process of a run, numbered from 1."""

    run: Run
    number: int


@dataclass(frozen=True, slots=True)
class Exited:
    """The process ended by itself with this exit code."""

    code: int

    def __str__(self) -> str:
        return f"exit {self.code}"


@dataclass(frozen=True, slots=True)
class Signalled:
    """A signal ended the process."""

    signal: int

    def __str__(self) -> str:
        return f"signal {self.signal}"


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The daemon ended it because CRON_TIMEOUT was over."""

    def __str__(self) -> str:
        return "timed out"


@dataclass(frozen=True, slots=True)
class NotStarted:
    """There never was a process; `by_system` where no job could have one, for lack of something."""

    why: str
    by_system: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"not started: {self.why}"


@dataclass(frozen=True, slots=True)
class Lost:
    """The daemon died meanwhile, so nobody saw how it ended."""

    def __str__(self) -> str:
        return "lost"


Outcome = Exited | Signalled | TimedOut | NotStarted | Lost


class Limit(StrEnum):
    """A limit of one attempt that ended it."""

    MEMORY = "memory"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Ending:
    """How and when an attempt ended, what it used, which limit ended it, how long it took.

    None where nobody could tell, or no limit did. `took` is seconds by a clock that nobody sets;
    `emptied` says that it emptied its own output.
    """

    outcome: Outcome
    ended: datetime
    cpu_s: float | None = None
    memory_bytes: int | None = None
    limit: Limit | None = None
    took: float | None = None
    emptied: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The run succeeded."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Another attempt follows, not before `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The run failed for good."""

    reason: Reason


Decision = Done | RetryAt | GiveUp
