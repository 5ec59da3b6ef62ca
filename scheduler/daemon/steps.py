"""The steps of the loop: each in, done so that nothing that goes wrong in one ends the others.

A full disk, no memory, a bug: it is logged, left alone for a moment and tried again.
"""

from __future__ import annotations

import traceback
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.errors import JournalDamaged, JournalError
from scheduler.system.own_limits import of_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.daemon.log_once import LogOnce
    from scheduler.daemon.watchdog import Watchdog
    from scheduler.journal.journal import Journal
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_RETRY_PAUSE = 1.0  # seconds before what went wrong is tried again
_MEMORY_REMINDER = 60.0  # seconds between two lines of the log about one shortage of memory


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the loop does each time; `purpose` ends the sentence "it was to ..."."""

    purpose: str
    do: Callable[[], None]


class StepRunner:
    """Does the steps of the loop.

    It owns what went wrong in them: until when nothing is tried again, and whether the journal is
    damaged. The loop calls it, and asks it when to go on. No error leaves a step but those that
    are to end the process.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        log: Log,
        log_once: LogOnce,
        watchdog: Watchdog | None,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._log = log
        self._log_once = log_once
        self._watchdog = watchdog  # None: nobody is told of a step that does not end
        self._pause_until = 0.0  # on the monotonic clock
        self._told_of_memory_until = 0.0  # the same
        self.damage: JournalDamaged | None = None  # of the journal, which takes nothing any more

    def run(self, *steps: Step) -> None:
        """Do these steps, and tell what the journal refused."""
        commits = self._journal.commits
        with self.watched():
            refusals = [refusal for step in steps if (refusal := self._try(step))]
        self._log_once.refused(refusals, takes=self._journal.commits > commits)

    def watched(self) -> AbstractContextManager[None]:
        """Return a context whose work is told of if it takes too long."""
        return nullcontext() if self._watchdog is None else self._watchdog.turn()

    def pause_end(self, now: datetime, minute: datetime) -> datetime:
        """Return how long what went wrong is left alone; the coming minute is not kept waiting."""
        end = now + timedelta(seconds=max(0.0, self._pause_until - self._clock.monotonic()))
        return min(end, minute) if minute > now else end

    def _try(self, step: Step) -> str:
        """Do one step; return what the journal refused it for, "" if nothing."""
        if self._watchdog is not None:
            self._watchdog.step = step.purpose
        try:
            step.do()
        except JournalError as error:
            self._pause()
            self.damage = error if isinstance(error, JournalDamaged) else self.damage
            return str(error)
        except MemoryError:
            self._pause()
            self._tell_of_memory(step)
        except Exception as error:  # noqa: BLE001 (a bug in one run must not stop every other job)
            self._pause()
            trace = "".join(traceback.format_exception(error))
            self._log.error("bug", error=repr(error), trace=trace, say=tuple(trace.splitlines()))
        return ""

    def _pause(self) -> None:
        self._pause_until = self._clock.monotonic() + _RETRY_PAUSE

    def _tell_of_memory(self, step: Step) -> None:
        now = self._clock.monotonic()
        if now >= self._told_of_memory_until:
            self._told_of_memory_until = now + _MEMORY_REMINDER
            why = of_memory() or "the system has none to give"
            say = f"there was no memory to {step.purpose}: {why}; it is tried again"
            self._log.error("memory", error=say, say=say)
