"""What clock changes do to entries: an expression or entries and a year in, findings in words out.

The rule itself is `dst`'s, and is asked minute by minute: an audit can't disagree with the daemon.
What it adds is what the wall clock alone would suggest, so that the difference can be told.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from scheduler.entry import Expression
from scheduler.schedule import dst
from scheduler.schedule.dst import HOUR, LONGEST_SHIFT, Wall, applies, walls
from scheduler.schedule.tick import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry

FIRST_YEAR, LAST_YEAR = 1970, 2100  # the zone database is sure from 1970 on; far ahead is a guess
SPELT_TIMES = 3  # more times than this are told as the first two and the last

_FARTHEST = 2 * DAY  # so near to its wall-clock year is every change, whatever the zone
_STAYS = 366 * DAY  # a zone that changes its clock with the seasons changes it within a year

Seen = tuple[datetime, tuple[Wall, ...]]  # a UTC minute and what `dst.walls` says of it


@dataclass(frozen=True, slots=True)
class Change:
    """One change of a zone's clock: the wall-clock times from `start` to `end` are touched.

    They are naive; going forward the clock skips them, going back it shows them twice. `at` is the
    first UTC minute under the new time. `stays`: no other change follows within a year.
    """

    zone: ZoneInfo
    at: datetime
    kind: Literal["forward", "back"]
    start: datetime
    end: datetime
    stays: bool

    @property
    def shift_minutes(self) -> int:
        """How far the clock jumps; negative when it goes back."""
        length = (self.end - self.start) // MINUTE
        return length if self.kind == "forward" else -length

    def __str__(self) -> str:
        """Return `Sun 2027-03-28 02:00-03:00 is skipped`."""
        if self.kind == "back":
            verb = "comes twice"
        else:
            is_made_up_for = self.end - self.start < LONGEST_SHIFT
            verb = "is skipped" if is_made_up_for else "does not exist here"
        stays = " (the new time stays)" if self.stays else ""
        return f"{_stretch(self.start, self.end)} {verb}{stays}"


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """What one change does to one expression.

    `runs` are its instants in the touched stretch: forward, the first minute after it; back, both
    passes. `skipped` are the wall-clock times that it names and that get no run of their own.
    `what` says it in words, to be read after the change's own.
    """

    change: Change
    runs: tuple[datetime, ...]
    skipped: tuple[datetime, ...]
    what: str

    def __str__(self) -> str:
        return f"{self.change}: {self.what}"


@dataclass(frozen=True, slots=True)
class Audit:
    """A year's findings in the order of time, how many entries they touch, and what was asked."""

    year: int
    found: tuple[tuple[Entry, ChangeEffect], ...]
    touched: int
    entries: int
    changing_zones: int
    zones: int


def audit(entries: Iterable[Entry], year: int) -> Audit:
    """Return what the clock changes of a year do to these entries.

    `@every` and `@reboot` go by no wall clock, so nothing touches them.
    """
    asked = tuple(entries)
    known = {zone: tuple(changes(zone, year)) for zone in {entry.zone for entry in asked}}
    memo: dict[tuple[ZoneInfo, Expression], tuple[ChangeEffect, ...]] = {}
    found: list[tuple[Entry, ChangeEffect]] = []
    touched = 0
    for entry in asked:
        if not isinstance(entry.schedule, Expression):
            continue
        key = (entry.zone, entry.schedule)
        if key not in memo:
            each = (finding(entry.schedule, change) for change in known[entry.zone])
            memo[key] = tuple(filter(None, each))
        found.extend((entry, one) for one in memo[key])
        touched += bool(memo[key])
    found.sort(key=lambda pair: (pair[1].change.at, pair[1].change.zone.key))
    return Audit(
        year, tuple(found), touched, len(asked), sum(map(bool, known.values())), len(known)
    )


# --- the changes of a zone -----------------------------------------------------------------------


def changes(zone: ZoneInfo, year: int) -> Iterator[Change]:
    """Yield the changes whose touched wall-clock times begin in this year, in order."""
    end = datetime(year + 1, 1, 1, tzinfo=UTC) + _FARTHEST
    at = dst.first_change(zone, datetime(year, 1, 1, tzinfo=UTC) - _FARTHEST, end)
    while at is not None and at < end:
        following = dst.first_change(zone, at, at + _STAYS)
        change = _change(zone, at, stays=following is None)
        if change.start.year == year:
            yield change
        at = following


def _change(zone: ZoneInfo, at: datetime, *, stays: bool) -> Change:
    expected = walls(zone, at - MINUTE)[-1].time + MINUTE
    shown = walls(zone, at)[-1].time
    if shown > expected:
        return Change(zone, at, "forward", expected, shown, stays)
    return Change(zone, at, "back", shown, expected, stays)


# --- what a change does to an expression ---------------------------------------------------------


def finding(expression: Expression, change: Change) -> ChangeEffect | None:
    """Return what the change does to the expression; None if nobody would notice.

    That is so where it names none of the touched times, and where the clock goes forward and it
    names every hour: then its runs go on in step, as many minutes apart as on any other day.
    """
    named = [wall.time for wall in _plain(change) if applies(expression, wall)]
    if not named:
        return None
    if change.kind == "back":
        return _repeated(expression, change, named)
    if expression.every_hour and _is_in_step(expression, change):
        return None
    return _skipped(expression, change, named)


@lru_cache(maxsize=2048)
def _plain(change: Change) -> tuple[Wall, ...]:
    """Return the touched times as if they were those of an ordinary day."""
    length = (change.end - change.start) // MINUTE
    return tuple(Wall(change.start + n * MINUTE) for n in range(length))


@lru_cache(maxsize=2048)
def _seen(change: Change) -> tuple[Seen, ...]:
    """Return the UTC minutes to look at: going back both passes, going forward those from `at` on.

    These last for the length of the gap and at least an hour, to tell an hourly entry's rhythm.
    """
    length = change.end - change.start
    if change.kind == "forward":
        start, end = change.at, change.at + max(length, HOUR)
    else:
        start, end = change.at - length, change.at + length
    minutes = (start + n * MINUTE for n in range((end - start) // MINUTE))
    return tuple((minute, walls(change.zone, minute)) for minute in minutes)


def _is_in_step(expression: Expression, change: Change) -> bool:
    """Say whether it runs in the very minutes in which it would if the clock had not changed."""
    return all(
        applies(expression, Wall(change.start + n * MINUTE)) == _is_due(expression, shown)
        for n, (_, shown) in enumerate(_seen(change))
    )


def _is_due(expression: Expression, shown: Sequence[Wall]) -> bool:
    return any(applies(expression, wall) for wall in shown)


def _skipped(expression: Expression, change: Change, named: list[datetime]) -> ChangeEffect:
    at, shown = _seen(change)[0]
    runs = (at,) if _is_due(expression, shown) else ()
    told = _times(named, change)
    after = _time(change.end, change)
    one = len(named) == 1
    if not any(wall.gap and applies(expression, wall) for wall in shown):
        what = f"{told} {'does' if one else 'do'} not run"
    elif applies(expression, shown[-1]):
        what = f"{_times([*named, change.end], change)} are one run, at {after}"
    elif one:
        what = f"{told} runs at {after} instead"
    else:
        what = f"one run at {after} stands for {told}"
    return ChangeEffect(change, runs, tuple(named), what)


def _repeated(expression: Expression, change: Change, named: list[datetime]) -> ChangeEffect:
    due = [(at, shown[-1].time) for at, shown in _seen(change) if _is_due(expression, shown)]
    runs = tuple(at for at, _ in due)
    again = {wall for at, wall in due if at >= change.at}
    twice = [wall for wall in named if wall in again]
    once = [wall for wall in named if wall not in again]
    parts = []
    if once:
        verb, where = ("runs", f" (at {runs[0]:%H:%M} UTC)") if len(named) == 1 else ("run", "")
        parts.append(f"{_times(once, change)} {verb} the first time only{where}")
    if len(twice) == 1:
        apart = -change.shift_minutes
        parts.append(f"{_times(twice, change)} runs both times, {apart} minutes apart")
    elif twice:
        number = f"{2 * len(twice)} runs instead of {len(twice)}"
        parts.append(f"{_times(twice, change)} run both times: {number}")
    return ChangeEffect(change, runs, tuple(once), "; ".join(parts))


# --- in words ------------------------------------------------------------------------------------


def _stretch(start: datetime, end: datetime) -> str:
    """Return `Sun 2027-03-28 02:00-03:00`; whole days go without times."""
    if start.hour == start.minute == 0 and end - start == DAY:
        return f"{start:%a %Y-%m-%d}"
    if start.date() == (end - MINUTE).date():
        until = f"{end:%H:%M}" if start.date() == end.date() else "24:00"
        return f"{start:%a %Y-%m-%d %H:%M}-{until}"
    return f"{start:%a %Y-%m-%d %H:%M} to {end:%a %Y-%m-%d %H:%M}"


def _times(times: Sequence[datetime], change: Change) -> str:
    """Return `02:00`, `02:00 and 02:30`, or `02:00, 02:05 … 02:55 (12 times)`."""
    told = [_time(each, change) for each in times]
    if len(told) > SPELT_TIMES:
        return f"{told[0]}, {told[1]} … {told[-1]} ({len(told)} times)"
    return " and ".join(filter(None, (", ".join(told[:-1]), told[-1])))


def _time(time: datetime, change: Change) -> str:
    return f"{time:%H:%M}" if time.date() == change.start.date() else f"{time:%a %H:%M}"
