"""The text of one setting's value in, what it means out; anything else is a BadValue."""

from __future__ import annotations

import re
from functools import cache
from math import isfinite
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from scheduler.entry import Pool
from scheduler.errors import BadValue
from scheduler.redact import mask_named
from scheduler.schedule import duration, zone_data
from scheduler.schedule.posix_zone import RuleZone
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import StrEnum
    from zoneinfo import ZoneInfo

ENDINGS = ("signal", "timeout", "start")  # what a list of endings names beside exit codes

# Real files of the zone folder that are no place: the machine's own zone, POSIX's, and none yet.
_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_CODES = re.compile(r"([0-9]{1,3})(?:-([0-9]{1,3}))?")
_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_WHOLE = re.compile(r"[+-]?[0-9]{1,12}")
_BYTES = re.compile(r"([0-9]{1,9})([KMGT]?)(?:i?B)?")
_POOL = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})(?::([1-9][0-9]{0,5}))?")
_FROM_UTC = re.compile(r"(?:UTC|GMT|Z)?[ ]?[+-]([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE)
_HOURS = re.compile(r"([0-9]{1,2})-([0-9]{1,2})")
_LIST_ITEM = re.compile(r"[^,\s]+")


def zone(text: str) -> ZoneInfo:
    """Return the zone of this IANA name, spelt exactly, or POSIX rule; as in tzset(3) behind a `:`.

    Raises BadValue: `unknown-zone`, `bad-zone-rule`, or `damaged-zone` for a file that can't be
    used.
    """
    text = text.removeprefix(":")
    if text.startswith("/") or text in _NOT_ZONES:
        raise _unknown(text)
    try:
        found = zone_data.named(text)
    except BadValue as bad:
        if bad.code == "bad-zone-rule" or zone_data.is_name(text):
            raise
        raise _unknown(text) from None
    # A disk that ignores case has europe/berlin too.
    if isinstance(found, RuleZone) or zone_data.is_name(text):
        return found
    raise _unknown(text)


def whole(low: int, high: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `low` to `high` (`bad-number`)."""

    def read(text: str) -> int:
        if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
            raise _no_number(text, f"a whole number from {low} to {high}")
        return int(text)

    return read


def number(low: float, high: float) -> Callable[[str], float]:
    """Return a reader of decimal numbers from `low` to `high` (`bad-number`)."""

    def read(text: str) -> float:
        value = float(text) if _NUMBER.fullmatch(text) else float("nan")
        if not isfinite(value) or not low <= value <= high:
            raise _no_number(text, f"a number from {low:g} to {high:g}")
        return value

    return read


def seconds(text: str) -> float:
    """Return a duration in seconds; nought is one."""
    return duration.parse(text)


def positive_seconds(text: str) -> float:
    """Return a duration in seconds, longer than nought (`bad-duration`)."""
    value = duration.parse(text)
    if not value:
        hint = "such as 10m; without a value the setting has its default"
        raise BadValue("bad-duration", f"{shortened(text)} leaves no time at all", hint=hint)
    return value


def delay_minutes(text: str) -> float:
    """Return the seconds of whole minutes, at most a day's (`bad-number`): cronie's crontab(5)."""
    return 60.0 * whole(0, 1440)(text)


def hours(text: str) -> tuple[int, int]:
    """Return the first hour and the end of `3-22` (`bad-hours`); `22-6` is over midnight."""
    found = _HOURS.fullmatch(text)
    first, end = (int(found[1]), int(found[2])) if found else (0, 0)
    if first == end or first > 23 or end > 24:
        raise BadValue("bad-hours", f"{shortened(text)} is no range of hours", hint="such as 3-22")
    return first, end


def choice(choices: type[StrEnum]) -> Callable[[str], StrEnum]:
    """Return a reader of the words of `choices` (`bad-choice`)."""
    words = frozenset(choices)

    def read(text: str) -> StrEnum:
        if text not in words:
            hint = f"one of {', '.join(choices)}"
            raise BadValue("bad-choice", f"{shortened(text)} is none of the choices", hint=hint)
        return choices(text)

    return read


def codes(text: str) -> frozenset[int]:
    """Return the exit codes of a list such as `0,2-4` (`bad-codes`)."""
    return frozenset(code for at, item in pieces(text) for code in _range(at, item))


def endings(text: str) -> frozenset[int | str]:
    """Return a list of exit codes, ranges of them, `signal`, `timeout` and `start`."""
    found: set[int | str] = set()
    for at, item in pieces(text):
        found.update((item,) if item in ENDINGS else _range(at, item, ENDINGS))
    return frozenset(found)


def size(text: str) -> int:
    """Return the bytes of `512M`, `2G` (`bad-size`); units are powers of 1024."""
    found = _BYTES.fullmatch(text)
    if not found or not int(found[1]):
        raise BadValue("bad-size", f"{shortened(text)} is not a size", hint="such as 512M or 2G")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


def pool(text: str) -> Pool:
    """Return the pool of `name` or `name:limit` (`bad-pool`)."""
    found = _POOL.fullmatch(text)
    if not found:
        raise BadValue("bad-pool", f"{shortened(text)} is not a pool", hint="name, or name:limit")
    return Pool(found[1], int(found[2]) if found[2] else None)


def address(text: str) -> str:
    """Return a URL of http or https as it stands (`bad-url`), all of it as RFC 3986 has it."""
    try:
        parts = urlsplit(text)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        fine = is_web and text.isascii() and text.isprintable() and " " not in text
    except ValueError:
        fine = False
    if not fine:
        shown = mask_named("CRON_PING", text)  # who knows such an address may ping
        raise BadValue("bad-url", f"{shortened(shown)} is not a URL", hint="http://… or https://…")
    return text


def sized(size_bytes: int) -> str:
    """Return the shortest text that `size` reads as so many bytes."""
    power = next(power for power in (4, 3, 2, 1, 0) if not size_bytes % (1 << 10 * power))
    return f"{size_bytes >> 10 * power}{' KMGT'[power].strip()}"


# --- the pieces ----------------------------------------------------------------------------------


def pieces(text: str) -> list[tuple[int, str]]:
    """Return the words of a list with their offsets; blanks or a comma part them (`empty-item`)."""
    found = [(piece.start(), piece[0]) for piece in _LIST_ITEM.finditer(text)]
    if len(found) != len(re.findall(r"\s*,\s*|\s+", text.strip())) + 1:
        raise BadValue("empty-item", "an item of the list is empty", hint="leave out the comma")
    return found


def _range(at: int, item: str, words: tuple[str, ...] = ()) -> range:
    found = _CODES.fullmatch(item)
    low = int(found[1]) if found else 256
    high = int(found[2] or low) if found else 256
    if high > 255 or low > high:
        hint = ", ".join(("exit codes 0-255 and ranges such as 2-4", *words))
        raise BadValue("bad-codes", f"{shortened(item)} is not an exit code", offset=at, hint=hint)
    return range(low, high + 1)


def _no_number(text: str, wanted: str) -> BadValue:
    return BadValue("bad-number", f"{shortened(text)} is not {wanted}")


# --- zones ---------------------------------------------------------------------------------------


def _unknown(text: str) -> BadValue:
    why = f"there is no time zone {shortened(text)}"
    return BadValue("unknown-zone", why, hint=_near(text))


def _near(text: str) -> str:
    if found := _FROM_UTC.fullmatch(text):
        return _signs(int(found[1]), found[2] or "")
    wanted = _city(text[:60].replace(" ", "_"))
    # Only cities of the same letter are compared: a file may have many bad zones.
    cities = _cities().get(wanted[:1], {})
    meant = did_you_mean([cities[city] for city in nearest(wanted, cities, alike=0.8)])
    return meant or "an IANA name such as Europe/Berlin"


def _signs(hours: int, minutes: str) -> str:
    """Return the hint for an offset without a name, whose sign is read in two ways."""
    if minutes.strip("0"):
        far, name = f"{hours}:{minutes}", f"{hours:02}{minutes}"
        ahead, behind = f"<+{name}>-{far}", f"<-{name}>+{far}"
    else:
        far, ahead, behind = f"{hours}", f"Etc/GMT-{hours}", f"Etc/GMT+{hours}"
    named = "or a name such as Europe/Berlin"
    return f"write {ahead} for {far} hours ahead of UTC, {behind} for {far} behind it; {named}"


@cache
def _cities() -> dict[str, dict[str, str]]:
    cities: dict[str, dict[str, str]] = {}
    for name in sorted(zone_data.names() - _NOT_ZONES, key=lambda name: (-name.count("/"), name)):
        city = _city(name)
        cities.setdefault(city[:1], {}).setdefault(city, name)
    return cities


def _city(name: str) -> str:
    return name.rpartition("/")[2].lower()
