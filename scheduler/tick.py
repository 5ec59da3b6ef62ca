"""How time moved: the last minute handled and the clocks now in; minutes owed and jumps out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

MINUTE = timedelta(minutes=1)
REPLAYED = 5  # up to so many missed minutes are run as if in time, before the present one
WAITED_OUT = timedelta(hours=3)  # a clock set back further was wrong before
LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC)  # of the calendar; east of UTC some of it is missing
NOTICED = 1.0  # seconds from which a clock was set and not only steered


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
    """How time moved, and the minutes to handle now, in order."""

    movement: Movement
    minutes: tuple[datetime, ...]


def minute_of(instant: datetime) -> datetime:
    """Return the minute that the instant lies in."""
    return instant.replace(second=0, microsecond=0)


def day_after(instant: datetime) -> datetime:
    """Return the instant (UTC) a day later; on the calendar's last day, that day's last minute."""
    return min(instant, LAST_DAY - MINUTE) + timedelta(days=1)


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
    if behind - 1 > REPLAYED:
        return Owed(Movement.GAP, (current,))
    minutes = tuple(last + n * MINUTE for n in range(1, behind + 1))
    return Owed(Movement.LATE if behind > 1 else Movement.STEADY, minutes)


# --- jumps ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """What the clocks said in one look: the wall clock (UTC), and two that nobody sets, in seconds.

    `awake` stands still while the machine sleeps; `asleep` is for how long it has slept since some
    fixed point, None where the system does not tell.
    """

    wall: datetime
    awake: float
    asleep: float | None


class JumpKind(StrEnum):
    """What made a stretch of time go by unseen, or come twice."""

    DOWN = "down"  # no daemon ran
    ASLEEP = "asleep"
    FORWARD = "set forward"
    UNSEEN = "asleep or set forward"  # where the system does not tell one from the other
    BACK = "set back"
    HELD_UP = "held up"  # stopped, without its journal, or starved


class Verdict(StrEnum):
    """What the daemon made of a jump."""

    NOTHING = "nothing missed"
    REPLAYED = "replayed"  # the missed minutes were run late
    ACCOUNTED = "accounted"  # missed runs were made up for, or left out with a reason
    WAITED_OUT = "waited out"  # the minutes done before
    RESET = "begun anew"  # at the present minute


@dataclass(frozen=True, slots=True)
class Jump:
    """Time that went by unseen between two looks of the daemon, or came back.

    `last` is the last minute handled before, `at` the instant of the look that noticed it,
    `seconds` the size, below nought for a clock set back.
    """

    kind: JumpKind
    last: datetime
    at: datetime
    seconds: float
    verdict: Verdict


_VERDICTS = {
    Movement.START: Verdict.NOTHING,
    Movement.STEADY: Verdict.NOTHING,
    Movement.LATE: Verdict.REPLAYED,
    Movement.GAP: Verdict.ACCOUNTED,
    Movement.BACK: Verdict.WAITED_OUT,
    Movement.RESET: Verdict.RESET,
}


def jumps(
    last: datetime | None, before: Reading | None, now: Reading, movement: Movement
) -> tuple[Jump, ...]:
    """Return what happened to time between two looks; `before` is None at a daemon's first.

    `movement` is what `owed` says of the same look. Only what takes a second or more is told.
    """
    if last is None:
        return ()
    sizes = _first_look(last, now, movement) if before is None else _between(last, before, now)
    verdict = _VERDICTS[movement]
    return tuple(Jump(kind, last, now.wall, size, verdict) for kind, size in sizes.items())


def _first_look(last: datetime, now: Reading, movement: Movement) -> dict[JumpKind, float]:
    size = (now.wall - last).total_seconds()
    if movement in (Movement.BACK, Movement.RESET):
        return {JumpKind.BACK: size}
    return {JumpKind.DOWN: size} if movement in (Movement.LATE, Movement.GAP) else {}


def _between(last: datetime, before: Reading, now: Reading) -> dict[JumpKind, float]:
    told = before.asleep is not None and now.asleep is not None
    asleep = (now.asleep or 0.0) - (before.asleep or 0.0) if told else 0.0
    went_by = (now.wall - before.wall).total_seconds()
    was_set = went_by - (now.awake - before.awake) - asleep
    forward = JumpKind.FORWARD if told else JumpKind.UNSEEN
    sizes = {JumpKind.ASLEEP: asleep, forward if was_set > 0 else JumpKind.BACK: was_set}
    jumped = sum(size for size in sizes.values() if size > 0)
    held_up = (now.wall - last - MINUTE).total_seconds() - jumped
    if held_up >= MINUTE.total_seconds():  # it was awake, and did not come to it
        sizes[JumpKind.HELD_UP] = held_up
    return {kind: size for kind, size in sizes.items() if abs(size) >= NOTICED}
