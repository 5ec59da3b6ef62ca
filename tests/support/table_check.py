"""The table of live runs against the journal: the same after every commit, or the test fails."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from frail_journal import FrailJournal

    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.table import RunTable


def told(table: RunTable) -> tuple[object, ...]:
    """What a table of runs tells that a journal has to tell, too.

    The last minute is no part of it: an idle one that is refused after its commit is done again.
    """
    runs: dict[int, object] = {}
    for live in table.all():
        waits = (live.reason, live.due, live.made_up and not live.is_retry)
        does = waits if live.is_waiting else "has begun"
        runs[live.run.number] = (live.run, live.attempt, does)
    return runs, table.backlogs, table.paused, table.eras


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
            assert told(self._runs.table) == told(self._journal.live(self._runs._clock.now()))
