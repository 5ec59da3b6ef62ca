"""How a daemon ends: stops and drains asked for in, what is left to wait for out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.text import counted, of_seconds

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.daemon.service_report import ServiceManager
    from scheduler.runs.lifecycle import Runs
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log


class Shutdown:
    """The way to the daemon's end.

    It owns which stops and drains were asked for, and which of their steps are taken. `stop` and
    `drain` may be called at any time and only leave a note; the loop calls `obey`, which takes the
    steps. Each is taken once, and never back: what has begun to shut down starts nothing new.
    """

    def __init__(
        self, clock: Clock, runs: Runs, log: Log, manager: ServiceManager, grace: float
    ) -> None:
        self._clock = clock
        self._runs = runs
        self._log = log
        self._manager = manager
        self._grace = grace
        self._stops_asked = 0
        self._stops_taken = 0
        self._drain_asked = False
        self._is_cancelled = False  # what had no process when it began is let go of
        self._end_at: float | None = None  # when waiting for jobs is over, on the monotonic clock
        self.has_begun = False  # nothing new starts

    @property
    def is_asked(self) -> bool:
        """Whether the end was asked for, at once or when the jobs have ended."""
        return self._stops_asked > 0 or self._drain_asked

    @property
    def is_drain(self) -> bool:
        """Whether the jobs have all the time that they need."""
        return self._drain_asked and not self._stops_asked

    def stop(self) -> None:
        """Ask for the end; asked again, end jobs sooner: first by SIGTERM, then by SIGKILL."""
        self._stops_asked += 1

    def drain(self) -> None:
        """Ask for the end once the jobs have ended by themselves; a stop may come after it."""
        self._drain_asked = True

    def obey(self) -> None:
        """Take the steps that were asked for, or whose time has come."""
        if self.is_asked and not self.has_begun:
            self._begin()
        while self._stops_asked > self._stops_taken:
            self._stops_taken += 1
            self._end_now()
        if self.has_begun and not self._is_cancelled:
            self._runs.cancel()
            self._is_cancelled = True
        if self._end_at is not None and self._clock.monotonic() >= self._end_at:
            self._end_at = None
            self._runs.end_all()

    def is_over(self) -> bool:
        """Say whether there is nothing left to wait for."""
        return self.has_begun and not self._runs.busy()

    def next_wake(self, now: datetime) -> datetime | None:
        """Return when to take the next step; None if there is none but to wait for jobs."""
        if self._stops_asked > self._stops_taken or (self.is_asked and not self.has_begun):
            return now
        if self._end_at is None:
            return None
        return now + timedelta(seconds=self._end_at - self._clock.monotonic())

    def _begin(self) -> None:
        """Let nothing new start."""
        self.has_begun = True
        self._manager.stopping()
        if self.is_drain:
            running = self._runs.busy()
            say = f"no new runs, {counted(running, 'job')} running; it ends after them"
            self._log.info("draining", running=running, say=say)

    def _end_now(self) -> None:
        """Take the next step towards the end."""
        if self._stops_taken > 1:
            self._end_at = None
            self._runs.end_all()
            return
        running = self._runs.busy()
        self._end_at = self._clock.monotonic() + self._grace
        jobs = f"{counted(running, 'job')} running"
        wait = f"; up to {of_seconds(self._grace)} to end by themselves" if running else ""
        self._log.info("stopping", running=running, say=f"no new runs, {jobs}{wait}")
