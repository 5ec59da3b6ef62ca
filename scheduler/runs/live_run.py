"""The phases of a run that is not over, and such a run as a value; see docs/architecture.md."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from scheduler.entry import Entry, Reboot
from scheduler.run import Attempt, Reason
from scheduler.schedule.zone_data import UTC_ZONE

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.journal.rows import OpenRun
    from scheduler.run import Run


class Phase(StrEnum):
    """What a live run does."""

    PLANNED = "planned"  # an attempt is claimed; its process starts when its minute comes
    STARTING = "starting"  # an attempt is claimed; its process starts now
    RUNNING = "running"  # it has a process
    STOPPING = "stopping"  # the same, and the journal has a reason to end it: see BEING_ENDED
    WAIT_TIME = "waits for a time"
    WAIT_RUN = "waits for another run"  # of its job
    WAIT_SLOT = "waits for a slot"


WITHOUT_PROCESS = frozenset((Phase.PLANNED, Phase.STARTING))  # and with an attempt
WAITING = frozenset((Phase.WAIT_TIME, Phase.WAIT_RUN, Phase.WAIT_SLOT))
# Reasons to end a process, each on disk before its signal. A timeout or a stop of the daemon is
# none: the supervisor alone knows of it, and the run's phase is still RUNNING.
BEING_ENDED = frozenset((Reason.KILLED, Reason.REPLACED))


@dataclass(frozen=True, slots=True)
class LiveRun:
    """A run that has begun or waits; `attempt` is the one it has, or the one that it waits for.

    It is to start at `due`. One that is `made_up` was missed, and is late by then; a `late` one
    came a few minutes after its time, and runs as if in time. `first_start` is that of its first
    attempt, or when its user tried it again, and `ended` when its last attempt did, never before
    `first_start`, however the clock is set; None where there is none. `reason` is what it waits for
    if that is no time, `ticket` its place in line.
    """

    run: Run
    entry: Entry
    phase: Phase
    due: datetime
    attempt: int = 1
    made_up: bool = False
    late: bool = False
    first_start: datetime | None = None
    ended: datetime | None = None
    reason: Reason | None = None
    ticket: int = 0

    @property
    def job(self) -> str:
        """The name of its job."""
        return self.run.job

    @property
    def is_waiting(self) -> bool:
        """Whether it has no attempt that is under way."""
        return self.phase in WAITING

    @property
    def is_retry(self) -> bool:
        """Whether its attempt is not its first."""
        return self.attempt > 1

    @property
    def delays_others(self) -> bool:
        """Whether what comes in time waits behind it, since it should have run long before."""
        return not self.is_retry and (self.made_up or self.late)

    @property
    def key(self) -> Attempt:
        """Its attempt."""
        return Attempt(self.run, self.attempt)

    @classmethod
    def from_row(cls, row: OpenRun, entry: Entry, now: datetime) -> LiveRun:
        """Return an open run as the journal tells of it; what is due at once is due `now`.

        One that waits, waits for a time: what else it waited for is judged anew. One that has begun
        is taken to have a process, until somebody has looked for it.
        """
        due = row.due or now
        if not row.attempts:
            waits = cls(row.run, entry, Phase.WAIT_TIME, due, made_up=row.made_up)
            return replace(waits, reason=row.reason, first_start=row.reopened)
        first, last = row.attempts[0], row.attempts[-1]
        # What was before its user tried it again does not count, even if the clock was ahead then.
        first_start = row.reopened or first.started or first.ended or now
        if last.ended is None:
            phase = Phase.STOPPING if row.reason in BEING_ENDED else Phase.RUNNING
            return cls(row.run, entry, phase, due, last.number, first_start=first_start)
        retry = cls(row.run, entry, Phase.WAIT_TIME, due, last.number + 1, reason=row.reason)
        return replace(retry, first_start=first_start, ended=max(last.ended, first_start))

    def takes_place_of(self, run: Run) -> bool:
        """Say whether it takes the place of an earlier run's retries: not if it is made up for."""
        is_made_up = self.made_up and not self.is_retry
        return not is_made_up and self.run.order > run.order


def known(entry: Entry) -> Entry | None:
    """Return the entry; None for a stand-in."""
    return None if entry == stand_in(entry.job) else entry


def stand_in(job: str) -> Entry:
    """Return an entry for the runs of a job that no crontab has any more."""
    return Entry(job, Reboot(), "", UTC_ZONE, "")
