"""What is written of an event in the event's own commit: events in, rows of the journal out.

A listener hears of what has happened, and may miss it: its daemon may be killed before. What must
not be missed (that somebody is to hear of a failure) is recorded, on disk with what it tells of.
"""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Protocol

from scheduler.errors import JournalError
from scheduler.printable import clean

if TYPE_CHECKING:
    from scheduler.journal.journal import Journal
    from scheduler.runs.events import Event
    from scheduler.system.log import Log


class EventRecorder(Protocol):
    """Who writes what follows from an event. It has no memory of its own: a commit may be refused.

    It never waits for anybody, and writes to the journal alone.
    """

    def concerns(self, event: Event) -> bool:
        """Say whether there may be something to write; it is asked of every event."""

    def record(self, event: Event) -> None:
        """Write it, in the commit that is open."""


class Recording:
    """Has events recorded, and keeps a recorder's bug from what else is in the commit.

    Owns: whether the recorder is in trouble, which the log says once until it is well again. A
    transaction calls it, inside the commit. Invariant: all of what a recorder writes of an event is
    in the commit or none of it. What the journal refuses refuses the commit.
    """

    def __init__(self, journal: Journal, log: Log, recorder: EventRecorder | None) -> None:
        self._journal = journal
        self._log = log
        self._recorder = recorder
        self._is_troubled = False

    def record(self, event: Event) -> None:
        """Have an event recorded."""
        if self._recorder is None:
            return
        try:
            if self._recorder.concerns(event):
                with self._journal.part():
                    self._recorder.record(event)
                self._is_troubled = False
        except (JournalError, MemoryError):
            raise  # it is done again with the whole commit
        except Exception as bug:  # noqa: BLE001 (a recorder's bug must not lose a run)
            self._complain(event, bug)

    def _complain(self, event: Event, bug: Exception) -> None:
        if self._is_troubled:
            return
        self._is_troubled = True
        name, kind = type(self._recorder).__name__, type(event).__name__
        trace = "".join(traceback.format_exception(bug))
        why = f"{type(bug).__name__}: {clean(str(bug))}"
        say = f"{name} can't record what happens ({kind}), so nobody hears of it: {why}"
        lines = (say, *trace.splitlines())
        self._log.error("recorder", recorder=name, event=kind, trace=trace, say=lines)
