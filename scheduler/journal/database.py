"""The database behind the journal: a file and the names of statements in, their rows out.

Who knows what the rows mean is `journal` and its parts; the statements stand in `sql/`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import deque
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar
from zlib import crc32

from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal import high_water, sql
from scheduler.journal.decoding import count
from scheduler.journal.files_in_place import InPlace
from scheduler.journal.high_water import HighWater, Record
from scheduler.journal.rows import storable
from scheduler.system import state_files
from scheduler.system.own_limits import of_files, of_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from importlib.resources.abc import Traversable
    from pathlib import Path

    Value = str | int | float | None

T = TypeVar("T")

LOCK_TIMEOUT = 5.0  # how long opening waits while another program holds the file
LOOP_PATIENCE = 0.5  # and a statement after that: whoever waits for it answers nobody meanwhile
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
TOO_LARGE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # what it makes of EFBIG
# A statement that can't be prepared is damage too (SQLITE_ERROR): its tables are others than were
# made. So is a value that is larger than there can be.
DAMAGED = (
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT),
    *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_TOOBIG),
)
_COUNTED_SINCE = 11  # the first version of the journal that counts its commits
_LOG_HEADER, _FRAME_HEADER = 32, 24  # bytes: sqlite.org/walformat.html
UNDECODABLE = "Could not decode"  # so sqlite3 begins what it says of a text that is none
NONSENSE = (ValueError, TypeError, ArithmeticError, LookupError)  # of a row that nobody wrote


class Database:
    """One open database; each statement commits by itself unless a transaction is open.

    Whatever it refuses (disk full, locked, read-only, damaged) is a JournalError.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        scripts: dict[int, str],
        *,
        path: Path | None = None,
        readonly: bool = False,
    ) -> None:
        self._connection = connection
        self._path = path
        self._name = name
        self._sql = sql.statements()
        self.commits = 0  # transactions that are on disk
        self._record: Record | None = None  # where it is told how far the journal has come
        self._counted = self._highest = self._minute = 0  # that is told there: see HighWater
        self._files: InPlace | None = None
        self._is_patient = True  # for a lock that another program holds
        connection.create_function("seal", -1, _seal, deterministic=True)
        try:
            self._prepare(scripts, readonly=readonly)
            if path is not None and not readonly:
                self._files = InPlace(path, self._log_needed)
        except BaseException:
            connection.close()
            raise

    @classmethod
    def open(
        cls, path: Path, *, readonly: bool = False, migrations: Traversable | None = None
    ) -> Self:
        """Open the journal at `path`, brought up to date, or only to read what is there.

        The folder must exist. Raises JournalError for a file that is missing (`readonly`),
        damaged, or written by a newer Meridian. `migrations` is a folder of `0001_name.sql` files.
        """
        connection = _connect(path, readonly=readonly)
        scripts = sql.migrations(migrations)
        return cls(connection, f"the journal {path}", scripts, path=path, readonly=readonly)

    @classmethod
    def is_older(cls, path: Path) -> bool:
        """Say whether an older Meridian wrote the journal, so that opening it may take a while."""
        try:
            with closing(_connect(path, readonly=True)) as connection:
                version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        except (JournalError, sqlite3.Error, UnicodeError):
            return False  # there is none, or opening it says what it is
        return 0 < version < max(sql.migrations())

    @classmethod
    def reached_at(cls, path: Path) -> HighWater:
        """Return how far the journal at `path` has come, which is left as it is; zeros for none.

        One of an older Meridian has counted no commits. Raises JournalError if it can't be read.
        """
        if not state_files.is_there(path):
            return HighWater()
        with closing(_connect(path, readonly=True)) as connection:
            try:
                return _reached(connection)
            except sqlite3.Error as error:
                raise _refusal(f"the journal {path}", error) from error
            except NONSENSE as error:
                raise _damage(f"the journal {path}", _why(error)) from error

    @classmethod
    def in_memory(cls) -> Self:
        """Open an empty journal that is gone when it is closed."""
        # Whichever thread collects what is left of a simulation may have to close it.
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        return cls(connection, "the journal in memory", sql.migrations())

    def close(self) -> None:
        """Let go of the file; the journal can't be used after."""
        self._connection.close()
        if self._record is not None:
            self._record.close()

    def is_in_place(self) -> bool:
        """Say whether the file still stands where it was opened: else nobody would find it.

        Raises JournalDamaged where only its log or the index to that was deleted, replaced or cut:
        what was committed since then may not last.
        """
        if self._files is None or (lost := self._files.look()) is None:
            return True
        if self._files.has_lost_database():
            return False
        raise JournalDamaged(f"{self._name} is damaged ({lost.name} was deleted, replaced or cut)")

    @property
    def is_lost(self) -> bool:
        """Whether it was seen by now that a file of it is not in its place."""
        return self._files is not None and self._files.lost is not None

    def tell(self, beside: Path) -> None:
        """Tell from now on, after each commit, in this file how far the journal has come.

        It may know of later minutes, in which nothing was due: their commits wait for no disk.
        """
        parts = ("commits", "numbers_given", "last_tick")
        self._counted, self._highest, self._minute = (self._read(count, part) for part in parts)
        told = high_water.read(beside)
        if told.commits == self._counted and told.minute > self._minute:
            self._do("set_last_tick", minute=told.minute)
            self._minute = told.minute
        self._record = Record(beside)
        self._tell()

    def reached(self, commits: str = "commits", numbers: str = "numbers_given") -> HighWater:
        """Return how far it has come, as these statements tell."""
        return HighWater(*(self._read(count, part) for part in (commits, numbers)))

    def _become(self, source: Database) -> None:
        """Hold what another database holds, page by page, in place of what is in this one."""
        try:
            source._connection.backup(self._connection)
        except sqlite3.Error as error:
            raise _refusal(self._name, error) from error

    def transaction(self, *, synced: bool = True) -> AbstractContextManager[None]:
        """Make what is done inside one commit, or nothing at all when an error leaves it.

        It outlives a loss of power; one that is not `synced` only the death of this process, and
        costs no wait for the disk. Raises JournalError inside another transaction.
        """
        if self._connection.in_transaction:
            raise JournalError(f"{self._name}: a transaction was begun within a transaction")
        return self._transaction(counts=True) if synced else self._hurried()

    @contextmanager
    def _hurried(self) -> Iterator[None]:
        self._do("hurry")
        try:
            with self._transaction(counts=False):  # what is told must be on the disk
                yield
        finally:
            self._do("hold")

    @contextmanager
    def _transaction(self, *, counts: bool) -> Iterator[None]:
        if self._files is not None:
            self._files.look()  # before what is written hides that something is missing
        self._do("begin")
        before = self._highest, self._minute
        try:
            yield
            if counts and self._record is not None:
                self._do("count_commit")
            self._do("commit")
        except BaseException:
            with suppress(JournalError):  # SQLite itself may have rolled back: the disk was full
                self._do("rollback")
            self._highest, self._minute = before
            raise
        self.commits += 1
        self._counted += counts
        self._expect_success()
        self._tell()

    def _tell(self) -> None:
        if self._record is not None:
            self._record.write(HighWater(self._counted, self._highest, self._minute))

    def _log_needed(self) -> int | None:
        """Return how many bytes of its log SQLite goes by; None where it can't read them."""
        try:
            (_, pages, _), ((size,),) = self._rows("checkpoint")[0], self._rows("page_size")
        except JournalError:
            return None
        return _LOG_HEADER + pages * (_FRAME_HEADER + size) if pages > 0 else 0

    def _do(self, name: str, **values: Value) -> sqlite3.Cursor:
        return self._execute(self._sql[name], values)

    def _execute(self, statement: str, values: Mapping[str, Value]) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement, values)
        except (sqlite3.Error, UnicodeError, OverflowError, MemoryError) as error:
            self._stop_waiting(error)
            raise _refusal(self._name, error) from error

    def _stop_waiting(self, error: Exception) -> None:
        """Wait no more for a lock that was waited for in vain, until something has been written.

        Whoever owns this journal has other things to do meanwhile, and comes again.
        """
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in LOCKED and self._is_patient:
            self._is_patient = False
            self._connection.execute("PRAGMA busy_timeout = 0")

    def _expect_success(self) -> None:
        if not self._is_patient:
            self._is_patient = True
            self._wait_for_locks()

    def _wait_for_locks(self) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {LOOP_PATIENCE * 1000:.0f}")

    def _change(self, name: str, *, run: int, **values: Value) -> None:
        if self._do(name, run=run, **values).rowcount != 1:
            raise JournalError(f"{self._name} has no such run or attempt: run {run}, {name}")

    def _together(self) -> AbstractContextManager[None]:
        return nullcontext() if self._connection.in_transaction else self.transaction()

    def _read(self, decode: Callable[[list[tuple[Any, ...]]], T], name: str, **values: Value) -> T:
        """Return what `decode` makes of a statement's rows.

        All that is read goes through here: what can't be read, or makes no sense, is damage. A text
        that somebody typed and that can't be stored finds nothing.
        """
        cursor = self._do(name, **{key: _asked(value) for key, value in values.items()})
        with self._refusals():
            return decode(cursor.fetchall())

    def _check(self, decode: Callable[[sqlite3.Cursor], Iterator[object]], name: str) -> None:
        """Look at all that `decode` makes of a statement's rows, one by one, and keep none."""
        with closing(self._do(name)) as cursor, self._refusals():
            deque(decode(cursor), maxlen=0)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, MemoryError) as error:
            raise _refusal(self._name, error) from error
        except NONSENSE as error:
            raise self._damaged(_why(error)) from error

    def _damaged(self, what: str) -> JournalDamaged:
        return _damage(self._name, what)

    def _rows(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        return self._read(list, name, **values)

    def _prepare(self, scripts: dict[int, str], *, readonly: bool) -> None:
        if self._has_wrong_version(scripts):
            raise self._damaged(f"it has version {self._version()}, and tables of another")
        version = self._version()
        if why := sql.refusal(version, max(scripts), readonly=readonly):
            raise JournalError(f"{self._name} {why}")
        if readonly:
            return
        self._pragma("journal_mode = WAL")
        self._pragma("synchronous = FULL")
        for number, script in scripts.items():
            if self._version() < number:
                self._migrate(number, script)
        if version != self._version():
            self._do("checkpoint")  # so that the file by itself is no empty database
        self._pragma("foreign_keys = ON")  # last: a migration may rebuild tables
        self._wait_for_locks()

    def _version(self) -> int:
        version: int = self._rows("version")[0][0]
        return version

    def _has_wrong_version(self, scripts: dict[int, str]) -> bool:
        """Say whether nobody wrote this version: a newer Meridian's journal has other tables."""
        version = self._version()
        if version == 0:
            return bool(self.made())
        if version <= max(scripts):
            return False
        with closing(self.in_memory()) as own:
            return own.made() == self.made()

    def made(self) -> list[tuple[Any, ...]]:
        """Return how each of its tables was made."""
        return self._read(list, "schema")

    def check_writable(self) -> None:
        """Raise JournalError if nothing can be written, JournalDamaged if its header alone says so.

        SQLite takes one that a later SQLite has to write for one that can't be written.
        """
        self._do("begin")
        try:
            self._do("change_nothing")
        except JournalError as error:
            if _is_read_only(error) and self._path and os.access(self._path, os.W_OK):
                raise self._damaged("its header says that nobody may write it") from error
            raise
        finally:
            self._do("rollback")

    def _migrate(self, number: int, script: str) -> None:
        with self._transaction(counts=False):
            if self._version() < number:  # another process may have been first
                for statement in sql.each(script):
                    self._execute(statement, {})
                self._pragma(f"user_version = {number}")

    def _pragma(self, setting: str) -> None:
        self._execute(f"PRAGMA {setting}", {})


def _connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    try:
        _check(path)
        if not readonly:
            _own(path)
        elif not state_files.is_there(path):
            raise JournalError(f"nothing has run yet: there is no journal {path}")
        uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_TIMEOUT)
        return _in_place(path, connection)
    except (OSError, sqlite3.Error) as error:
        raise _refusal(f"the journal {path}", error) from error


def _in_place(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """Return it; JournalError if SQLite, which goes by names, is elsewhere than the rest."""
    if not os.path.samestat(path.lstat(), state_files.status(path)):
        connection.close()
        raise JournalError(f"another folder is in the place of {path.parent} now; start again")
    return connection


def _reached(connection: sqlite3.Connection) -> HighWater:
    def told(name: str, since: int) -> int:
        return count(connection.execute(sql.statements()[name])) if version >= since else 0

    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return HighWater(told("commits", _COUNTED_SINCE), told("numbers_given", 1))


def _check(path: Path) -> None:
    """Raise JournalError where SQLite would follow a link, or wait for what is no file."""
    for part in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + part)
        with suppress(FileNotFoundError):
            mode = state_files.status(file).st_mode
            if not stat.S_ISREG(mode):
                what = f"{state_files.kind(mode)} is in the place of {file}; move it away"
                raise JournalError(f"the journal can't be opened: {what}")


def _own(path: Path) -> None:
    """Make the file if there is none, and its user's alone; SQLite gives its other files that too.

    It is never opened and closed here: that would drop the locks this process may have on it.
    """
    if not state_files.is_there(path):
        os.close(state_files.opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    state_files.make_own(path)


def _seal(*values: Value) -> int:
    """Return a number that tells whether one of these values was changed, as good as surely."""
    return crc32("\0".join(map(str, values)).encode(errors="surrogatepass"))


def _refusal(name: str, error: Exception) -> JournalError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the family of the error
    if code in DAMAGED or _is_undecodable(error):
        return _damage(name, _why(error))
    if isinstance(error, MemoryError):
        return JournalError(f"{name}: no memory; {of_memory() or 'the system has none to give'}")
    limit = of_files() if code in TOO_LARGE else ""
    return JournalError(f"{name}: {error}{'; ' if limit else ''}{limit}")


def _damage(name: str, what: str) -> JournalDamaged:
    then = "the daemon moves it aside when it meets that, and begins a new one"
    return JournalDamaged(f"{name} is damaged ({what}); {then}")


def _why(error: Exception) -> str:
    return "a text in it is no UTF-8" if _is_undecodable(error) else str(error)


def _is_read_only(error: JournalError) -> bool:
    return getattr(error.__cause__, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY


def _is_undecodable(error: Exception) -> bool:
    """Say whether a text is none: one of a row, or what SQLite itself says of a broken schema."""
    return isinstance(error, UnicodeDecodeError) or str(error).startswith(UNDECODABLE)


def _asked(value: Value) -> Value:
    return storable(value) if isinstance(value, str) else value


def first(some: Sequence[T]) -> T | None:
    """Return the first of what was read; None if there is nothing."""
    return some[0] if some else None
