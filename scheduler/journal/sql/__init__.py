"""The journal's SQL: the files of this folder in, their statements by name out.

Each file is named after the module that executes its statements; `database.sql` is also what
`connection` and `migrations` execute.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

STATEMENT = re.compile(r"^-- name: (\w+)\n((?:(?!-- name: ).*\n)+)", re.MULTILINE)


@cache
def statements() -> dict[str, str]:
    """Return each statement by its name, read once."""
    texts = (file.read_text("utf-8") for file in Path(__file__).parent.glob("*.sql"))
    found = [each for text in texts for each in STATEMENT.findall(text)]
    return {name: statement.strip() for name, statement in found}
