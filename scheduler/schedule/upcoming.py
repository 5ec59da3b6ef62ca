"""Entries in, their coming runs out: lazily, in the order of time."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TYPE_CHECKING

from scheduler.entry import Every, Expression, Reboot
from scheduler.schedule import intervals
from scheduler.schedule.search import following
from scheduler.schedule.tick import minute_of
from scheduler.text import LAST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scheduler.entry import Entry

    # From where `@every` jobs count, those left out that have not begun; None if nobody can tell.
    Anchors = Mapping[str, datetime] | None

NOT_BEGUN = "counted from the daemon's first start"
NOT_KNOWN = "nobody can tell from where it counts"

_INSTANT = timedelta.resolution


@dataclass(frozen=True, slots=True)
class ComingRun:
    """One coming run of an entry, and what there is to say about its time."""

    at: datetime
    entry: Entry
    note: str = ""


def coming(entries: Iterable[Entry], since: datetime, anchors: Anchors) -> Iterator[ComingRun]:
    """Yield all runs at `since` (UTC) or later; those of one instant in the entries' order.

    `@every` jobs without an anchor count from `since`, and a note says so. `@reboot` entries have
    no instants and are left out. The last day of the calendar is too: some zones can't show it.
    """
    groups: dict[object, list[tuple[int, Entry]]] = {}
    for numbered in enumerate(entries):
        groups.setdefault(_asks_with(numbered[1]), []).append(numbered)
    streams = [_of_group(group, since, anchors) for group in groups.values()]
    return (run for _, run in heapq.merge(*streams, key=lambda each: (each[1].at, each[0])))


def first_instants(
    entries: Iterable[Entry], since: datetime, anchors: Anchors
) -> Iterator[datetime | None]:
    """Yield for each entry its first instant at `since` (UTC) or later, None if it has none."""
    known: dict[object, datetime | None] = {}
    for entry in entries:
        group = _asks_with(entry)
        if group not in known:
            run = next(coming((entry,), since, anchors), None)
            known[group] = None if run is None else run.at
        yield known[group]


def _asks_with(entry: Entry) -> object:
    """Return what is equal for entries that have their instants in common: a search is dear."""
    is_shared = isinstance(entry.schedule, Expression)
    return (entry.schedule, entry.zone) if is_shared else (entry.schedule, entry.job)


def _of_group(
    group: Sequence[tuple[int, Entry]], since: datetime, anchors: Anchors
) -> Iterator[tuple[int, ComingRun]]:
    """Yield the runs of entries that have their instants in common, with their numbers."""
    for run in takewhile(_is_before_the_end, _of(group[0][1], since, anchors)):
        for number, entry in group:
            yield number, ComingRun(run.at, entry, _with_delay(run.note, run.at, entry))


def _is_before_the_end(run: ComingRun) -> bool:
    return run.at < LAST_DAY


def _of(entry: Entry, since: datetime, anchors: Anchors) -> Iterator[ComingRun]:
    match entry.schedule:
        case Expression() as expression:
            for found in following(expression, entry.zone, since - _INSTANT):
                yield ComingRun(found.at, entry, found.note)
        case Every() as every:
            yield from _every(entry, every, since, anchors)
        case Reboot():
            return


def _every(entry: Entry, every: Every, since: datetime, anchors: Anchors) -> Iterator[ComingRun]:
    anchor = None if anchors is None else anchors.get(entry.job)
    note = NOT_KNOWN if anchors is None else NOT_BEGUN if anchor is None else ""
    anchor = anchor or minute_of(since)
    at = intervals.following(every, entry.zone, anchor, since - _INSTANT)
    while at is not None:
        yield ComingRun(at, entry, note)
        at = intervals.following(every, entry.zone, anchor, at)


def _with_delay(note: str, at: datetime, entry: Entry) -> str:
    """Return the note, and when CRON_SPREAD or RANDOM_DELAY let the run start."""
    if not entry.delay:
        return note
    start = (at + timedelta(seconds=entry.delay)).astimezone(entry.zone)
    starts = f"starts at {start:%H:%M:%S}, spread"
    return f"{note}; {starts}" if note else starts
