"""Calendars that crontabs name in, read on a thread beside the loop, which never waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.day_rules import Calendar
from scheduler.errors import BadValue, MeridianError
from scheduler.system.background import start_apart
from scheduler.system.calendars import CalendarReading, CalendarShelf, read_calendar, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scheduler.system.crontab_files import CrontabText


class CalendarReader:
    """Reads what a shelf had no answer for; the crontabs are read again when it has.

    Owns: what the calendars of the last whole reading of the crontabs came to, and what was read
    apart since. Called by: the watched crontabs, on the loop; its thread only adds what it has
    read. Invariant: a calendar is in no crontab's reading with a stamp from after it was read, so
    that a change meanwhile is seen at the next look. What is bad is read again for each reload.
    """

    def __init__(self, read: Callable[[str], CrontabText]) -> None:
        self._read = read
        self.wake: Callable[[], object] = lambda: None  # on another thread, when all is read
        self._kept: dict[str, CalendarReading] = {}
        self._apart: dict[str, CalendarReading] = {}
        self.is_reading = False

    def shelf(self, tell: Callable[[str], None] | None) -> CalendarShelf:
        """Return a shelf that waits, and tells of it, or with None one that never does."""
        if tell is None:
            return CalendarShelf(self._known)
        return CalendarShelf(
            lambda place: self._known(place) or read_calendar(place, self._read, tell)
        )

    def keep(self, shelf: CalendarShelf) -> None:
        """Go by what is on the shelf of crontabs that have been read whole."""
        self._kept, self._apart = shelf.readings, {}

    def start(self, wanted: Iterable[str]) -> None:
        """Have calendars read apart; where there is no room for that, they can't be read."""
        sources, self.is_reading = tuple(wanted), True
        try:
            start_apart(lambda: self._work(sources), "calendars")
        except MeridianError as error:
            bad = BadValue("bad-calendar", f"it can't be read: {error}")
            self._apart.update(dict.fromkeys(sources, CalendarReading(bad)))
            self.is_reading = False

    def _known(self, place: str) -> CalendarReading | None:
        """Return what a calendar came to if it was read apart, or has not changed since."""
        if place in self._apart:
            return self._apart[place]
        kept = self._kept.get(place)
        if kept is None or not isinstance(kept.found, Calendar):
            return None
        return kept if kept.stamp == stamp_of(place) else None

    # --- on its thread -----------------------------------------------------------------------

    def _work(self, wanted: Iterable[str]) -> None:
        try:
            for place in wanted:
                self._apart[place] = self._reading(place)
        finally:
            self.is_reading = False
            self.wake()

    def _reading(self, place: str) -> CalendarReading:
        try:
            return read_calendar(place, self._read, lambda _: None)
        except Exception as error:  # noqa: BLE001 (a bug must leave no reload undone)
            return CalendarReading(BadValue("bad-calendar", f"{place} can't be read: {error!r}"))
