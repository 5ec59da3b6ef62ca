"""Who may have a slot: at most so many runs at once, and in each pool as many as it has slots.

`Slots` owns the limits alone; who uses a slot and who waits in which line is in the table.
`Admission` asks it for an obstacle, `Waiting` for whose turn it is. Invariant: a line moves in the
order in which its runs came. One line for all would let a full pool delay everybody, so each pool
has its own, and of their heads the one that came first goes first.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from scheduler.run import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scheduler.entry import Entry
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.table import RunTable


class Slots:
    """At most `most` runs at once (None: any number), and in each pool as many as it holds."""

    def __init__(self, table: RunTable, most: int | None) -> None:
        self.most = most
        self._table = table
        self._limits: Mapping[str, int] = {}

    def use(self, entries: Mapping[str, Entry]) -> None:
        """Go by the pools of these entries: a pool holds the least that any of them says, or 1."""
        chosen = {id(entry.settings): entry.settings.pool for entry in entries.values()}
        limits: dict[str, int] = {}
        for pool in filter(None, chosen.values()):
            if pool.limit is not None:
                limits[pool.name] = min(pool.limit, limits.get(pool.name, pool.limit))
        self._limits = limits

    def obstacle(self, entry: Entry) -> Reason | None:
        """Return what keeps a run of this entry from having a slot now; None if nothing does."""
        if self.most is not None and self._table.begun() >= self.most:
            return Reason.CROWD
        pool = entry.settings.pool
        if pool is not None and self._table.begun_in(pool.name) >= self._limits.get(pool.name, 1):
            return Reason.POOL
        return None

    def admissible(self) -> Iterator[LiveRun]:
        """Yield who may start now, in fair order, as long as it still waits in its line.

        What its taker does with one counts for the next one.
        """
        lines = self._table.lines()
        heads = [(line[0].ticket, iter(line[1:]), line[0]) for line in lines]
        heapify(heads)  # tickets differ
        while heads:
            _, rest, live = heappop(heads)
            if self._table.get(live.run.number) is live:
                obstacle = self.obstacle(live.entry)
                if obstacle is Reason.CROWD:
                    return
                if obstacle is not None:
                    continue  # and so it is for those behind it
                yield live
            if (following := next(rest, None)) is not None:
                heappush(heads, (following.ticket, rest, following))
