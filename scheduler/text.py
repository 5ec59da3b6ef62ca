"""Wording: a text or a number in, how messages show it out; and the end of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime

from scheduler.printable import quoted

LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)  # of the calendar; east of UTC some of it is missing


def shortened(text: str) -> str:
    """Return `text` in quotes, cut where it is too long to be read in a message."""
    return quoted(text if len(text) <= 40 else f"{text[:40]}…")


def counted(number: int, noun: str) -> str:
    """Return `1 entry`, `2 entries`, `no problems`."""
    plural = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number or 'no'} {noun if number == 1 else plural}"
