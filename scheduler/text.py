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


def of_entries(entries: int, zones: int) -> str:
    """Return in a few words what there is to run: `2 entries in 1 zone`, or `no entries`."""
    return counted(entries, "entry") + (f" in {counted(zones, 'zone')}" if entries else "")


def of_owner(owner: int, uid: int | None) -> str:
    """Return that something is another user's than `uid`, if there is one, or root."""
    whose = f"user {uid} or root" if uid else "root"
    return f"belongs to user {owner}, not to {whose}"


def of_seconds(amount: float) -> str:
    """Return a length of time as a person says it: 20 ms, 3.1 s, 5 min 20 s, 3 h 12 min."""
    if amount < 0.9995:
        return f"{round(amount * 1000)} ms"
    if amount < 10:
        return f"{amount:.2g} s"
    whole = round(amount)
    for size, unit, part, lesser in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            return _two(whole // size, unit, whole % size // part, lesser)
    return _two(whole // 60, "min", whole % 60, "s") if whole >= 60 else f"{whole} s"


def of_size(size: int) -> str:
    """Return a number of bytes as a person says it: 512 bytes, 3.1 kB, 47 MB, 1.2 GB."""
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 999.5:
            break
        amount, unit = amount / 1000, larger
    whole = unit == "bytes" or amount >= 9.95
    return f"{amount:.0f} {unit}" if whole else f"{amount:.1f} {unit}"


def _two(number: int, unit: str, rest: int, lesser: str) -> str:
    return f"{number} {unit} {rest} {lesser}" if rest else f"{number} {unit}"
