"""What is said of an error of SQLite, where its own words do not help."""

from __future__ import annotations

import re
import sqlite3

import pytest

from scheduler.journal.sqlite_errors import refusal

ONLY_READ = [  # what SQLite says of a disk that is full or can only be read, and what helps
    ("SQLITE_IOERR_SHMSIZE", "disk I/O error", "its disk is full, failing, or can only be read"),
    ("SQLITE_CANTOPEN", "unable to open database file", "SQLite writes beside it"),
]


@pytest.mark.parametrize(("code", "said", "helps"), ONLY_READ)
def test_what_sqlite_does_not_explain_says_where_to_look(code: str, said: str, helps: str) -> None:
    error = sqlite3.OperationalError(said)
    error.sqlite_errorcode = getattr(sqlite3, code)
    assert re.fullmatch(f"the journal: {said}; .*{helps}.*", str(refusal("the journal", error)))


def test_what_the_system_refuses_is_said_in_words_alone() -> None:
    error = OSError(30, "Read-only file system", "journal.db")
    assert str(refusal("the journal", error)) == "the journal: Read-only file system"
