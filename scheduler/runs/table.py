"""The one state of all runs that have not come to an end.

`RunTable` owns every `LiveRun`, by its number, and knows which are of a job, which are due, who
waits in which line, and who uses a slot; by job its backlog and its pause; and how far time has
come: the eras of the clock and the last minute handled. Whoever decides about runs reads it; a
`Transaction` changes it together with the journal, and what the system itself has done (a process
that has started) is put into it as it is.

Invariant: after every transaction, committed or refused, `RunTable.from_journal` makes the same of
the journal: which runs there are, with which attempt, first start, last end, due time and reason;
whether each waits, has begun or is being ended; backlogs, pauses and eras. What it can't make of it
is only here: what a run waits for beside a time, which its reason says, and its place in line; who
is to start and who runs already, since a start is journalled after its burst; who is late.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import replace
from itertools import chain, count
from typing import TYPE_CHECKING, TypeVar

from scheduler.entry import pool_of
from scheduler.runs.live_run import WITHOUT_PROCESS, LiveRun, Phase, stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.pause import Paused
    from scheduler.run import Run
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.tick import Era

Name = TypeVar("Name", str, "str | None")
Place = TypeVar("Place", int, "datetime")


class RunTable:
    """See the module."""

    def __init__(self) -> None:
        self._runs: dict[int, LiveRun] = {}
        self._jobs: dict[str, dict[int, LiveRun]] = {}
        self._timed: list[tuple[datetime, int]] = []  # by when they are due
        self._lines: dict[str | None, list[tuple[int, int]]] = {}  # by pool, each by ticket
        self._queues: dict[str, list[tuple[int, int]]] = {}  # by job, each by ticket
        self._starting: dict[int, int] = {}  # each with its place
        self._planned: dict[int, int] = {}  # those of a minute that has not come, too
        self._begun: dict[int, None] = {}
        self._pools: dict[str | None, dict[int, LiveRun]] = {}  # who of each has begun
        self._tickets = count(1)
        self.backlogs: dict[str, Backlog] = {}  # by job
        self.paused: dict[str, Paused] = {}  # by job, those included that are over
        self.eras: tuple[Era, ...] = ()  # of the clock, since it was set back
        self.last_handled: datetime | None = None  # the last minute

    @classmethod
    def from_journal(
        cls, journal: Journal, entries: Mapping[str, Entry], now: datetime
    ) -> RunTable:
        """Return what a journal tells of the runs that are open, and of all else that is here.

        A run whose job is none of the `entries` has one that stands in for it.
        """
        table = cls()
        for row in journal.unfinished():
            entry = entries.get(row.run.job) or stand_in(row.run.job)
            table.put(LiveRun.from_row(row, entry, now))
        table.backlogs = {backlog.job: backlog for backlog in journal.daemon_state.backlogs()}
        table.paused = {paused.job: paused for paused in journal.daemon_state.pauses()}
        table.eras = journal.daemon_state.eras()
        table.last_handled = journal.daemon_state.last_tick()
        return table

    # --- what changes ----------------------------------------------------------------------------

    def put(self, live: LiveRun, *, place: int | None = None) -> LiveRun | None:
        """Let a run be like this from now on; return what it was, None for a new one.

        One that is to start does so behind the others, or in the `place` that it had. What fails
        half-way (MemoryError) is made good by another `put`, or by `remove`.
        """
        old = self.remove(live.run.number)
        number = live.run.number
        self._runs[number] = live
        self._jobs.setdefault(live.job, {})[number] = live
        match live.phase:
            case Phase.WAIT_TIME:
                insort(self._timed, (live.due, number))
            case Phase.WAIT_RUN:
                insort(self._queues.setdefault(live.job, []), (live.ticket, number))
            case Phase.WAIT_SLOT:
                insort(self._lines.setdefault(pool_of(live.entry), []), (live.ticket, number))
            case _:
                self._begun[number] = None
                self._pools.setdefault(pool_of(live.entry), {})[number] = live
        if live.phase in WITHOUT_PROCESS:
            starts = self._planned if live.phase is Phase.PLANNED else self._starting
            starts[number] = self.ticket() if place is None else place
        return old

    def remove(self, number: int) -> LiveRun | None:
        """Forget a run; return what it was, None if it was not here."""
        old = self._runs.get(number)
        if old is None:
            return None
        _drop(self._jobs, old.job, number)
        match old.phase:
            case Phase.WAIT_TIME:
                _cut(self._timed, (old.due, number))
            case Phase.WAIT_RUN:
                _leave(self._queues, old.job, (old.ticket, number))
            case Phase.WAIT_SLOT:
                _leave(self._lines, pool_of(old.entry), (old.ticket, number))
            case _:
                self._begun.pop(number, None)
                _drop(self._pools, pool_of(old.entry), number)
        self._starting.pop(number, None)
        self._planned.pop(number, None)
        del self._runs[number]  # last: what fails before that can be done again
        return old

    def forget_waiting(self) -> None:
        """Let nothing wait here any more; it is on disk, for the next daemon."""
        for live in self.waiting():
            self.remove(live.run.number)

    def ticket(self) -> int:
        """Return the next place in line."""
        return next(self._tickets)

    def take_planned(self) -> None:
        """Let the minute come that runs are planned for: they start now."""
        for live in self.planned():
            self.put(replace(live, phase=Phase.STARTING))

    # --- what there is ---------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._runs)

    def all(self) -> Iterator[LiveRun]:
        """Yield all of them."""
        yield from self._runs.values()

    def get(self, number: int) -> LiveRun | None:
        """Return the run of this number; None if it is over, or never was."""
        return self._runs.get(number)

    def of(self, job: str) -> list[LiveRun]:
        """Return all of a job, in the order of their numbers."""
        some = self._jobs.get(job)
        return [some[number] for number in sorted(some)] if some else []

    def is_clear(self, job: str, instant: datetime) -> bool:
        """Say whether nothing is here of a job that can keep a run of this instant from a start."""
        paused = self.paused.get(job)
        is_paused = paused is not None and paused.covers(instant)
        return not (is_paused or job in self._jobs or job in self.backlogs)

    def jobs(self) -> list[str]:
        """Return the jobs that have any."""
        return list(self._jobs)

    def place(self, number: int) -> int | None:
        """Return a run's place among those that are to start; None if it is none of them."""
        return self._planned.get(number, self._starting.get(number))

    # --- who has begun ---------------------------------------------------------------------------

    def begun(self) -> int:
        """Return how many have begun, so that each uses a slot."""
        return len(self._begun)

    def begun_in(self, pool: str) -> int:
        """Return how many of them are in a pool."""
        return len(self._pools.get(pool, ()))

    def is_running(self, job: str) -> bool:
        """Say whether a run of this job has begun and not ended, or is about to begin."""
        return any(not each.is_waiting for each in self._jobs.get(job, {}).values())

    def is_under_way(self, job: str) -> bool:
        """Say whether a run of this job goes on, or would if it had a slot."""
        some = self._jobs.get(job, {}).values()
        return any(not each.is_waiting or each.phase is Phase.WAIT_SLOT for each in some)

    def plans(self, job: str) -> bool:
        """Say whether a run of this job is claimed for a minute that has not come."""
        return any(number in self._planned for number in self._jobs.get(job, ()))

    def starting(self) -> list[LiveRun]:
        """Return those whose process starts now, in fair order of their users."""
        return _in_fair_order([self._runs[number] for number in _in_order(self._starting)])

    def planned(self) -> list[LiveRun]:
        """Return those that are claimed for a minute that has not come, in the same order."""
        return _in_fair_order([self._runs[number] for number in _in_order(self._planned)])

    def next_planned(self) -> datetime | None:
        """Return the minute that they are claimed for; None if there are none."""
        number = next(iter(self._planned), None)
        return None if number is None else self._runs[number].run.instant

    def has_starting(self) -> bool:
        """Say whether there is one whose process starts now."""
        return bool(self._starting)

    def has_planned(self) -> bool:
        """Say whether there is one that is claimed for a minute that has not come."""
        return bool(self._planned)

    # --- who waits -------------------------------------------------------------------------------

    def waiting(self) -> list[LiveRun]:
        """Return all that wait: for a time, the earliest first; for a run; for a slot, in line."""
        queued = (number for queue in self._queues.values() for _, number in queue)
        in_line = (number for _, number in sorted(chain.from_iterable(self._lines.values())))
        numbers = (*(number for _, number in self._timed), *queued, *in_line)
        return [self._runs[number] for number in numbers]

    def waiting_of(self, job: str) -> list[LiveRun]:
        """Return what waits of a job: for a time, for another run, then for a slot."""
        return [*self.timed(job), *self.queued(job), *self.in_line(job)]

    def timed(self, job: str) -> list[LiveRun]:
        """Return what waits of a job for a time, the earliest first."""
        some = (each for each in self.of(job) if each.phase is Phase.WAIT_TIME)
        return sorted(some, key=lambda each: (each.due, each.run.number))

    def queued(self, job: str) -> list[LiveRun]:
        """Return what waits of a job for another run of it, in the order in which they came."""
        return [self._runs[number] for _, number in self._queues.get(job, ())]

    def in_line(self, job: str) -> list[LiveRun]:
        """Return what waits of a job for a slot, in the order of their tickets."""
        some = (each for each in self.of(job) if each.phase is Phase.WAIT_SLOT)
        return sorted(some, key=lambda each: each.ticket)

    def queues(self) -> list[str]:
        """Return the jobs of which a run waits for another."""
        return list(self._queues)

    def lines(self) -> list[list[LiveRun]]:
        """Return who waits for a slot in each pool, in the order of their tickets."""
        return [[self._runs[number] for _, number in line] for line in self._lines.values()]

    def has_line(self) -> bool:
        """Say whether anyone waits for a slot."""
        return bool(self._lines)

    def has_later(self, run: Run) -> bool:
        """Say whether a later run of the same job, which takes its place, waits for its turn."""
        some = self._jobs.get(run.job, {}).values()
        return any(
            each.phase in (Phase.WAIT_RUN, Phase.WAIT_SLOT) and each.takes_place_of(run)
            for each in some
        )

    def all_timed(self) -> list[LiveRun]:
        """Return what waits for a time, the earliest first."""
        return [self._runs[number] for _, number in self._timed]

    def due(self, now: datetime) -> list[LiveRun]:
        """Return what has waited for a time that has come, the earliest first."""
        end = bisect_right(self._timed, now, key=lambda each: each[0])
        return [self._runs[number] for _, number in self._timed[:end]]

    def firsts_due(self, now: datetime) -> list[LiveRun]:
        """Return what begins first of each job that has something due, the earliest first.

        Of first attempts that is the oldest instant: a clock that was set back moves the time of an
        older one behind that of a newer.
        """
        found: dict[str, LiveRun] = {}
        for each in self.due(now):
            first = found.setdefault(each.job, each)
            if not (first.is_retry or each.is_retry) and each.run.order < first.run.order:
                found[each.job] = each
        return list(found.values())

    def next_due(self) -> datetime | None:
        """Return when the first is due of what waits for a time; None if nothing does."""
        return self._timed[0][0] if self._timed else None


def _in_order(starts: dict[int, int]) -> list[int]:
    return sorted(starts, key=starts.__getitem__)


def _in_fair_order(starts: list[LiveRun]) -> list[LiveRun]:
    """Return who is to start: the daemon's own user's, then one of each other user at a time.

    So one user's crowd delays nobody else. Those of one user stay in the order in which they came.
    """
    if all(each.entry.user is None for each in starts):
        return starts
    had: Counter[str | None] = Counter()
    rounds: dict[int, int] = {}
    for each in starts:
        user = each.entry.user
        had[user] += user is not None
        rounds[each.run.number] = had[user]
    return sorted(starts, key=lambda each: rounds[each.run.number])


# What takes something out bears that it is not there: it may be what has failed half-way.


def _drop(lists: dict[Name, dict[int, LiveRun]], name: Name, number: int) -> None:
    some = lists.get(name, {})
    some.pop(number, None)
    if not some:
        lists.pop(name, None)


def _leave(lists: dict[Name, list[tuple[int, int]]], name: Name, place: tuple[int, int]) -> None:
    some = lists.get(name, [])
    _cut(some, place)
    if not some:
        lists.pop(name, None)


def _cut(some: list[tuple[Place, int]], place: tuple[Place, int]) -> None:
    index = bisect_left(some, place)
    if some[index : index + 1] == [place]:
        del some[index]
