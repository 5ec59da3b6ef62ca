"""A reload: crontabs in; out come entries that every part of the daemon goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.schedule.tick import MINUTE, minute_of

if TYPE_CHECKING:
    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.service_report import ServiceManager
    from scheduler.daemon.ticker import Ticker
    from scheduler.daemon.upcoming_log import UpcomingLog
    from scheduler.runs.lifecycle import Runs
    from scheduler.system.clock import Clock


class Reloader:
    """Reads the crontabs, at the start and again whenever somebody asks or a file has changed.

    It owns whether a reload is still to be done, and whether one has been. The loop, the file
    monitor and the requests call it. The entries, the runs and the planned minute go by the same
    crontabs when it returns, and listeners are told once that they do, as is the service manager.

    Where calendars are to be read first, for which nobody waits, or the journal or the memory
    refuses, the reload stays to be done; after a bug the old entries count until a file is changed.
    """

    def __init__(
        self,
        clock: Clock,
        in_force: EntriesInForce,
        runs: Runs,
        ticker: Ticker,
        upcoming_log: UpcomingLog,
        manager: ServiceManager,
    ) -> None:
        self._clock = clock
        self._in_force = in_force
        self._runs = runs
        self._ticker = ticker
        self._upcoming_log = upcoming_log
        self._manager = manager
        self.is_asked = False
        self._was_ready = False

    def ask(self) -> None:
        """Ask for a reload as soon as it can be; no running job is touched."""
        self.is_asked = True

    def is_due(self) -> bool:
        """Say whether a reload is to be done at the next turn of the loop."""
        return self.is_asked and not self._in_force.is_reading()

    def reload(self) -> None:
        """Read the crontabs now; a minute that has come is still the old ones'.

        Raises JournalError and MemoryError.
        """
        self._ticker.handle_idle()
        self.read()

    def read(self) -> None:
        """Read the crontabs, and go by them. Raises JournalError and MemoryError.

        Where calendars are being read it stays to be done, and the service manager is told that
        the daemon is ready when it has been.
        """
        if self._was_ready:
            self._manager.reloading(self._clock.monotonic())
        try:
            self._read()
        except Exception:
            if self._was_ready and not self.is_asked:
                self._say_ready()
            raise
        if not self.is_asked:
            self._say_ready()

    def _say_ready(self) -> None:
        self._was_ready = True
        self._manager.ready(self._in_force.summary())

    def _read(self) -> None:
        self.is_asked = False
        try:
            if self._in_force.is_reading() or not self._in_force.read(self._clock.now()):
                self.is_asked = True
                return
            self._runs.use(self._in_force.entries, self._in_force.timetable)
            self._ticker.replan()
            news = self._in_force.news(self._clock.now())
        except (JournalError, MemoryError):
            self.is_asked = True
            raise
        self._runs.tell(news)
        now = minute_of(self._clock.now())
        after = max(self._ticker.next(), now) - MINUTE
        self._upcoming_log.first_jobs(self._in_force.timetable, after)
