"""What a service manager hears of a daemon: its parts in, signs of life and a status line out."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from scheduler.runs import messages

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.snapshot import Snapshots
    from scheduler.daemon.ticker import Ticker
    from scheduler.runs.lifecycle import Runs
    from scheduler.system.clock import Clock

_NAMED_JOBS = 3  # running jobs whose names are told
_LONGEST_STATUS = 300  # characters
_EXTENSION = 60.0  # seconds that are asked for while the daemon ends: TimeoutStopSec= may be over
_EXTENDED_EACH = 20.0
_SECONDS_APART = 1.0  # between two lines of status: what is true for less, nobody can read


class ServiceManager(Protocol):
    """Who started the daemon, and wants to know how it does: sd_notify(3)."""

    def is_there(self) -> bool:
        """Say whether anybody listens."""

    def ready(self, text: str) -> None:
        """Hear that the crontabs are read, and what there is."""

    def reloading(self, monotonic: float) -> None:
        """Hear that they are read again, since this time of the monotonic clock."""

    def stopping(self) -> None:
        """Hear that nothing new is started."""

    def extend(self, seconds: float) -> None:
        """Hear that the end takes so many seconds more at least."""

    def status(self, text: str) -> None:
        """Hear what runs and what is next."""

    def watchdog(self) -> float | None:
        """Return within how many seconds `alive` is expected, again and again; None: never."""

    def alive(self) -> None:
        """Hear that the loop goes on."""

    def expect(self, seconds: float | None) -> None:
        """Expect `alive` within so many seconds from now on; None: never."""


class NoManager:
    """Nobody who started the daemon and wants to know how it is: see ServiceManager."""

    def is_there(self) -> bool:
        """Say that nobody listens."""
        return False

    def watchdog(self) -> None:
        """Say that no sign of life is expected."""

    def alive(self) -> None:
        """Hear nothing, as below."""

    def ready(self, text: str) -> None:
        """Hear nothing."""

    def reloading(self, monotonic: float) -> None:
        """Hear nothing."""

    def stopping(self) -> None:
        """Hear nothing."""

    def extend(self, seconds: float) -> None:
        """Hear nothing."""

    def status(self, text: str) -> None:
        """Hear nothing."""

    def expect(self, seconds: float | None) -> None:
        """Hear nothing."""


class ServiceReport:
    """Tells the service manager that the loop goes on, what runs and what is next.

    While the daemon ends, it asks for the time that its jobs have by the daemon's own rules, of
    which the manager knows nothing: a long grace, a drain.

    It owns what was told last, and when. The loop calls `step` at each turn, and wakes up at
    `next_wake`: so a loop that stands still says nothing, and no other thread says it instead.
    Without a manager it does nothing.
    """

    def __init__(
        self,
        manager: ServiceManager,
        clock: Clock,
        in_force: EntriesInForce,
        runs: Runs,
        ticker: Ticker,
        snapshots: Snapshots,
    ) -> None:
        self._manager = manager
        self._clock = clock
        self._in_force = in_force
        self._runs = runs
        self._ticker = ticker
        self._snapshots = snapshots
        self._interval = manager.watchdog()
        self._alive_at: float | None = None  # on the monotonic clock, as below
        self._told, self._told_at = "", float("-inf")
        self._next: tuple[object, str] = (None, "")  # what it depends on, and the words
        self._extended_at: float | None = None  # on the monotonic clock
        self._is_behind = False  # there is more to tell

    def step(self, *, is_calm: bool, is_stopping: bool) -> None:
        """Say that the loop goes on; where that delays no start, also how it does."""
        if self._interval is not None:
            self._say_alive(self._interval)
        if is_stopping and self._manager.is_there():
            self._extend()
        if is_calm and self._manager.is_there():
            self._tell(is_stopping=is_stopping)

    def next_wake(self, now: datetime) -> datetime | None:
        """Return when there is something to say at the latest; None if there is nothing."""
        times = []
        if self._interval is not None:
            times.append((self._alive_at or 0.0) + self._interval / 2)
        if self._extended_at is not None:
            times.append(self._extended_at + _EXTENDED_EACH)
        if self._is_behind:
            times.append(self._told_at + _SECONDS_APART)
        wait = min(times, default=None)
        return None if wait is None else now + timedelta(seconds=wait - self._clock.monotonic())

    def _say_alive(self, interval: float) -> None:
        now = self._clock.monotonic()
        if self._alive_at is None:
            self._manager.expect(interval)  # it was not, while the journal was repaired
        if self._alive_at is None or now - self._alive_at >= interval / 4:
            self._manager.alive()
            self._alive_at = now

    def _extend(self) -> None:
        now = self._clock.monotonic()
        if self._extended_at is None or now - self._extended_at >= _EXTENDED_EACH:
            self._manager.extend(_EXTENSION)
            self._extended_at = now

    def _tell(self, *, is_stopping: bool) -> None:
        text, now = self._text(is_stopping=is_stopping), self._clock.monotonic()
        self._is_behind = text != self._told
        if self._is_behind and now - self._told_at >= _SECONDS_APART:
            self._manager.status(text)
            self._told, self._told_at, self._is_behind = text, now, False

    def _text(self, *, is_stopping: bool) -> str:
        jobs = [each.attempt.run.job for each in islice(self._runs.running(), _NAMED_JOBS)]
        running = running_text(jobs, self._runs.busy())
        if is_stopping:
            return _cut(f"stopping; {running}")
        refused = self._in_force.refused
        problems = f", {refused} refused" if refused else ""
        text = f"{self._in_force.summary()}{problems}; {running}; {self._next_text()}"
        return _cut(text)

    def _next_text(self) -> str:
        """Return which job is next and when; it is searched for once a minute, not at each turn."""
        depends_on = (self._ticker.last, self._in_force.timetable)
        if self._next[0] != depends_on:
            coming = self._snapshots.next_job()
            text = "nothing due within a day"
            if coming is not None:
                zone = self._in_force.entries[coming.job].zone
                text = (
                    f"next {messages.of_instant(coming.at, zone, self._clock.now())}: {coming.job}"
                )
            self._next = (depends_on, text)
        return self._next[1]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_STATUS else f"{text[: _LONGEST_STATUS - 1]}…"


def running_text(jobs: Sequence[str], number: int) -> str:
    """Return which jobs run, of which there are so many."""
    if not jobs:
        return f"{number} running" if number else "nothing running"
    more = f" and {number - len(jobs)} more" if number > len(jobs) else ""
    return f"{number} running: {', '.join(jobs)}{more}"
