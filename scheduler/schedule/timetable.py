"""All entries, arranged by the minute they want: a UTC minute in, the due entries out.

A tick costs one look per zone and per distinct interval, then only what is due: entries are
filed under zone, then under the minute of the day, then under the days they name, so the many
that want another minute are never touched. What days off take away is filed apart, in the same way.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from scheduler.entry import Entry, Every, Expression, Reboot
from scheduler.schedule import days, intervals
from scheduler.schedule.dst import Wall, applies, walls
from scheduler.schedule.search import following, preceding
from scheduler.schedule.tick import MINUTE, day_after
from scheduler.text import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from scheduler.entry import Schedule

_MINUTES_A_DAY = 24 * 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # from which minutes and days are numbered

_LAST_NUMBER = (LAST_DAY - _EPOCH) // timedelta(days=1)  # the number of the calendar's last day

# Entries that share their minute and hour sets; those with equal expressions stand together.
_Pattern = list[Entry]
_Fields = tuple[frozenset[int], frozenset[int]]
_SCHEDULE = attrgetter("schedule")


class Timetable:
    """What is due when.

    Owns the entries in force, sorted by zone and schedule. The loop asks it for each minute, and
    builds another with each reload: what one answers never changes. `anchors` says, for each job
    with an `@every` schedule, from which instant its interval counts.
    """

    def __init__(self, entries: Iterable[Entry], anchors: Mapping[str, datetime]) -> None:
        self.entries = tuple(entries)
        self._anchors = anchors
        self.at_reboot = tuple(e for e in self.entries if isinstance(e.schedule, Reboot))
        self._filed = _filed(self.entries, anchors)
        self._with_days_off = {
            entry.job: entry for entry in self.entries if days.has_days_off(entry)
        }
        others = (days.left_out(entry) for entry in self._with_days_off.values())
        self._days_off = _filed(filter(None, others), anchors)

    def of(self, entries: Iterable[Entry]) -> Timetable:
        """Return the timetable of some of these entries alone."""
        return Timetable(entries, self._anchors)

    def due(self, minute: datetime) -> list[Entry]:
        """Return the entries that are due at this UTC minute, each once."""
        return _due(self._filed, _number(minute))

    def excluded(self, minute: datetime) -> list[Entry]:
        """Return the entries that would be due at this UTC minute, but for CRON_EXCEPT, _ONLY."""
        found = _due(self._days_off, _number(minute))
        due = {entry.job for entry in self.due(minute)} if found else set()
        return [self._with_days_off[each.job] for each in found if each.job not in due]

    def next_busy(self, after: datetime, until: datetime) -> datetime | None:
        """Return the first minute later than `after` at which something is due, or excluded.

        None if there is none at or before `until`. Empty minutes are leapt over.
        """
        return _next((*self._filed, *self._days_off), after, until)

    def next_instant(self, entry: Entry, after: datetime) -> datetime | None:
        """Return the entry's first instant strictly later than `after`; None if there is none."""
        match entry.schedule:
            case Expression() as expression:
                coming = next(following(expression, entry.zone, after), None)
                return None if coming is None else coming.at
            case Every() as every:
                return intervals.following(every, entry.zone, self._anchors[entry.job], after)
            case Reboot():
                return None

    def last_instant(self, entry: Entry, before: datetime) -> datetime | None:
        """Return the entry's newest instant strictly earlier than `before`; None if there is none.

        An interval has none at its anchor or before it.
        """
        match entry.schedule:
            case Expression() as expression:
                return next(preceding(expression, entry.zone, before), None)
            case Every() as every:
                return intervals.preceding(every, entry.zone, self._anchors[entry.job], before)
            case Reboot():
                return None

    def upcoming(self, after: datetime) -> Iterator[tuple[datetime, list[Entry]]]:
        """Yield the minutes of the next day at which something is due, with what is."""
        until = day_after(after)
        minute = after
        while (coming := _next(self._filed, minute, until)) is not None:
            yield coming, self.due(coming)
            minute = coming


def _due(filed: Iterable[_Zone | _Interval], number: int) -> list[Entry]:
    found: list[Entry] = []
    for each in filed:
        found.extend(each.due(number))
    return found


def _next(filed: Sequence[_Zone | _Interval], after: datetime, until: datetime) -> datetime | None:
    number, last = _number(after) + 1, _number(until)
    while number <= last:
        if any(True for each in filed for _ in each.due(number)):
            return _minute(number)
        number = min((each.worth_a_look(number + 1) for each in filed), default=last + 1)
    return None


class _Zone:
    """The expressions of one zone, by the minute of the day.

    It remembers how the zone's clock stood on the day asked about last: on a day on which the
    clock is left alone, what it shows is a sum, and the zone's rules need not be asked.
    """

    def __init__(self, zone: ZoneInfo, patterns: Mapping[_Fields, _Pattern]) -> None:
        self._zone = zone
        self._filed = _by_time(patterns)
        self._times = sorted(self._filed)
        self._day: int | None = None
        self._offset: int | None = None

    def due(self, number: int) -> Iterable[Entry]:
        """Return the entries that are due at this minute."""
        if number // _MINUTES_A_DAY != self._day:
            self._look_at(number // _MINUTES_A_DAY)
        if self._offset is None:
            return self._asking_for(_walls(self._zone, _minute(number)))
        shown = number + self._offset
        if shown % _MINUTES_A_DAY not in self._filed:
            return ()
        return self._asking_for((Wall(_minute(shown).replace(tzinfo=None)),))

    def worth_a_look(self, number: int) -> int:
        """Return a minute, this one or later, before which nothing is due from this one on."""
        day = number // _MINUTES_A_DAY
        if day != self._day:
            self._look_at(day)
        if self._offset is None:
            return number
        wait = _wait(self._times, (number + self._offset) % _MINUTES_A_DAY, _MINUTES_A_DAY)
        return min(number + wait, (day + 1) * _MINUTES_A_DAY)

    def _asking_for(self, shown: Sequence[Wall]) -> Iterator[Entry]:
        found = {}  # by identity: several minutes may be shown, and a pattern is filed under many
        for wall in shown:
            for pattern in self._filed.get(wall.time.hour * 60 + wall.time.minute, ()):
                found[id(pattern)] = pattern
        for pattern in found.values():
            for schedule, entries in groupby(pattern, _SCHEDULE):
                if any(applies(schedule, wall) for wall in shown):
                    yield from entries

    def _look_at(self, day: int) -> None:
        """Find out by how many minutes the clock is ahead of UTC throughout this day of UTC.

        None if it is changed on it or was on the day before, of which a clock set back may still
        repeat minutes. No zone changes its clock and back within a day: three looks tell. On the
        calendar's last day there is nothing to look at behind it.
        """
        if day >= _LAST_NUMBER:
            self._day, self._offset = day, None
            return
        looks = {self._offset_at(each) for each in (day - 1, day, day + 1)}
        self._day, self._offset = day, looks.pop() // MINUTE if len(looks) == 1 else None

    def _offset_at(self, day: int) -> timedelta:
        shown = _minute(day * _MINUTES_A_DAY).astimezone(self._zone)
        return shown.replace(tzinfo=UTC) - shown


class _Interval:
    """The `@every` entries of one length, by the minutes at which it comes round."""

    def __init__(self, minutes: int, anchored: Iterable[tuple[int, Entry]]) -> None:
        self._minutes = minutes
        self._phases: dict[int, list[tuple[int, Entry]]] = {}
        self._has_days = False
        for anchor, entry in anchored:
            self._phases.setdefault(anchor % minutes, []).append((anchor, entry))
            self._has_days |= entry.schedule.day_rules is not None
        self._times = sorted(self._phases)

    def due(self, number: int) -> Iterable[Entry]:
        """Return the entries that are due at this minute: strictly after their anchors."""
        phase = self._phases.get(number % self._minutes, ())
        due = [entry for anchor, entry in phase if anchor < number]
        return [each for each in due if _counts(each, number)] if self._has_days else due

    def worth_a_look(self, number: int) -> int:
        """Return a minute, this one or later, before which nothing is due from this one on."""
        return number + _wait(self._times, number % self._minutes, self._minutes)


def _filed(
    entries: Iterable[Entry], anchors: Mapping[str, datetime]
) -> tuple[_Zone | _Interval, ...]:
    some = tuple(entries)
    return (*_zones(some), *_intervals(some, anchors))


def _zones(entries: Iterable[Entry]) -> Iterator[_Zone]:
    zones: dict[ZoneInfo, dict[_Fields, _Pattern]] = {}
    for entry in entries:
        if isinstance(expression := entry.schedule, Expression):
            patterns = zones.setdefault(entry.zone, {})
            patterns.setdefault((expression.minutes, expression.hours), []).append(entry)
    for zone, patterns in zones.items():
        yield _Zone(zone, patterns)


def _counts(entry: Entry, number: int) -> bool:
    """Say whether an instant of an interval lies on a day that counts."""
    every = entry.schedule
    return not isinstance(every, Every) or intervals.is_due(every, entry.zone, _minute(number))


def _by_time(patterns: Mapping[_Fields, _Pattern]) -> dict[int, list[_Pattern]]:
    filed: dict[int, list[_Pattern]] = {}
    for (minutes, hours), pattern in patterns.items():
        _bring_together(pattern)
        for hour in hours:
            for minute in minutes:
                filed.setdefault(hour * 60 + minute, []).append(pattern)
    return filed


def _bring_together(pattern: _Pattern) -> None:
    """Sort by schedule, in the order of their first entries; equal ones keep theirs."""
    order: dict[Schedule, int] = {}
    pattern.sort(key=lambda entry: order.setdefault(entry.schedule, len(order)))


def _intervals(entries: Iterable[Entry], anchors: Mapping[str, datetime]) -> Iterator[_Interval]:
    lengths: dict[int, list[tuple[int, Entry]]] = {}
    for entry in entries:
        if isinstance(entry.schedule, Every):
            anchored = (_number(anchors[entry.job]), entry)
            lengths.setdefault(entry.schedule.minutes, []).append(anchored)
    return (_Interval(minutes, anchored) for minutes, anchored in lengths.items())


def _wait(times: Sequence[int], now: int, cycle: int) -> int:
    """Return how long it is from `now` until the first of `times`, which come again each cycle."""
    index = bisect_left(times, now)
    return times[index] - now if index < len(times) else times[0] + cycle - now


def _walls(zone: ZoneInfo, minute: datetime) -> tuple[Wall, ...]:
    """Return `walls`, none where the zone's last day is over before that of UTC."""
    try:
        return walls(zone, minute)
    except OverflowError:
        return ()


def _number(minute: datetime) -> int:
    return (minute - _EPOCH) // MINUTE


def _minute(number: int) -> datetime:
    return _EPOCH + timedelta(minutes=number)
