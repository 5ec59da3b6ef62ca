"""Whose crontab it is in; what holds for all of its lines out, such as what only root may ask for.

A table of a user, in cron's spool, can take no name, no pool and no priority of another's jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scheduler.crontab import job_names, lexer
from scheduler.crontab.settings import CRON_NAME, CRON_NICE, CRON_RETRIES, CRON_RETRY_DELAY
from scheduler.errors import BadValue

if TYPE_CHECKING:
    from scheduler.entry import Pool, Settings

MOST_ENTRIES = 1000  # of one user's table, unless root says otherwise
_LINES_FOR_EACH = 4  # lines that are no comment, for each of these entries
_RAISED = "root may raise the number with meridian run --max-entries"
_MOST_ERRORS = 200  # in one user's table; who reads them mends the first ones first
_LEAST_RETRY_DELAY = 1.0  # seconds, in a user's table: what fails at once is no crowd of starts
_NOT_SET: dict[str, Any] = {}
_ONCE = {CRON_RETRIES: 0}


@dataclass(frozen=True, slots=True)
class TableRules:
    """What holds for all lines of a crontab.

    `user` is whose table it is in a spool: all its jobs are that user's. `is_roots` tables may ask
    for more. `is_crons` are cron's, whose jobs never expected to be retried. `most` is the number
    of entries that are read, so that nobody else waits for the rest; None: all.
    """

    user: str | None = None
    is_roots: bool = False
    is_crons: bool = False
    most: int | None = None

    @property
    def defaults(self) -> dict[str, Any]:
        """What is in force here where the crontab says nothing."""
        return _ONCE if self.is_crons else _NOT_SET

    @property
    def prefix(self) -> str:
        """What stands before each job's name here."""
        return "" if self.user is None else job_names.prefix(self.user)

    def check(self, name: str, value: Any) -> Any:
        """Return the value of a setting as it counts here; BadValue if it may not be set."""
        if self.user is None:
            return value
        if name == CRON_NICE and value < 0 and not self.is_roots:
            message = f"{value} puts these jobs before those of others, which is for root to say"
            raise BadValue("only-root", message, hint="a number from 0 to 19")
        if name == CRON_RETRY_DELAY and not self.is_roots:
            return max(value, _LEAST_RETRY_DELAY)
        if name == CRON_NAME and len(full := self.prefix + value) > job_names.LONGEST:
            message = f"{full} has more than {job_names.LONGEST} letters, with the user's name"
            raise BadValue("bad-job-name", message, hint="write a shorter one")
        return value

    def of_table(self, chosen: Settings) -> Settings:
        """Return the settings of an entry with its pool in the name of the table's user."""
        pool = chosen.pool
        return chosen if self.user is None or pool is None else _pooled(chosen, pool, self.prefix)


class TableLimit:
    """Where the reading of a user's table ends, however long it is: others don't wait for it.

    Owns how many lines and errors there were, and the lines of jobs that are not read any more.
    The parser calls it. Invariant: no line counts behind the one that reached the limit.
    """

    def __init__(self, rules: TableRules) -> None:
        self._rules = rules
        self._lines = 0
        self.errors = 0
        self.is_reached = False
        self.refused: list[int] = []

    def reached(self, line: str, start: int, entries: int) -> BadValue | None:
        """Count a line that is no comment, with so many `entries` above; return the error, if any.

        The error ends the reading.
        """
        most = self._rules.most
        if most is None:
            return None
        self._lines += 1
        entries += _is_job(line, start) and entries == most
        counts = (
            (entries, most),
            (self._lines, most * _LINES_FOR_EACH),
            (self.errors, _MOST_ERRORS),
        )
        for what, (number, limit) in zip(("entries", "lines", "errors"), counts, strict=True):
            if number > limit:
                self.is_reached = True
                message = f"{self._rules.user}'s table has more than {limit} {what}"
                hint = "mend these first" if what == "errors" else _RAISED
                return BadValue(f"too-many-{what}", f"{message}: the rest is not read", hint=hint)
        return None

    def passes_by(self, number: int, line: str) -> bool:
        """Say whether a line that is not read is one of a job, and remember it."""
        start = lexer.start(line)
        is_job = start < len(line) and line[start] != "#" and _is_job(line, start)
        if is_job:
            self.refused.append(number)
        return is_job


def _is_job(line: str, start: int) -> bool:
    """Say whether a line would be one of a job, if only a wrong one."""
    return lexer.assigned_name(line) is None or lexer.prefixes(line, start) is not None


@lru_cache(maxsize=4096)
def _pooled(chosen: Settings, pool: Pool, prefix: str) -> Settings:
    return replace(chosen, pool=replace(pool, name=prefix + pool.name))
