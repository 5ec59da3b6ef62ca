"""What happens to runs, to time, to the crontabs and to the journal, as values, for listeners.

An event of a run is an effect of a commit: it is told after the commit, in order, to every
listener; one of the crontabs once they are loaded. The log is one listener, `simulate` another.
Nobody parses the log, and no listener can delay the loop: one that may wait for somebody (a mail
server, a person) is wrapped in `Apart`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Condition
from typing import TYPE_CHECKING, Protocol

from scheduler.system.background import start_apart

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.entry import Entry, Problem
    from scheduler.run import Attempt, Ending, Reason, Run
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import LeftOut
    from scheduler.schedule.tick import Jump
    from scheduler.system.log import Log


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A process of a run has started."""

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
    entry: Entry
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
    run: Run
    reason: Reason
    attempt: Attempt | None = None
    ending: Ending | None = None


@dataclass(frozen=True, slots=True)
class RunSkipped:
    """A run that was claimed never starts."""

    at: datetime
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
    others `gone`. `kept` are entries that run in their last good version.
    """

    at: datetime
    entries: int
    zones: int
    new: int
    gone: int
    problems: Sequence[Problem]
    kept: Sequence[Entry]
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
    | CatchUpBegun
    | ProcessesLeft
    | ClockJumped
    | CrontabLoaded
    | JournalTrouble
    | JournalRecovered
)


class Listener(Protocol):
    """Who hears of events; it is called on the loop, so it must not wait for anybody."""

    def hear(self, event: Event) -> None:
        """Take an event in."""


class Events:
    """Tells events to all listeners.

    Owns which of them are in trouble: the log says so once until they are well again. A transaction
    calls it when its commit is done, the loop for what is not of a run. Invariant: each listener is
    told everything in order, whatever another one does.
    """

    def __init__(self, log: Log, listeners: Sequence[Listener]) -> None:
        self._log = log
        self._listeners = listeners
        self._troubled: set[int] = set()  # by their identity

    def tell(self, event: Event) -> None:
        """Tell all listeners of it."""
        for listener in self._listeners:
            try:
                listener.hear(event)
            except Exception as error:  # noqa: BLE001 (one listener's is no reason to lose a run)
                self._complain(listener, error)
            else:
                self._troubled.discard(id(listener))

    def _complain(self, listener: Listener, error: Exception) -> None:
        if id(listener) in self._troubled:
            return
        self._troubled.add(id(listener))
        name = type(listener).__name__
        say = f"{name} does not hear of what happens: {str(error) or type(error).__name__}"
        self._log.error("listener", listener=name, error=str(error), say=say)


class Behind(Exception):
    """A listener has more to hear than it may put off; what is new is lost to it."""


class Apart:
    """A listener that may wait for somebody, on a thread of its own, told in order.

    Owns the events that it has not heard yet, `most` of them. `Events` puts them in. Invariant:
    who puts one in never waits. `hear` raises Behind for one that finds no room, and what the
    listener itself has raised since the last one, so that the log says so.
    """

    def __init__(self, listener: Listener, most: int = 1000) -> None:
        self._listener = listener
        self._most = most
        self._events: deque[Event] = deque()
        self._error: Exception | None = None
        self._is_new = Condition()
        start_apart(self._work, type(listener).__name__)

    def hear(self, event: Event) -> None:
        """See Listener."""
        with self._is_new:
            error, self._error = self._error, None
            is_full = len(self._events) >= self._most
            if not is_full:
                self._events.append(event)
                self._is_new.notify()
        if is_full:
            raise Behind(f"{self._most} events behind, and what is new is lost to it")
        if error is not None:
            raise error

    def _work(self) -> None:
        while True:
            with self._is_new:
                self._is_new.wait_for(lambda: self._events)
                event = self._events[0]
            try:
                self._listener.hear(event)
            except Exception as error:  # noqa: BLE001 (the loop tells of it)
                self._error = error
            finally:
                self._events.popleft()
