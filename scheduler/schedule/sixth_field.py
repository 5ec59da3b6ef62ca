"""The word behind five fields in, whether it is one field too many, and which of them all, out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from scheduler.errors import BadValue
from scheduler.schedule import field_parser
from scheduler.schedule.fields import FIELDS, MONTH_FIELD, WEEKDAY_FIELD
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Sequence

_SHORT_NAME = f"(?i:{'|'.join((*MONTH_FIELD.names, *WEEKDAY_FIELD.names))})"
_LONG_NAME = (  # as Java's schedulers take them; with a capital, since `august` may be a command
    "(?:MONDAY|TUESDAY|WEDNESDAY|THURSDAY|FRIDAY|SATURDAY|SUNDAY"
    "|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
)
_VALUE = f"(?:[0-9]+|{_SHORT_NAME}|{_LONG_NAME})"
_WEEKDAY_VALUE = f"(?:[0-7]|{_SHORT_NAME})"
_ANY_STEP = "(?:/[0-9]+)?"
# What a part may be. L, W and H are capitals here: `l` and `h` may be commands.
_PART = re.compile(
    rf"\*{_ANY_STEP}|\?|{_VALUE}(?:-{_VALUE})?{_ANY_STEP}|{_WEEKDAY_VALUE}#[0-9]+|{_WEEKDAY_VALUE}L|L{_WEEKDAY_VALUE}?|LW|L-[0-9]+"
    rf"|[0-9]+W|H{_ANY_STEP}|H\([0-9]+-[0-9]+\){_ANY_STEP}|~|{_VALUE}~{_VALUE}?{_ANY_STEP}|~{_VALUE}{_ANY_STEP}"
)
_LONE_NAME = re.compile(_SHORT_NAME)
_YEAR = re.compile(r"(?:19|20|21)[0-9]{2}(?:[-,/][0-9,/-]*)?")


class Odd(NamedTuple):
    """Which of six fields is one too many (from 0), how that is called, and what to write."""

    which: int
    code: str
    message: str
    hint: str


def is_field(word: str, *, more: bool, system: bool = False) -> bool:
    """Say whether a word where the command should be is a field; `more`: something follows it.

    It is one if every part of its list can be nothing else. In the system form (`system`) a user
    stands here, and many names of users would do as fields: of those that would, only a form that
    no user's name has is one.
    """
    if word.startswith("*"):
        return True  # crontab(5): cron itself takes no command and no user that begins so
    if not all(_PART.fullmatch(part) for part in word.split(",")):
        return False
    if system and re.fullmatch(r"[0-9]+|[a-z,]+", word):
        return False
    return more or not (_LONE_NAME.fullmatch(word) and word.islower())


def odd_one(words: Sequence[str]) -> Odd:
    """Return which of six fields is one too many, judged by which five would be a schedule."""
    last = words[5]
    if not all(_PART.fullmatch(part) for part in last.split(",")):
        message = f"a command can't begin with *, and {shortened(last)} is no field either"
        return Odd(
            5, "too-many-fields", message, "put it behind five fields, as a path or in quotes"
        )
    words = [word.replace("?", "*") for word in words]  # which is what it means elsewhere
    if _YEAR.fullmatch(last) and are_fields(words[:5]):
        return _odd(5, "leave out the year, the last", [_without(words, 5)])
    good = [index for index in range(6) if are_fields(_rest(words, index))]
    star = next((index for index in good if words[index] == "*"), None)
    if 0 in good and words[0] != "*" and (star is None or re.fullmatch(r"0+|.*/.*", words[0])):
        return _odd(
            0, "leave out the seconds, the first; the tick is a minute", _ways(words, 0, star)
        )
    if star is not None:
        return _odd(star, "one * is too many", _ways(words, star, 0 if 0 in good else None))
    index = good[-1] if good else 5
    what = f"{shortened(words[index])} is one too many"
    return _odd(index, what, [_without(words, index)] if good else [])


def refuse(text: str) -> BadValue:
    """Return the error about a text of six fields; its offset is where the odd one stands."""
    words = list(re.finditer(r"[^ \t]+", text))
    odd = odd_one([word[0] for word in words])
    last = words[5][0]
    path = f"; if {last} is the command, write its path" if _LONE_NAME.fullmatch(last) else ""
    at = words[odd.which].start()
    return BadValue(odd.code, odd.message, offset=at, hint=odd.hint + path)


def _odd(index: int, what: str, ways: Sequence[str]) -> Odd:
    code = "seconds-field" if "seconds" in what else "too-many-fields"
    hint = f"write {', or '.join(dict.fromkeys(ways))}" if ways else "five fields, then the command"
    return Odd(index, code, f"six fields, and a schedule has five: {what}", hint)


def _ways(words: Sequence[str], first: int, second: int | None) -> list[str]:
    return [_without(words, index) for index in (first, second) if index is not None]


def _without(words: Sequence[str], index: int) -> str:
    return " ".join(_rest(words, index))


def _rest(words: Sequence[str], index: int) -> list[str]:
    return [*words[:index], *words[index + 1 :]]


def are_fields(words: Sequence[str]) -> bool:
    """Say whether these five words are the five fields."""
    return all(
        field_parser.is_field(field, word) for field, word in zip(FIELDS, words, strict=True)
    )
