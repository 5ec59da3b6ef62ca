"""Durations as people write them: `1h30m` comes in, seconds go out, and back again.

A part of what systemd.time(7) takes: nothing that can be read in two ways, no months, no `1:30`.
"""

from __future__ import annotations

import re

from scheduler.errors import BadValue
from scheduler.text import shortened

LONGEST_DAYS = 3650  # ten years: what lies beyond is a slip of the keyboard, not a plan

_SECONDS_OF = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DECIMAL = r"[0-9]{1,9}(?:\.[0-9]{1,3})?"
_BARE_NUMBER = re.compile(_DECIMAL)
_UNITS = re.compile("".join(rf"(?:({_DECIMAL}){unit})?" for unit in _SECONDS_OF))


def parse(text: str) -> float:
    """Return the seconds of `90s`, `10m`, `2h`, `1d`, `1h30m`; a bare number is seconds.

    Units stand from large to small, each once, in lower case. Raises BadValue: `bad-duration` for
    anything else, `duration-too-long` beyond ten years.
    """
    thousandths = _thousandths(text)
    if thousandths > LONGEST_DAYS * 86400 * 1000:
        raise BadValue(
            "duration-too-long",
            f"a duration of {shortened(text)} is over {LONGEST_DAYS} days",
        )
    return thousandths / 1000


def to_text(seconds: float) -> str:
    """Return the shortest text in whole units that `parse` reads as the same seconds.

    Below a second it keeps milliseconds: 0.25 is `0.25s`, and 0 is `0s`.
    """
    rest = round(seconds * 1000)
    pieces: list[str] = []
    for unit in ("d", "h", "m"):
        count, rest = divmod(rest, _SECONDS_OF[unit] * 1000)
        if count:
            pieces.append(f"{count}{unit}")
    if rest or not pieces:
        pieces.append(f"{rest / 1000:g}s")
    return "".join(pieces)


def _thousandths(text: str) -> int:
    """Return the thousandths of a second: whole numbers, so that no digit is lost on the way."""
    if _BARE_NUMBER.fullmatch(text):
        return _of_number(text)
    found = _UNITS.fullmatch(text)
    if not text or found is None:
        raise BadValue("bad-duration", f"{shortened(text)} is not a duration", hint=_hint(text))
    counts = zip(found.groups(), _SECONDS_OF.values(), strict=True)
    return sum(_of_number(count) * unit for count, unit in counts if count)


def _of_number(text: str) -> int:
    whole, _, fraction = text.partition(".")
    return int(whole) * 1000 + int(fraction.ljust(3, "0"))


def _hint(text: str) -> str:
    lowered = text.lower().replace(" ", "")
    if text != lowered and (_UNITS.fullmatch(lowered) and lowered):
        return f"write {lowered}"
    return "write it as in 90s, 10m, 2h, 1d or 1h30m"
