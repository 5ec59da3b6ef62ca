"""How time moved: the last minute handled and the clocks now in; minutes owed and jumps out.

After cron(8) of Debian and OpenBSD: a clock set back by three hours at most is waited out, further
it is believed. What they do not know is an era: time that came again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from scheduler.text import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
REPLAYED = 5  # up to so many missed minutes are run as if in time, before the present one
WAITED_OUT = timedelta(hours=3)  # a clock set back further was wrong before
NOTICED = 1.0  # seconds from which a clock was set and not only steered


class Movement(StrEnum):
    """What the clock did since the last minute handled."""

    START = "start"  # no minute was ever handled
    STEADY = "steady"  # the next minute has not come, or has just come
    LATE = "late"  # a few minutes passed unseen
    MISSED = "missed"  # many did: down, asleep, or the clock was set forward
    BACK = "back"  # the clock was set back; minutes already handled are waited out
    RESET = "reset"  # it was wrong before: time comes again, in a new era
    RESUMED = "resumed"  # it is right again: time goes on where the era before the last had come


@dataclass(frozen=True, slots=True)
class Owed:
    """How time moved, and the minutes to handle now, in order.

    `since` is the first minute of a new era, None where none begins.
    """

    movement: Movement
    minutes: tuple[datetime, ...]
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Era:
    """A time that came again: instants from `since` on run though they had been handled before.

    `noticed` is what the clock said when it had been set back, `last` the last minute handled
    before that. Numbers count from 1; the era before the first of these is 0.
    """

    number: int
    since: datetime
    last: datetime
    noticed: datetime


def minute_of(instant: datetime) -> datetime:
    """Return the minute that the instant lies in."""
    return instant.replace(second=0, microsecond=0)


def day_after(instant: datetime) -> datetime:
    """Return the instant (UTC) a day later; on the calendar's last day, that day's last minute."""
    return min(instant, LAST_DAY - MINUTE) + timedelta(days=1)


def owed(last: datetime | None, now: datetime, leaps: Iterable[Jump] = ()) -> Owed:
    """Return what every minute after `last`, the last one handled, asks for at `now` (UTC).

    The minute in which a daemon first starts is owed too: a machine that boots at 02:00:10 has
    not missed the job of 02:00. `leaps` are the jumps of the present era that left minutes out:
    where the clock is set back into one of them, those minutes are still to come.
    """
    current = minute_of(now)
    if last is None:
        return Owed(Movement.START, (current,))
    behind = (current - last) // MINUTE
    if behind < 0:
        return _back(last, current, leaps)
    if behind - 1 > REPLAYED:
        return Owed(Movement.MISSED, (current,))
    minutes = tuple(last + n * MINUTE for n in range(1, behind + 1))
    return Owed(Movement.LATE if behind > 1 else Movement.STEADY, minutes)


def first_to_come(last: datetime | None, now: datetime, leaps: Iterable[Jump] = ()) -> datetime:
    """Return the first minute that is not handled at `now`: no instant before it runs any more.

    The arguments are those of `owed`, which decides.
    """
    found = owed(last, now, leaps)
    if found.since is not None:
        return found.since
    if found.minutes:
        return found.minutes[0]
    return minute_of(now) if last is None else last + MINUTE


def era_of(instant: datetime, eras: Iterable[Era]) -> int:
    """Return the number of the newest era that an instant is of: it came after its beginning.

    And not after its end: what an era that was wrong never came to is an earlier one's.
    """
    some = tuple(eras)
    found = (each.number for each, end in _ends(some, instant) if each.since <= instant <= end)
    return max(found, default=0)


def borders(eras: Iterable[Era]) -> list[datetime]:
    """Return the minutes with which instants of another era begin, in order."""
    some = tuple(eras)
    resumed = {each.last + MINUTE for each in some if each.since > each.last}
    return sorted({each.since for each in some} | resumed)


def _ends(eras: Sequence[Era], present: datetime) -> Iterator[tuple[Era, datetime]]:
    """Yield each era with the last minute handled in it; the newest has come to the `present`."""
    ends = [*(following.last for following in eras[1:]), present][: len(eras)]
    return zip(eras, ends, strict=True)


def comes_again(era: int, instant: datetime, eras: Iterable[Era]) -> Era | None:
    """Return the era in which an instant of an earlier one comes again; None if it does not.

    What was done for it before that was done in a time that was not real.
    """
    found = (each for each, end in _ends(tuple(eras), instant) if each.since <= instant <= end)
    return next((each for each in found if each.number > era), None)


def _back(last: datetime, current: datetime, leaps: Iterable[Jump]) -> Owed:
    """Return what a clock asks for that was set back: to wait, or to begin anew in a new era."""
    since = _comes_again(last, current, leaps)
    if since is None:
        return Owed(Movement.BACK, ())
    return Owed(Movement.RESET, (current,) if since == current else (), since)


def _comes_again(last: datetime, current: datetime, leaps: Iterable[Jump]) -> datetime | None:
    """Return with which minute a new era begins; None while what was handled is waited out.

    A step of a few minutes corrects a clock that was nearly right, and doubles nothing.
    """
    if last - current <= REPLAYED * MINUTE:
        return None
    found = [since for leap in leaps if (since := _left_out(leap, current)) is not None]
    wrong_before = current if last - current > WAITED_OUT else None
    return min(found, default=wrong_before)


def _left_out(leap: Jump, current: datetime) -> datetime | None:
    """Return the first minute that a leap left out and that is still to come at `current`.

    A clock that was set forward may be set back a little further: what was handled before it was
    is waited out. None if the leap says nothing of this.
    """
    first = leap.last + MINUTE
    if current >= minute_of(leap.at):
        return None
    if current >= leap.last:
        return max(first, current)
    was_set = leap.kind in (JumpKind.FORWARD, JumpKind.UNSEEN)
    return first if was_set and first - current <= WAITED_OUT else None


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
    RESET = "begun anew"  # in a new era
    RESUMED = "gone on"  # where an earlier era had come


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
    Movement.MISSED: Verdict.ACCOUNTED,
    Movement.BACK: Verdict.WAITED_OUT,
    Movement.RESET: Verdict.RESET,
    Movement.RESUMED: Verdict.RESUMED,
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
    was_away = movement in (Movement.LATE, Movement.MISSED, Movement.RESUMED)
    return {JumpKind.DOWN: size} if was_away else {}


def is_set_right(last: datetime, before: Reading | None, now: Reading, era: Era) -> bool:
    """Say whether the clock was wrong in this era alone, which began when it was set back.

    So it is where it is set forward by as much: a machine without a clock of its own begins in
    1970, until the network tells the time. A daemon's first look tells no set clock from a time
    without a daemon, so then only more than a day counts. `last` is the last minute handled.
    """
    if last >= era.last or now.wall < era.last - REPLAYED * MINUTE:
        return False
    back = era.last - era.noticed
    if before is None:
        return back > DAY
    return timedelta(seconds=_was_set(before, now)) >= back - REPLAYED * MINUTE


def _was_set(before: Reading, now: Reading) -> float:
    """Return by how many seconds the clock was set between two looks, asleep or awake."""
    slept = (now.asleep or 0.0) - (before.asleep or 0.0)
    return (now.wall - before.wall).total_seconds() - (now.awake - before.awake) - slept


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
