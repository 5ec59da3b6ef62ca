"""Whose crontab it is in; what holds for all of its lines out, such as what only root may ask for.

A table of a user, in cron's spool, can take no name, no pool and no priority of another's jobs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from scheduler.crontab import job_names
from scheduler.crontab.settings import CRON_NAME, CRON_NICE, CRON_RETRIES
from scheduler.errors import BadValue

if TYPE_CHECKING:
    from scheduler.entry import Settings

MOST_ENTRIES = 1000  # of one user's table, unless root says otherwise
_NOT_SET: dict[str, Any] = {}
_ONCE = {CRON_RETRIES: 0}


@dataclass(frozen=True, slots=True)
class TableRules:
    """What holds for all lines of a crontab.

    `user` is whose table it is in a spool: all its jobs are that user's. `is_roots` tables may ask
    for more. `is_crons` are cron's, whose jobs never expected to be retried. `most` is the number
    of entries that are read; None: all.
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
        """Return the value of a setting if it may be set here; BadValue otherwise."""
        if self.user is None:
            return value
        if name == CRON_NICE and value < 0 and not self.is_roots:
            message = f"{value} puts these jobs before those of others, which is for root to say"
            raise BadValue("only-root", message, hint="a number from 0 to 19")
        if name == CRON_NAME and len(full := self.prefix + value) > job_names.LONGEST:
            message = f"{full} has more than {job_names.LONGEST} letters, with the user's name"
            raise BadValue("bad-job-name", message, hint="write a shorter one")
        return value

    def of_table(self, chosen: Settings) -> Settings:
        """Return the settings of an entry with its pool in the name of the table's user."""
        return chosen if self.user is None or chosen.pool is None else _pooled(chosen, self.prefix)

    def too_many(self) -> BadValue:
        """Return the error about the first entry beyond the most that are read."""
        whose = f"{self.user}'s table" if self.user else "a table"
        message = f"{whose} has more than {self.most} entries, as many as are read"
        hint = "root may raise the number with meridian run --max-entries"
        return BadValue("too-many-entries", message, hint=hint)


@lru_cache(maxsize=4096)
def _pooled(chosen: Settings, prefix: str) -> Settings:
    if chosen.pool is None:
        return chosen
    return replace(chosen, pool=replace(chosen.pool, name=prefix + chosen.pool.name))
