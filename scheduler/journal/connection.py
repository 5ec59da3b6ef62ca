"""SQLite: a path in, a connection out; names of statements in, their rows out, or a JournalError.

No other module speaks to SQLite. What the rows mean is known above; the statements stand in `sql/`.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections import deque
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from zlib import crc32

from scheduler.errors import JournalError
from scheduler.journal import sql, sqlite_errors
from scheduler.journal.columns import storable
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scheduler.errors import JournalDamaged

    Value = str | int | float | None

T = TypeVar("T")

LOCK_WAIT_TO_OPEN = 5.0  # seconds for which whoever opens it waits while another program holds it
LOCK_WAIT = 0.5  # and a statement after that: whoever waits for it answers nobody meanwhile


class Connection:
    """One connection to a database; each statement commits by itself unless a transaction is open.

    Owns: SQLite's connection, and whether a statement waits for a lock. Called by: `Database` and
    the parts of the journal, which share it. Invariant: whatever SQLite refuses (disk full, locked,
    read-only) is a JournalError, and what can't be read or makes no sense is a JournalDamaged.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        name: str,
        *,
        path: Path | None = None,
        readonly: bool = False,
    ) -> None:
        self._sqlite = connection
        self._sql = sql.statements()
        self._waits = True  # for a lock that another program holds
        self.name = name  # in what is said of it
        self.path = path  # None: it is in memory
        self.readonly = readonly
        connection.create_function("seal", -1, _seal, deterministic=True)

    @classmethod
    def open(cls, path: Path, *, readonly: bool = False) -> Connection:
        """Open the database at `path`, which is made if there is none, or only to read it.

        Raises JournalError for a file that is missing (`readonly`) or can't be opened.
        """
        try:
            _check_files(path)
            if not readonly:
                _make_own(path)
            elif not state_files.is_there(path):
                raise JournalError(f"nothing has run yet: there is no journal {path}")
            uri = f"{path.absolute().as_uri()}?mode={'ro' if readonly else 'rw'}"
            opened = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=LOCK_WAIT_TO_OPEN)
            _check_folder(path, opened)
        except (OSError, sqlite3.Error) as error:
            raise sqlite_errors.refusal(f"the journal {path}", error) from error
        return cls(opened, f"the journal {path}", path=path, readonly=readonly)

    @classmethod
    def in_memory(cls) -> Connection:
        """Open an empty database that is gone when it is closed."""
        # Whichever thread collects what is left of a simulation may have to close it.
        opened = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        return cls(opened, "the journal in memory")

    def close(self) -> None:
        """Let go of the file; nothing can be done with it after."""
        self._sqlite.close()

    # --- statements --------------------------------------------------------------------------

    def do(self, name: str, **values: Value) -> sqlite3.Cursor:
        """Execute the statement of this name."""
        return self.execute(self._sql[name], values)

    def execute(self, statement: str, values: Mapping[str, Value] | None = None) -> sqlite3.Cursor:
        """Execute a statement that has no name: one of a migration, or a setting."""
        try:
            return self._sqlite.execute(statement, values or {})
        except (sqlite3.Error, UnicodeError, OverflowError, MemoryError) as error:
            self._stop_waiting(error)
            raise sqlite_errors.refusal(self.name, error) from error

    def change(self, name: str, *, run: int, **values: Value) -> None:
        """Execute a statement that changes one row of a run; JournalError if there is no such."""
        if self.do(name, run=run, **values).rowcount != 1:
            raise JournalError(f"{self.name} has no such run or attempt: run {run}, {name}")

    def read(self, decode: Callable[[list[tuple[Any, ...]]], T], name: str, **values: Value) -> T:
        """Return what `decode` makes of a statement's rows.

        All that is read goes through here: what can't be read, or makes no sense, is damage. A text
        that somebody typed and that can't be stored finds nothing.
        """
        cursor = self.do(name, **{key: _asked(value) for key, value in values.items()})
        with self._refusals():
            return decode(cursor.fetchall())

    def rows(self, name: str, **values: Value) -> list[tuple[Any, ...]]:
        """Return a statement's rows as they are."""
        return self.read(list, name, **values)

    def check_each(self, decode: Callable[[sqlite3.Cursor], Iterator[object]], name: str) -> None:
        """Look at all that `decode` makes of a statement's rows, one by one, and keep none."""
        with closing(self.do(name)) as cursor, self._refusals():
            deque(decode(cursor), maxlen=0)

    def version(self) -> int:
        """Return the number of the last migration that it has seen; 0 for an empty database."""
        version: int = self.rows("version")[0][0]
        return version

    def set_to(self, setting: str) -> None:
        """Set a pragma: `name = value`."""
        self.execute(f"PRAGMA {setting}")

    def copy_from(self, source: Connection) -> None:
        """Put what another database has, page by page, in place of what is in this one."""
        with self._refusals():
            source._sqlite.backup(self._sqlite)

    # --- transactions and locks --------------------------------------------------------------

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._sqlite.in_transaction

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is done inside one commit, or nothing at all when an error leaves it."""
        self.do("begin")
        try:
            yield
            self.do("commit")
        except BaseException:
            with suppress(JournalError):  # SQLite itself may have rolled back: the disk was full
                self.do("rollback")
            raise
        if not self._waits:
            self.wait_for_locks()

    def wait_for_locks(self) -> None:
        """Let a statement wait for a short while if another program holds a lock."""
        self._waits = True
        self.set_to(f"busy_timeout = {LOCK_WAIT * 1000:.0f}")

    def _stop_waiting(self, error: Exception) -> None:
        """Wait no more for a lock that was waited for in vain, until something has been written.

        Whoever owns this journal has other things to do meanwhile, and comes again.
        """
        if sqlite_errors.is_locked(error) and self._waits:
            self._waits = False
            self._sqlite.execute("PRAGMA busy_timeout = 0")

    # --- what is refused ---------------------------------------------------------------------

    def damaged(self, what: str) -> JournalDamaged:
        """Return the error to raise for a damage that was found."""
        return sqlite_errors.damage(self.name, what)

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, MemoryError) as error:
            raise sqlite_errors.refusal(self.name, error) from error
        except sqlite_errors.NONSENSE as error:
            raise self.damaged(sqlite_errors.why(error)) from error


def _check_files(path: Path) -> None:
    """Raise JournalError where SQLite would go through a link, or wait for what is no file."""
    for part in ("", "-wal", "-shm", "-journal"):
        file = path.with_name(path.name + part)
        with suppress(FileNotFoundError):
            mode = state_files.status(file).st_mode
            if not stat.S_ISREG(mode):
                what = f"{state_files.kind(mode)} is in the place of {file}; move it away"
                raise JournalError(f"the journal can't be opened: {what}")


def _make_own(path: Path) -> None:
    """Make the file if there is none, and its user's alone; SQLite gives its other files that too.

    It is never opened and closed here: that would drop the locks this process may have on it.
    """
    if not state_files.is_there(path):
        os.close(state_files.opened(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    state_files.make_own(path)


def _check_folder(path: Path, opened: sqlite3.Connection) -> None:
    """Raise JournalError if SQLite, which goes by names, is elsewhere than the rest."""
    if not os.path.samestat(path.lstat(), state_files.status(path)):
        opened.close()
        raise JournalError(f"another folder is in the place of {path.parent} now; start again")


def _seal(*values: Value) -> int:
    """Return a number that tells whether one of these values was changed, as good as surely."""
    return crc32("\0".join(map(str, values)).encode(errors="surrogatepass"))


def _asked(value: Value) -> Value:
    return storable(value) if isinstance(value, str) else value


def first(some: Sequence[T]) -> T | None:
    """Return the first of what was read; None if there is nothing."""
    return some[0] if some else None
