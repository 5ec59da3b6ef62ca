"""The table of live runs against the journal: the same after every commit, or the test fails."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scheduler.run import Reason
from scheduler.runs.live_run import Phase

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from frail_journal import FrailJournal

    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.table import RunTable


def told(table: RunTable, unknown: Collection[int]) -> tuple[object, ...]:
    """What a table of runs tells that a journal has to tell, too: see RunTable.

    The last minute is no part of it: an idle one that is refused after its commit is done again.
    Nor is the first start of the runs of which it is `unknown`: starts are journalled after the
    burst, and that of a process that nobody names never is.
    """
    runs = {
        live.run.number: (
            live.run,
            live.attempt,
            _does(live),
            None if live.run.number in unknown else live.first_start,
        )
        for live in table.all()
    }
    return runs, table.backlogs, table.paused, table.eras


def _does(live: LiveRun) -> tuple[object, ...]:
    if live.is_waiting:
        return live.reason, live.due, live.made_up and not live.is_retry, live.ended
    return ("is being ended" if live.phase is Phase.STOPPING else "has begun",)


def is_told_by_reason(live: LiveRun, now: datetime) -> bool:
    """Whether what a run waits for, which the table knows by its phase, is what its reason says.

    What an earlier daemon left waiting keeps its reason until its turn comes, at once.
    """
    match live.phase:
        case Phase.WAIT_RUN:
            return live.reason is Reason.OVERLAP
        case Phase.WAIT_SLOT:
            return live.reason in (Reason.POOL, Reason.CROWD)
        case Phase.WAIT_TIME:
            return live.reason is None or live.due <= now
        case _:
            return live.reason is None


class TableCheck:
    """After every commit of these runs, held or refused, they are as the journal tells."""

    def __init__(self, runs: Runs, journal: FrailJournal) -> None:
        self._runs, self._journal = runs, journal
        self._is_recovered = False
        self._plain_recover, self._plain_commit = runs.recover, runs._transaction.commit
        runs.recover = self._recover  # type: ignore[method-assign]  # wrapped
        runs._transaction.commit = self._commit  # type: ignore[method-assign]  # wrapped

    def _recover(self) -> None:
        self._plain_recover()
        self._is_recovered = True
        self._check()

    @contextmanager
    def _commit(self, *, synced: bool = True) -> Iterator[None]:
        try:
            with self._plain_commit(synced=synced):
                yield
        finally:
            self._check()

    def _check(self) -> None:
        if self._is_recovered and not self._runs._is_stopping:  # then nothing waits in memory
            table, now = self._runs.table, self._runs._clock.now()
            unknown = self._journal.unstarted()
            assert told(table, unknown) == told(self._journal.live(now), unknown)
            assert [live for live in table.all() if not is_told_by_reason(live, now)] == []
