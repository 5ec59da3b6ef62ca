"""Crontabs that were loaded in; their problems, and what runs in spite of them, out in the log."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scheduler.crontab.diagnostics import lines
from scheduler.entry import Severity
from scheduler.runs.events import CrontabLoaded
from scheduler.text import counted

if TYPE_CHECKING:
    from scheduler.entry import Problem
    from scheduler.runs.events import Event
    from scheduler.system.log import Log

_MOST_TOLD = 50  # problems told in full at each reading; a binary file has thousands


class CrontabLog:
    """Tells a log of crontabs each time they are loaded; LogListener tells what there is to run.

    It owns which files could not be read the last time. It is a listener; see
    runs.listeners. A file that can be read again is told of once.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._failed: frozenset[str] = frozenset()

    def hear(self, event: Event) -> None:
        """See Listener."""
        if isinstance(event, CrontabLoaded):
            self._tell_of_problems(event)
            self._tell_of_kept(event)
            for change in event.zone_changes:
                self._log.warning("zone", **change.facts(), say=str(change))

    def _tell_of_problems(self, loaded: CrontabLoaded) -> None:
        for problem in loaded.problems[:_MOST_TOLD]:
            self._tell_of_problem(problem)
        if len(loaded.problems) > _MOST_TOLD:
            say = f"and {len(loaded.problems) - _MOST_TOLD} more; meridian check names them all"
            self._log.warning("problems", count=len(loaded.problems), say=say)

    def _tell_of_problem(self, problem: Problem) -> None:
        record = self._log.error if problem.severity is Severity.ERROR else self._log.warning
        record(
            "problem",
            file=problem.file,
            line=problem.line,
            column=problem.column,
            code=problem.code,
            text=problem.message,
            say=lines(problem),
        )

    def _tell_of_kept(self, loaded: CrontabLoaded) -> None:
        """Say of which files and lines entries are kept, and which files can be read again."""
        for file, number in Counter(entry.file for entry in loaded.kept).items():
            if file in loaded.failed:
                say = f"{file} can't be read; {counted(number, 'entry')} of it keep running"
                self._log.warning("kept", file=file, entries=number, say=say)
        for file in sorted(self._failed - loaded.failed):
            self._log.info("recovered", file=file, say=f"{file} can be read again")
        self._failed = loaded.failed
        for entry in [each for each in loaded.kept if each.file not in self._failed][:_MOST_TOLD]:
            say = f"its line is unreadable; the last good version keeps running ({entry.file})"
            self._log.warning("kept", job=entry.job, file=entry.file, line=entry.line, say=say)
