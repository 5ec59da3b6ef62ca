"""What wants to run: a due entry, a missed instant, a boot, an order in; claimed runs out.

Everything here is called inside a transaction, and changes after it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scheduler.journal.rows import SECOND
from scheduler.runs.backfill import Backfill
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule.misfire import own_start
from scheduler.schedule.tick import MINUTE

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.entry import Entry
    from scheduler.run import Run
    from scheduler.runs.pauses import Pauses
    from scheduler.runs.placement import Placement
    from scheduler.runs.transaction import Transaction
    from scheduler.schedule.catchup import Account, MadeUp


class Admission:
    """Claims a run for whatever asks for one, and hands it on to be placed."""

    def __init__(self, transaction: Transaction, placement: Placement, pauses: Pauses) -> None:
        self._transaction = transaction
        self._placement = placement
        self._pauses = pauses
        self.backfill = Backfill(transaction, placement)

    def admit(self, entry: Entry, instant: datetime, now: datetime, *, late: bool) -> None:
        """Let a due entry in: at once, after its delay, or beside what its job has going."""
        if self._pauses.at(entry.job, instant):
            before = self._placement.instants.last_instant(entry, instant)
            self._transaction.skip_paused(entry, instant, before)
            return
        if self.backfill.takes(entry, instant, now, late=late):
            self.backfill.add(entry, instant, late=late)
        elif run := self._transaction.claim(entry, instant):
            self._enter(_claimed(run, entry, own_start(entry, instant), late=late), now)

    def admit_at_boot(self, entry: Entry, instant: datetime, now: datetime) -> None:
        """Let an @reboot entry in; two boots in one minute are two runs."""
        if self._pauses.at(entry.job, now):
            self._transaction.skip_paused(entry, instant, None)
            return
        run = self._transaction.claim(entry, instant)
        while run is None:
            instant += MINUTE
            run = self._transaction.claim(entry, instant)
        self._enter(_claimed(run, entry, own_start(entry, now)), now)

    def admit_by_hand(self, entry: Entry, now: datetime) -> Run:
        """Let a run in that its user asked for, now; its instant is the first second not taken."""
        second, run = now.replace(microsecond=0), None
        self._placement.supersede_retries(entry)
        while run is None:
            if second.second:  # a whole minute is the schedule's, now or when a clock is set back
                run = self._transaction.claim_by_hand(entry, second)
            second += SECOND
        self._placement.place(_claimed(run, entry, now), now)
        return run

    def again(self, live: LiveRun, now: datetime) -> None:
        """Begin a run's next attempt at once, because its user asked for it."""
        self._transaction.drop(live.run.number)
        if live.is_retry:
            self._placement.begin_retry(replace(live, due=now))
        else:
            self._placement.place(replace(live, due=now, made_up=False, late=False), now)

    def _enter(self, start: LiveRun, now: datetime) -> None:
        if start.entry.delay and start.due > now:
            self._placement.supersede(start)
            self._transaction.put_off(start)
        else:
            self._placement.place(start, now)

    def settle(self, account: Account, start: MadeUp | None) -> None:
        """Put on disk what a gap makes of an entry's instants, a backlog's before it included.

        `start` is when the one that is made up for starts, or the first of a backlog.
        """
        backlogs = self._placement.backlogs
        if account.entry.job in backlogs:
            backlogs.end(account.entry.job)
        for left_out in filter(None, (account.left_out, account.beyond)):
            backlogs.leave_out(left_out)
        if account.backlog is not None:
            first = account.backlog.next if start is None else start.start
            self.backfill.make_up(account.entry, account.backlog, first)
        elif start is not None and account.made_up:
            self._make_up(start)

    def _make_up(self, missed: MadeUp) -> None:
        """Claim a run for an instant that was missed; its start is on disk."""
        entry, instant = missed.entry, missed.instant
        if run := self._transaction.claim(entry, instant, owed=True):
            is_late = missed.start > own_start(entry, instant)
            live = LiveRun(run, entry, Phase.WAIT_TIME, missed.start, made_up=is_late)
            self._transaction.put_off(live)


def _claimed(run: Run, entry: Entry, due: datetime, *, late: bool = False) -> LiveRun:
    return LiveRun(run, entry, Phase.WAIT_TIME, due, late=late)
