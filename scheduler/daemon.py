"""The daemon: crontabs, a clock, a journal and a spawner in; every due run started, on one loop.

It owns all state that changes, on one thread. Signal handlers only leave a note; the loop heeds it.
"""

from __future__ import annotations

import asyncio
import signal
import traceback
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from scheduler import catchup, systemd, tick
from scheduler.catchup import Gap
from scheduler.errors import JournalError
from scheduler.herald import Herald
from scheduler.report import counted
from scheduler.tick import MINUTE, Movement, Reading, minute_of
from scheduler.wording import of_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.catchup import Account
    from scheduler.clock import Clock
    from scheduler.journal import Journal
    from scheduler.log import Log
    from scheduler.model import Entry
    from scheduler.roster import Roster
    from scheduler.runs import Runs
    from scheduler.tick import Jump, Owed

# How long before a minute it is prepared: time to look at the crontabs, commit the claims, and
# for each due entry to work out its start.
_LEAD = timedelta(seconds=0.25)
_LEAD_EACH = timedelta(seconds=0.0005)
_LONGEST_LEAD = timedelta(seconds=30)
_DAY = timedelta(days=1)
_PAUSE = 1.0  # seconds before what went wrong is tried again


class Daemon:
    """See DESIGN, the life of a run; `run` is the whole of it.

    It `watches` its crontabs: it looks at them before every minute. Where they never change it
    sleeps until something is due.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        journal: Journal,
        roster: Roster,
        runs: Runs,
        log: Log,
        holds_state: Callable[[], bool],
        grace: float = 10.0,
        watches: bool = True,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._roster = roster
        self._runs = runs
        self._log = log
        self._grace = grace
        self._holds_state = holds_state
        self._watches = watches
        self.has_lost_state = False  # the state folder was deleted or replaced meanwhile
        self._herald = Herald(clock, log)
        self._wake = asyncio.Event()
        self._seen: Reading | None = None  # what the clocks said at the last look
        self._last: datetime | None = None  # the last minute handled
        self._planned: datetime | None = None  # the minute that is prepared and not yet there
        self._coming: list[Entry] = []  # what is due in the minute after the last
        self._reload_asked = False
        self._stops_asked = 0
        self._stops_heeded = 0
        self._is_cancelled = False  # what had no process when the stop came is let go of
        self._pause_until = 0.0  # after something went wrong, on the monotonic clock
        self._end_at: float | None = None  # when waiting for jobs is over, on the monotonic clock

    async def run(self) -> None:
        """Run until a signal asks to stop and the last job has ended."""
        self._open()
        while not self._is_over():
            await self._clock.wait(self._next_wake(), self._wake)
            self._wake.clear()
            self._do(
                self._runs.settle,
                self._heed,
                self._runs.enforce,
                self._keep_time,
                self._start,
                self._prepare,
            )
        self._do(self._runs.settle, self._heed)  # what was refused when the last job ended
        self._log.info("stopped", say="nothing is running")

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the daemon's signals: each handler only leaves a note and wakes the loop.

        The loop hears of a signal by a byte in a pipe, which a few hundred jobs that end at once
        fill: a stop or a reload must not be the one that is dropped.
        """
        loop.add_signal_handler(signal.SIGCHLD, self._wake.set)
        signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)
        notes = ((signal.SIGTERM, self.stop), (signal.SIGINT, self.stop))
        for number, note in (*notes, (signal.SIGHUP, self.reload)):
            signal.signal(number, partial(_leave, loop, note))

    def stop(self) -> None:
        """Ask for the end; asked again, it hurries: first SIGTERM to the jobs, then SIGKILL."""
        self._stops_asked += 1
        self._wake.set()

    def reload(self) -> None:
        """Ask for the crontabs to be read again; no running job is touched."""
        self._reload_asked = True
        self._wake.set()

    # --- the loop's parts ------------------------------------------------------------------

    def _do(self, *stages: Callable[[], None]) -> None:
        """Run parts of the loop, and tell what the journal refused."""
        self._herald.refused([refusal for stage in stages if (refusal := self._try(stage))])

    def _try(self, stage: Callable[[], None]) -> str:
        """Run one part of the loop; nothing that goes wrong in it may end the others.

        Returns what the journal refused it for, "" if nothing.
        """
        try:
            stage()
        except JournalError as error:
            self._pause_until = self._clock.monotonic() + _PAUSE
            return str(error)
        except Exception as error:  # noqa: BLE001 (a bug in one run must not stop every other job)
            self._pause_until = self._clock.monotonic() + _PAUSE
            trace = "".join(traceback.format_exception(error))
            self._log.error("bug", error=repr(error), trace=trace, say=trace)
        return ""

    def _open(self) -> None:
        """Read the crontabs and settle what the last daemon left, before the first minute."""
        self._last = self._journal.last_tick()
        self._read()
        self._runs.resume(self._journal.unfinished())
        self._runs.at_reboot(self._roster.unbooted(), minute_of(self._clock.now()))

    def _is_over(self) -> bool:
        return self._stops_heeded > 0 and not self._runs.busy()

    def _next_wake(self) -> datetime:
        """Return when there is something to do next."""
        now = self._clock.now()
        wakes = [now + (MINUTE if self._watches else _DAY), self._runs.next_wake()]
        if self._end_at is not None:
            wakes.append(now + timedelta(seconds=self._end_at - self._clock.monotonic()))
        if not self._stops_heeded:
            wakes.append(self._minute_wake())
            wakes.append(now if self._reload_asked else None)
        wake = min(wake for wake in wakes if wake is not None)
        return max(wake, self._pause_end(now))

    def _pause_end(self, now: datetime) -> datetime:
        """Return how long what went wrong is left alone; the coming minute is not kept waiting."""
        end = now + timedelta(seconds=max(0.0, self._pause_until - self._clock.monotonic()))
        minute = self._next_minute()
        return min(end, minute) if minute > now else end

    def _heed(self) -> None:
        """Do what a signal asked for."""
        if self._reload_asked and not self._stops_asked:
            if self._planned is not None:
                self._keep_time()  # what was prepared and has come is the old crontab's
            self._read()
        while self._stops_asked > self._stops_heeded:
            self._stops_heeded += 1
            self._hurry()
        if self._stops_heeded and not self._is_cancelled:
            self._runs.cancel()
            self._is_cancelled = True
        if self._end_at is not None and self._clock.monotonic() >= self._end_at:
            self._end_at = None
            self._runs.end_all()

    def _hurry(self) -> None:
        """Take the next step towards the end."""
        if self._stops_heeded > 1:
            self._end_at = None
            self._runs.end_all()
            return
        systemd.stopping()
        running = self._runs.busy()
        self._end_at = self._clock.monotonic() + self._grace
        jobs = f"{counted(running, 'job')} running"
        wait = f"; up to {of_seconds(self._grace)} to end by themselves" if running else ""
        self._log.info("stopping", running=running, say=f"no new runs, {jobs}{wait}")

    def _keep_time(self) -> None:
        """Handle every minute that is owed, in order, and account for those that went by unseen."""
        if self._stops_asked:
            return
        now = self._clock.now()
        reading = Reading(now, self._clock.monotonic(), self._clock.asleep())
        self._step_over(reading)
        if self._planned is not None:
            self._come_to(self._planned, reading)
        owed = tick.owed(self._last, now)
        self._account(owed, reading)
        is_late = owed.movement is Movement.LATE
        for minute in owed.minutes:
            self._plan(minute, self._roster.timetable.due(minute), late=is_late)
            self._fire(minute, late=is_late)

    def _come_to(self, planned: datetime, reading: Reading) -> None:
        """Start the minute that is prepared if it is there; take it back if the clock moved.

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

    def _account(self, owed: Owed, reading: Reading) -> None:
        """Put on disk what happened to time since the last look, and what it makes of the runs."""
        jumps = tick.jumps(self._last, self._seen, reading, owed.movement)
        if self._seen is None and owed.movement is Movement.BACK and self._was_told(jumps):
            jumps = ()
        accounts: list[Account] = []
        handled = None
        if owed.movement is Movement.GAP and self._last is not None:
            gap = Gap(self._last, owed.minutes[0])
            accounts = self._roster.accounts(gap)
            handled = gap.current - MINUTE
        made_up = catchup.starts(accounts, reading.wall)
        if jumps or accounts:
            self._runs.account(jumps, accounts, made_up, handled)
        self._seen = reading
        self._last = handled or self._last
        self._herald.jumped(jumps, accounts, made_up)

    def _was_told(self, jumps: Sequence[Jump]) -> bool:
        """Say whether an earlier daemon has journalled the clock's being set back."""
        known = self._journal.jumps(limit=1)
        return [(each.kind, each.last) for each in known] == [
            (each.kind, each.last) for each in jumps
        ]

    def _step_over(self, reading: Reading) -> None:
        """Let minutes in which nothing is due go by in one step, as far as this daemon waited."""
        if self._watches or self._seen is None or self._last is None or self._planned is not None:
            return
        reached = min(minute_of(self._awaited(reading)), self._next_minute() - MINUTE)
        if reached > self._last:
            self._runs.account((), (), (), reached)
            self._last = reached

    def _start(self) -> None:
        """Start what waited for its time, and what is left of a burst."""
        if not self._stops_heeded:
            self._runs.start_pending()
            self._runs.start()

    def _prepare(self) -> None:
        """Look at the crontabs and prepare the next minute, shortly before it."""
        if self._stops_heeded or self._planned is not None or self._clock.now() < self._plan_time():
            return
        if not self._holds_state():
            self._give_up_state()
            return
        if self._watches and self._roster.changed():
            self._read()
        self._plan(self._next_minute(), self._coming)

    def _give_up_state(self) -> None:
        """End, since another daemon may hold a folder of that name by now and run what is due."""
        self.has_lost_state = True
        say = (
            "the state folder was deleted or replaced; this daemon ends, so that nothing is doubled"
        )
        self._log.error("state", say=say)
        self.stop()

    def _next_minute(self) -> datetime:
        """Return the next minute to handle, which is the next one there is in a watching daemon."""
        if self._last is None:
            return minute_of(self._clock.now())
        if self._watches:
            return self._last + MINUTE
        tomorrow = self._last + _DAY
        return self._roster.timetable.next_busy(self._last, tomorrow) or tomorrow

    def _minute_wake(self) -> datetime:
        """Return when to look at the time again: to prepare a minute, or to start it.

        A minute in which nothing is due is handled when the one after it is prepared, so that an
        idle daemon wakes up once a minute.
        """
        if self._planned is None:
            return self._plan_time()
        if self._coming:
            return self._planned
        return self._planned + MINUTE - _lead(self._roster.timetable.due(self._planned + MINUTE))

    def _plan_time(self) -> datetime:
        return self._next_minute() - _lead(self._coming)

    def _unplan(self) -> None:
        self._runs.unplan()
        self._planned = None

    def _plan(self, minute: datetime, due: list[Entry], *, late: bool = False) -> None:
        """Prepare a minute; what the journal refuses is tried again, a bug is not."""
        before, self._planned = self._planned, minute
        try:
            self._runs.plan(due, minute, late=late)
        except JournalError:
            self._planned = before
            raise

    def _fire(self, minute: datetime, *, late: bool = False) -> None:
        """Start a minute; what the journal refuses is tried again, a bug is not."""
        had_runs = bool(self._coming)
        before, self._planned, self._last = self._last, None, minute
        try:
            self._runs.fire(minute, late=late)
        except JournalError:
            self._planned, self._last = minute, before
            raise
        finally:
            self._coming = self._roster.timetable.due(self._next_minute())
        if had_runs:
            self._herald.next(self._roster.timetable, minute)

    def _read(self) -> None:
        """Read the crontabs, and go by them; what the journal refuses is tried again."""
        self._reload_asked = False
        try:
            self._roster.read(minute_of(self._clock.now()))
            self._runs.follow(self._roster.entries, self._roster.timetable.next_instant)
            self._coming = self._roster.timetable.due(self._next_minute())
            if self._planned is not None:  # what was removed or edited must not start
                self._unplan()
                self._plan(self._next_minute(), self._coming)
        except JournalError:
            self._reload_asked = True
            raise
        systemd.ready(self._roster.summary())
        self._herald.coming(self._roster.timetable, self._next_minute() - MINUTE)


def _lead(due: Sequence[Entry]) -> timedelta:
    """Return how long before its minute this is prepared."""
    return min(_LEAD + _LEAD_EACH * len(due), _LONGEST_LEAD)


def _leave(
    loop: asyncio.AbstractEventLoop, note: Callable[[], None], _signal: int, _frame: object
) -> None:
    if not loop.is_closed():  # otherwise it is over already
        loop.call_soon_threadsafe(note)
