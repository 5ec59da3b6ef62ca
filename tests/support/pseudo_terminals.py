"""What a person sees on a pseudo-terminal that programs write to."""

from __future__ import annotations

import os
import select


def seen(person: int) -> str:
    ready, _, _ = select.select([person], [], [], 5)
    assert ready, "the terminal shows nothing"
    return os.read(person, 65536).decode().replace("\r", "")


def is_silent(person: int) -> bool:
    return not select.select([person], [], [], 0)[0]
