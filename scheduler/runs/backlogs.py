"""The backlogs of all jobs: what each still has to run, one instant after the other.

The backlogs themselves are in the table; `Backlogs` owns when the next of each may be drawn.
Whoever decides about runs calls it, inside a commit. Invariant: the table has what the journal has.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.entry import Catchup, Entry, Overlap, Reboot
from scheduler.run import Reason
from scheduler.schedule import backlog as rules
from scheduler.schedule import counting, days
from scheduler.schedule.catchup import LeftOut, mode
from scheduler.schedule.misfire import earliest, own_start
from scheduler.schedule.tick import borders
from scheduler.schedule.timetable import Timetable
from scheduler.schedule.zone_data import named_or_utc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from scheduler.runs.live_run import LiveRun
    from scheduler.runs.transaction import Transaction
    from scheduler.schedule.backlog import Backlog
    from scheduler.schedule.catchup import Instants

_INSTANT = timedelta.resolution
_NO_WAIT = datetime.min.replace(tzinfo=UTC)


class Backlogs:
    """See the module; a job has one backlog or none."""

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction
        self._table = transaction.table
        self._jobs = transaction.table.backlogs
        self._waits: dict[str, datetime] = {}
        self._entries: Mapping[str, Entry] = {}
        self._instants: Instants = Timetable((), {})

    def __contains__(self, job: str) -> bool:
        return job in self._jobs

    def __len__(self) -> int:
        return len(self._jobs)

    def of(self, job: str) -> Backlog | None:
        """Return a job's backlog; None if it has none."""
        return self._jobs.get(job)

    def all(self) -> Collection[Backlog]:
        """Return all of them, in no order."""
        return self._jobs.values()

    def wait_of(self, job: str) -> datetime:
        """Return before when the next of a job may not be drawn."""
        return self._waits.get(job, _NO_WAIT)

    # --- what a new instant waits behind ---------------------------------------------------------

    def is_behind(
        self, entry: Entry, instant: datetime, now: datetime, *, late: bool, catching_up: bool
    ) -> bool:
        """Say whether a new instant of an entry has to wait, unclaimed, behind others of its job.

        `catching_up` says that its job runs what came too late.
        """
        backlog, is_alone = self.of(entry.job), entry.settings.overlap is Overlap.ALLOW
        is_busy = self._table.is_under_way(entry.job)
        if own_start(entry, instant) > now and not catching_up:
            return False  # it waits for its own time, behind those before it
        if backlog is not None:
            return late or catching_up or is_alone or not is_busy
        if is_busy and not is_alone and (late or catching_up):
            return True
        return any(
            not each.is_retry and _is_before(each, instant, now, late=late)
            for each in self._table.timed(entry.job)
        )

    def add(self, entry: Entry, instant: datetime, *, late: bool) -> None:
        """Let a new instant wait behind the others; a `late` one delays those behind it."""
        self.put(rules.behind(self.of(entry.job), entry, instant, late=late))

    def make_up(self, entry: Entry, backlog: Backlog, first: datetime) -> None:
        """Let missed instants be made up for, the oldest not before `first`."""
        counted = self._counted(entry, backlog)
        self.put(counted)
        self.wait(entry.job, first)
        self._transaction.catches_up(entry, counted)

    # --- what changes ----------------------------------------------------------------------------

    def use(self, entries: Mapping[str, Entry], instants: Instants) -> None:
        """Go by these entries and their instants from now on."""
        self._entries = entries
        self._instants = instants

    def put(self, backlog: Backlog) -> None:
        """Let this be the backlog of its job."""
        self._transaction.set_backlog(backlog)
        self._transaction.assign_item(self._jobs, backlog.job, backlog)

    def _counted(self, entry: Entry, backlog: Backlog) -> Backlog:
        """Return it without those that have a row already, from a time that it was built on."""
        known = self._number(LeftOut(entry, backlog.next, backlog.last, Reason.MISSED))
        return replace(backlog, left=max(1, known))

    def end(self, job: str) -> None:
        """Let a job have no backlog."""
        self._transaction.end_backlog(job)
        self._transaction.assign_item(self._jobs, job, None)
        self._transaction.assign_item(self._waits, job, None)

    def wait(self, job: str, until: datetime) -> None:
        """Let nothing of a job be drawn before a time."""
        self._transaction.assign_item(self._waits, job, until)

    def drop(self, job: str, reason: Reason) -> None:
        """Record what is left of a job's instants as not run, in one row."""
        backlog = self.of(job)
        if backlog is not None:
            self.leave_out(LeftOut(self._entry_of(backlog), backlog.next, backlog.last, reason))
            self.end(job)

    def drop_until(self, backlog: Backlog, instant: datetime | None, reason: Reason) -> None:
        """Record its instants before this one as not run; None is after all of them."""
        if instant is None or instant > backlog.last:
            self.drop(backlog.job, reason)
            return
        entry = self._entries[backlog.job]
        last = self._instants.last_instant(entry, instant) or backlog.next
        left_out = LeftOut(entry, backlog.next, last, reason)
        gone = self._number(left_out)
        self.leave_out(left_out)
        self._go_on(backlog, instant, gone=gone)

    def advance(self, backlog: Backlog, *, gone: int) -> None:
        """Let the next one of a backlog be the one after it; `gone` is 0 if it had a row before."""
        entry = self._entries[backlog.job]
        self._go_on(backlog, self._instants.next_instant(entry, backlog.next), gone=gone)

    def _go_on(self, backlog: Backlog, instant: datetime | None, *, gone: int) -> None:
        rest = rules.from_instant(backlog, instant, gone=gone)
        if rest is None:
            self.end(backlog.job)
        else:
            self.put(rest)

    def set_back(self, since: datetime | None) -> None:
        """See to what waits when the clock is set back; what is of `since` or later comes again."""
        for job, backlog in list(self._jobs.items()):
            self._transaction.assign_item(self._waits, job, None)
            if since is not None and backlog.last >= since:
                self._cut(backlog, since)

    def _cut(self, backlog: Backlog, since: datetime) -> None:
        """Leave of a backlog what is before a minute; the rest of it comes again."""
        entry = self._entries[backlog.job]
        last = self._instants.last_instant(entry, since)
        if last is None or last < backlog.next:
            self.drop(backlog.job, Reason.SET_BACK)
            return
        first = self._instants.next_instant(entry, last) or backlog.last
        self.leave_out(LeftOut(entry, first, backlog.last, Reason.SET_BACK))
        kept = self._number(LeftOut(entry, backlog.next, last, Reason.SET_BACK))
        self.put(rules.until(backlog, last, max(1, kept)))

    def _number(self, left_out: LeftOut) -> int:
        """Return how many of these instants have no row."""
        parts = list(self._by_era(left_out))
        all_of_them = sum(counting.number(each.entry, each.first, each.last) for each in parts)
        return all_of_them - sum(self._taken(each) for each in parts)

    def _taken(self, left_out: LeftOut) -> int:
        """Return how many of these instants have a row, or are in one that stands for several."""
        entry, first, last = left_out.entry, left_out.first, left_out.last
        return sum(
            self._number_in(entry, max(begins, first), min(ends, last), is_one=begins == ends)
            for begins, ends in self._transaction.taken(left_out)
        )

    def _number_in(self, entry: Entry, first: datetime, last: datetime, *, is_one: bool) -> int:
        """Return how many of an entry's instants a row stands for; none if they are excluded."""
        if is_one and not days.is_excluded_at(entry, first):
            return 1
        return counting.number(entry, first, last)

    def leave_out(self, left_out: LeftOut) -> None:
        """Journal instants that are not run; those that have a row already keep it.

        Each era of the clock has a row of its own.
        """
        for part in self._by_era(left_out):
            self._leave_out(part)

    def _by_era(self, left_out: LeftOut) -> Iterator[LeftOut]:
        entry, rest = left_out.entry, left_out
        for since in borders(self._table.eras):
            before = self._instants.last_instant(entry, since)
            following = self._instants.next_instant(entry, since - _INSTANT)
            if rest.first < since <= rest.last and before is not None and following is not None:
                yield replace(rest, last=before)
                rest = replace(rest, first=following)
        yield rest

    def _leave_out(self, left_out: LeftOut) -> None:
        entry, last = left_out.entry, left_out.last
        first: datetime | None = left_out.first
        for begins, ends in self._transaction.taken(left_out):
            before = self._instants.last_instant(entry, begins)
            if first is not None and before is not None and first <= before:
                self._transaction.skip(replace(left_out, first=first, last=before))
            first = self._instants.next_instant(entry, ends)
        if first is not None and first <= last:
            self._transaction.skip(replace(left_out, first=first))

    # --- which jobs there are --------------------------------------------------------------------

    def recover(self, found: Iterable[Backlog]) -> None:
        """Go on with what an earlier daemon left, as far as its lines are still there."""
        for backlog in found:
            self._transaction.assign_item(self._jobs, backlog.job, backlog)
            if self._is_outdated(backlog, self._entries):
                self.drop(backlog.job, Reason.REMOVED)

    def drop_removed(self, entries: Mapping[str, Entry]) -> None:
        """Record what is left of jobs that are none of these, or have another schedule now."""
        for job, backlog in list(self._jobs.items()):
            if self._is_outdated(backlog, entries):
                self.drop(job, Reason.REMOVED)

    def clear(self) -> None:
        """Forget all of them; the journal does not."""
        self._jobs.clear()
        self._waits.clear()

    def _is_outdated(self, backlog: Backlog, entries: Mapping[str, Entry]) -> bool:
        entry = entries.get(backlog.job)
        return entry is None or not backlog.is_of(entry)

    def _entry_of(self, backlog: Backlog) -> Entry:
        """Return the entry whose instants they are, or one that stands for it."""
        entry = self._entries.get(backlog.job)
        if entry is not None and backlog.is_of(entry):
            return entry
        return Entry(backlog.job, Reboot(), backlog.schedule, named_or_utc(backlog.zone), "")


def _is_before(waits: LiveRun, instant: datetime, now: datetime, *, late: bool) -> bool:
    """Say whether a claimed run that waits for its time has to begin before a new instant.

    One that is put off to hours to come has only if all missed instants are wanted.
    """
    if earliest(waits.entry, waits.run) is None or waits.run.instant >= instant:
        return False
    if waits.made_up:
        return mode(waits.entry) is Catchup.ALL
    return late or waits.due <= now
