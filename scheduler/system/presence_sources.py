"""What a part of a desktop says about its user: the words of `presence` and of those who ask."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PresenceAnswer:
    """Seconds without any input, or 1 for yes and 0 for no; who says so, and what a yes means."""

    value: float
    source: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What those who were asked said, in the order in which they are believed; who said nothing."""

    answers: tuple[PresenceAnswer, ...] = ()
    silent: tuple[str, ...] = ()


SCREEN_LOCKED = "the screen is locked"
KEPT_ON = "something keeps the screen on: a presentation, a film"
DO_NOT_DISTURB = "do not disturb is on"
