"""Who may start: due entries in; claimed runs out that start, wait, or never start.

The way of one due entry, from the top down: `plan` claims it before its minute if nothing is in its
way; else `admit_deferred` claims it when the minute comes, `place` decides what it may do beside
what its job has going (see `overlap`), and `begin` gives it a slot. What is claimed and has one,
the launcher starts.

`Admission` owns the entries in force, those of the coming minute that it has deferred, and which
jobs run behind time; the runs are the table's. The loop's verbs and requests by hand call it,
inside a commit. Invariant: of a job whose runs may not overlap no run starts while another goes on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

from scheduler.entry import Catchup, Entry, Overlap
from scheduler.run import Reason
from scheduler.runs import overlap
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.schedule import days
from scheduler.schedule.catchup import mode
from scheduler.schedule.misfire import earliest, is_too_late, own_start
from scheduler.schedule.tick import MINUTE
from scheduler.schedule.timetable import Timetable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from scheduler.runs.backlogs import Backlogs
    from scheduler.runs.launcher import Launcher
    from scheduler.runs.pauses import Pauses
    from scheduler.runs.replacement import Replacement
    from scheduler.runs.slots import Slots
    from scheduler.runs.transaction import Transaction
    from scheduler.schedule.catchup import Instants


class Admission:
    """See the module."""

    def __init__(
        self,
        transaction: Transaction,
        slots: Slots,
        backlogs: Backlogs,
        pauses: Pauses,
        replacement: Replacement,
        launcher: Launcher,
    ) -> None:
        self._transaction = transaction
        self._table = transaction.table
        self._slots = slots
        self.backlogs = backlogs
        self.pauses = pauses
        self._replacement = replacement
        self._launcher = launcher
        self._deferred: list[Entry] = []  # due in the coming minute, which looks at them itself
        self._excluded: list[Entry] = []  # that would be due in it, were it another day
        self._behind: set[str] = set()  # jobs whose newest start made up for a missed instant
        self.instants: Instants = Timetable((), {})
        self.entries: Mapping[str, Entry] = {}

    def use(self, entries: Mapping[str, Entry], instants: Instants) -> None:
        """Go by these entries and their instants; who waits in line keeps its ticket."""
        self.entries = entries
        self.instants = instants
        self._slots.use(entries)
        for live in self._table.waiting():
            self._table.put(replace(live, entry=entries.get(live.job, live.entry)))
        self.backlogs.use(entries, instants)

    def still_needed(self, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return the entries that are none of these any more, and of whose jobs something waits."""
        gone = {*self._table.jobs(), *self._table.backlogs} - entries.keys()
        return {job: self.entries[job] for job in gone if job in self.entries}

    def close_removed(self, entries: Mapping[str, Entry]) -> None:
        """Close what waits for a job that is none of these."""
        for job in self._table.jobs():
            if job not in entries:
                for live in self._table.waiting_of(job):
                    self._transaction.close(live, Reason.REMOVED)
        self.backlogs.drop_removed(entries)

    # --- before its minute -----------------------------------------------------------------------

    def plan(
        self,
        entries: Iterable[Entry],
        instant: datetime,
        *,
        excluded: Sequence[Entry] = (),
        late: bool,
    ) -> None:
        """Claim what is due at `instant`, and defer the others.

        Those are the entries that something keeps from a start, those that start later than their
        instant, and all of a minute that is `late`. What is `excluded` goes by in its minute.
        """
        deferred: list[Entry] = []
        for entry in entries:
            if late or entry.delay or not self._is_free(entry, instant):
                deferred.append(entry)
            elif run := self._transaction.claim(entry, instant):
                live = LiveRun(run, entry, Phase.PLANNED, instant)
                self._transaction.claim_attempt(live)
        self._transaction.assign(self, "_deferred", deferred)
        self._transaction.assign(self, "_excluded", excluded)

    def _is_free(self, entry: Entry, instant: datetime) -> bool:
        """Say whether nothing can keep an entry that is due from its start."""
        return self._table.is_clear(entry.job, instant) and not self._slots.obstacle(entry)

    def has_plan(self) -> bool:
        """Say whether anything is claimed, deferred or excluded for the coming minute."""
        return bool(self._deferred or self._excluded) or self._table.has_planned()

    def unplan(self) -> None:
        """Take back everything: the minute is owed again.

        What is excluded from it stays: it is of that minute, however it comes to be handled.
        """
        for live in self._table.planned():
            self._release(live)
        self._transaction.assign(self, "_deferred", [])

    def unplan_job(self, job: str) -> None:
        """Take back what is claimed of a job: the minute itself sees what becomes of it."""
        taken = [live for live in self._table.of(job) if live.phase is Phase.PLANNED]
        for live in taken:
            self._release(live)
        entries = [*self._deferred, *(live.entry for live in taken)]
        self._transaction.assign(self, "_deferred", entries)

    def _release(self, live: LiveRun) -> None:
        self._transaction.release(live.run)
        self._transaction.effect(self._launcher.forget, live.run.number)

    # --- in its minute ---------------------------------------------------------------------------

    def admit_deferred(self, instant: datetime, now: datetime, *, late: bool) -> None:
        """Admit what was deferred until its minute came."""
        for entry in self._deferred:
            self._admit(entry, instant, now, late=late)
        for entry in self._excluded:
            before = self._excluded_before(entry, instant)
            self._transaction.let_by(entry, instant, before, Reason.EXCLUDED)
        self._transaction.assign(self, "_deferred", [])
        self._transaction.assign(self, "_excluded", [])

    def _excluded_before(self, entry: Entry, instant: datetime) -> datetime | None:
        """Return the instant before an excluded one, if its day excluded that as well."""
        other = days.left_out(entry)
        before = None if other is None else self.instants.last_instant(other, instant)
        return before if before == self.instants.last_instant(days.plain(entry), instant) else None

    def _admit(self, entry: Entry, instant: datetime, now: datetime, *, late: bool) -> None:
        """Claim a due entry, and let it start: at once, after its delay, or beside other runs."""
        is_clear = self._table.is_clear(entry.job, instant)
        if not is_clear and self._goes_by(entry, instant, now, late=late):
            return
        if run := self._transaction.claim(entry, instant):
            due = own_start(entry, instant)
            self._enter(LiveRun(run, entry, Phase.WAIT_TIME, due, late=late), now)

    def _goes_by(self, entry: Entry, instant: datetime, now: datetime, *, late: bool) -> bool:
        """Let an instant go by without a claim if its job is paused, or has a backlog before it."""
        if self.pauses.at(entry.job, instant):
            before = self.instants.last_instant(entry, instant)
            self._transaction.let_by(entry, instant, before, Reason.PAUSED)
            return True
        catching_up = self.is_catching_up(entry)
        is_behind = self.backlogs.is_behind(entry, instant, now, late=late, catching_up=catching_up)
        if is_behind:
            self.backlogs.add(entry, instant, late=late)
        return is_behind

    def admit_at_boot(self, entry: Entry, instant: datetime, now: datetime) -> None:
        """Admit an @reboot entry; two boots in one minute are two runs."""
        if self.pauses.at(entry.job, now):
            self._transaction.let_by(entry, instant, None, Reason.PAUSED)
            return
        if not days.is_open_at(entry, now):
            if days.is_excluded_at(entry, now):
                self._transaction.let_by(entry, instant, None, Reason.EXCLUDED)
            return
        run = self._transaction.claim(entry, instant)
        while run is None:
            instant += MINUTE
            run = self._transaction.claim(entry, instant)
        self._enter(LiveRun(run, entry, Phase.WAIT_TIME, own_start(entry, now)), now)

    def _enter(self, start: LiveRun, now: datetime) -> None:
        if start.entry.delay and start.due > now:
            self._replacement.supersede(start)
            self._transaction.put_off(start)
        else:
            self.place(start, now)

    # --- beside other runs of its job ------------------------------------------------------------

    def place(self, start: LiveRun, now: datetime) -> bool:
        """Admit a claimed run beside what its job still has going: see `overlap`.

        Returns whether it begins, or waits for nothing but a slot.
        """
        entry, job = start.entry, start.job
        verdict = overlap.decide(
            entry.settings.overlap,
            too_late=_is_too_late(start, now),
            busy=self._is_busy(start),
            late=not entry.stamp and (start.delays_others or now - start.due >= MINUTE),
            catching_up=self.is_catching_up(entry),
            queued=bool(self._table.queued(job)) or job in self._table.backlogs,
            planned=self._table.plans(job),
        )
        match verdict:
            case overlap.Start():
                self.begin(start)
            case overlap.Skip(reason):
                self._transaction.close(start, reason)
            case overlap.Queue():
                self._replacement.supersede(start)
                self._transaction.wait_for_run(start)
            case overlap.Replace():
                self._replace(start)
            case _:
                assert_never(verdict)
        return isinstance(verdict, overlap.Start)

    def _replace(self, start: LiveRun) -> None:
        """Let a run take the place of what goes on or waits: in line, with its ticket."""
        self._replacement.supersede(start)
        has_process, ticket = self._replacement.make_room(start)
        if has_process:
            self._transaction.wait_for_run(start)
        else:
            self.begin(start, ticket)

    def _is_busy(self, start: LiveRun) -> bool:
        """Say whether a run of the job goes on beside this one: one that gives way does not."""
        job = start.job
        if self._table.is_running(job):
            return True
        if any(not self._replacement.gives_way(each, start) for each in self._table.in_line(job)):
            return True
        backlog = self._table.backlogs.get(job)
        is_behind = backlog is not None and backlog.next < start.run.instant
        return is_behind and earliest(start.entry, start.run) is not None

    def is_catching_up(self, entry: Entry) -> bool:
        """Say whether what comes in time waits, since the job runs what came too late.

        With `replace` it takes the place of a single run that is late; it never does where all
        missed instants are wanted.
        """
        if entry.stamp:  # one run of such a job makes up for all that it missed
            return False
        job, backlog = entry.job, self._table.backlogs.get(entry.job)
        if backlog is not None and backlog.delays_others:
            return True
        if mode(entry) is not Catchup.ALL and entry.settings.overlap is Overlap.REPLACE:
            return False
        before = self._table.queued(job)
        if mode(entry) is not Catchup.LATEST:
            before += self._table.in_line(job)
        return job in self._behind or any(each.delays_others for each in before)

    def note_late(self, job: str) -> None:
        """Remember that the run that goes on should have run long before."""
        self._behind.add(job)

    # --- with a slot -----------------------------------------------------------------------------

    def begin(self, start: LiveRun, ticket: int | None = None) -> None:
        """Begin a run, in the place of what it overtakes, or let it wait for a slot."""
        if self._table.of(start.job):  # of most jobs nothing is there that could give way
            self._replacement.supersede(start)
        if reason := self._slots.obstacle(start.entry):
            self._transaction.wait_for_slot(start, reason, ticket)
        elif self._transaction.claim_attempt(start):
            change = self._behind.add if start.delays_others else self._behind.discard
            self._transaction.effect(change, start.job)

    def begin_retry(self, live: LiveRun) -> None:
        """Begin a run's next attempt, or let it wait for a slot."""
        if reason := self._slots.obstacle(live.entry):
            self._transaction.wait_for_slot(live, reason)
        else:
            self._transaction.claim_attempt(live)


def _is_too_late(start: LiveRun, now: datetime) -> bool:
    """Say whether CRON_WITHIN is over, counted from its own time when it was claimed."""
    own = own_start(start.entry, start.run.instant) if start.made_up else start.due
    return is_too_late(start.entry, own, now, made_up=start.made_up)
