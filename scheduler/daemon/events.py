"""What the daemon says to its log in, events of its runs and of time out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scheduler.entry import Expression
from scheduler.errors import JournalError
from scheduler.runs.messages import of_cause, of_seconds, of_times
from scheduler.schedule.catchup import own_start
from scheduler.schedule.search import following, walls
from scheduler.schedule.tick import JumpKind
from scheduler.system.log import Fact, Log

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry
    from scheduler.system.clock import Clock

_INSTANT = timedelta.resolution


class EventKind(StrEnum):
    """What happened to a run, or to the clock."""

    START = "start"  # the first attempt
    RETRY = "retry"  # a later one
    SUCCESS = "success"
    FAILURE = "failure"
    SKIP = "skip"
    JUMP = "jump"


@dataclass(frozen=True, slots=True)
class Event:
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


class EventLog(Log):
    """A log that makes events of what it is told."""

    def __init__(self, clock: Clock, entries: Iterable[Entry]) -> None:
        super().__init__(logging.getLogger(__name__))
        self._clock = clock
        self._entries = {entry.job: entry for entry in entries}
        self._events: list[Event] = []
        self._jumps: list[tuple[datetime, datetime, JumpKind]] = []  # last look, next one, kind
        self._lines: dict[Fact, str] = {}  # why which run, by its number, waits for a place

    def told(self) -> list[Event]:
        """Return the events since the last call."""
        found, self._events = self._events, []
        return found

    def info(self, message: str, **facts: Fact) -> None:
        """Make an event of it, if it is one."""
        kind = _KINDS.get(message)
        if kind is not None:
            self._events.append(self._event(kind, facts))
        elif message == "waits" and facts.get("reason"):
            pool = facts["pool"]
            full = f"the pool {pool} was full"
            self._lines[facts["run"]] = str(facts["reason"]) if pool is None else full
        elif message == "bug":
            raise RuntimeError(facts["trace"])
        elif message == "journal":
            raise JournalError(str(facts["error"]))

    warning = error = info

    def _event(self, kind: EventKind, facts: Mapping[str, Any]) -> Event:
        now, job, attempt = self._clock.now(), facts.get("job"), facts.get("attempt")
        at, until = (_instant(facts.get(name)) for name in ("instant", "until"))
        reason: str | None = facts.get("reason") or facts["say"]
        match kind:
            case EventKind.START:
                kind = EventKind.START if attempt == 1 else EventKind.RETRY
                reason = "; ".join(self._why(facts)) or None
            case EventKind.SUCCESS:
                reason = None
            case EventKind.JUMP:
                kind_of = JumpKind(facts["kind"])
                self._jumps.append((datetime.fromisoformat(facts["last"]), now, kind_of))
            case _:
                pass
        return Event(now, kind, job, at, attempt, reason, until)

    def _why(self, facts: Mapping[str, Any]) -> Iterator[str]:
        """Yield why a run starts at another time than its schedule says, if it does."""
        at = datetime.fromisoformat(facts["instant"])
        entry = self._entries[facts["job"]]
        schedule = entry.schedule
        if isinstance(schedule, Expression) and _is_at_a_change(entry.zone, at):
            yield from filter(None, [next(following(schedule, entry.zone, at - _INSTANT)).note])
        if (reason := self._lines.pop(facts["run"], None)) is not None:
            waited = of_seconds((self._clock.now() - at).total_seconds())
            yield f"{waited} after its minute: {reason}"
        elif facts["late_s"] is not None:
            yield self._lateness(entry, at, facts["late_s"])
        elif entry.delay and facts["attempt"] == 1:
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


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_KINDS = {
    "started": EventKind.START,
    "succeeded": EventKind.SUCCESS,
    "failed": EventKind.FAILURE,
    "skipped": EventKind.SKIP,
    "jump": EventKind.JUMP,
}


@lru_cache(maxsize=64)  # the zones of one minute, mostly
def _is_at_a_change(zone: ZoneInfo, minute: datetime) -> bool:
    *skipped, shown = walls(zone, minute)
    return bool(skipped) or shown.repeated
