"""Whether somebody would want to be disturbed now: what the desktop's parts say in, the answer out.

`idle:5m`, `locked` and `presenting` are judged here; `presence_linux` and `presence_mac` ask.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from scheduler.errors import BadValue
from scheduler.schedule import duration
from scheduler.system import presence_linux, presence_mac
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduler.system.desktop_session import Desktop
    from scheduler.system.presence_sources import Asked
    from scheduler.system.time_limit import TimeLimit

_WHAT_TO_WRITE = "write idle:5m, locked or presenting"


class Presence(StrEnum):
    """What may keep a notification back."""

    IDLE = "idle"
    LOCKED = "locked"
    PRESENTING = "presenting"


_QUESTIONS = {
    Presence.IDLE: "for how long nobody has used this desktop",
    Presence.LOCKED: "whether the screen is locked",
    Presence.PRESENTING: "whether somebody presents something",
}


@dataclass(frozen=True, slots=True)
class Unless:
    """A state in which nothing is shown; `seconds` is how long nobody has used the desktop."""

    state: Presence
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """Why nothing is shown, None if something is; and what nobody could tell, a sentence each."""

    held_back: str | None
    unknown: tuple[str, ...] = ()


def parse(text: str) -> tuple[Unless, ...]:
    """Return the states of `idle:5m,locked`, in their order; BadValue for anything else."""
    return tuple(_one(each.strip()) for each in text.split(","))


def _one(text: str) -> Unless:
    if len(text.split()) > 1:
        hint = "put a comma between two: idle:5m,locked"
        raise BadValue("bad-unless", f"{shortened(text)} has a blank in it", hint=hint)
    word, colon, length = text.partition(":")
    if word == Presence.IDLE and length:
        return Unless(Presence.IDLE, duration.parse(length))
    if not colon and word in {Presence.LOCKED, Presence.PRESENTING}:
        return Unless(Presence(word))
    if word == Presence.IDLE:
        raise BadValue("bad-unless", "idle needs a duration", hint="write idle:5m")
    raise BadValue("bad-unless", f"{shortened(text)} is no state of a desktop", hint=_WHAT_TO_WRITE)


def judge(conditions: Iterable[Unless], desktop: Desktop, limit: TimeLimit) -> Judged:
    """Ask about each of them until one is so; what nobody can tell keeps nothing back."""
    unknown: list[str] = []
    ask = presence_mac.ask if desktop.platform == "darwin" else presence_linux.ask
    for condition in conditions:
        asked = ask(condition.state, desktop, limit.part(0.5))
        reason = held_back(condition, asked)
        if reason is not None:
            return Judged(reason, tuple(unknown))
        if not asked.answers:
            unknown.append(_nobody_knows(condition.state, asked.silent))
    return Judged(None, tuple(unknown))


def held_back(condition: Unless, asked: Asked) -> str | None:
    """Return why a condition keeps a notification back; None if it does not, or nobody knows.

    The first who knows how long nobody has used the desktop is believed; of the other states
    whoever says yes is, since a part that knows nothing of a lock says no.
    """
    for answer in asked.answers:
        if condition.state is Presence.IDLE:
            if answer.value < condition.seconds:
                return None
            length = duration.to_text(int(answer.value))
            return f"nobody has used this desktop for {length} ({answer.source})"
        if answer.value:
            return f"{answer.meaning} ({answer.source})"
    return None


def _nobody_knows(state: Presence, silent: Sequence[str]) -> str:
    return f"can't tell {_QUESTIONS[state]} (no answer from {', '.join(silent)}): it is shown"
