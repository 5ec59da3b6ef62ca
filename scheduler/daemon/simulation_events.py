"""What happens in a simulation: events of runs and of time in, as it shows them out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

from scheduler.entry import Expression
from scheduler.errors import JournalError
from scheduler.run import GiveUp, Reason, RetryAt
from scheduler.runs import events, messages
from scheduler.runs.messages import of_cause, of_times
from scheduler.schedule.catchup import LeftOut
from scheduler.schedule.dst import walls
from scheduler.schedule.misfire import lateness, own_start
from scheduler.schedule.search import following
from scheduler.system.log import Fact, Log
from scheduler.text import of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry
    from scheduler.run import Attempt
    from scheduler.schedule.tick import JumpKind
    from scheduler.system.clock import Clock

_INSTANT = timedelta.resolution


class EventKind(StrEnum):
    """What happened to a run, or to the clock."""

    START = "start"  # of an attempt
    RETRY = "retry"  # an attempt has failed, and another one is to come
    SUCCESS = "success"
    FAILURE = "failure"  # for good
    SKIP = "skip"
    JUMP = "jump"


@dataclass(frozen=True, slots=True)
class SimulatedEvent:
    """One thing that happens at `time`, to the run of `job` that is scheduled `at`.

    A jump is no job's. A skip is of no attempt, and of all instants up to `until` where it has one.
    """

    time: datetime
    kind: EventKind
    job: str | None
    at: datetime | None
    attempt: int | None
    reason: str | None
    until: datetime | None = None


class Recorder:
    """Makes events of runs and of time into those that a simulation shows.

    It owns the events that nobody has read yet, and what explains later ones: jumps of the clock,
    and why a run waits for a slot. The daemon calls `hear` as of any listener, the simulation calls
    `told`. Each event is returned once, in the order in which it happened.
    """

    def __init__(self, clock: Clock, entries: Iterable[Entry]) -> None:
        self._clock = clock
        self._entries = {entry.job: entry for entry in entries}
        self._events: list[SimulatedEvent] = []
        self._jumps: list[tuple[datetime, datetime, JumpKind]] = []  # last look, next one, kind
        self._lines: dict[int, str] = {}  # why which run, by its number, waits for a slot
        self._refusal: str | None = None  # of the journal, which ends the simulation

    def told(self) -> list[SimulatedEvent]:
        """Return the events since the last call; JournalError where the journal has refused."""
        if self._refusal is not None:
            raise JournalError(self._refusal)
        found, self._events = self._events, []
        return found

    def hear(self, event: events.Event) -> None:
        """See listeners.Listener."""
        match event:
            case events.RunStarted(at, entry, attempt):
                why = "; ".join(self._why(entry, attempt, at)) or None
                self._of_attempt(EventKind.START, attempt, why)
            case events.RunSucceeded(attempt=attempt):
                self._of_attempt(EventKind.SUCCESS, attempt, None)
            case events.RetryScheduled() | events.RunFailed():
                self._of_failure(event)
            case events.RunSkipped() | events.InstantsSkipped():
                self._of_skip(event)
            case events.SlotAwaited(_, entry, run, reason):
                pool = entry.settings.pool
                is_full = reason is Reason.POOL and pool is not None
                full = f"the pool {pool.name} was full" if pool and is_full else reason.value
                self._lines[run.number] = full
            case events.ClockJumped(_, jump, made_up, left_out):
                said = messages.jump_facts(jump, made_up=made_up, left_out=left_out)["say"]
                self._jumps.append((jump.last, self._clock.now(), jump.kind))
                self._add(EventKind.JUMP, None, None, reason=str(said))
            case events.JournalTrouble(_, why):
                self._refusal = why
            case _:
                pass

    def _of_skip(self, event: events.RunSkipped | events.InstantsSkipped) -> None:
        match event:
            case events.RunSkipped(_, _, run, reason):
                self._add(EventKind.SKIP, run.job, run.instant, reason=reason.value)
            case events.InstantsSkipped(_, LeftOut(entry, first, last, reason)):
                until = None if first == last else last
                self._add(EventKind.SKIP, entry.job, first, reason=reason.value, until=until)

    def _of_failure(self, event: events.RetryScheduled | events.RunFailed) -> None:
        match event:
            case events.RetryScheduled(_, _, attempt, ending, due):
                said = messages.end_facts(attempt, ending, RetryAt(due))["say"]
                self._of_attempt(EventKind.RETRY, attempt, str(said))
            case events.RunFailed(_, _, _, reason, attempt, ending) if attempt and ending:
                said = messages.end_facts(attempt, ending, GiveUp(reason))["say"]
                self._of_attempt(EventKind.FAILURE, attempt, str(said))
            case events.RunFailed(_, _, run, reason):
                self._add(EventKind.FAILURE, run.job, run.instant, reason=reason.value)

    def _of_attempt(self, kind: EventKind, attempt: Attempt, reason: str | None) -> None:
        run = attempt.run
        self._add(kind, run.job, run.instant, attempt=attempt.number, reason=reason)

    def _add(
        self,
        kind: EventKind,
        job: str | None,
        at: datetime | None,
        *,
        reason: str | None,
        attempt: int | None = None,
        until: datetime | None = None,
    ) -> None:
        self._events.append(
            SimulatedEvent(self._clock.now(), kind, job, at, attempt, reason, until)
        )

    def _why(self, entry: Entry, attempt: Attempt, started: datetime) -> Iterator[str]:
        """Yield why a run starts at another time than its schedule says, if it does."""
        at, schedule = attempt.run.instant, entry.schedule
        late = lateness(own_start(entry, at), started)
        if isinstance(schedule, Expression) and _is_at_a_change(entry.zone, at):
            yield from filter(None, [next(following(schedule, entry.zone, at - _INSTANT)).note])
        if (reason := self._lines.pop(attempt.run.number, None)) is not None:
            waited = of_seconds((self._clock.now() - at).total_seconds())
            yield f"{waited} after its minute: {reason}"
        elif attempt.number == 1 and late > 0:
            yield self._lateness(entry, at, late)
        elif entry.delay and attempt.number == 1:
            chosen = entry.settings
            names = (("CRON_SPREAD", chosen.spread), ("RANDOM_DELAY", chosen.random_delay))
            by = " and ".join(name for name, length in names if length)
            yield f"{of_seconds(entry.delay)} after its minute, by {by}"

    def _lateness(self, entry: Entry, at: datetime, late: float) -> str:
        """Return what made a first attempt late: its minute or its spread start went by unseen."""
        own = own_start(entry, at)
        for last, noticed, kind in reversed(self._jumps):
            if last <= at <= noticed or last <= own <= noticed:
                how = "made up for" if last < at else f"{of_seconds(late)} late"
                ends = [each.astimezone(entry.zone) for each in (last, noticed)]
                since, until = of_times(ends, self._clock.now())
                return f"{how}: {of_cause(kind)} from {since} until {until}"
        return f"{of_seconds(late)} late: an earlier run of the job was under way"


class StrictLog(Log):
    """A log that takes nothing: a bug of the daemon's ends the simulation."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger(__name__))

    def info(self, message: str, **facts: Fact) -> None:
        """Raise RuntimeError for what is told of a bug."""
        if message in ("bug", "listener"):
            raise RuntimeError(facts.get("trace") or facts["say"])

    warning = error = info


@lru_cache(maxsize=64)  # the zones of one minute, mostly
def _is_at_a_change(zone: ZoneInfo, minute: datetime) -> bool:
    *skipped, shown = walls(zone, minute)
    return bool(skipped) or shown.repeated
