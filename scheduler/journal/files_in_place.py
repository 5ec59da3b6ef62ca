"""The files of an open database: a path in, and out which of them is not what was opened any more.

sqlite.org/walformat.html: a database is its file, the log of its latest commits (`-wal`), and an
index to that (`-shm`) which the programs that have it open share.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DATABASE_FILE, _WAL_FILE, _INDEX_FILE = "", "-wal", "-shm"


class InPlace:
    """The files of one open database, as they were found when they were seen first.

    Owns: what was seen of them. Called by: `Database`, before each commit. Invariant: what is lost
    once stays lost, since what is committed after that is nowhere, or has a gap before it. `needed`
    says how long the log has to be, by what SQLite itself knows of it; None where it can't tell.
    """

    def __init__(self, path: Path, needed: Callable[[], int | None]) -> None:
        parts = (_DATABASE_FILE, _WAL_FILE, _INDEX_FILE)
        self._paths = {part: path.with_name(path.name + part) for part in parts}
        self._known: dict[str, os.stat_result] = {}
        self._size = 0  # of the log, which shrinks only where a checkpoint empties it
        self._needed = needed
        self.lost: Path | None = None  # the file that was deleted, replaced or cut
        self.look()

    def look(self) -> Path | None:
        """Look at the files, and return the one that is not in its place."""
        if self.lost is None:
            gone = [path for part, path in self._paths.items() if not self._is_same(part)]
            if not gone and self._is_cut():
                gone = [self._paths[_WAL_FILE]]
            self.lost = next(iter(gone), None)
        return self.lost

    def has_lost_database(self) -> bool:
        """Say whether it is the database itself that is not in its place."""
        return self.lost == self._paths[_DATABASE_FILE]

    def _is_same(self, part: str) -> bool:
        known = self._known.get(part)
        try:
            status = self._paths[part].lstat()  # by its name, as others find it
        except OSError:
            return known is None and part != _DATABASE_FILE  # these come with the first statement
        self._known[part] = status
        return known is None or os.path.samestat(known, status)

    def _is_cut(self) -> bool:
        """Say whether the log is shorter than it was, and than SQLite goes by."""
        size = self._known[_WAL_FILE].st_size if _WAL_FILE in self._known else 0
        if size < self._size:
            needed = self._needed()
            if needed is None or size < needed:
                return True
        self._size = size
        return False
