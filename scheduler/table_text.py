"""A crontab's bytes in, the text that stands for them in JSON out; and back, whatever they are.

A byte that is no UTF-8 is a letter from U+DC80 to U+DCFF: PEP 383.
"""

from __future__ import annotations


def text_of(table: bytes) -> str:
    """Return the text that stands for a crontab."""
    return table.decode(errors="surrogateescape")


def bytes_of(text: str) -> bytes:
    """Return the crontab that a text stands for; ValueError where there is none."""
    return text.encode(errors="surrogateescape")
