"""Catch-up: an entry and the minutes that nobody handled in, what its missed runs get out.

CRON_CATCHUP decides which instants are made up for, CRON_CATCHUP_LIMIT how many, and the misfire
window (CRON_WITHIN) for how long. As anacron(8) does, but for schedules of minutes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from scheduler.entry import Catchup, Expression
from scheduler.run import Reason
from scheduler.schedule import backlog, counting, days
from scheduler.schedule.misfire import is_too_late, opens_another_day, own_start, window_opens
from scheduler.schedule.tick import DAY, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from scheduler.entry import Entry
    from scheduler.schedule.backlog import Backlog

_STRETCHES = 60  # of days off that are told of an outage: more than a year of weekends
_SPACING = 1.0  # seconds between the starts of runs that are made up for
_CATCHUP_SPAN = 300.0  # and between the first and the last of them, however many there are


class Instants(Protocol):
    """Who knows when an entry is due."""

    def next_instant(self, entry: Entry, after: datetime) -> datetime | None:
        """Return the first instant strictly later than `after`; None if there is none."""

    def last_instant(self, entry: Entry, before: datetime) -> datetime | None:
        """Return the newest instant strictly earlier than `before`; None if there is none."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The minutes after `last`, the last one handled, and before `current`, the present one.

    No daemon ran, the machine slept, or its clock was set forward.
    """

    last: datetime
    current: datetime


class Walk:
    """The instants of an outage, most found by looking at each minute of its first and last day.

    Owns what was due in those days, by job; it does not change. The entries in force build one for
    each outage and ask it as they would ask the timetable: for many entries that is much faster
    than a search for each. What lies between, or outside, is asked of `rest`.
    """

    def __init__(
        self, outage: Outage, due: Callable[[datetime], Iterable[Entry]], rest: Instants
    ) -> None:
        self._rest = rest
        self._head = _walked(outage.last, min(outage.current, outage.last + DAY), due)
        self._tail = self._head
        if outage.current - outage.last > DAY:
            self._tail = _walked(outage.current - DAY, outage.current, due)

    def next_instant(self, entry: Entry, after: datetime) -> datetime | None:
        """See Instants."""
        found = self._head.get(entry.job, [])
        place = bisect_right(found, after)
        return found[place] if place < len(found) else self._rest.next_instant(entry, after)

    def last_instant(self, entry: Entry, before: datetime) -> datetime | None:
        """See Instants."""
        found = self._tail.get(entry.job, [])
        place = bisect_left(found, before)
        return found[place - 1] if place else self._rest.last_instant(entry, before)


def _walked(
    last: datetime, end: datetime, due: Callable[[datetime], Iterable[Entry]]
) -> dict[str, list[datetime]]:
    """Return the instants after `last` and before `end`, by job."""
    found: dict[str, list[datetime]] = {}
    minute = last + MINUTE
    while minute < end:
        for entry in due(minute):
            found.setdefault(entry.job, []).append(minute)
        minute += MINUTE
    return found


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry's instants from `first` to `last` that are not made up for, and why."""

    entry: Entry
    first: datetime
    last: datetime
    reason: Reason


@dataclass(frozen=True, slots=True)
class OutageAccount:
    """What becomes of the instants that one entry missed.

    `left_out` are its oldest, `beyond` the next of them. One may be `made_up` for; where all are
    wanted the rest is its `backlog`.
    """

    entry: Entry
    made_up: tuple[datetime, ...] = ()
    left_out: LeftOut | None = None
    beyond: LeftOut | None = None
    backlog: Backlog | None = None


@dataclass(frozen=True, slots=True)
class MadeUp:
    """A missed instant of an entry that is made up for by a run that starts at `start`."""

    entry: Entry
    instant: datetime
    start: datetime


def excluded(entry: Entry, outage: Outage, instants: Instants) -> list[OutageAccount]:
    """Return the stretches of instants that the entry's days take away, in order.

    Of a long outage the newest: more rows would tell nobody anything.
    """
    other = days.left_out(entry)
    last = None if other is None else instants.last_instant(other, outage.current)
    found: list[OutageAccount] = []
    while other is not None and last is not None and last > outage.last:
        before = instants.last_instant(entry, last)
        since = outage.last if before is None else max(before, outage.last)
        first = instants.next_instant(other, since) or last
        found.append(OutageAccount(entry, left_out=LeftOut(other, first, last, Reason.EXCLUDED)))
        if len(found) == _STRETCHES:
            break
        last = instants.last_instant(other, first)
    return found[::-1]


def accounts(
    entry: Entry, outage: Outage, instants: Instants, *, is_due: bool, paused_until: datetime | None
) -> list[OutageAccount]:
    """Return what an entry's missed instants get; those before `paused_until` are left out.

    None is no pause. `is_due` is as for `account`.
    """
    if paused_until is None:
        return _found(account(entry, outage, instants, is_due=is_due))
    first = instants.next_instant(entry, outage.last)
    if first is None or first >= min(outage.current, paused_until):
        return _found(account(entry, outage, instants, is_due=is_due))
    last = instants.last_instant(entry, min(outage.current, paused_until)) or first
    left_out = OutageAccount(entry, left_out=LeftOut(entry, first, last, Reason.PAUSED))
    rest = account(entry, Outage(last, outage.current), instants, is_due=is_due)
    return [left_out, *_found(rest)]


def _found(account: OutageAccount | None) -> list[OutageAccount]:
    return [] if account is None else [account]


def account(
    entry: Entry, outage: Outage, instants: Instants, *, is_due: bool
) -> OutageAccount | None:
    """Return what an entry's missed instants get; None if it missed nothing.

    `is_due` says whether it is due in the present minute: then its newest instant is that one.
    """
    first = instants.next_instant(entry, outage.last)
    if first is None or first >= outage.current:
        return None
    newest = instants.last_instant(entry, outage.current) or first
    chosen = mode(entry)
    if chosen is Catchup.NONE:
        return OutageAccount(entry, left_out=LeftOut(entry, first, newest, Reason.MISSED))
    if chosen is Catchup.ALL:
        return _all(entry, first, newest, outage, instants)
    if is_due:
        return OutageAccount(entry, left_out=LeftOut(entry, first, newest, Reason.SUPERSEDED))
    return _latest(entry, first, newest, outage, instants)


def mode(entry: Entry) -> Catchup:
    """Return what the entry's CRON_CATCHUP comes to; never AUTO.

    By itself an entry is made up for unless it is one of an interval: `@every`, or its minute or
    hour field starts with `*`.
    """
    chosen = entry.settings.catchup
    if chosen is not Catchup.AUTO:
        return chosen
    schedule = entry.schedule
    is_written = isinstance(schedule, Expression) and not schedule.elapsed
    return Catchup.LATEST if is_written else Catchup.NONE


def starts(accounts: Iterable[OutageAccount], now: datetime) -> list[MadeUp]:
    """Return when each run that is made up for starts, the oldest instant first.

    One after the other from `now` on: after a night many entries have missed something, and they
    must not all start at once. Of a backlog it is the first run.
    """
    missed = sorted(
        ((instant, each.entry) for each in accounts for instant in _heads(each)),
        key=lambda pair: pair[0],
    )
    return [
        MadeUp(entry, instant, _start(entry, instant, now, turn))
        for (instant, entry), turn in zip(missed, spaced(len(missed)), strict=True)
    ]


def _heads(account: OutageAccount) -> tuple[datetime, ...]:
    return account.made_up if account.backlog is None else (account.backlog.next,)


def spaced(number: int) -> list[timedelta]:
    """Return after how long each of so many missed runs starts, when they might all start now."""
    step = timedelta(seconds=min(_SPACING, _CATCHUP_SPAN / max(1, number)))
    return [n * step for n in range(number)]


def period(backlogs: Collection[Backlog]) -> timedelta:
    """Return how long a job that catches up waits from one start to the next.

    All of them together start one run a second, or so many that they are done in five minutes; each
    alone never more than one a second.
    """
    left = sum(each.left for each in backlogs)
    step = min(_SPACING, _CATCHUP_SPAN / max(1, left))
    return timedelta(seconds=max(_SPACING, len(backlogs) * step))


def _start(entry: Entry, instant: datetime, now: datetime, turn: timedelta) -> datetime:
    """Return when it starts: on its own time, if its spread start is still to come."""
    own = own_start(entry, instant)
    return own if own >= now + turn else window_opens(entry, now) + turn


def _latest(
    entry: Entry, first: datetime, newest: datetime, outage: Outage, instants: Instants
) -> OutageAccount:
    start = window_opens(entry, outage.current)
    if entry.stamp and opens_another_day(entry, outage.current):  # when it is due by itself
        return OutageAccount(entry, left_out=LeftOut(entry, first, newest, Reason.SUPERSEDED))
    if is_too_late(entry, own_start(entry, newest), start, made_up=True):
        return OutageAccount(entry, left_out=LeftOut(entry, first, newest, Reason.TOO_LATE))
    return OutageAccount(
        entry, (newest,), _older(entry, first, newest, Reason.SUPERSEDED, instants)
    )


def _all(
    entry: Entry, first: datetime, newest: datetime, outage: Outage, instants: Instants
) -> OutageAccount:
    """Return the newest of them as a backlog, as many as CRON_CATCHUP_LIMIT lets be made up for."""
    in_time = first_in_time(entry, first, newest, window_opens(entry, outage.current), instants)
    if in_time is None:
        return OutageAccount(entry, left_out=LeftOut(entry, first, newest, Reason.TOO_LATE))
    late = None if in_time == first else _older(entry, first, in_time, Reason.TOO_LATE, instants)
    wanted = within_limit(entry, in_time, newest)
    beyond = None if wanted == in_time else _older(entry, in_time, wanted, Reason.MISSED, instants)
    left = counting.number(entry, wanted, newest)
    rest = backlog.of_missed(entry, wanted, newest, left)
    return OutageAccount(entry, left_out=late, beyond=beyond, backlog=rest)


def within_limit(entry: Entry, first: datetime, last: datetime) -> datetime:
    """Return from which of its instants on CRON_CATCHUP_LIMIT lets them be made up for."""
    limit = entry.settings.catchup_limit
    if (last - first) // MINUTE < limit:
        return first
    return counting.nth_last(entry, first, last, limit)


def first_in_time(
    entry: Entry,
    first: datetime,
    last: datetime,
    start: datetime,
    instants: Instants,
    *,
    made_up: bool = True,
) -> datetime | None:
    """Return the oldest of its instants that may still run at `start`; None if none may.

    An instant is never later than an older one, so the place between them is found by halving.
    """

    def is_past(instant: datetime) -> bool:
        return is_too_late(entry, own_start(entry, instant), start, made_up=made_up)

    if not is_past(first):
        return first
    if is_past(last):
        return None
    low, high = 0, (last - first) // MINUTE  # what is too late, and what is not
    while high - low > 1:
        middle = (low + high) // 2
        if is_past(first + middle * MINUTE):
            low = middle
        else:
            high = middle
    return instants.next_instant(entry, first + low * MINUTE) or last


def _older(
    entry: Entry, first: datetime, before: datetime, reason: Reason, instants: Instants
) -> LeftOut | None:
    """Return the instants before the first that is made up for; None if there are none."""
    last = instants.last_instant(entry, before)
    return None if last is None or last < first else LeftOut(entry, first, last, reason)
