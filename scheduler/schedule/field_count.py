"""A text that is no schedule in, what is wrong with its blanks or its seven fields, out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scheduler.errors import BadValue
from scheduler.schedule.fields import WORD
from scheduler.schedule.sixth_field import are_fields
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_WORDS = 20  # words that are looked at: five fields of four pieces each
_CUT_OFF = re.compile(r".*[-/,~]")  # a word that a field can't end with
_GOES_ON = re.compile(r"[-,~](?:[0-9*].*|[A-Za-z]{3}(?![A-Za-z]).*)?|/[0-9]*")
# Without a blank it is a duration, if its unit is one letter.
_EVERY_IN_WORDS = re.compile(
    r"@every[ \t]+([0-9]+)(?:[ \t]+(?=[a-z])|(?=[a-z]{2}))"
    r"([mhdw])(?:in|ins|inutes?|rs?|ours?|ays?|eeks?)?(?![a-z0-9])",
    re.IGNORECASE,
)
_YEAR_FIELD = re.compile(r"\*|\?|(?:19|20|21)[0-9]{2}(?:[-,/][0-9,/-]*)?")


def mistake(text: str) -> BadValue | None:
    """Return a better error than that of the first bad field, with its offset in `text`, if any.

    For what begins as a schedule and is refused as one: blanks in a field, seven fields, and
    `@every 5 minutes`.
    """
    if found := _EVERY_IN_WORDS.match(text):
        return _every(text, found)
    words = [found for _, found in zip(range(_MOST_WORDS), WORD.finditer(text), strict=False)]
    return _seven([word[0] for word in words]) or _blank(words)


def _every(text: str, found: re.Match[str]) -> BadValue:
    number, unit = int(found[1][:9]), found[2].lower()
    write = f"@every {number * 7}d" if unit == "w" else f"@every {number}{unit}"
    at = found.start(1)
    message = f"{shortened(text[at : found.end()])} is not a duration"
    return BadValue("bad-duration", message, offset=at, hint=f"write {write}")


def _seven(words: Sequence[str]) -> BadValue | None:
    """Return the error about seconds in front and a year at the end."""
    five = [word.replace("?", "*") for word in words[1:6]]
    if len(words) < 7 or not _YEAR_FIELD.fullmatch(words[6]) or not are_fields(five):
        return None
    message = "seven fields, and a schedule has five: leave out the seconds and the year"
    return BadValue("too-many-fields", message, hint=f"write {' '.join(five)}")


def _blank(words: Sequence[re.Match[str]]) -> BadValue | None:
    """Return the error about the first blank inside a field."""
    fields: list[str] = []
    at: int | None = None
    for before, word in zip((None, *words), words, strict=False):
        if before and (_CUT_OFF.fullmatch(fields[-1]) or _GOES_ON.fullmatch(word[0])):
            fields[-1] += word[0]
            at = before.end() if at is None else at
        elif len(fields) == 5:
            break
        else:
            fields.append(word[0])
    if at is None or len(fields) < 5 or not are_fields(fields):
        return None
    hint = f"write {' '.join(fields)}"
    return BadValue("blank-in-field", "a blank stands inside a field", offset=at, hint=hint)
