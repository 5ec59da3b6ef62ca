"""Migrations: the files `0001_name.sql`, ... of this folder, and how a journal comes to have them.

A new one is a new file with the next number; those that have been are left as they are.
"""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from sqlite3 import complete_statement  # noqa: TID251 (it reads text, it opens nothing)
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.journal.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MIGRATION = re.compile(r"(\d{4})_\w+\.sql")


def scripts(folder: Path | None = None) -> dict[int, str]:
    """Return the scripts of this folder, or of another, by number."""
    found = {}
    for file in (folder or Path(__file__).parent).iterdir():
        if match := MIGRATION.fullmatch(file.name):
            found[int(match[1])] = file.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def statements(script: str) -> Iterator[str]:
    """Yield the statements of a script: sqlite3's own way would commit the open transaction."""
    statement = ""
    for part in re.split("(?<=;)", script):  # also inside a text, a comment or a trigger
        statement += part
        if complete_statement(statement):
            yield statement
            statement = ""
    yield statement


def bring_up_to_date(connection: Connection, scripts: Mapping[int, str]) -> None:
    """Apply what is missing, and set what each connection that writes needs.

    Raises JournalDamaged for tables that are not of the journal's version, and JournalError for a
    version that can't be used. A connection that only reads is left as it is.
    """
    before = connection.version()
    if _has_wrong_version(connection, scripts):
        raise connection.damaged(f"it has version {before}, and tables of another")
    if why := _refusal(before, max(scripts), readonly=connection.readonly):
        raise JournalError(f"{connection.name} {why}")
    if connection.readonly:
        return
    connection.set_to("journal_mode = WAL")
    connection.set_to("synchronous = FULL")
    # On a Mac fsync(2) leaves what is written in the drive; elsewhere this does nothing.
    connection.set_to("fullfsync = ON")
    for number, script in scripts.items():
        if connection.version() < number:
            migrate(connection, number, script)
    if connection.version() != before:
        connection.do("checkpoint")  # so that the file by itself is no empty database
    connection.set_to("foreign_keys = ON")  # last: a migration may rebuild tables
    connection.wait_for_locks()


def migrate(connection: Connection, number: int, script: str) -> None:
    """Apply one migration whole or not at all."""
    with connection.transaction():
        if connection.version() < number:  # another process may have been first
            for statement in statements(script):
                connection.execute(statement)
            connection.set_to(f"user_version = {number}")


def _has_wrong_version(connection: Connection, known: Mapping[int, str]) -> bool:
    """Say whether nobody wrote this version: a newer Meridian's journal has other tables."""
    version = connection.version()
    if version == 0:
        return bool(connection.rows("schema"))
    if version <= max(known):
        return False
    with closing(Connection.in_memory()) as own:
        for number, script in scripts().items():
            migrate(own, number, script)
        return own.rows("schema") == connection.rows("schema")


def _refusal(version: int, newest: int, *, readonly: bool) -> str:
    """Say why a journal of this version can't be used as it is; "" if it can."""
    if version > newest:
        return (
            f"was written by a newer Meridian: it has version {version},"
            f" this one knows versions up to {newest}; install that one again, or, to begin anew"
            " without what has run, move the file away"
        )
    if readonly and version == 0:
        return "is empty: nothing has run yet"
    if readonly and version < newest:
        return (
            f"has version {version} and this Meridian reads version {newest}:"
            " the daemon brings it up to date when it starts"
        )
    return ""
