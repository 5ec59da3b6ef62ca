"""What happens to runs, to time, to the crontabs and to the journal, as values, for listeners.

`entry` is the job's as it was then, with its settings and its zone; None where no crontab has the
job any more.

An event of a run is an effect of a commit: it is told after the commit, in order, to every
listener (see listeners); one of the crontabs once they are loaded. Nobody parses the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.crontab.zone_changes import ZoneChange
    from scheduler.entry import Entry, Problem
    from scheduler.run import Attempt, Ending, Reason, Run
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import LeftOut
    from scheduler.schedule.tick import Jump


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A process of a run has started.

    One that an earlier daemon started, of a job that is gone, has an entry that is never due.
    """

    at: datetime
    entry: Entry
    attempt: Attempt
    pid: int


@dataclass(frozen=True, slots=True)
class RunAdopted:
    """A process that an earlier daemon started lives; its `pid` is None where that is hidden."""

    at: datetime
    attempt: Attempt
    pid: int | None


@dataclass(frozen=True, slots=True)
class RunSucceeded:
    """A run has come to its end with success."""

    at: datetime
    entry: Entry | None
    attempt: Attempt
    ending: Ending


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """An attempt has failed, and the next one is due at `due`."""

    at: datetime
    entry: Entry
    attempt: Attempt
    ending: Ending
    due: datetime


@dataclass(frozen=True, slots=True)
class RunFailed:
    """A run has come to its end without success, and why it is not tried again.

    `attempt` and `ending` are those of its last attempt; None where it waited for its next one.
    """

    at: datetime
    entry: Entry | None
    run: Run
    reason: Reason
    attempt: Attempt | None = None
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class RunSkipped:
    """A run that was claimed never starts."""

    at: datetime
    entry: Entry | None
    run: Run
    reason: Reason


@dataclass(frozen=True, slots=True)
class InstantsSkipped:
    """Instants of an entry go by without a run."""

    at: datetime
    skipped: LeftOut


@dataclass(frozen=True, slots=True)
class InstantKnown:
    """An instant was due that has been handled before."""

    at: datetime
    entry: Entry
    instant: datetime


@dataclass(frozen=True, slots=True)
class RunWaits:
    """A run waits for `due`: its spread start, or its turn where it is `made_up` for."""

    at: datetime
    entry: Entry
    run: Run
    due: datetime
    made_up: bool


@dataclass(frozen=True, slots=True)
class SlotAwaited:
    """A run waits for a slot."""

    at: datetime
    entry: Entry
    run: Run
    reason: Reason


@dataclass(frozen=True, slots=True)
class RunQueued:
    """A run waits for another one of its job to end."""

    at: datetime
    entry: Entry
    run: Run


@dataclass(frozen=True, slots=True)
class RunStopping:
    """A run's process is going to be ended, since somebody kills it or another run replaces it."""

    at: datetime
    entry: Entry | None
    attempt: Attempt
    reason: Reason


@dataclass(frozen=True, slots=True)
class CatchUpBegun:
    """Missed instants of an entry are made up for, one after the other."""

    at: datetime
    entry: Entry
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class ProcessesLeft:
    """So many processes of an attempt that was ended got away, and are ended now."""

    at: datetime
    attempt: Attempt
    number: int


@dataclass(frozen=True, slots=True)
class ClockJumped:
    """Time went by unseen; runs that are `made_up` for, entries that have others `left_out`."""

    at: datetime
    jump: Jump
    made_up: int
    left_out: int


@dataclass(frozen=True, slots=True)
class CrontabLoaded:
    """The crontabs have been read, at the start or anew, and the daemon goes by them.

    So many `entries` in so many `zones` are in force; of their jobs so many are `new`, and so many
    others `gone`. `kept` are entries that run in their last good version, `failed` the files that
    could not be read. `zone_changes` tell which entries move with new data of their zone.
    """

    at: datetime
    entries: int
    zones: int
    new: int
    gone: int
    problems: Sequence[Problem]
    kept: Sequence[Entry]
    failed: frozenset[str]
    zone_changes: Sequence[ZoneChange]
    is_first: bool


@dataclass(frozen=True, slots=True)
class JournalTrouble:
    """The journal refuses what it is given; told when that begins, and now and then while it lasts.

    Until it takes something again nothing new starts, and what runs goes on.
    """

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class JournalRecovered:
    """The journal takes everything again."""

    at: datetime


@dataclass(frozen=True, slots=True)
class StartsRefused:
    """The system has no room for another process, and why; told when that begins."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class StartsRecovered:
    """Processes start again."""

    at: datetime


Event = (
    RunStarted
    | RunAdopted
    | RunSucceeded
    | RetryScheduled
    | RunFailed
    | RunSkipped
    | InstantsSkipped
    | InstantKnown
    | RunWaits
    | SlotAwaited
    | RunQueued
    | RunStopping
    | CatchUpBegun
    | ProcessesLeft
    | ClockJumped
    | CrontabLoaded
    | JournalTrouble
    | JournalRecovered
    | StartsRefused
    | StartsRecovered
)
