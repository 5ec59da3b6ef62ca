"""Words for people: how a text is shown in a message, and the calendar's end."""

from __future__ import annotations

from datetime import UTC, datetime

from scheduler.printable import quoted


def shortened(text: str) -> str:
    """Return `text` in quotes, cut where it is too long to be read in a message."""
    return quoted(text if len(text) <= 40 else f"{text[:40]}…")


LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)  # of the calendar; east of UTC some of it is missing
