"""Calendars that crontabs name in, read on a thread beside the loop, which never waits for them."""

from __future__ import annotations

from collections import defaultdict
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
    from scheduler.system.crontab_files import CrontabText

USER_SECONDS = 10.0  # that the calendars of a user's table may take together

_SIDE_BY_SIDE = 4  # so that one that hangs keeps few waiting, and many take no more memory
_BAD_FOR = 600.0  # seconds until a user's bad calendar is read again, if its table stays as it is


class CalendarReader:
    """Reads what a shelf had no answer for; the crontabs are read again when it has.

    Owns: what the calendars of the last whole reading of the crontabs came to, and what was read
    apart since. Called by: the watched crontabs, on the loop; its thread only adds what it has
    read. Invariant: a calendar is in no crontab's reading with a stamp from after it was read, so
    that a change meanwhile is seen at the next look. What is bad is read again for each reload, but
    for users' calendars: one that hangs would keep everybody's reload waiting each time.
    """

    def __init__(self, read: Callable[[str], CrontabText]) -> None:
        self._read = read
        self._monotonic = RealClock().monotonic
        self.wake: Callable[[], object] = lambda: None  # on another thread, when all is read
        self._kept: dict[CalendarSource, CalendarReading] = {}
        self._apart: dict[CalendarSource, CalendarReading] = {}
        self._wanted: set[CalendarSource] = set()
        self._bad_since: dict[CalendarSource, float] = {}  # of users

    def shelf(self) -> CalendarShelf:
        """Return a shelf of what is known."""
        return CalendarShelf(self._known)

    def keep(self, shelf: CalendarShelf) -> None:
        """Go by what is on the shelf of crontabs that have been read whole."""
        self._kept, self._apart = shelf.readings, {}
        now = self._monotonic()
        bad = [source for source, read in self._kept.items() if isinstance(read.found, BadValue)]
        self._bad_since = {s: self._bad_since.get(s, now) for s in bad if s.user is not None}
        keep_only({source.place for source in self._kept})

    @property
    def is_reading(self) -> bool:
        """Whether there are calendars that are not read yet."""
        return bool(self._wanted)

    def start(self, wanted: Iterable[CalendarSource]) -> None:
        """Have calendars read apart; where there is no room for that, they can't be read."""
        lanes = _lanes(wanted)
        for some in lanes:
            self._wanted.update(some)
        for some in lanes:
            try:
                start_apart(partial(self._work, some), "calendars")
            except MeridianError as error:
                bad = BadValue("bad-calendar", f"it can't be read: {error}")
                self._apart.update(dict.fromkeys(some, CalendarReading(bad)))
                self._wanted.difference_update(some)

    def _known(self, source: CalendarSource) -> CalendarReading | None:
        """Return what a calendar came to if it was read apart, or has not changed since."""
        if source in self._apart:
            return self._apart[source]
        kept = self._kept.get(source)
        if kept is None:
            return None
        if not isinstance(kept.found, Calendar):
            since = self._bad_since.get(source)
            return kept if since is not None and self._monotonic() - since < _BAD_FOR else None
        return kept if kept.stamp == stamp_of(source) else None

    # --- on its thread -----------------------------------------------------------------------

    def _work(self, wanted: Iterable[CalendarSource]) -> None:
        spent: dict[str | None, float] = defaultdict(float)
        for source in wanted:
            if source.user is not None and spent[source.user] >= USER_SECONDS:
                why = f"{source.user}'s calendars take over {USER_SECONDS:g} seconds together"
                bad = BadValue("bad-calendar", f"{source.place} is not read: {why}")
                self._apart[source] = CalendarReading(bad)
            else:
                begun = self._monotonic()
                self._apart[source] = self._reading(source)
                spent[source.user] += self._monotonic() - begun
            self._wanted.discard(source)
        self.wake()

    def _reading(self, source: CalendarSource) -> CalendarReading:
        try:
            return read_calendar(source, self._read)
        except Exception as error:  # noqa: BLE001 (a bug must leave no reload undone)
            why = f"{type(error).__name__}: {clean(str(error))}"
            return CalendarReading(BadValue("bad-calendar", f"{source} can't be read: {why}"))


def _lanes(wanted: Iterable[CalendarSource]) -> list[list[CalendarSource]]:
    """Return what is read side by side: the daemon's own first, and each user's in one lane alone.

    So the seconds of a user are counted in one place, and none of them is spent before an own one.
    """
    lanes: list[list[CalendarSource]] = [[] for _ in range(_SIDE_BY_SIDE)]
    by_user: dict[str | None, list[CalendarSource]] = defaultdict(list)
    for source in wanted:
        by_user[source.user].append(source)
    for n, source in enumerate(by_user.pop(None, ())):
        lanes[n % _SIDE_BY_SIDE].append(source)
    for theirs in by_user.values():
        min(lanes, key=len).extend(theirs)
    return [lane for lane in lanes if lane]
