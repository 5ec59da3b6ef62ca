"""Lines of the log about coming runs: a timetable in, what a person wants to see next out.

A log for machines gets none of them, since each costs a search.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from scheduler.runs import messages
from scheduler.text import of_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.schedule.timetable import Timetable
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_SHOWN = 8  # coming jobs told at the start and after a reload
_NAMED = 5  # jobs named in the line about the next minute


class UpcomingLog:
    """Tells a person what is due next.

    It owns nothing. The reloader calls it when the crontabs have been read, the ticker after a
    minute that had runs. Invariant: a log for machines costs no search.
    """

    def __init__(self, clock: Clock, log: Log) -> None:
        self._clock = clock
        self._log = log

    def first_jobs(self, timetable: Timetable, after: datetime) -> None:
        """Tell of the next few jobs, a line each, the soonest first; it costs a search of a day."""
        told: set[str] = set()
        for minute, entries in self._upcoming(timetable, after):
            for entry in entries:
                if entry.job not in told and len(told) < _SHOWN:
                    told.add(entry.job)
                    at = messages.of_instant(minute, entry.zone, self._clock.now())
                    self._log.info("next", job=entry.job, say=f"{self._until(minute)}: {at}")
            if len(told) >= min(_SHOWN, len(timetable.entries)):
                return

    def next_minute(self, timetable: Timetable, after: datetime) -> None:
        """Tell in one line which jobs are due next."""
        for minute, entries in islice(self._upcoming(timetable, after), 1):
            jobs = ", ".join(entry.job for entry in entries[:_NAMED])
            more = f" and {len(entries) - _NAMED} more" if len(entries) > _NAMED else ""
            self._log.info("next", say=f"{self._until(minute)}: {jobs}{more}")

    def _upcoming(
        self, timetable: Timetable, after: datetime
    ) -> Iterable[tuple[datetime, list[Entry]]]:
        return timetable.upcoming(after) if self._log.is_for_person else ()

    def _until(self, minute: datetime) -> str:
        wait = (minute - self._clock.now()).total_seconds()
        return f"in {of_seconds(wait)}" if wait > 0 else "now"
