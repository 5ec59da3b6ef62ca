"""What others may change under a daemon: its state folder and its crontabs, looked at each minute.

A changed crontab in, a reload out; a state folder that is another's in, a shutdown out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.reloader import Reloader
    from scheduler.daemon.shutdown import Shutdown
    from scheduler.daemon.ticker import Ticker
    from scheduler.journal.journal import Journal
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

INTERVAL = timedelta(minutes=1)  # a watching daemon looks that often


def _nothing() -> None:
    """Look at nothing else."""


@dataclass(slots=True, kw_only=True)
class FileMonitor:
    """Looks at the files that a daemon depends on, shortly before each minute.

    It owns when it looks next, and whether the state folder is lost. The loop calls `look`. A
    daemon that has lost its state folder reads no crontab any more: another may own it by now.
    """

    clock: Clock
    log: Log
    journal: Journal
    in_force: EntriesInForce
    ticker: Ticker
    reloader: Reloader
    shutdown: Shutdown
    holds_state: Callable[[], bool]
    each_minute: Callable[[], None] = _nothing  # looks at the rest, such as the control socket
    has_lost_state: bool = field(default=False, init=False)
    _look_at: float = field(default=0.0, init=False)  # on the monotonic clock

    def look(self) -> None:
        """Look at what may have changed, if it is time; crontabs that never change are not."""
        now = self.clock.monotonic()
        is_time = self.ticker.is_time_to_plan() or now >= self._look_at or self.journal.is_lost
        if not (self.in_force.watches and is_time):
            return
        self._look_at = now + INTERVAL.total_seconds()
        if not self.shutdown.has_begun:
            self._look_at_files()
        if self.holds_state():  # else it may be another daemon's by now
            self.each_minute()

    def _look_at_files(self) -> None:
        if not (self.holds_state() and self.journal.is_in_place()):
            self._give_up_state()
        elif self.in_force.changed():
            self.reloader.read()

    def _give_up_state(self) -> None:
        """End, since another daemon may own a folder of that name by now and run what is due."""
        self.has_lost_state = True
        say = "the state folder or the journal in it was deleted or replaced; this daemon ends, so"
        say += " that nothing is doubled"
        self.log.error("state", say=say)
        self.shutdown.stop()
