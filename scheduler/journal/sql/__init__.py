"""The journal's SQL: files of this folder come in, named statements and migrations go out."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from sqlite3 import complete_statement  # noqa: TID251 (it reads text, it opens nothing)
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable

STATEMENT = re.compile(r"^-- name: (\w+)\n((?:(?!-- name: ).*\n)+)", re.MULTILINE)
MIGRATION = re.compile(r"(\d{4})_\w+\.sql")


@cache
def statements() -> dict[str, str]:
    """Return each statement of `statements.sql` by its name, read once."""
    text = files(__name__).joinpath("statements.sql").read_text(encoding="utf-8")
    return {name: statement.strip() for name, statement in STATEMENT.findall(text)}


def migrations(folder: Traversable | None = None) -> dict[int, str]:
    """Return the scripts of the files `0001_name.sql`, `0002_name.sql`, ... by number."""
    found = {}
    for file in (folder or files(__name__)).iterdir():
        if match := MIGRATION.fullmatch(file.name):
            found[int(match[1])] = file.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def each(script: str) -> Iterator[str]:
    """Yield the statements of a script: sqlite3's own way would commit the open transaction."""
    statement = ""
    for part in re.split("(?<=;)", script):  # also inside a text, a comment or a trigger
        statement += part
        if complete_statement(statement):
            yield statement
            statement = ""
    yield statement


def refusal(version: int, newest: int, *, readonly: bool) -> str:
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
