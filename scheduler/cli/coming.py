"""Entries in, their coming runs out: lazily, in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path

from scheduler import due
from scheduler.cli import given
from scheduler.errors import MeridianError
from scheduler.journal import Journal
from scheduler.model import Entry, Every, Expression, Reboot

# From where an @every job of so many minutes counts; None if it has not begun.
Anchor = Callable[[str, int], datetime | None]

INSTANT = timedelta.resolution
END = datetime(9900, 1, 1, tzinfo=UTC)  # Python's calendar ends 100 years later, with an error
NO_ANCHOR = "counted from the daemon's first start"


@contextmanager
def anchors(state: Path | None) -> Iterator[Anchor]:
    """Yield where `@every` entries count from: the journal knows, if there is one."""
    try:
        journal = Journal.open(given.here(state).journal, readonly=True)
    except MeridianError:
        yield no_anchor
        return
    with closing(journal):
        yield lambda job, minutes: journal.anchor(job, minutes) or journal.last_instant(job)


def no_anchor(_job: str, _minutes: int) -> datetime | None:
    """Return that nothing is known."""
    return None


@dataclass(frozen=True, slots=True)
class Due:
    """One coming run of an entry, and what there is to say about its time."""

    at: datetime
    entry: Entry
    note: str = ""


def coming(entries: Iterable[Entry], since: datetime, anchor: Anchor) -> Iterator[Due]:
    """Yield all runs at `since` (UTC) or later; those of one instant in the entries' order.

    `@reboot` entries have no instants and are left out; nothing runs after 9899.
    """
    groups: dict[object, list[tuple[int, Entry]]] = {}
    for numbered in enumerate(entries):
        groups.setdefault(_asks_with(numbered[1]), []).append(numbered)
    streams = [_of_group(group, since, anchor) for group in groups.values()]
    return (run for _, run in heapq.merge(*streams, key=lambda each: (each[1].at, each[0])))


def first_instants(
    entries: Iterable[Entry], since: datetime, anchor: Anchor
) -> Iterator[datetime | None]:
    """Yield for each entry its first instant at `since` (UTC) or later, None if it has none."""
    known: dict[object, datetime | None] = {}
    for entry in entries:
        group = _asks_with(entry)
        if group not in known:
            run = next(coming((entry,), since, anchor), None)
            known[group] = None if run is None else run.at
        yield known[group]


def _asks_with(entry: Entry) -> object:
    """Return what is equal for entries that have their instants in common: a search is dear."""
    is_shared = isinstance(entry.schedule, Expression)
    return (entry.schedule, entry.zone) if is_shared else (entry.schedule, entry.job)


def _of_group(
    group: Sequence[tuple[int, Entry]], since: datetime, anchor: Anchor
) -> Iterator[tuple[int, Due]]:
    """Yield the runs of entries that have their instants in common, with their numbers."""
    for run in takewhile(_is_before_the_end, _of(group[0][1], since, anchor)):
        for number, entry in group:
            yield number, Due(run.at, entry, _with_delay(run.note, run.at, entry))


def _is_before_the_end(run: Due) -> bool:
    return run.at < END


def _of(entry: Entry, since: datetime, anchor: Anchor) -> Iterator[Due]:
    match entry.schedule:
        case Expression() as expression:
            for run in due.following(expression, entry.zone, since - INSTANT):
                yield Due(run.at, entry, run.note)
        case Every(minutes):
            yield from _every(entry, since, minutes, anchor(entry.job, minutes))
        case Reboot():
            return


def _with_delay(note: str, at: datetime, entry: Entry) -> str:
    """Return the note, and when CRON_SPREAD or RANDOM_DELAY let the run start."""
    if not entry.delay:
        return note
    start = (at + timedelta(seconds=entry.delay)).astimezone(entry.zone)
    starts = f"starts at {start:%H:%M:%S}, spread"
    return f"{note}; {starts}" if note else starts


def _every(entry: Entry, since: datetime, minutes: int, start: datetime | None) -> Iterator[Due]:
    note = "" if start else NO_ANCHOR
    at = start or since.replace(second=0, microsecond=0)
    if since >= END:
        return
    step = timedelta(minutes=minutes)
    at += step * max(1, -((at - since) // step))  # rounded up: at `since` is not too early
    while True:
        yield Due(at, entry, note)
        at += step
