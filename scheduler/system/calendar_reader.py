"""Calendars that crontabs name in, read on a thread beside the loop, which never waits for them."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from scheduler.day_rules import Calendar
from scheduler.errors import BadValue, MeridianError
from scheduler.printable import clean
from scheduler.system.background import start_apart
from scheduler.system.calendars import (
    CalendarReading,
    CalendarShelf,
    keep_only,
    read_calendar,
    stamp_of,
)
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scheduler.system.calendars import CalendarSource
    from scheduler.system.crontab_files import CrontabText, Stamp

USER_SECONDS = 10.0  # that the calendars of a user's table may take together

_SIDE_BY_SIDE = 4  # so that one that hangs keeps few waiting, and many take no more memory
_BAD_FOR = 600.0  # seconds until a user's bad calendar is read again, if its table stays as it is
_ANEW_AFTER = 50.0  # seconds, so that a table saved each second has it read anew once a minute


@dataclass(frozen=True, slots=True)
class _UsersReading:
    """What a calendar of a user's came to, for which version of the table, and when."""

    version: Stamp | None
    at: float
    reading: CalendarReading


class CalendarReader:
    """Reads what a shelf had no answer for; the crontabs are read again when it has.

    Owns: what the calendars of the last whole reading of the crontabs came to, and what was read
    apart since. Called by: the watched crontabs, on the loop; its threads only add what they have
    read. Invariant: a calendar is in no crontab's reading with a stamp from after it was read, so
    that a change meanwhile is seen at the next look. What is bad is read again for each reload, but
    for users' calendars. Nobody waits for these but their own entries, save for a moment at the
    start; at most one of a user's is being read, and each is read anew at most once a minute.
    """

    def __init__(self, read: Callable[[str], CrontabText]) -> None:
        self._read = read
        self._monotonic = RealClock().monotonic
        self.wake: Callable[[], object] = lambda: None  # on another thread: read the crontabs
        self._kept: dict[CalendarSource, CalendarReading] = {}
        self._apart: dict[CalendarSource, CalendarReading] = {}  # the daemon's own
        self._wanted: set[CalendarSource] = set()
        self._bad_since: dict[CalendarSource, float] = {}  # of users
        self._lately: dict[tuple[str, str], _UsersReading] = {}  # of a user and a place
        self._owed: dict[CalendarSource, float] = {}  # read for an older version; anew from when
        self._start_ends: float | None = None  # until when users' calendars are waited for
        self._has_started = False

    def shelf(self) -> CalendarShelf:
        """Return a shelf of what is known."""
        return CalendarShelf(self._known)

    def keep(self, shelf: CalendarShelf) -> None:
        """Go by what is on the shelf of crontabs that have been read."""
        self._kept, self._apart, self._has_started = shelf.readings, {}, True
        now = self._monotonic()
        bad = [source for source, read in self._kept.items() if isinstance(read.found, BadValue)]
        self._bad_since = {s: self._bad_since.get(s, now) for s in bad if s.user is not None}
        for source in list(self._owed):
            if source not in self._kept and source not in shelf.unread:
                self._owed.pop(source, None)
        for key, late in list(self._lately.items()):
            if now - late.at >= _ANEW_AFTER:
                del self._lately[key]
        keep_only({source.place for source in (*self._kept, *self._wanted)})

    def waits_for(self, source: CalendarSource) -> bool:
        """Say whether all crontabs wait for a calendar: the daemon's own, or any at its start.

        What a user's entries missed before a start is made up for, if they are there by then.
        """
        if source.user is None:
            return True
        ends = self._start_ends
        return not self._has_started and (ends is None or self._monotonic() < ends)

    @property
    def is_reading(self) -> bool:
        """Whether calendars that all wait for are not read yet."""
        return any(map(self.waits_for, tuple(self._wanted)))

    def stamp(self) -> Stamp:
        """Return what differs when users' calendars are to be read anew by now."""
        now = self._monotonic()
        return tuple(sorted(str(source) for source, at in list(self._owed.items()) if at <= now))

    def start(self, wanted: Iterable[CalendarSource]) -> None:
        """Have calendars read apart; where there is no room for that, they can't be read."""
        if self._start_ends is None:
            self._start_ends = self._monotonic() + USER_SECONDS
        busy = {source.user for source in tuple(self._wanted)} - {None}
        batches = _batches(source for source in wanted if source.user not in busy)
        self._wanted.update(*batches)
        try:
            for _ in range(min(len(batches), _SIDE_BY_SIDE)):
                start_apart(partial(self._work, batches), "calendars")
        except MeridianError as error:
            bad = BadValue("bad-calendar", f"it can't be read: {error}")
            while (batch := _next(batches)) is not None:
                for source in batch:
                    self._is_read(source, CalendarReading(bad))
                    if source.user is not None:
                        self._owed[source] = self._monotonic()  # so that it is looked at again
                self._wanted.difference_update(batch)

    def _known(self, source: CalendarSource) -> CalendarReading | None:
        """Return what a calendar came to if it was read apart, or has not changed since."""
        if source.user is not None:
            return self._known_of_user(source, source.user)
        if source in self._apart:
            return self._apart[source]
        kept = self._kept.get(source)
        if kept is None or not isinstance(kept.found, Calendar):
            return None
        return kept if kept.stamp == stamp_of(source) else None

    def _known_of_user(self, source: CalendarSource, user: str) -> CalendarReading | None:
        """Return what a user's calendar came to, lately also for another version of the table."""
        now, lately = self._monotonic(), self._lately.get((user, source.place))
        if lately is not None and lately.version == source.version:
            return lately.reading
        kept = self._kept.get(source)
        if kept is not None and source not in self._owed:
            since = self._bad_since.get(source, now)
            is_good = isinstance(kept.found, Calendar)
            return kept if is_good or now - since < _BAD_FOR else None
        if lately is None or now - lately.at >= _ANEW_AFTER:
            return None
        self._owed[source] = lately.at + _ANEW_AFTER
        return lately.reading

    # --- on its threads ----------------------------------------------------------------------

    def _work(self, batches: deque[list[CalendarSource]]) -> None:
        while (batch := _next(batches)) is not None:
            spent = 0.0
            for source in batch:
                begun = self._monotonic()
                self._is_read(source, self._reading(source, spent))
                spent += self._monotonic() - begun
            self._wanted.difference_update(batch)
            is_users = batch[0].user is not None
            if is_users or all(each.user is not None for each in tuple(self._wanted)):
                self.wake()

    def _is_read(self, source: CalendarSource, reading: CalendarReading) -> None:
        if source.user is None:
            self._apart[source] = reading
        else:
            late = _UsersReading(source.version, self._monotonic(), reading)
            self._lately[source.user, source.place] = late
            self._owed.pop(source, None)

    def _reading(self, source: CalendarSource, spent: float) -> CalendarReading:
        if source.user is not None and spent >= USER_SECONDS:
            why = f"{source.user}'s calendars take over {USER_SECONDS:g} seconds together"
            return CalendarReading(BadValue("bad-calendar", f"{source.place} is not read: {why}"))
        try:
            return read_calendar(source, self._read)
        except Exception as error:  # noqa: BLE001 (a bug must leave no reload undone)
            why = f"{type(error).__name__}: {clean(str(error))}"
            return CalendarReading(BadValue("bad-calendar", f"{source} can't be read: {why}"))


def _batches(wanted: Iterable[CalendarSource]) -> deque[list[CalendarSource]]:
    """Return what one thread each reads at a time: the daemon's own first, each user's together.

    So the seconds of a user are counted in one place, and one who hangs takes one thread.
    """
    batches: dict[object, list[CalendarSource]] = defaultdict(list)
    for source in sorted(wanted, key=lambda each: each.user is not None):
        batches[source if source.user is None else source.user].append(source)
    return deque(batches.values())


def _next(batches: deque[list[CalendarSource]]) -> list[CalendarSource] | None:
    try:
        return batches.popleft()
    except IndexError:  # another thread has taken the last one
        return None
