"""The minutes, handled, planned and owed: a clock in, each planned and started once."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from scheduler.errors import JournalError
from scheduler.schedule import tick
from scheduler.schedule.catchup import Outage
from scheduler.schedule.tick import MINUTE, Era, Movement, Owed, Reading, minute_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.upcoming_log import UpcomingLog
    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.runs.lifecycle import Runs
    from scheduler.schedule.tick import Jump
    from scheduler.schedule.timetable import Timetable
    from scheduler.system.clock import Clock

# How long before a minute it is planned: time to look at the crontabs, commit the claims, and
# for each due entry to work out its start.
_LEAD = timedelta(seconds=0.25)
_LEAD_EACH = timedelta(seconds=0.0005)
_LONGEST_LEAD = timedelta(seconds=30)
_DAY = timedelta(days=1)
_IMMINENT = timedelta(seconds=0.1)  # longer than a request takes, most of the time


class Ticker:
    """The daemon's place in time: it goes from minute to minute.

    It owns which minute was handled last, which is planned, and what the clocks showed at the last
    look. The loop calls it: `plan` shortly before a minute, `tick` when it has come. Every minute
    is handled once, in order, or accounted for as missed; only a new era goes back to an earlier
    one.

    Where crontabs are not watched it goes from one minute in which something is due to the next.
    """

    def __init__(
        self,
        clock: Clock,
        journal: Journal,
        in_force: EntriesInForce,
        runs: Runs,
        upcoming_log: UpcomingLog,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._in_force = in_force
        self._runs = runs
        self._upcoming_log = upcoming_log
        self._seen: Reading | None = None  # what the clocks said at the last look
        self._last: datetime | None = None  # the last minute handled
        self._planned: datetime | None = None  # the minute that is planned and not yet there
        self._coming: list[Entry] = []  # what is due in the minute after the last
        self._looked_at: Timetable | None = None  # that of which nothing is overdue any more

    def open(self) -> None:
        """Go on where the last daemon stopped."""
        self._last = self._journal.daemon_state.last_tick()

    def begin(self) -> None:
        """Begin a new era if the clock was set back so far while there was no daemon.

        What runs because the machine has booted is of that era.
        """
        reading = self._reading()
        self._resume_era(reading)
        owed = self._owed(reading)
        if owed.since is not None:
            self._account(owed, reading)

    @property
    def last(self) -> datetime | None:
        """The last minute handled; None before the first."""
        return self._last

    def next(self) -> datetime:
        """Return the next minute to handle; where crontabs are watched, the next there is."""
        if self._last is None:
            return minute_of(self._clock.now())
        if self._in_force.watches:
            return self._last + MINUTE
        return _next_busy(self._in_force.timetable, self._last)

    def next_wake(self) -> datetime:
        """Return when to look at the time again: to plan a minute, or to start it.

        A minute in which nothing is due is handled when the one after it is planned, so that an
        idle daemon wakes up once a minute. Where crontabs are not watched nothing is planned:
        the clock is a virtual one, and no start is late.
        """
        if self._seen is None:
            return self._clock.now()
        if not self._in_force.watches:
            return self.next()
        if self._planned is None:
            return self._plan_time()
        if self._coming:
            return self._planned
        return self._planned + MINUTE - _lead(self._in_force.due(self._planned + MINUTE))

    def is_time_to_plan(self) -> bool:
        """Say whether the next minute is near and not yet planned."""
        is_open = self._in_force.watches and self._planned is None
        return is_open and self._clock.now() >= self._plan_time()

    def is_quiet(self) -> bool:
        """Say whether no start is at hand that something else could delay."""
        is_planned = self._planned is not None and bool(self._coming)
        return not is_planned and not self.is_time_to_plan()

    def is_imminent(self) -> bool:
        """Say whether a start is so near that nothing else may be begun before it."""
        if self._planned is None or not self._coming:
            return False
        return timedelta(0) < self._planned - self._clock.now() < _IMMINENT

    def first_to_come(self) -> datetime:
        """Return the first minute that is not handled yet: nothing before it runs any more."""
        now = self._clock.now()
        return tick.first_to_come(self._last, now, self._leaps(now))

    def plan(self) -> None:
        """Plan the next minute."""
        self._claim(self.next(), self._coming)

    def replan(self) -> None:
        """Plan by new entries: what was removed or edited must not start."""
        self._coming = self._in_force.due(self.next())
        if self._planned is not None:
            self._unplan()
            self.plan()

    def tick(self) -> None:
        """Handle every minute that is owed, in order, and account for those that went by unseen."""
        reading = self._reading()
        self._step_over_idle(reading)
        if self._planned is not None:
            self._start_planned(self._planned, reading)
        self._resume_era(reading)
        owed = self._owed(reading)
        self._account(owed, reading)
        for minute in owed.minutes:
            is_late = minute is not owed.minutes[-1]  # the present one is in time
            self._claim(minute, self._in_force.due(minute), late=is_late)
            self._fire(minute, late=is_late)

    def start_overdue(self) -> None:
        """Make up for what jobs of anacron missed before they were known, once for each reading."""
        timetable = self._in_force.timetable
        if self._last is None or timetable is self._looked_at:
            return
        self._looked_at = timetable
        now = self._clock.now()
        if found := self._in_force.overdue(minute_of(now)):
            self._runs.jumps.account((), found, now, self._last)

    def handle_idle(self) -> None:
        """Handle the minute that has come if nothing is due in it."""
        planned = self._planned
        if planned is not None and not self._coming and planned <= self._clock.now():
            self._fire(planned)

    def _reading(self) -> Reading:
        return Reading(self._clock.now(), self._clock.monotonic(), self._clock.asleep())

    def _start_planned(self, planned: datetime, reading: Reading) -> None:
        """Start the minute that is planned if it is there; take it back if the clock moved.

        Then what is owed is judged anew. A minute in which nothing was due may be over by now.
        """
        now = reading.wall
        is_over = not self._coming and planned <= self._awaited(reading)
        if planned <= now < planned + MINUTE or is_over:
            self._fire(planned)
        elif not now < planned <= now + MINUTE:
            self._unplan()

    def _awaited(self, reading: Reading) -> datetime:
        """Return how far this daemon has waited since its last look: a jump is not waited for."""
        if self._seen is None:
            return reading.wall
        waited = self._seen.wall + timedelta(seconds=reading.awake - self._seen.awake)
        return min(waited, reading.wall)

    def _step_over_idle(self, reading: Reading) -> None:
        """Let minutes in which nothing is due go by in one step, as far as this daemon waited."""
        if (
            self._in_force.watches
            or self._seen is None
            or self._last is None
            or self._planned is not None
        ):
            return
        awaited = minute_of(self._awaited(reading))
        reached = min(awaited, self.next() - MINUTE)
        if reached <= self._last:
            return
        if reached == awaited:  # else the next minute is here, and its end will be on disk
            self._runs.handled(reached)
        self._reach(reached)

    def _reach(self, minute: datetime) -> None:
        """Remember this as the last minute handled, and see what is due in the next."""
        self._last = minute
        self._coming = self._in_force.due(self.next()) if self._in_force.watches else []

    def _owed(self, reading: Reading) -> Owed:
        """Return which minutes to handle; what was left out is still to come in a new era."""
        return tick.owed(self._last, reading.wall, self._leaps(reading.wall))

    def _leaps(self, now: datetime) -> Sequence[Jump]:
        """Return the jumps that left minutes out, where the clock was set back."""
        is_back = self._last is not None and now < self._last
        return self._journal.daemon_state.leaps(self._runs.jumps.era, now) if is_back else ()

    def _account(self, owed: Owed, reading: Reading) -> None:
        """Put on disk what happened to time since the last look, and what it makes of the runs."""
        jumps = tick.jumps(self._last, self._seen, reading, owed.movement)
        if self._seen is None and owed.movement is Movement.BACK and self._was_told(jumps):
            jumps = ()
        if owed.movement is Movement.MISSED and self._last is not None:
            outage = Outage(self._last, owed.minutes[0])
            handled = outage.current - MINUTE
            accounts = self._in_force.accounts(
                outage, self._runs.pauses.end_of, self._runs.table.backlogs.get
            )
            self._runs.jumps.account(jumps, accounts, reading.wall, handled)
            self._reach(handled)
        elif owed.since is not None and self._last is not None:
            era = Era(self._runs.jumps.era + 1, owed.since, self._last, reading.wall)
            self._runs.jumps.jumped(jumps, era)
            self._seen = reading  # it is told, whatever comes of the rest
            self._go_back_to(era.since)
        elif jumps:
            self._runs.jumps.jumped(jumps)
        self._seen = reading

    def _resume_era(self, reading: Reading) -> None:
        """Go on where the last era ended, if the clock was wrong in this one alone."""
        last, eras = self._last, self._runs.jumps.eras
        if last is None or not eras or not tick.is_set_right(last, self._seen, reading, eras[-1]):
            return
        jumps = tick.jumps(last, self._seen, reading, Movement.RESUMED)
        era = Era(eras[-1].number + 1, eras[-1].last + MINUTE, last, reading.wall)
        self._runs.jumps.jumped(jumps, era)
        self._seen = None  # what went by since that minute is told as at a first look
        self._go_back_to(era.since)

    def _go_back_to(self, minute: datetime) -> None:
        """Go on from this minute, which lies before the last one handled: a new era has begun."""
        self._reach(minute - MINUTE)
        self._in_force.rewind(minute)
        self._runs.use(self._in_force.entries, self._in_force.timetable)

    def _was_told(self, jumps: Sequence[Jump]) -> bool:
        """Say whether an earlier daemon has journalled the clock's being set back."""
        rows = [row for jump in jumps for row in self._journal.queries.jumps_over(jump.at)]
        known = {(row.kind, row.last) for row in rows}
        return known >= {(jump.kind, jump.last) for jump in jumps}

    def _plan_time(self) -> datetime:
        return self.next() - _lead(self._coming)

    def _unplan(self) -> None:
        self._runs.unplan()
        self._planned = None

    def _claim(self, minute: datetime, due: list[Entry], *, late: bool = False) -> None:
        """Plan a minute; what the journal refuses is tried again, a bug is not."""
        before, self._planned = self._planned, minute
        try:
            excluded = self._in_force.timetable.excluded(minute)
            self._runs.plan(due, minute, excluded=excluded, late=late)
        except JournalError:
            self._planned = before
            raise

    def _fire(self, minute: datetime, *, late: bool = False) -> None:
        """Start a minute; what the journal refuses is tried again, a bug is not."""
        had_runs = bool(self._coming)
        try:
            self._runs.fire(minute, late=late)
        except JournalError:
            raise
        except Exception:
            self._planned = None
            self._reach(minute)
            raise
        self._planned = None
        self._reach(minute)
        if had_runs:
            self._upcoming_log.next_minute(self._in_force.timetable, minute)


@lru_cache(maxsize=1)  # it is asked for again and again before it has come
def _next_busy(timetable: Timetable, last: datetime) -> datetime:
    """Return the next minute at which something is due, or the same time of the next day."""
    tomorrow = last + _DAY
    return timetable.next_busy(last, tomorrow) or tomorrow


def _lead(due: Sequence[Entry]) -> timedelta:
    """Return how long before its minute this is planned."""
    return min(_LEAD + _LEAD_EACH * len(due), _LONGEST_LEAD)
