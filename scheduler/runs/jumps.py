"""What a jump of the clock makes of runs: time that went by unseen, and time that comes again.

`Jumps` owns nothing; the runs and the eras are the table's. The ticker calls it when it knows how
time moved. Invariant: a jump and all that it makes of runs are one commit.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.run import Reason
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule import catchup
from scheduler.schedule.misfire import earliest, own_start
from scheduler.schedule.tick import MINUTE, JumpKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduler.runs.backlogs import Backlogs
    from scheduler.runs.launcher import Launcher
    from scheduler.runs.replacement import Replacement
    from scheduler.runs.transaction import Transaction
    from scheduler.runs.waiting import Waiting
    from scheduler.schedule.catchup import MadeUp, OutageAccount
    from scheduler.schedule.tick import Era, Jump
    from scheduler.system.clock import Clock

_EVER = datetime.min.replace(tzinfo=UTC)


class Jumps:
    """See the module."""

    def __init__(
        self,
        clock: Clock,
        transaction: Transaction,
        backlogs: Backlogs,
        replacement: Replacement,
        waiting: Waiting,
        launcher: Launcher,
    ) -> None:
        self._clock = clock
        self._transaction = transaction
        self._table = transaction.table
        self._backlogs = backlogs
        self._replacement = replacement
        self._waiting = waiting
        self._launcher = launcher

    @property
    def eras(self) -> Sequence[Era]:
        """The eras of the clock that have begun, in order; the first of all is not one of them."""
        return self._table.eras

    @property
    def era(self) -> int:
        """The number of the present era."""
        return self._transaction.era

    # --- time that went by unseen ----------------------------------------------------------------

    def account(
        self,
        jumps: Iterable[Jump],
        accounts: Sequence[OutageAccount],
        now: datetime,
        handled: datetime,
    ) -> None:
        """Put on disk what becomes of the instants that were missed, up to the minute `handled`."""
        starts = {each.entry.job: each for each in catchup.starts(accounts, now)}
        made_up = sum(each.backlog.left if each.backlog else len(each.made_up) for each in accounts)
        left_out = sum(map(_leaves_out, accounts))
        with self._transaction.commit():
            for n, jump in enumerate(sorted(jumps, key=_size)):
                counts = {} if n else {"made_up": made_up, "left_out": left_out}
                self._transaction.jumped(jump, **counts)
            self._waiting.space(now)
            for each in accounts:
                self._settle(each, starts.get(each.entry.job))
            self._transaction.handled(handled)

    def _settle(self, account: OutageAccount, start: MadeUp | None) -> None:
        """Put on disk what an outage makes of an entry's instants, a backlog's before it included.

        `start` is when the one that is made up for starts, or the first of a backlog.
        """
        if account.entry.job in self._table.backlogs:
            self._backlogs.end(account.entry.job)
        for left_out in filter(None, (account.left_out, account.beyond)):
            self._backlogs.leave_out(left_out)
        if account.backlog is not None:
            first = account.backlog.next if start is None else start.start
            self._backlogs.make_up(account.entry, account.backlog, first)
        elif start is not None and account.made_up:
            self._make_up(start)

    def _make_up(self, missed: MadeUp) -> None:
        """Claim a run for an instant that was missed; its start is on disk."""
        entry, instant = missed.entry, missed.instant
        if run := self._transaction.claim(entry, instant, owed=True):
            is_late = missed.start > own_start(entry, instant)
            live = LiveRun(run, entry, Phase.WAIT_TIME, missed.start, made_up=is_late)
            self._transaction.put_off(live)

    # --- time that comes again -------------------------------------------------------------------

    def jumped(self, jumps: Sequence[Jump], era: Era | None = None) -> None:
        """Put jumps on disk; what waits moves with a clock that was set back.

        `era` is the one that begins with that, None if none does.
        """
        back = sum(jump.seconds for jump in jumps if jump.kind is JumpKind.BACK)
        now, since = self._clock.now(), None if era is None else era.since
        with self._transaction.commit():
            for jump in jumps:
                self._transaction.jumped(jump)
            if back or since is not None:
                self._set_back(timedelta(seconds=back), since, now)
            else:
                self._waiting.space(now)
            if era is not None:
                self._transaction.begin_era(era)
                self._transaction.handled(era.since - MINUTE)

    def _set_back(self, by: timedelta, since: datetime | None, now: datetime) -> None:
        """Let what was to start wait for its time, `now` that the clock is set back `by` so much.

        What is of the minutes from `since` on comes again, and is closed; None if none is.
        """
        for live in self._table.waiting():
            if since is not None and _is_since(live, since):
                self._transaction.close(live, Reason.SET_BACK)
        for live in self._table.all_timed():  # elapsed time counts
            due = max(live.due + by, _earliest_start(live))
            self._transaction.wait(replace(live, due=due, reason=None))
        self._backlogs.set_back(since)
        for live in self._table.starting():
            own = earliest(live.entry, live.run)
            if own is not None and own > now:
                self._take_back(live, own, now, comes_again=since is not None and own >= since)

    def _take_back(self, live: LiveRun, own: datetime, now: datetime, *, comes_again: bool) -> None:
        """Let an attempt that was just to start wait for its own time, unless that comes again."""
        if comes_again:
            self._replacement.cancel(live, Reason.SET_BACK)
            return
        self._transaction.effect(self._launcher.forget, live.run.number)
        waits = replace(live, made_up=False, late=False)
        if live.is_retry:
            waits = replace(waits, first_start=live.first_start or now, ended=now)
        self._transaction.requeue(waits, own)


def _leaves_out(account: OutageAccount) -> bool:
    """Say whether instants are left out that would have run at their time."""
    reasons = {each.reason for each in (account.left_out, account.beyond) if each is not None}
    return bool(reasons - {Reason.EXCLUDED})


def _is_since(live: LiveRun, since: datetime) -> bool:
    own = earliest(live.entry, live.run)
    return own is not None and own >= since


def _earliest_start(live: LiveRun) -> datetime:
    """Return before when what waits may not start."""
    own = earliest(live.entry, live.run)
    if own is None:
        return _EVER
    return own if live.is_retry else own_start(live.entry, own)


def _size(jump: Jump) -> float:
    """Return what puts the largest jump first."""
    return -abs(jump.seconds)
