"""Ends of runs in, the stamps of anacron's jobs out."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.run import Lost, NotStarted
from scheduler.runs.events import RunFailed, RunSucceeded

if TYPE_CHECKING:
    from datetime import date

    from scheduler.entry import Entry
    from scheduler.run import Ending
    from scheduler.runs.events import Event
    from scheduler.system.anacron_stamps import AnacronStamps
    from scheduler.system.log import Log


class StampWriter:
    """Lets anacron know what it need not run again, should it be given its jobs back.

    Owns nothing; the stamps are locked for this daemon by whoever reads the crontabs. It hears of
    the ends of runs on the loop. Invariant: the stamp has the day on which the last run began that
    has come to its end, whatever its exit code (anacron(8)). A run that never had a process, or
    whose end nobody saw, is none: its job is due again on the next day.
    """

    def __init__(self, stamps: AnacronStamps, log: Log) -> None:
        self._stamps = stamps
        self._log = log

    def hear(self, event: Event) -> None:
        """See Listener."""
        match event:
            case RunSucceeded(entry=entry, ending=ending) | RunFailed(entry=entry, ending=ending):
                if entry is not None and entry.stamp and ending is not None:
                    self._write(entry, ending)
            case _:
                pass

    def _write(self, entry: Entry, ending: Ending) -> None:
        if isinstance(ending.outcome, NotStarted | Lost):
            return
        try:
            self._stamps.write(entry.stamp, _day(entry, ending))
        except (OSError, KeyError) as error:
            why = getattr(error, "strerror", None) or "another has it"
            say = f"anacron's stamp of {entry.stamp} can't be written: {why}; it is due again"
            self._log.error("stamp", job=entry.job, error=why, say=say)


def _day(entry: Entry, ending: Ending) -> date:
    """Return the day on which an attempt began; anacron writes when it was started itself."""
    began = ending.ended - timedelta(seconds=ending.took or 0.0)
    return began.astimezone(entry.zone).date()
