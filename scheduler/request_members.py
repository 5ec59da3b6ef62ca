"""Members of a request at the control socket: what JSON has in, the value that it stands for out.

What is none is a ValueError; who reads a request says what to write then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.codec import MOST_NUMBER, instant
from scheduler.past import Page
from scheduler.table_text import bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

LONGEST_TEXT = 1_000  # characters of a name or a note


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise ValueError(value)
    value.encode()  # UnicodeEncodeError for half a character, which can't be journalled
    return value


def _name(value: object) -> str:
    if not value:
        raise ValueError(value)
    return _text(value)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(value)
    found = tuple(map(_name, value))
    if len(set(found)) < len(found):
        raise ValueError(value)
    return found


def _table(value: object) -> str:
    if isinstance(value, str) and bytes_of(value) is not None:  # ValueError: it is no text
        return value
    raise ValueError(value)


def _base(value: object) -> str | None:
    return None if value is None else _text(value)


def _number(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MOST_NUMBER:
        raise ValueError(value)
    return value


def _until(value: object) -> datetime | None:
    return None if value is None else instant(_text(value))


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(value)  # noqa: TRY004 (as all that read a member)
    return value


def _page(value: object) -> Page:
    return Page.of(_text(value))


@dataclass(frozen=True, slots=True)
class RequestMember:
    """How a member is read (ValueError if it can't be), and what to say then."""

    read: Callable[[object], object]
    wants: str
    example: str


REQUEST_MEMBERS = {
    "job": RequestMember(_name, f"a job's name of at most {LONGEST_TEXT} characters", '"backup"'),
    "jobs": RequestMember(_names, "a list of one or more jobs' names, each once", '["backup"]'),
    "run": RequestMember(_number, "a run's number", "7"),
    "until": RequestMember(_until, "an instant in UTC, or null", '"2027-03-28T01:00:00Z"'),
    "text": RequestMember(_table, "a crontab", '"0 7 * * * backup\\n"'),
    "base": RequestMember(_base, "a fingerprint of the old table, or null", '"e3b0c442"'),
    "since": RequestMember(_until, "an instant in UTC, or null", '"2027-03-28T01:00:00Z"'),
    "before": RequestMember(_until, "an instant in UTC, or null", '"2027-03-28T01:00:00Z"'),
    "failed": RequestMember(_flag, "true or false", "true"),
    "page": RequestMember(_page, "the next_page of a reply", '"0.1805932800.7"'),
    "attempt": RequestMember(_number, "an attempt's number", "1"),
    "note": RequestMember(
        _text, f"a text of at most {LONGEST_TEXT} characters", '"disk is swapped"'
    ),
}
