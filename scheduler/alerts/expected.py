"""CRON_EXPECT: the entries and the time in, who has been without a success for too long out.

It counts from the last success in the journal, or from when a daemon first saw the entry, whatever
the cause: failed, paused, removed from its hours, never due, no daemon. After a downtime it is told
once, as soon as a daemon runs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from scheduler.alerts import facts, policy
from scheduler.alerts.notifier import Notifier, rule_of
from scheduler.alerts.own_user import UNNAMED, OwnUser
from scheduler.alerts.policy import StayedSilent
from scheduler.run import State
from scheduler.runs.outcome_words import of_outcome
from scheduler.text import of_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.journal.rows import RunRow
    from scheduler.notice import Facts

_MOST_LOOKED_AT = 200  # jobs that one step looks at, so that no minute waits for it
_TOLERATED = timedelta(minutes=1)  # a clock set back by less makes nobody wait for long


class ExpectedSuccesses:
    """Tells of jobs that have been silent for too long.

    Owns: the entries with a CRON_EXPECT, and when each is to be looked at; a time that came too
    early costs a look. What was told is in the journal. The loop calls `look` as a step of its
    own, and asks `next_wake` when to come again. Invariant: each such entry of the crontabs in
    force has one time, and none was reckoned while the clock was wrong.
    """

    def __init__(
        self,
        journal: Journal,
        entries: Callable[[], Mapping[str, Entry]],
        own: OwnUser = UNNAMED,
    ) -> None:
        self._journal = journal
        self._own = own
        self._notifier = Notifier(journal.outbox, own)
        self._in_force = entries
        self._entries: Mapping[str, Entry] = {}
        self._times: list[tuple[datetime, str]] = []  # a heap
        self._looked = datetime.min.replace(tzinfo=UTC)  # when it did so last

    def next_wake(self, now: datetime) -> datetime | None:
        """Return when somebody may have been silent for too long; None for never."""
        if self._is_stale(now):
            return now
        return self._times[0][0] if self._times else None

    def look(self, now: datetime) -> None:
        """Tell of those that have been silent for too long by now."""
        if self._is_stale(now):
            self._renew(now)
        self._looked = now
        due: list[str] = []
        while self._times and self._times[0][0] <= now and len(due) < _MOST_LOOKED_AT:
            due.append(heappop(self._times)[1])
        if not due:
            return
        try:
            with self._journal.transaction():
                times = [(self._looked_at(self._entries[job], now), job) for job in due]
        except BaseException:
            for job in due:
                heappush(self._times, (now, job))
            raise
        for each in times:
            heappush(self._times, each)

    def _is_stale(self, now: datetime) -> bool:
        """Say whether there are other entries, or the clock was set back."""
        return self._in_force() is not self._entries or self._looked - now > _TOLERATED

    def _renew(self, now: datetime) -> None:
        """Look at each once: its CRON_EXPECT may be another, its time one of a clock's future."""
        entries = self._in_force()
        if entries is not self._entries:
            with self._journal.transaction():
                self._notifier.forget_unheard(entries)
        self._entries = entries
        self._times = [
            (now, job) for job, entry in entries.items() if entry.settings.expect is not None
        ]
        heapify(self._times)

    def _looked_at(self, entry: Entry, now: datetime) -> datetime:
        """Tell of a job if it is silent; return when to look again."""
        expect = entry.settings.expect or 0.0
        state = self._notifier.known(entry.job)
        begins = policy.silence_begins(state, expect, now)
        if begins is None or begins <= now:
            state = self._caught_up(entry, state, now)
            begins = policy.silence_begins(state, expect, now)
        if begins is not None and begins <= now and rule_of(entry).targets:
            told = self._facts(entry, now)
            state = self._notifier.happened(entry, StayedSilent(now), lambda: told)
            begins = policy.silence_begins(state, expect, now)
        if begins is None or begins <= now:
            return now + timedelta(days=1)
        return begins

    def _caught_up(self, entry: Entry, state: policy.JobAlerts, now: datetime) -> policy.JobAlerts:
        """Return what is known with what the journal knows, and without what has not come yet.

        That knows of successes in a time without this CRON_EXPECT, or with nobody to tell. A clock
        that was wrong has left times that lie in the future.
        """
        success = self._journal.queries.last_success(entry.job, now)
        successes = [min(success, now)] if success is not None else []
        if state.succeeded is not None and state.succeeded <= now:
            successes.append(state.succeeded)
        seen = now if state.seen is None else min(state.seen, now)
        known = replace(state, seen=seen, succeeded=max(successes, default=None))
        if known != state:
            self._notifier.keep(entry.job, known)
        return known

    def _facts(self, entry: Entry, now: datetime) -> Facts:
        expected = of_seconds(entry.settings.expect or 0.0)
        why = f"it should succeed every {expected}, and {self._why(entry.job, now)}"
        return replace(facts.of_entry(entry, self._own.inherited_by(entry)), reason=why)

    def _why(self, job: str, now: datetime) -> str:
        paused = (each for each in self._journal.daemon_state.pauses() if each.job == job)
        if any(each.covers(now) for each in paused):
            return "is paused"
        rows = self._journal.queries.history(job, before=now, limit=1)
        return _of_last(rows[0]) if rows else "has never run"


def _of_last(row: RunRow) -> str:
    attempt = row.attempts[-1] if row.attempts else None
    outcome = None if attempt is None or attempt.outcome is None else attempt.outcome
    match row.state:
        case State.FAILED if attempt is not None and outcome is not None:
            return f"its last run failed: {of_outcome(outcome, attempt.limit)}"
        case State.SKIPPED if row.reason is not None:
            return f"its last run never started: {row.reason.value}"
        case State.RUNNING:
            return "its last run is not over"
        case State.SUCCEEDED:
            return "has not been due since"
        case _:
            return "its last run has not succeeded"
