"""The journal's file: opened and brought up to date, written in transactions, seen to be there."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Self

from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal import high_water
from scheduler.journal.connection import Connection
from scheduler.journal.decoding import count
from scheduler.journal.files_in_place import InPlace
from scheduler.journal.high_water import HighWater, Progress
from scheduler.journal.migrations import bring_up_to_date, scripts
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COUNTED_SINCE = 11  # the first version of the journal that counts its commits
_LOG_HEADER, _FRAME_HEADER = 32, 24  # bytes: sqlite.org/walformat.html


class Database:
    """One open database; each statement commits by itself unless a transaction is open.

    Owns: the connection, what was seen of its files, and how far it has come. Called by: whoever
    has the journal open. Invariant: a commit whose files are not in their place is told as lost,
    and the record of high water is written after the commit that it speaks of.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection  # for the parts of the journal, and for nobody else
        self.progress = Progress()  # likewise
        self.commits = 0  # transactions that are on disk, since it was opened
        self._files: InPlace | None = None
        if connection.path is not None and not connection.readonly:
            self._files = InPlace(connection.path, self._log_needed)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False, migrations: Path | None = None) -> Self:
        """Open the journal at `path`, brought up to date, or only to read what is there.

        The folder must exist. Raises JournalError for a file that is missing (`readonly`),
        damaged, or written by a newer Meridian. `migrations` is a folder of `0001_name.sql` files.
        """
        return cls._of(Connection.open(path, readonly=readonly), migrations)

    @classmethod
    def in_memory(cls) -> Self:
        """Open an empty journal that is gone when it is closed."""
        return cls._of(Connection.in_memory())

    @classmethod
    def _of(cls, connection: Connection, migrations: Path | None = None) -> Self:
        try:
            bring_up_to_date(connection, scripts(migrations))
            return cls(connection)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def is_older(cls, path: Path) -> bool:
        """Say whether an older Meridian wrote the journal: to open it may take a while."""
        try:
            with closing(Connection.open(path, readonly=True)) as connection:
                return 0 < connection.version() < max(scripts())
        except JournalError:
            return False  # there is none, or whoever opens it is told what it is

    @classmethod
    def reached_at(cls, path: Path) -> HighWater:
        """Return how far the journal at `path` has come, which is left as it is; zeros for none.

        One of an older Meridian has counted no commits. Raises JournalError if it can't be read.
        """
        if not state_files.is_there(path):
            return HighWater()
        with closing(Connection.open(path, readonly=True)) as connection:
            version = connection.version()
            return HighWater(
                connection.read(count, "commits") if version >= _COUNTED_SINCE else 0,
                connection.read(count, "numbers_given") if version >= 1 else 0,
            )

    def close(self) -> None:
        """Let go of the file; the journal can't be used after."""
        self.connection.close()
        self.progress.close()

    def is_in_place(self) -> bool:
        """Say whether the file still stands where it was opened: else nobody would find it.

        Raises JournalDamaged where only its log or the index to that was deleted, replaced or cut:
        what was committed since then may not last.
        """
        if self._files is None or (lost := self._files.look()) is None:
            return True
        if self._files.has_lost_database():
            return False
        what = f"{lost.name} was deleted, replaced or cut"
        raise JournalDamaged(f"{self.connection.name} is damaged ({what})")

    @property
    def is_lost(self) -> bool:
        """Whether it was seen by now that a file of it is not in its place."""
        return self._files is not None and self._files.lost is not None

    def tell(self, beside: Path) -> None:
        """Tell from now on, after each commit, in this file how far the journal has come.

        It may know of later minutes, in which nothing was due: their commits wait for no disk.
        """
        parts = ("commits", "numbers_given", "last_tick")
        reached = HighWater(*(self.connection.read(count, part) for part in parts))
        told = high_water.read(beside)
        self.progress.reached = reached
        if told.commits == reached.commits and told.minute > reached.minute:
            self.connection.do("set_last_tick", minute=told.minute)
            self.progress.has_minute(told.minute)
        self.progress.open(beside)

    def transaction(self, *, synced: bool = True) -> AbstractContextManager[None]:
        """Make what is done inside one commit, or nothing at all when an error leaves it.

        It outlives a loss of power; one that is not `synced` only the death of this process, and
        costs no wait for the disk. Raises JournalError inside another transaction.
        """
        if self.connection.in_transaction:
            name = self.connection.name
            raise JournalError(f"{name}: a transaction was begun within a transaction")
        return self._transaction(is_counted=True) if synced else self._unsynced()

    def together(self) -> AbstractContextManager[None]:
        """Make what is done inside a part of the open transaction, or one of its own."""
        return nullcontext() if self.connection.in_transaction else self.transaction()

    @contextmanager
    def part(self) -> Iterator[None]:
        """Make what is done inside a part of the open transaction; an error takes that part back.

        What was done before it stays, but for a JournalError: that refuses the whole.
        """
        self.connection.do("begin_part")
        try:
            yield
        except JournalError:
            raise  # SQLite may have rolled back everything: the disk was full
        except BaseException:
            self.connection.do("undo_part")
            self.connection.do("end_part")
            raise
        self.connection.do("end_part")

    @contextmanager
    def _unsynced(self) -> Iterator[None]:
        self.connection.do("sync_seldom")
        try:
            with self._transaction(is_counted=False):  # what is told must be on the disk
                yield
        finally:
            self.connection.do("sync_always")

    @contextmanager
    def _transaction(self, *, is_counted: bool) -> Iterator[None]:
        if self._files is not None:
            self._files.look()  # before what is written hides that something is missing
        before = self.progress.reached
        try:
            with self.connection.transaction():
                yield
                if is_counted and self.progress.is_recorded:
                    self.connection.do("count_commit")
        except BaseException:
            self.progress.reached = before
            raise
        self.commits += 1
        self.progress.has_commits(int(is_counted))
        self.progress.write()

    def _log_needed(self) -> int | None:
        """Return how many bytes of its log SQLite goes by; None where it can't read them."""
        rows = self.connection.rows
        try:
            (_, pages, _), ((size,),) = rows("checkpoint")[0], rows("page_size")
        except JournalError:
            return None
        return _LOG_HEADER + pages * (_FRAME_HEADER + size) if pages > 0 else 0
