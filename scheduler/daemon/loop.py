"""The daemon: crontabs, a clock, a journal and a spawner in; every due run started, on one loop.

It owns all state that changes, on one thread. Signal handlers only leave a note; the loop does it.
"""

from __future__ import annotations

import asyncio
import signal
import traceback
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from scheduler.daemon.log_once import LogOnce
from scheduler.daemon.requests import Requests
from scheduler.daemon.shutdown import Shutdown
from scheduler.daemon.ticker import Ticker
from scheduler.errors import JournalDamaged, JournalError
from scheduler.protocol import Refused
from scheduler.schedule.tick import MINUTE, minute_of
from scheduler.system import systemd
from scheduler.system.own_limits import of_memory

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.shutdown import ServiceManager
    from scheduler.daemon.watchdog import Watchdog
    from scheduler.journal.journal import Journal
    from scheduler.journal.pruning import Pruning
    from scheduler.protocol import Reply, Request
    from scheduler.runs.lifecycle import Runs
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

_LOOK = timedelta(minutes=1)  # a watching daemon looks at its clock and crontabs that often
_REST = timedelta(days=1)  # any other at least this often
_PAUSE = 1.0  # seconds before what went wrong is tried again
_SILENCE = 60.0  # seconds between two words of one shortage
_STEPS = {  # as one says what it was to do when it was held up
    "settle": "see to jobs that ended",
    "_obey": "do what a signal asked for",
    "enforce": "end jobs that are over their time, and bound outputs",
    "_keep_time": "start the minute's jobs",
    "_start_waiting": "start the jobs that waited",
    "_serve": "answer a command",
    "_look": "look at the state folder, the crontabs and the control socket",
    "_prepare": "prepare the next minute",
    "_prune": "remove what is not kept any more",
}


class Daemon:
    """See DESIGN, the life of a run; `run` is the whole of it.

    Where the crontabs are watched it looks at them before every minute; where they never
    change it sleeps until something is due.
    """

    def __init__(  # noqa: PLR0913 (it joins all parts)
        self,
        *,
        clock: Clock,
        journal: Journal,
        in_force: EntriesInForce,
        runs: Runs,
        log: Log,
        pruning: Pruning,
        holds_state: Callable[[], bool],
        grace: float = 10.0,
        manager: ServiceManager = systemd,
        watchdog: Watchdog | None = None,
    ) -> None:
        self._clock = clock
        self._journal = journal
        self._in_force = in_force
        self._runs = runs
        self._pruning = pruning
        self._log = log
        self._holds_state = holds_state
        self._manager = manager
        self._watchdog = watchdog  # None: nobody is told of a turn that does not end
        self.has_lost_state = False  # the state folder was deleted or replaced meanwhile
        self._log_once = LogOnce(clock, log, runs.tell)
        self._ticker = Ticker(clock, journal, in_force, runs, self._log_once)
        self._requests = Requests(
            clock, in_force, runs, self._ticker, self._log_once, self._read_now
        )
        self._asked: deque[tuple[Request, Future[Reply]]] = deque()
        self._wake = asyncio.Event()
        self._reload_asked = False
        self._shutdown = Shutdown(clock, runs, log, manager, grace)
        self._damage: JournalDamaged | None = None  # what the journal has met with
        self._pause_until = 0.0  # after something went wrong, on the monotonic clock
        self._say_again_at = 0.0  # that there is no memory, on the monotonic clock
        self._each_minute: Callable[[], None] = lambda: None  # see run
        self._look_at = 0.0  # when crontabs are looked at again, on the monotonic clock

    async def run(self, each_minute: Callable[[], None] = lambda: None) -> None:
        """Run until a signal asks to stop or to drain, and the last job has ended.

        `each_minute` is called when it looks after what it stands on, until the last job has ended.
        Raises JournalDamaged where nothing could start any more; what runs is left to go on.
        """
        self._each_minute = each_minute
        with self._watched():
            self._open()
        while not self._is_over():
            await self._clock.wait(self._next_wake(), self._wake)
            self._wake.clear()
            self._do(
                self._runs.settle,
                self._obey,
                self._runs.enforce,
                self._keep_time,
                self._start_waiting,
                self._serve,
                self._look,
                self._prepare,
                self._prune,
            )
        if self.is_stopping:
            self._do(self._runs.settle, self._obey)  # what was refused when the last job ended
        self._requests.is_closed = True
        self._try(self._serve)
        if self._damage is not None and not self.is_stopping:
            self._runs.abandon()
            raise self._damage
        self._log.info("stopped", say="nothing is running")

    def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the daemon's signals: each handler only leaves a note and wakes the loop.

        The loop hears of a signal by a byte in a pipe, which a few hundred jobs that end at once
        fill: a stop or a reload must not be the one that is dropped. As PID 1 it gets no signal but
        these: the kernel spares that process all others whose default is to end it.
        """
        loop.add_signal_handler(signal.SIGCHLD, self._wake.set)
        signal.set_wakeup_fd(signal.set_wakeup_fd(-1), warn_on_full_buffer=False)
        ends = ((signal.SIGTERM, self.stop), (signal.SIGINT, self.stop))
        for number, note in (*ends, (signal.SIGHUP, self.reload), (signal.SIGUSR1, self.drain)):
            signal.signal(number, partial(_leave, loop, note))

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked for its end, at once or when its jobs have ended."""
        return self._shutdown.is_asked

    @property
    def is_draining(self) -> bool:
        """Whether its jobs have all the time that they need to end."""
        return self._shutdown.is_drain

    def stop(self) -> None:
        """Ask for the end; asked again, it hurries: first SIGTERM to the jobs, then SIGKILL."""
        self._shutdown.stop()
        self._wake.set()

    def drain(self) -> None:
        """Ask for the end once the jobs that run have ended by themselves, however long it takes.

        A stop after that gives them the grace time.
        """
        self._shutdown.drain()
        self._wake.set()

    def reload(self) -> None:
        """Ask for the crontabs to be read again; no running job is touched."""
        self._reload_asked = True
        self._wake.set()

    async def ask(self, request: Request) -> Reply:
        """Have a request carried out by the loop, and return its reply."""
        future: Future[Reply] = asyncio.get_running_loop().create_future()
        self._asked.append((request, future))
        self._wake.set()
        return await future

    # --- the loop's parts ------------------------------------------------------------------

    def _do(self, *stages: Callable[[], None]) -> None:
        """Run parts of the loop, and tell what the journal refused."""
        commits = self._journal.commits
        with self._watched():
            refusals = [refusal for stage in stages if (refusal := self._try(stage))]
        self._log_once.refused(refusals, takes=self._journal.commits > commits)

    def _watched(self) -> AbstractContextManager[None]:
        return nullcontext() if self._watchdog is None else self._watchdog.turn()

    def _try(self, stage: Callable[[], None]) -> str:
        """Run one part of the loop; nothing that goes wrong in it may end the others.

        Returns what the journal refused it for, "" if nothing.
        """
        if self._watchdog is not None:
            self._watchdog.step = _STEPS.get(stage.__name__, stage.__name__)
        try:
            stage()
        except JournalError as error:
            self._pause_until = self._clock.monotonic() + _PAUSE
            self._damage = error if isinstance(error, JournalDamaged) else self._damage
            return str(error)
        except MemoryError:
            self._pause_until = self._clock.monotonic() + _PAUSE
            self._say_of_memory(stage)
        except Exception as error:  # noqa: BLE001 (a bug in one run must not stop every other job)
            self._pause_until = self._clock.monotonic() + _PAUSE
            trace = "".join(traceback.format_exception(error))
            self._log.error("bug", error=repr(error), trace=trace, say=tuple(trace.splitlines()))
        return ""

    def _say_of_memory(self, stage: Callable[[], None]) -> None:
        now = self._clock.monotonic()
        if now >= self._say_again_at:
            self._say_again_at = now + _SILENCE
            step = _STEPS.get(stage.__name__, stage.__name__)
            why = of_memory() or "the system has none to give"
            say = f"there was no memory to {step}: {why}; it is tried again"
            self._log.error("memory", error=say, say=say)

    def _open(self) -> None:
        """Read the crontabs and settle what the last daemon left, before the first minute."""
        self._ticker.open()
        self._read()
        self._runs.resume(self._journal.unfinished(), self._journal.last_tick())
        self._ticker.begin()
        self._runs.at_reboot(self._in_force.unbooted(), minute_of(self._clock.now()))

    def _is_over(self) -> bool:
        if self.is_stopping:
            return self._shutdown.is_over()
        return self._damage is not None

    def _next_wake(self) -> datetime:
        """Return when there is something to do next."""
        now = self._clock.now()
        look = now + (_LOOK if self._in_force.watches else _REST)
        wakes = [look, self._runs.next_wake(), self._shutdown.next_wake(now)]
        if (prune := self._pruning.next_step()) is not None and self._is_idle():
            wakes.append(now + timedelta(seconds=prune))
        if not self._shutdown.has_begun:
            wakes.append(self._ticker.next_wake())
            wakes.append(now if self._reload_asked else None)
        wake = min(wake for wake in wakes if wake is not None)
        return max(wake, self._pause_end(now))

    def _pause_end(self, now: datetime) -> datetime:
        """Return how long what went wrong is left alone; the coming minute is not kept waiting."""
        end = now + timedelta(seconds=max(0.0, self._pause_until - self._clock.monotonic()))
        minute = self._ticker.next()
        return min(end, minute) if minute > now else end

    def _obey(self) -> None:
        """Do what a signal asked for."""
        if self._reload_asked and not self.is_stopping:
            self._read_now()
        self._requests.is_closed = self.is_stopping
        self._shutdown.obey()

    def _keep_time(self) -> None:
        """Start the minute that has come, and whatever else is owed."""
        if self._shutdown.has_begun:
            self._ticker.pass_idle()  # so that it is not owed
        else:
            self._ticker.keep()

    def _start_waiting(self) -> None:
        """Start what waited for its time, and what is left of a burst."""
        if not self._shutdown.has_begun:
            self._runs.start_pending()
            self._runs.start()

    def _serve(self) -> None:
        """Answer who has asked for something, and start what that brings about."""
        was_asked = bool(self._asked)
        while self._asked and not self._ticker.is_imminent():
            request, future = self._asked.popleft()
            if future.done():  # whoever asked is gone: what nobody hears of is not done
                continue
            reply: Reply = Refused("bug", "the daemon met a bug of its own; its log has the trace")
            try:
                reply = self._requests.answer(request)
            finally:
                future.set_result(reply)
        if was_asked and not self._shutdown.has_begun:
            self._runs.start()

    def _look(self) -> None:
        """Look at what is outside and may change, shortly before each minute."""
        now = self._clock.monotonic()
        is_time = self._ticker.is_time_to_plan() or now >= self._look_at or self._journal.is_lost
        if not (self._in_force.watches and is_time):
            return
        self._look_at = now + _LOOK.total_seconds()
        if not self._shutdown.has_begun:
            self._look_at_files()
        if self._holds_state():  # else it may be another daemon's by now
            self._each_minute()

    def _look_at_files(self) -> None:
        if not (self._holds_state() and self._journal.is_in_place()):
            self._give_up_state()
        elif self._in_force.changed():
            self._read()

    def _prepare(self) -> None:
        """Prepare the next minute, shortly before it."""
        is_whole = self._damage is None  # else what is claimed now, nobody would start
        if is_whole and not self.is_stopping and self._ticker.is_time_to_plan():
            self._ticker.plan()

    def _prune(self) -> None:
        """Remove a little of what is no longer kept, where that holds up nothing."""
        if self._is_idle():
            self._pruning.step(self._in_force.entries)

    def _is_idle(self) -> bool:
        is_starting = self._runs.is_starting() or not self._ticker.is_quiet()
        return not self._shutdown.has_begun and not is_starting

    def _give_up_state(self) -> None:
        """End, since another daemon may hold a folder of that name by now and run what is due."""
        self.has_lost_state = True
        say = "the state folder or the journal in it was deleted or replaced; this daemon ends, so"
        say += " that nothing is doubled"
        self._log.error("state", say=say)
        self.stop()

    def _read_now(self) -> None:
        self._ticker.pass_idle()  # it is the old crontab's
        self._read()

    def _read(self) -> None:
        """Read the crontabs, and go by them; what the journal refuses is tried again."""
        self._reload_asked = False
        try:
            self._runs.tell(self._in_force.read(self._clock.now()))
            self._runs.use(self._in_force.entries, self._in_force.timetable)
            self._ticker.plan_anew()
        except (JournalError, MemoryError):
            self._reload_asked = True
            raise
        self._manager.ready(self._in_force.summary())
        now = minute_of(self._clock.now())
        self._log_once.coming(self._in_force.timetable, max(self._ticker.next(), now) - MINUTE)


def _leave(
    loop: asyncio.AbstractEventLoop, note: Callable[[], None], _signal: int, _frame: object
) -> None:
    if not loop.is_closed():  # otherwise it is over already
        loop.call_soon_threadsafe(note)
