"""How time moved: the last minute handled and the instant now in, the minutes owed out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

MINUTE = timedelta(minutes=1)
REPLAYED = 5  # up to so many minutes late, every one is run as if in time
WAITED_OUT = timedelta(hours=3)  # a clock set back further was wrong before


class Movement(StrEnum):
    """What the clock did since the last minute handled."""

    START = "start"  # no minute was ever handled
    STEADY = "steady"  # the next minute has not come, or has just come
    LATE = "late"  # a few minutes passed unseen
    GAP = "gap"  # many did: down, asleep, or the clock was set forward
    BACK = "back"  # the clock was set back; minutes already handled are waited out
    RESET = "reset"  # it was set back so far that it must have been wrong before


@dataclass(frozen=True, slots=True)
class Owed:
    """The minutes to handle now, in order, and how many before them are not made up for."""

    movement: Movement
    minutes: tuple[datetime, ...]
    missed: int = 0


def minute_of(instant: datetime) -> datetime:
    """Return the minute that the instant lies in."""
    return instant.replace(second=0, microsecond=0)


def owed(last: datetime | None, now: datetime) -> Owed:
    """Return what every minute after `last`, the last one handled, asks for at `now` (UTC).

    The minute in which a daemon first starts is owed too: a machine that boots at 02:00:10 has
    not missed the job of 02:00.
    """
    current = minute_of(now)
    if last is None:
        return Owed(Movement.START, (current,))
    behind = (current - last) // MINUTE
    if behind < 0:
        if last - current <= WAITED_OUT:
            return Owed(Movement.BACK, ())
        return Owed(Movement.RESET, (current,))
    if behind > REPLAYED:
        return Owed(Movement.GAP, (current,), missed=behind - 1)
    minutes = tuple(last + n * MINUTE for n in range(1, behind + 1))
    return Owed(Movement.LATE if behind > 1 else Movement.STEADY, minutes)
