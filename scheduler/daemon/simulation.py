"""A simulation: crontabs, a stretch of time and mishaps of the machine in, what happens out.

It is the daemon itself, with its entries, runs and journal, on a virtual machine; the events are
what it would log.
"""

from __future__ import annotations

from collections import deque
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from scheduler.daemon import wiring
from scheduler.daemon.incidents import Mishap, in_order
from scheduler.daemon.service_report import NoManager
from scheduler.daemon.simulation_events import Recorder, StrictLog
from scheduler.daemon.virtual_machine import VirtualClock, VirtualSpawner
from scheduler.daemon.wiring import Chosen, Parts
from scheduler.entry import Every
from scheduler.journal.journal import Journal
from scheduler.status import Reads

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from scheduler.daemon.incidents import Incident
    from scheduler.daemon.simulation_events import SimulatedEvent
    from scheduler.journal.connection import Connection
    from scheduler.system.calendars import CalendarSource
    from scheduler.system.crontab_files import Stamp
    from scheduler.system.crontab_loader import Loaded

ASSUMED = 1.0  # seconds that a job takes of which the journal knows nothing
_BOOT = "simulated"
_INSTANT = timedelta.resolution


class Simulation:
    """One machine from `start` until just before `end`.

    It owns a virtual machine, and the incidents that are still to come. The command `simulate`
    reads `events`, which moves time on, and asks how far it has come. Nothing in it reads a real
    clock, starts a process or writes a file, so the same arguments give the same events.

    `anchors` says from where `@every` jobs count, those that begin in it left out, `lasts` how many
    seconds each job takes, `most` how many may run at once.
    """

    def __init__(
        self,
        loaded: Loaded,
        start: datetime,
        end: datetime,
        *,
        incidents: Iterable[Incident] = (),
        anchors: Mapping[str, datetime] | None = None,
        lasts: Mapping[str, float] | None = None,
        most: int | None = None,
    ) -> None:
        known = lasts or {}
        self._loaded = loaded
        self._start = start
        self._end = end
        self._clock = VirtualClock(start)
        self._spawner = VirtualSpawner(self._clock, lambda job: known.get(job, ASSUMED))
        self._recorder = Recorder(self._clock, loaded.entries)
        self._anchors = anchors or {}
        self._most = most
        self._to_come = deque(in_order(incidents))
        self._await_next()
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

    def events(self) -> Iterator[SimulatedEvent]:
        """Yield what happens, in order; None of it after the end.

        A bug of the daemon's raises RuntimeError.
        """
        with closing(_JournalInMemory.in_memory()) as journal:
            self._set_anchors(journal)
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

    def _set_anchors(self, journal: Journal) -> None:
        """Let the journal know what was before."""
        for entry in self._loaded.entries:
            if isinstance(entry.schedule, Every) and entry.job in self._anchors:
                journal.daemon_state.set_anchor(
                    entry.job, entry.schedule.minutes, self._anchors[entry.job]
                )

    def _life(self, journal: Journal) -> Iterator[SimulatedEvent]:
        """Yield what one daemon does, wake by wake, until an incident or the end raises."""
        self._clock.at(self._clock.now(), _nothing)  # it looks at the clock at once, due or not
        daemon = wiring.build(self._parts(), journal)
        for _ in daemon.run().__await__():  # it comes back at each wait of its loop
            yield from self._recorder.told()

    def _parts(self) -> Parts:
        return Parts(
            clock=self._clock,
            spawner=self._spawner,
            library=_FixedLibrary(self._loaded),
            log=StrictLog(),
            state=Path(),
            draw=lambda: 0.0,
            boot=_BOOT,
            watches=False,
            manager=NoManager(),
            chosen=Chosen(most=self._most),
            in_loop=(self._recorder,),
        )

    def _await_next(self) -> None:
        """Let the next incident happen when the clock shows its time."""
        if not self._to_come:
            return
        following = self._to_come.popleft()
        # Just before it the daemon wakes up, so that what it has seen go by is on disk.
        self._clock.at(following.at - _INSTANT, _nothing)
        self._clock.at(following.at, partial(self._happens, following))

    def _happens(self, incident: Incident) -> None:
        try:
            self._happen(incident)
        finally:
            self._await_next()

    def _happen(self, incident: Incident) -> None:
        match incident.mishap:
            case Mishap.DOWNTIME:
                raise _Killed(incident.to)
            case Mishap.SUSPEND:
                self._clock.suspend((incident.to - self._clock.now()).total_seconds())
            case Mishap.SET_CLOCK:
                self._clock.set(incident.to)


class _JournalInMemory(Journal):
    """A journal in memory that is one transaction: what it refuses ends the simulation."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self.connection.do("begin")

    def transaction(self, *, synced: bool = True) -> AbstractContextManager[None]:  # noqa: ARG002 (there is no disk)
        """Do nothing: each would cost as much as two statements."""
        return nullcontext()


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
class _FixedLibrary:
    """Crontabs that never change; see Library."""

    loaded: Loaded

    def stamps(self) -> Mapping[str, Stamp]:
        return {}

    def load(self) -> Loaded:
        return self.loaded

    def read_apart(self, calendars: Collection[CalendarSource]) -> None:
        """Read none: they have been read."""

    def rebooted(self) -> None:
        """See `Library`."""

    def is_reading(self) -> bool:
        return False

    def reads(self) -> Reads:
        return Reads(is_named=True, is_system_format=False, zone="UTC")
