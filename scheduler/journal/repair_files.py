"""The files of a journal that is begun anew: the old one moved aside, the new one in its place.

A path in, and what lies beside it under names that begin with the same name; OSError where the
system refuses.
"""

from __future__ import annotations

import stat
from contextlib import closing, contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.journal.journal import Journal
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

_HALF, _NEW = ".half", ".new"  # one that is being filled, and one that only has to take its place
_LOG = ("-wal", "-shm")  # sqlite.org/walformat.html: a database is these files and itself


class RepairFiles:
    """The files in the state folder whose names begin with the journal's.

    Owns: their names, while no daemon has the journal open. Called by: `Repair`. Invariant: what is
    in the journal's place is either the old one or a new one that was filled to its end, and a
    damaged one that was moved aside is never written over.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal

    def begin(self) -> None:
        """Remove what was half filled. Raises MeridianError for a folder in the place of a file."""
        for file in (*self._of(_HALF), *self._of(_NEW)):
            with suppress(FileNotFoundError):
                if stat.S_ISDIR(state_files.status(file).st_mode):
                    why = f"a folder is in the place of {file}; move it away"
                    raise MeridianError(f"no journal can be begun: {why}")
        self._remove(_HALF)

    def has_journal(self) -> bool:
        """Say whether there is a journal that is not empty."""
        return state_files.is_there(self._path) and state_files.status(self._path).st_size > 0

    def has_new(self) -> bool:
        """Say whether a new journal is complete, and only has to take its place."""
        return state_files.is_there(self._beside(_NEW))

    def remove_new(self) -> None:
        """Remove a new journal that is not needed."""
        self._remove(_NEW)

    def asides(self) -> list[Path]:
        """Return the damaged journals that have been moved aside, without their logs."""
        names = (each.name for each in state_files.listed(self._path.parent))
        found = (name for name in names if name.startswith(f"{self._path.name}.damaged-"))
        return [self._path.with_name(name) for name in found if not name.endswith(_LOG)]

    def newest_aside(self) -> Path | None:
        """Return the one that was moved last; None if none was."""
        return max(self.asides(), key=_moved, default=None)

    def unused(self, now: datetime) -> Path:
        """Return a name for a damaged journal that no other has."""
        stem = f".damaged-{now:%Y%m%dT%H%M%SZ}"
        names = (stem if n == 0 else f"{stem}.{n}" for n in count())
        return next(path for name in names if not state_files.is_there(path := self._beside(name)))

    @contextmanager
    def filling(self) -> Iterator[Journal]:
        """Yield a journal to be filled; one that is not filled to its end never takes a place."""
        half = self._beside(_HALF)
        self._remove(_HALF)
        with closing(Journal.open(half)) as journal:
            yield journal
        # Closing it writes all of it, if there is room.
        if state_files.is_there(self._beside(f"{_HALF}-wal")):
            raise MeridianError(f"the journal {half} can't be written to its end")
        state_files.rename(half, self._beside(_NEW))

    def move_aside(self, aside: Path) -> None:
        """Give the old journal another name; its log is moved when the new one takes its place."""
        state_files.rename(self._path, aside)

    def take_place(self, aside: Path) -> None:
        """Let the new journal be the journal, once nothing of the old one lies beside it."""
        self.move_log_aside(aside)
        state_files.rename(self._beside(_NEW), self._path)

    def move_log_aside(self, aside: Path) -> None:
        """Move what belongs to a journal that was moved first: SQLite would give it to the next.

        Without it, that journal would be an older one, and nobody would see a damage in it.
        """
        for part in _LOG:
            if state_files.is_there(left := self._beside(part)):
                state_files.rename(left, aside.with_name(aside.name + part))

    def _beside(self, ending: str) -> Path:
        return self._path.with_name(self._path.name + ending)

    def _of(self, ending: str) -> list[Path]:
        return [self._beside(ending + part) for part in ("", *_LOG)]

    def _remove(self, ending: str) -> None:
        for file in self._of(ending):
            state_files.remove(file)


def _moved(path: Path) -> int:
    """Return when a file got its name: a rename changes nothing else of it."""
    return state_files.status(path).st_ctime_ns
