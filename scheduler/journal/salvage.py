"""A journal in, the damage in it out; and of a damaged one what a daemon can go on from."""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.journal import decoding
from scheduler.journal.columns import number
from scheduler.journal.database import Database
from scheduler.journal.rows import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from scheduler.journal.high_water import HighWater

# What a daemon needs of a damaged journal, in the order in which it can be taken: all of what is
# not over, and the time that it belongs to, or nothing. Of one that is behind nothing of that: what
# it has open, or still to run, may have been done since.
OVER = ("take_numbers", "take_eras")
OPEN = ("take_numbers", "take_tick", "take_eras", "take_open", "take_attempts")
# The runs of a day by the index of their keys, and a second time what that may have lost.
RECENT = ("take_recent", "take_attempts")
NEWEST = ("take_newest", "take_attempts")
# And what makes sense by itself: of each table what takes it, and what counts rows that are no more
# as they were written.
REST = {
    "pause": ("take_pauses", "lost_pauses"),
    "anchor": ("take_anchors", "lost_anchors"),
    "boot": ("take_boots", "lost_boots"),
    "reckoning": ("take_reckoning", ""),
    "jump": ("take_jumps", ""),
    "backlog": ("take_backlogs", "lost_backlogs"),  # where there are the runs that it goes on from
}

_SMALL = 4096  # pages, of 4096 bytes: to look at all of them takes some 0.2 s
_HIGHEST = 2**53  # more runs than there will ever be


class Runs(Enum):
    """Which runs were taken from a damaged journal."""

    ALL = "those that are open, and those of a day"
    OPEN = "those that are open"
    OVER = "those of a day that are over"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken from a damaged journal; `lost` are the tables of which not all was."""

    runs: Runs = Runs.NONE
    lost: frozenset[str] = frozenset(REST)


class Salvage(Database):
    """The part of the journal that looks for damage, and saves what can be read."""

    def examine(self) -> None:
        """Look for what would do harm before anybody met it. Raises JournalDamaged.

        A small journal is looked at whole. Of a large one, which would make a start late, only
        what a daemon goes on from: its own tables and the newest runs.
        """
        (pages,) = self._read(decoding.numbers, "check_pages")
        if pages <= _SMALL:
            self._find("check_all")
        else:
            self._find("check_small")
            self._deny("check_newest", "an index lacks run")
        self._deny("check_seals", "a row is not as it was written, in table")
        self.check_writable()
        self._read_numbers()
        # Killed in its first second, a daemon may have begun runs, and handled no minute.
        if self._rows("next_job", job="") and not self._read(decoding.instants, "last_tick"):
            raise self._damaged("it has runs that are over, and no minute that was handled")

    def check_whole(self) -> None:
        """Raise JournalDamaged unless every page, and all that is read, is as it was written."""
        self._find("check_all")
        self._read_back(has_runs=True)

    def _find(self, name: str) -> None:
        for (told,) in self._rows(name):
            if told != "ok":
                raise self._damaged(str(told))

    def _deny(self, name: str, why: str) -> None:
        for (what,) in self._rows(name):
            raise self._damaged(f"{why} {what}")

    def _read_numbers(self) -> list[int]:
        return self._read(_numbers, "check_numbers")

    def take_over(self, damaged: Path, *, since: datetime, known: HighWater) -> Taken:
        """Take from a damaged journal what a daemon goes on from: into this one, which is empty.

        Those are open runs, those from `since` on, and whatever else it remembers across restarts:
        each as far as it can be read and makes sense. Of one that is behind what is `known` it is
        what is over, and what people told it; its whole history if nothing is damaged in it.
        """
        with suppress(JournalError):
            if self._copy(damaged, known):
                return Taken(Runs.OVER, frozenset())
        self._do("be_lenient")
        try:
            self._do("attach", path=f"{damaged.absolute().as_uri()}?mode=ro")
            taken = self._take_attached(since, known)
            with suppress(JournalError):
                self._do("detach")
        except JournalError:  # nothing of it can be read
            return Taken()
        finally:
            self._do("be_strict")
        return taken

    def _copy(self, older: Path, known: HighWater) -> bool:
        """Become a copy of a journal that is whole and only behind, but for what it has to do."""
        with closing(self.open(older, readonly=True)) as source:
            if not source.reached().is_behind(known):
                return False  # what it has to do is still to be done
            source.check_whole()
            self._become(source)
        with self.transaction():
            for name in ("drop_open", "drop_backlogs"):
                self._do(name)
        return True

    def _take_attached(self, since: datetime, known: HighWater) -> Taken:
        runs = self._take_runs(whole(since), known)
        rest = [table for table in REST if table != "backlog" or runs in (Runs.ALL, Runs.OPEN)]
        lost = [table for table in rest if not self._takes_table(*REST[table])]
        return Taken(runs, frozenset(lost))

    def _take_runs(self, since: int, known: HighWater) -> Runs:
        if self._is_behind(known):
            return Runs.OVER if self._takes((*OVER, *RECENT), since=since) else Runs.NONE
        if not self._takes(OPEN):
            return Runs.NONE
        if not self._takes(RECENT, since=since):
            return Runs.OPEN
        self._takes(NEWEST)
        return Runs.ALL

    def _is_behind(self, known: HighWater) -> bool:
        """Say whether the other has come less far than is known, or does not tell how far."""
        try:
            return self.reached("commits_of_old", "numbers_given_by_old").is_behind(known)
        except JournalError:
            return True

    def _takes_table(self, take: str, lost: str) -> bool:
        """Take what can be relied on of a table; False if that is not all of it."""
        try:
            missing = self._read(decoding.numbers, lost) if lost else [0]
        except JournalError:
            missing = [1]
        return self._takes((take,)) and missing == [0]

    def _takes(self, names: Sequence[str], **values: int) -> bool:
        """Take it, and read all of it once; False, and nothing is taken, if it makes no sense."""
        try:
            with self.transaction():
                for name in names:
                    self._do(name, **(values if name == "take_recent" else {}))
                if "take_open" in names:
                    self._deny("lost_open", "an index tells otherwise of run")
                self._read_back(has_runs="take_attempts" in names)
        except JournalError:
            return False
        return True

    def _read_back(self, *, has_runs: bool) -> None:
        """Read what was taken, as whoever goes on from it does. Raises JournalDamaged."""
        if has_runs:
            self._check(decoding.each_run, "everything")  # there may be a million
            self._read(decoding.open_runs, "unfinished")
            self._read_numbers()
        self._deny("check_seals", "a row is not as it was written, in table")
        self._read(decoding.jumps, "jumps", limit=-1)
        self._read(decoding.eras, "eras")
        self._read(decoding.pauses, "pauses")
        self._read(decoding.backlogs, "backlogs")
        for name in ("last_tick", "reckoning"):
            self._read(decoding.instants, name)


def _numbers(rows: decoding.Rows) -> list[int]:
    return [number(value, 0, _HIGHEST) for (value,) in rows if value is not None]
