"""Places for runs: limits and what uses them up in; who may start out, the others in fair order."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Protocol

from scheduler.entry import Entry, pool_of
from scheduler.run import Reason
from scheduler.runs.pending import takes_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scheduler.run import Run
    from scheduler.runs.pending import Pending
    from scheduler.runs.transaction import Dropped, Transaction


class User(Protocol):
    """Who uses places up."""

    def slots_used(self) -> int:
        """Return how many places are used here."""

    def slots_used_in(self, pool: str) -> int:
        """Return how many of them are in this pool."""


@dataclass(frozen=True, slots=True)
class Waiter:
    """A run that waits for a place, since `ticket`, and what it wants a place in."""

    ticket: int
    pending: Pending
    pool: str | None
    reason: Reason


@dataclass(slots=True)
class _Scope:
    """What the commit under way will have done: it is believed here before it is true."""

    commit: int = -1
    taken: Counter[str | None] = field(default_factory=Counter)
    begun: set[str] = field(default_factory=set)


class Slots:
    """At most `most` runs at once (None: any number), and in each pool as many as it holds.

    Who finds no place waits in line, in memory what the journal holds on disk. One line for all
    would let a full pool hold up everybody, so each pool has its own, and of their heads the one
    that came first goes first.
    """

    def __init__(
        self, transaction: Transaction, dropped: Dropped, users: Sequence[User], most: int | None
    ) -> None:
        self.most = most
        self._transaction = transaction
        self._dropped = dropped
        self._users = users
        self._limits: Mapping[str, int] = {}
        self._lines: dict[str | None, deque[Waiter]] = {}
        self._jobs: dict[str, list[Waiter]] = {}
        self._tickets = count()
        self._scope = _Scope()

    # --- limits ------------------------------------------------------------------------------

    def use(self, entries: Mapping[str, Entry]) -> None:
        """Go by the pools of these entries: a pool holds the least that any of them says, or 1.

        Who waits is one of them, and keeps its turn, whatever its pool was.
        """
        chosen = {id(entry.settings): entry.settings.pool for entry in entries.values()}
        limits: dict[str, int] = {}
        for pool in filter(None, chosen.values()):
            if pool.limit is not None:
                limits[pool.name] = min(pool.limit, limits.get(pool.name, pool.limit))
        self._limits = limits
        waiters = self.all()
        self.clear()
        for waiter in waiters:
            self._add(replace(waiter, pool=pool_of(entries[waiter.pending.run.job])))

    def obstacle(self, entry: Entry) -> Reason | None:
        """Return what keeps a run of this entry from having a place now; None if nothing does."""
        if self.most is not None and self._used() >= self.most:
            return Reason.CROWD
        pool = entry.settings.pool
        if pool is not None and self._used_in(pool.name) >= self.limit_of(pool.name):
            return Reason.POOL
        return None

    def limit_of(self, pool: str) -> int:
        """Return how many runs a pool holds."""
        return self._limits.get(pool, 1)

    def take(self, entry: Entry) -> None:
        """Give a run of this entry its place, in the commit under way."""
        scope = self._this_commit()
        scope.begun.add(entry.job)
        scope.taken[pool_of(entry)] += 1

    def has_begun(self, job: str) -> bool:
        """Say whether the commit under way begins a run of this job."""
        return job in self._this_commit().begun

    def _used(self) -> int:
        taken = self._this_commit().taken
        return sum(user.slots_used() for user in self._users) + taken.total()

    def _used_in(self, pool: str) -> int:
        taken = self._this_commit().taken
        return sum(user.slots_used_in(pool) for user in self._users) + taken[pool]

    def _this_commit(self) -> _Scope:
        if self._scope.commit != self._transaction.number:
            self._scope = _Scope(self._transaction.number)
        return self._scope

    # --- the lines ---------------------------------------------------------------------------

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def __contains__(self, job: str) -> bool:
        """Say whether a run of this job waits here, and will go on to."""
        return bool(self.of(job))

    def wait_for_slot(
        self, entry: Entry, pending: Pending, reason: Reason, ticket: int | None
    ) -> None:
        """Let a run wait for a place once the commit holds, at the end or in another's `ticket`."""
        ticket = next(self._tickets) if ticket is None else ticket
        self._transaction.then(self._add, Waiter(ticket, pending, pool_of(entry), reason))

    def admissible(self, entries: Mapping[str, Entry]) -> Iterator[Pending]:
        """Yield who may start now, in fair order; its taker has to remove it before the next.

        What else its taker does with it counts for the next one, too.
        """
        lines = [
            [waiter for waiter in line if waiter.pending not in self._dropped]
            for line in self._lines.values()
        ]
        heads = [(line[0].ticket, iter(line[1:]), line[0]) for line in lines if line]
        heapify(heads)  # turns differ
        while heads:
            _, rest, waiter = heappop(heads)
            obstacle = self.obstacle(entries[waiter.pending.run.job])
            if obstacle is Reason.CROWD:
                return
            if obstacle is None:
                yield waiter.pending
                if (following := next(rest, None)) is not None:
                    heappush(heads, (following.ticket, rest, following))

    def ticket_of(self, job: str) -> int | None:
        """Return the turn of the job's first run in line; None if there is none."""
        return next((each.ticket for each in self._waiters(job)), None)

    def of(self, job: str) -> list[Pending]:
        """Return what waits for a place for this job, in order."""
        return [each.pending for each in self._waiters(job)]

    def _waiters(self, job: str) -> list[Waiter]:
        return [each for each in self._jobs.get(job, ()) if each.pending not in self._dropped]

    def all(self) -> list[Waiter]:
        """Return everyone who waits, in the order of their turns."""
        waiters = [waiter for line in self._lines.values() for waiter in line]
        return sorted(waiters, key=lambda waiter: waiter.ticket)

    def unknown_jobs(self, jobs: Mapping[str, object]) -> Iterable[str]:
        """Return the jobs that wait here and are none of these."""
        return [job for job in self._jobs if job not in jobs]

    def has_later(self, run: Run) -> bool:
        """Say whether a later run of the same job waits here that takes its place."""
        return any(takes_place(each, run) for each in self.of(run.job))

    def remove(self, pending: Pending) -> None:
        """Forget one of them."""
        some = self._jobs[pending.run.job]
        waiter = next(each for each in some if each.pending == pending)
        some.remove(waiter)
        if not some:
            del self._jobs[pending.run.job]
        line = self._lines[waiter.pool]
        line.remove(waiter)
        if not line:
            del self._lines[waiter.pool]

    def clear(self) -> None:
        """Forget everyone; the journal does not."""
        self._lines.clear()
        self._jobs.clear()

    def _add(self, waiter: Waiter) -> None:
        line = self._lines.setdefault(waiter.pool, deque())
        if line and line[-1].ticket > waiter.ticket:  # it came in another's place
            self._lines[waiter.pool] = deque(sorted((*line, waiter), key=lambda each: each.ticket))
        else:
            line.append(waiter)
        self._jobs.setdefault(waiter.pending.run.job, []).append(waiter)
