"""A value of a journal's row in, the same value with its type out; ValueError if no column has it.

A column of SQLite takes any value, and a byte that was damaged makes one value of another. Times
and texts also go the other way: as they are stored.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.printable import clean

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOST_STORED = 2**63 - 1  # of the whole numbers that SQLite can store

_DAY = timedelta(days=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC) + _DAY  # it is in the calendar of any zone


def number(value: object, least: int = 0, most: int = MOST_STORED) -> int:
    """Return a whole number from `least` to `most`."""
    if not isinstance(value, int) or not least <= value <= most:
        raise _none(value, "number of its kind")
    return value


def real(value: object, least: float = 0.0) -> float:
    """Return a number that may have a fraction and is not below `least`."""
    if not isinstance(value, int | float) or not isfinite(value) or value < least:
        raise _none(value, "number of its kind")
    return value


def text(value: object) -> str:
    """Return a text, whatever it says."""
    if not isinstance(value, str):
        raise _none(value, "text")
    return value


def flag(value: object) -> bool:
    """Return what 0 or 1 stands for."""
    return bool(number(value, most=1))


def instant(value: object) -> datetime:
    """Return the UTC datetime of Unix seconds, exact to the microsecond."""
    if not isinstance(value, int | float) or not isfinite(value):
        raise _none(value, "time")
    at = EPOCH + timedelta(seconds=value)
    if at < _EARLIEST:
        raise _none(value, "time")
    return at


def whole_instant(value: object) -> datetime:
    """Return the UTC datetime of whole Unix seconds."""
    if not isinstance(value, int):
        raise _none(value, "time in whole seconds")
    return instant(value)


def inner_path(value: object) -> str:
    """Return a path that stays in the folder which it is relative to."""
    path = text(value)
    if not path or path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise _none(value, "path within the state folder")
    return path


def maybe(kind: Callable[[Any], T], value: object) -> T | None:
    """Return a value of this kind, or None for a column that is empty."""
    return None if value is None else kind(value)


def _none(value: object, what: str) -> ValueError:
    return ValueError(f"{value!r:.60} is no {what}")


# --- the other way ------------------------------------------------------------------------------


def whole(instant: datetime) -> int:
    """Return the whole Unix seconds of an instant; TypeError for a datetime without a zone."""
    return (instant - EPOCH) // SECOND


def seconds(at: datetime) -> float:
    """Return Unix seconds with their fraction; TypeError for a datetime without a zone."""
    return (at - EPOCH).total_seconds()


def storable(text: str) -> str:
    """Return the same text, with bytes of a file name that are no UTF-8 as they are shown."""
    if text.isascii():
        return text
    return "".join(clean(char) if "\ud800" <= char <= "\udfff" else char for char in text)
