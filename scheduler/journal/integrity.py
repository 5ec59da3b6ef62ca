"""A journal in, the damage in it out: JournalDamaged, or nothing where there is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.journal import decoding, run_decoding, sqlite_errors
from scheduler.journal.columns import number

if TYPE_CHECKING:
    from scheduler.journal.connection import Connection

_SMALL = 4096  # pages, of 4096 bytes: to look at all of them takes some 0.2 s
_HIGHEST = 2**53  # more runs than there will ever be


class Integrity:
    """The part of the journal that looks for damage.

    Owns: nothing but its way to the connection. Called by: the start of a daemon, and by `Salvage`
    for what it took. Invariant: it changes nothing, and tries a write only to undo it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def examine(self) -> None:
        """Look for what would do harm before anybody comes upon it. Raises JournalDamaged.

        A small journal is looked at whole. Of a large one, which would make a start late, only
        what a daemon goes on from: its own tables and the newest runs.
        """
        (pages,) = self._connection.read(decoding.numbers, "check_pages")
        if pages <= _SMALL:
            self._find("check_all")
        else:
            self._find("check_small")
            self.deny("check_newest", "an index lacks run")
        self.deny("check_seals", "a row is not as it was written, in table")
        self._check_writable()
        self._read_numbers()
        # Killed in its first second, a daemon may have begun runs, and handled no minute.
        if self._connection.rows("next_job", job="") and not self._connection.read(
            decoding.instants, "last_tick"
        ):
            raise self._connection.damaged(
                "it has runs that are over, and no minute that was handled"
            )

    def check_whole(self) -> None:
        """Raise JournalDamaged unless every page, and all that is read, is as it was written."""
        self._find("check_all")
        self.read_back(has_runs=True)

    def read_back(self, *, has_runs: bool) -> None:
        """Read what was taken, as whoever goes on from it does. Raises JournalDamaged."""
        if has_runs:
            self._connection.check_each(
                run_decoding.each_run, "everything"
            )  # there may be a million
            self._connection.read(run_decoding.open_runs, "unfinished")
            self._read_numbers()
        self.deny("check_seals", "a row is not as it was written, in table")
        self._connection.read(decoding.jumps, "jumps", limit=-1)
        self._connection.read(decoding.eras, "eras")
        self._connection.read(decoding.pauses, "pauses")
        self._connection.read(decoding.backlogs, "backlogs")
        self._connection.check_each(decoding.each_notice, "every_notice")
        self._connection.read(decoding.words, "alert_jobs")
        for name in ("last_tick", "reckoning"):
            self._connection.read(decoding.instants, name)

    def _find(self, name: str) -> None:
        for (told,) in self._connection.rows(name):
            if told != "ok":
                raise self._connection.damaged(str(told))

    def deny(self, name: str, why: str) -> None:
        """Raise JournalDamaged if a statement finds what it looks for, which is a damage."""
        for (what,) in self._connection.rows(name):
            raise self._connection.damaged(f"{why} {what}")

    def _read_numbers(self) -> list[int]:
        return self._connection.read(_numbers, "check_numbers")

    def _check_writable(self) -> None:
        """Raise JournalError if nothing can be written, JournalDamaged if its header alone says so.

        SQLite takes one that a later SQLite has to write for one that can't be written.
        """
        self._connection.do("begin")
        try:
            self._connection.do("change_nothing")
        except JournalError as error:
            path = self._connection.path
            if sqlite_errors.is_read_only(error) and path and os.access(path, os.W_OK):
                damage = self._connection.damaged("its header says that nobody may write it")
                raise damage from error
            raise
        finally:
            self._connection.do("rollback")


def _numbers(rows: decoding.Rows) -> list[int]:
    return [number(value, 0, _HIGHEST) for (value,) in rows if value is not None]
