"""A damaged journal in, what a daemon can go on from out: into a new journal, which is empty."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.journal import decoding
from scheduler.journal.columns import whole
from scheduler.journal.database import Database
from scheduler.journal.high_water import HighWater
from scheduler.journal.integrity import Integrity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from scheduler.journal.connection import Connection

# What a daemon needs of a damaged journal, in the order in which it can be taken: all of what is
# not over, and the time that it belongs to, or nothing. Of one that is behind nothing of that: what
# it has open, or still to run, may have been done since.
TAKE_OVER = ("take_numbers", "take_eras")
TAKE_OPEN = ("take_numbers", "take_tick", "take_eras", "take_open", "take_attempts")
# The runs of a day by the index of their keys, and a second time what that may have lost.
RECENT = ("take_recent", "take_attempts")
NEWEST = ("take_newest", "take_attempts")
# And what makes sense by itself: of each table what takes it, and what counts rows that are no more
# as they were written.
TAKE_REST = {
    "pause": ("take_pauses", "lost_pauses"),
    "anchor": ("take_anchors", "lost_anchors"),
    "boot": ("take_boots", "lost_boots"),
    "reckoning": ("take_reckoning", ""),
    "jump": ("take_jumps", ""),
    "backlog": ("take_backlogs", "lost_backlogs"),  # where there are the runs that it goes on from
    "alert_state": ("take_alert_states", "lost_alert_states"),
    "notice": ("take_notices", "lost_notices"),
}
# The statements that tell how far it has come.
_OF_OLD = ("commits_of_old", "numbers_given_by_old")


class RunsTaken(Enum):
    """Which runs were taken from a damaged journal."""

    ALL = "those that are open, and those of a day"
    OPEN = "those that are open"
    OVER = "those of a day that are over"
    NONE = "none"

    @property
    def has_open(self) -> bool:
        """Whether what is not over was taken, too."""
        return self in {RunsTaken.ALL, RunsTaken.OPEN}


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken from a damaged journal; `lost` are the tables of which not all was."""

    runs: RunsTaken = RunsTaken.NONE
    lost: frozenset[str] = frozenset(TAKE_REST)


class Salvage:
    """Fills a new journal with what can be read of a damaged one.

    Owns: nothing but its way to the new journal. Called by: `Repair`. Invariant: what was taken has
    been read once and makes sense, or it is not taken at all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection = database.connection
        self._integrity = Integrity(database.connection)

    def take_over(self, damaged: Path, *, since: datetime, known: HighWater) -> Taken:
        """Take from a damaged journal what a daemon goes on from: into this one, which is empty.

        Those are open runs, those from `since` on, and whatever else it remembers across restarts:
        each as far as it can be read and makes sense. Of one that is behind what is `known` it is
        what is over, and what people told it; its whole history if nothing is damaged in it.
        """
        with suppress(JournalError):
            if self._copy(damaged, known):
                return Taken(RunsTaken.OVER, frozenset())
        self._connection.do("be_lenient")
        try:
            self._connection.do("attach", path=f"{damaged.absolute().as_uri()}?mode=ro")
            taken = self._take_attached(since, known)
            with suppress(JournalError):
                self._connection.do("detach")
        except JournalError:  # nothing of it can be read
            return Taken()
        finally:
            self._connection.do("be_strict")
        return taken

    def _copy(self, older: Path, known: HighWater) -> bool:
        """Become a copy of a journal that is whole and only behind, but for what it has to do."""
        with closing(Database.open(older, readonly=True)) as source:
            if not _reached(source.connection).is_behind(known):
                return False  # what it has to do is still to be done
            Integrity(source.connection).check_whole()
            self._connection.copy_from(source.connection)
        with self._database.transaction():
            for name in ("drop_open", "drop_backlogs", "repeat_notices"):
                self._connection.do(name)
        return True

    def _take_attached(self, since: datetime, known: HighWater) -> Taken:
        runs = self._take_runs(whole(since), known)
        rest = [table for table in TAKE_REST if table != "backlog" or runs.has_open]
        lost = [table for table in rest if not self._takes_table(*TAKE_REST[table])]
        if not runs.has_open:
            self._connection.do("repeat_notices")
        return Taken(runs, frozenset(lost))

    def _take_runs(self, since: int, known: HighWater) -> RunsTaken:
        if self._is_behind(known):
            return (
                RunsTaken.OVER
                if self._takes((*TAKE_OVER, *RECENT), since=since)
                else RunsTaken.NONE
            )
        if not self._takes(TAKE_OPEN):
            return RunsTaken.NONE
        if not self._takes(RECENT, since=since):
            return RunsTaken.OPEN
        self._takes(NEWEST)
        return RunsTaken.ALL

    def _is_behind(self, known: HighWater) -> bool:
        """Say whether the other has come less far than is known, or does not tell how far."""
        try:
            return _reached(self._connection, *_OF_OLD).is_behind(known)
        except JournalError:
            return True

    def _takes_table(self, take: str, lost: str) -> bool:
        """Take what can be relied on of a table; False if that is not all of it."""
        try:
            missing = self._connection.read(decoding.numbers, lost) if lost else [0]
        except JournalError:
            missing = [1]
        return self._takes((take,)) and missing == [0]

    def _takes(self, names: Sequence[str], **values: int) -> bool:
        """Take it, and read all of it once; False, and nothing is taken, if it makes no sense."""
        try:
            with self._database.transaction():
                for name in names:
                    self._connection.do(name, **(values if name == "take_recent" else {}))
                if "take_open" in names:
                    self._integrity.deny("lost_open", "an index tells otherwise of run")
                self._integrity.read_back(has_runs="take_attempts" in names)
        except JournalError:
            return False
        return True


def _reached(
    connection: Connection, commits: str = "commits", numbers: str = "numbers_given"
) -> HighWater:
    """Return how far a journal has come, as these statements tell."""
    return HighWater(*(connection.read(decoding.count, name) for name in (commits, numbers)))
