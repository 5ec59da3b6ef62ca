"""A line and a width in, the lines that fit into it out, broken at blanks."""

from __future__ import annotations

import re

from rich.cells import cell_len

_WORD_OR_LENGTH = re.compile(r" *(?:\d[\d.]{0,9} (?:ms|s|min|h|d)\b[^ ]*|[^ ]+)")


def wrapped(text: str, width: int, indent: int = 0) -> list[str]:
    """Return a line broken at blanks to fit so many cells, all but the first indented.

    One that fits is as it was; a word longer than the room stays whole, so that it can be copied.
    So does a number with its unit: `4.1 s`.
    """
    if cell_len(text) <= width:
        return [text]
    found = [""]
    for word in _WORD_OR_LENGTH.findall(text):
        if not found[-1].strip() or cell_len(found[-1] + word) <= width:
            found[-1] += word
        else:
            found.append(" " * indent + word.lstrip(" "))
    return found
