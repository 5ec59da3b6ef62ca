"""What the log says of crontabs that were read: their problems, and what runs in spite of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from scheduler.crontab.diagnostics import lines
from scheduler.entry import Severity
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduler.crontab.zone_changes import ZoneChange
    from scheduler.entry import Entry, Problem
    from scheduler.system.crontab_loader import Loaded
    from scheduler.system.log import Log

_MOST_TOLD = 50  # problems told in full at each reading; a binary file has thousands


class CrontabLog:
    """Tells of crontabs after each reading.

    It owns which files could not be read the last time. The entries in force call it. A file that
    can be read again is told of once.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._failed: frozenset[str] = frozenset()

    def tell(self, loaded: Loaded, kept: Sequence[Entry]) -> None:
        """Tell what is wrong in them, and which entries are `kept` in their last good version."""
        for problem in loaded.problems[:_MOST_TOLD]:
            self._tell_of_problem(problem)
        if len(loaded.problems) > _MOST_TOLD:
            say = f"and {len(loaded.problems) - _MOST_TOLD} more; meridian check names them all"
            self._log.warning("problems", count=len(loaded.problems), say=say)
        self._tell_of_files(loaded, kept)
        for entry in [entry for entry in kept if entry.file not in self._failed][:_MOST_TOLD]:
            say = f"its line is unreadable; the last good version keeps running ({entry.file})"
            self._log.warning("kept", job=entry.job, file=entry.file, line=entry.line, say=say)

    def tell_of_zones(self, changes: Iterable[ZoneChange]) -> None:
        """Tell which entries move, because the data of their zone have changed."""
        for change in changes:
            self._log.warning("zone", **change.facts(), say=str(change))

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

    def _tell_of_files(self, loaded: Loaded, kept: Sequence[Entry]) -> None:
        """Say of which files all entries are kept, and which of them can be read again."""
        for file, number in Counter(entry.file for entry in kept).items():
            if file in loaded.failed:
                say = f"{file} can't be read; {counted(number, 'entry')} of it keep running"
                self._log.warning("kept", file=file, entries=number, say=say)
        for file in sorted(self._failed - loaded.failed):
            self._log.info("recovered", file=file, say=f"{file} can be read again")
        self._failed = loaded.failed
