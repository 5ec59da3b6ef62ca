"""An error of SQLite in, a JournalError out that says what is refused, or a JournalDamaged."""

from __future__ import annotations

import sqlite3

from scheduler.errors import JournalDamaged, JournalError
from scheduler.system.own_limits import of_files, of_memory

LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
TOO_LARGE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)  # what it makes of EFBIG
# A statement that can't be prepared is damage too (SQLITE_ERROR): its tables are others than were
# made. So is a value that is larger than there can be.
DAMAGED = (
    *(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT),
    *(sqlite3.SQLITE_ERROR, sqlite3.SQLITE_INTERNAL, sqlite3.SQLITE_TOOBIG),
)
_HINTS = {  # what to look for, where SQLite's own words do not tell
    sqlite3.SQLITE_IOERR: "look whether its disk is full, failing, or can only be read",
    sqlite3.SQLITE_CANTOPEN: "to read it, SQLite writes beside it: look whether that is allowed",
}
UNDECODABLE = "Could not decode"  # so sqlite3 begins what it says of a text that is none
NONSENSE = (ValueError, TypeError, ArithmeticError, LookupError)  # of a row that nobody wrote


def refusal(name: str, error: Exception) -> JournalError:
    """Return the error to raise for what the database of this name refused."""
    if _family(error) in DAMAGED or _is_undecodable(error):
        return damage(name, why(error))
    if isinstance(error, MemoryError):
        return JournalError(f"{name}: no memory; {of_memory() or 'the system has none to give'}")
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    limit = of_files() if _family(error) in TOO_LARGE else ""
    hint = limit or _HINTS.get(_family(error), "")
    return JournalError(f"{name}: {said}{'; ' if hint else ''}{hint}")


def damage(name: str, what: str) -> JournalDamaged:
    """Return the error to raise for a damage in the database of this name."""
    then = "the daemon moves it aside when it comes upon that, and begins a new one"
    return JournalDamaged(f"{name} is damaged ({what}); {then}")


def why(error: Exception) -> str:
    """Return what an error says, in a person's words."""
    return "a text in it is no UTF-8" if _is_undecodable(error) else str(error)


def is_locked(error: Exception) -> bool:
    """Say whether another program holds a lock."""
    return _family(error) in LOCKED


def is_read_only(error: JournalError) -> bool:
    """Say whether SQLite takes the file for one that can't be written."""
    return getattr(error.__cause__, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY


def _family(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte


def _is_undecodable(error: Exception) -> bool:
    """Say whether a text is none: one of a row, or what SQLite itself says of a broken schema."""
    return isinstance(error, UnicodeDecodeError) or str(error).startswith(UNDECODABLE)
