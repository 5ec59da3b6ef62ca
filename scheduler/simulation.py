"""Crontabs, a stretch of time and what befalls the machine in it in, what the daemon does out.

It is the daemon itself, with its roster, runs and journal, on a virtual machine; the events are
what it would log.
"""

from __future__ import annotations

import logging
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache, partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NoReturn

from scheduler.daemon import Daemon
from scheduler.due import following, walls
from scheduler.errors import JournalError
from scheduler.journal import Journal
from scheduler.log import Fact, Log
from scheduler.model import Expression, State
from scheduler.roster import Roster
from scheduler.runs import Runs
from scheduler.virtual import VirtualClock, VirtualSpawner
from scheduler.wording import of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from scheduler.model import Entry
    from scheduler.sources import Loaded, Stamp

ASSUMED = 1.0  # seconds that a job takes of which the journal knows nothing
_REMEMBERED = 20  # how many of a job's newest runs tell how long it takes
_BOOT = "simulated"
_INSTANT = timedelta.resolution


class Kind(StrEnum):
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
    kind: Kind
    job: str | None
    at: datetime | None
    attempt: int | None
    reason: str | None
    until: datetime | None = None


class Mishap(StrEnum):
    """What can befall a machine."""

    DOWNTIME = "downtime"  # the daemon is killed, and started again later
    SUSPEND = "suspend"  # the machine sleeps
    SET_CLOCK = "set-clock"  # somebody sets the wall clock


@dataclass(frozen=True, slots=True)
class Incident:
    """A mishap that begins when the wall clock shows `at`, and is over when it shows `to`."""

    mishap: Mishap
    at: datetime
    to: datetime


class Simulation:
    """One machine from `start` until just before `end`, which is consumed by `events`.

    `anchors` says from where `@every` jobs count, `lasts` how many seconds each job takes.
    """

    def __init__(
        self,
        loaded: Loaded,
        start: datetime,
        end: datetime,
        *,
        incidents: Iterable[Incident] = (),
        anchors: Mapping[tuple[str, int], datetime] | None = None,
        lasts: Mapping[str, float] | None = None,
    ) -> None:
        known = lasts or {}
        self._loaded = loaded
        self._start = start
        self._end = end
        self._clock = VirtualClock(start)
        self._spawner = VirtualSpawner(self._clock, lambda job: known.get(job, ASSUMED))
        self._story = _Story(self._clock, loaded.entries)
        self._anchors = anchors or {}
        for each in incidents:
            # Just before it the daemon wakes up, so that what it has seen go by is on disk.
            self._clock.at(each.at - _INSTANT, _nothing)
            self._clock.at(each.at, partial(self._befall, each))
        self._clock.at(end, _stop)

    def length(self) -> float:
        """Return the seconds from its start to its end."""
        return (self._end - self._start).total_seconds()

    def passed(self) -> float:
        """Return how many of them have passed."""
        return (self._clock.now() - self._start).total_seconds()

    def running(self) -> int:
        """Return how many jobs run now."""
        return len(self._spawner)

    def events(self) -> Iterator[Event]:
        """Yield what happens, in order; None of it after the end.

        A bug of the daemon's raises RuntimeError.
        """
        with closing(_Memory.in_memory()) as journal:
            for (job, minutes), anchor in self._anchors.items():
                journal.set_anchor(job, minutes, anchor)
            down_until: datetime | None = None
            while True:
                try:
                    if down_until is not None:
                        self._clock.pass_to(down_until)
                    yield from self._life(journal)
                except _Killed as killed:
                    self._spawner.crash()
                    down_until = killed.until
                except _Over:
                    return

    def _life(self, journal: Journal) -> Iterator[Event]:
        """Yield what one daemon does, wake by wake, until an incident or the end raises."""
        self._clock.at(self._clock.now(), _nothing)  # it looks at the clock at once, due or not
        for _ in self._daemon(journal).run().__await__():  # each turn is one wait of its loop
            yield from self._story.told()

    def _daemon(self, journal: Journal) -> Daemon:
        clock, log = self._clock, self._story
        runs = Runs(
            clock=clock,
            journal=journal,
            spawner=self._spawner,
            state=Path(),
            log=log,
            spread=lambda: 0.0,
        )
        return Daemon(
            clock=clock,
            journal=journal,
            roster=Roster(_Shelf(self._loaded), journal, log, _BOOT),
            runs=runs,
            log=log,
            holds_state=lambda: True,
            watches=False,
        )

    def _befall(self, incident: Incident) -> None:
        match incident.mishap:
            case Mishap.DOWNTIME:
                raise _Killed(incident.to)
            case Mishap.SUSPEND:
                self._clock.suspend((incident.to - self._clock.now()).total_seconds())
            case Mishap.SET_CLOCK:
                self._clock.set(incident.to)


class _Memory(Journal):
    """A journal in memory that is one transaction: what it refuses ends the simulation."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._do("begin")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Do nothing: each would cost as much as two statements."""
        yield


class _Killed(Exception):
    """The daemon is no more, until some time."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class _Over(Exception):
    """The simulation has come to its end."""


def _nothing() -> None:
    """Happen, no more."""


def _stop() -> NoReturn:
    raise _Over


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Crontabs that never change; see Library."""

    loaded: Loaded

    def stamps(self) -> Mapping[str, Stamp]:
        return {}

    def load(self) -> Loaded:
        return self.loaded


class _Story(Log):
    """A log that makes events of what it is told."""

    def __init__(self, clock: VirtualClock, entries: Iterable[Entry]) -> None:
        super().__init__(logging.getLogger(__name__))
        self._clock = clock
        self._entries = {entry.job: entry for entry in entries}
        self._events: list[Event] = []
        self._jumps: list[tuple[datetime, datetime, str]] = []  # last look, next one, kind

    def told(self) -> list[Event]:
        """Return the events since the last call."""
        found, self._events = self._events, []
        return found

    def info(self, message: str, **facts: Fact) -> None:
        """Make an event of it, if it is one."""
        kind = _KINDS.get(message)
        if kind is not None:
            self._events.append(self._event(kind, facts))
        elif message == "bug":
            raise RuntimeError(facts["trace"])
        elif message == "journal":
            raise JournalError(str(facts["error"]))

    warning = error = info

    def _event(self, kind: Kind, facts: Mapping[str, Any]) -> Event:
        now, job, attempt = self._clock.now(), facts.get("job"), facts.get("attempt")
        at, until = (_instant(facts.get(name)) for name in ("instant", "until"))
        reason: str | None = facts.get("reason") or facts["say"]
        match kind:
            case Kind.START:
                kind = Kind.START if attempt == 1 else Kind.RETRY
                reason = "; ".join(self._why(facts)) or None
            case Kind.SUCCESS:
                reason = None
            case Kind.JUMP:
                self._jumps.append((datetime.fromisoformat(facts["last"]), now, facts["kind"]))
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
        if facts["late_s"] is not None:
            yield self._lateness(entry, at, facts["late_s"])
        elif entry.delay and facts["attempt"] == 1:
            chosen = entry.settings
            names = (("CRON_SPREAD", chosen.spread), ("RANDOM_DELAY", chosen.random_delay))
            by = " and ".join(name for name, length in names if length)
            yield f"{of_seconds(entry.delay)} after its minute, by {by}"

    def _lateness(self, entry: Entry, at: datetime, late: float) -> str:
        for last, noticed, kind in reversed(self._jumps):
            if last <= at <= noticed:
                since, until = (each.astimezone(entry.zone) for each in (last, noticed))
                return f"made up for: {kind} from {since:%H:%M} until {until:%H:%M}"
        return f"{of_seconds(late)} late: an earlier run of the job was under way"


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_KINDS = {
    "started": Kind.START,
    "succeeded": Kind.SUCCESS,
    "failed": Kind.FAILURE,
    "skipped": Kind.SKIP,
    "jump": Kind.JUMP,
}


@lru_cache(maxsize=64)  # the zones of one minute, mostly
def _is_at_a_change(zone: ZoneInfo, minute: datetime) -> bool:
    *skipped, shown = walls(zone, minute)
    return bool(skipped) or shown.repeated


def usual(journal: Journal, job: str) -> float | None:
    """Return the seconds that the job's newest successful attempts took, in the median.

    None if the journal remembers none.
    """
    took = [
        max(0.0, (last.ended - last.started).total_seconds())
        for run in journal.history(job, limit=_REMEMBERED)
        if run.state is State.SUCCEEDED
        for last in run.attempts[-1:]
        if last.started is not None and last.ended is not None
    ]
    return median(took) if took else None
