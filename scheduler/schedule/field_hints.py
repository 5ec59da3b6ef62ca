"""One item of a field that is none in, what its writer should put there instead out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scheduler.schedule.fields import HOUR_FIELD, WEEKDAY_FIELD, Field

if TYPE_CHECKING:
    from collections.abc import Callable

NO_W = "no cron knows W, the weekday that is nearest: let the command ask for the date"

_CLOCK_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")
_HALF_DAY = re.compile(r"([0-9]{1,2})(?::00)?([ap])m?", re.IGNORECASE)
_WITH_UNIT = re.compile(r"(.*[0-9*])(?:s|m|h|d|min|mins|hrs?|hours?|minutes?|days?)", re.IGNORECASE)
_DASH = re.compile("[\u2010-\u2015\u2212]")
_ANY_VALUE = "([0-9A-Za-z]+)"
# What people write, and what they mean by it.
_REWRITES = (
    (rf"{_ANY_VALUE}(?:\.\.+|:|to){_ANY_VALUE}", r"\1-\2"),
    (rf"{_ANY_VALUE}[;|&+]{_ANY_VALUE}", r"\1,\2"),
    (r"\*?/([0-9]+)", r"*/\1"),
    (r"\*+([0-9]+)", r"*/\1"),
    (r"\*+/\*?([0-9]+)", r"*/\1"),
    (r"\*/\*/([0-9]+)", r"*/\1"),
    (r"\*/([0-9]+)\.[0-9]+", r"*/\1"),
    (rf"{_ANY_VALUE}[-,]", r"\1"),
)


def hint(field: Field, item: str, is_item: Callable[[str], bool]) -> str:
    """Return what to write for an item, or "": `is_item` says whether that would be one."""
    if _DASH.search(item) and is_item(_DASH.sub("-", item)):
        return f"write {_DASH.sub('-', item)}, with the - of the keyboard"
    if not item.isascii():
        return "write the digits 0-9 and the names in ASCII"
    if "#" in item and field is not WEEKDAY_FIELD:
        return "a # belongs in the weekday field"
    if re.fullmatch("[0-9]{1,2}[wW]", item):
        return NO_W
    return _time_of_day(field, item) or _rewritten(item, is_item)


def _time_of_day(field: Field, item: str) -> str:
    if found := _CLOCK_TIME.fullmatch(item):
        return f"minute and hour are two fields: {int(found[2])} {int(found[1])}"
    found = _HALF_DAY.fullmatch(item) if field is HOUR_FIELD else None
    if found is None or not 1 <= int(found[1]) <= 12:
        return ""
    return f"write {int(found[1]) % 12 + 12 * (found[2].lower() == 'p')}"


def _rewritten(item: str, is_item: Callable[[str], bool]) -> str:
    unit = _WITH_UNIT.fullmatch(item)
    if unit and is_item(unit[1]):
        return f"write {unit[1]}, without a unit"
    for wrong, right in _REWRITES:
        if (found := re.fullmatch(wrong, item)) and is_item(text := found.expand(right)):
            return f"write {text}"
    return ""
