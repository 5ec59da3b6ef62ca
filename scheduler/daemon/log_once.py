"""What the daemon tells of time, journal and starts: what it met in, lines of the log out."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from scheduler.runs import messages
from scheduler.runs.events import JournalRecovered, JournalTrouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.runs.events import Event
    from scheduler.schedule.timetable import Timetable
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_REMINDER = 600.0  # seconds after which trouble that lasts is told again
_SHOWN = 8  # coming jobs told at the start and after a reload
_NAMED = 5  # jobs named in the line about the next minute


class LogOnce:
    """Says things once: it knows what it has said."""

    def __init__(self, clock: Clock, log: Log, tell: Callable[[Event], None]) -> None:
        self._clock = clock
        self._log = log
        self._tell = tell
        self._refusal = ""
        self._told: dict[str, float] = {}  # what it was refused for in this trouble, and when

    def refused(self, refusals: Sequence[str], *, takes: bool) -> None:
        """Say what the journal refuses when that begins, once in a while, and when it is over.

        It is over when it takes something: that nothing was asked of it is no end.
        """
        now = self._clock.monotonic()
        refusal = refusals[0] if refusals else ""
        is_old = refusal in self._told and now - self._told[refusal] < _REMINDER
        if refusal and not is_old:
            self._tell(JournalTrouble(self._clock.now(), refusal))
            self._told[refusal] = now
        if refusal:
            self._refusal = refusal
        elif self._refusal and takes:
            self._tell(JournalRecovered(self._clock.now()))
            self._told.clear()
            self._refusal = ""

    @property
    def refusal(self) -> str:
        """Why the journal takes nothing; "" while it takes everything."""
        return self._refusal

    def coming(self, timetable: Timetable, after: datetime) -> None:
        """Tell a person each of the next few jobs, soonest first; it costs a search of a day."""
        told: set[str] = set()
        for minute, entries in self._upcoming(timetable, after):
            for entry in entries:
                if entry.job not in told and len(told) < _SHOWN:
                    told.add(entry.job)
                    at = messages.of_instant(minute, entry.zone, self._clock.now())
                    self._log.info("next", job=entry.job, say=f"{self._until(minute)}: {at}")
            if len(told) >= min(_SHOWN, len(timetable.entries)):
                return

    def next(self, timetable: Timetable, after: datetime) -> None:
        """Tell a person which jobs are due next, in one line."""
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
        return f"in {messages.of_seconds(wait)}" if wait > 0 else "now"
