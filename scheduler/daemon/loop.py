"""The daemon's loop: crontabs, a clock, a journal and a spawner in; every due run started.

It runs on one thread. Signal handlers and the control socket only leave a note; the loop acts on
it. What a daemon is made of, for real and in a simulation, is in wiring.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.daemon import file_monitor
from scheduler.daemon.steps import Step
from scheduler.schedule.tick import minute_of
from scheduler.wire import Refused

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Callable

    from scheduler.alerts.dispatcher import Dispatcher
    from scheduler.alerts.expected import ExpectedSuccesses
    from scheduler.daemon.entries import EntriesInForce
    from scheduler.daemon.file_monitor import FileMonitor
    from scheduler.daemon.own_ping import OwnPing
    from scheduler.daemon.reloader import Reloader
    from scheduler.daemon.requests import Requests
    from scheduler.daemon.service_report import ServiceReport
    from scheduler.daemon.shutdown import Shutdown
    from scheduler.daemon.steps import StepRunner
    from scheduler.daemon.ticker import Ticker
    from scheduler.journal.journal import Journal
    from scheduler.journal.retention import Pruning
    from scheduler.peer import Peer
    from scheduler.protocol import Answered, Request
    from scheduler.runs.lifecycle import Runs
    from scheduler.runs.listeners import Events
    from scheduler.system.clock import Clock
    from scheduler.system.log import Log

    _Asked = tuple[Request, Peer, Future[Answered | Refused]]  # who asks, and waits for the reply

_LOOP_BUG = Refused("bug", "the daemon met a bug of its own; its log has the trace")
_A_MOMENT = timedelta(seconds=1)  # that calendars may take before a start tells of them
_LONGEST_SLEEP = timedelta(days=1)  # a daemon that watches no files wakes up at least this often


@dataclass(slots=True, kw_only=True, eq=False)
class Daemon:
    """The loop, and what it calls at each turn.

    It owns the notes that were left for it: a wake-up, and requests with whoever waits for their
    replies, also those whose reload is still to be done. The command `run`, a simulation or a test
    calls `run`; signals and the control socket call `stop`, `drain`, `reload` and `ask`. Nothing
    but a step of the loop changes the state of any part, so no step sees another one's work half
    done.
    """

    clock: Clock
    log: Log
    journal: Journal
    in_force: EntriesInForce
    runs: Runs
    events: Events
    last_words: float  # seconds
    ticker: Ticker
    reloader: Reloader
    requests: Requests
    file_monitor: FileMonitor
    expected: ExpectedSuccesses | None  # None: nobody hears of anything
    dispatcher: Dispatcher
    own_ping: OwnPing | None  # None: nobody hears that it lives
    pruning: Pruning
    shutdown: Shutdown
    steps: StepRunner
    report: ServiceReport
    _asked: deque[_Asked] = field(default_factory=deque, init=False)
    _reloads: list[Future[Answered | Refused]] = field(default_factory=list, init=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self, each_minute: Callable[[], None] | None = None) -> None:
        """Run until a signal asks to stop or to drain, and the last job has ended.

        `each_minute` is called when it looks after what it stands on, until the last job has ended.
        Raises JournalDamaged where nothing could start any more; what runs is left to go on.
        """
        if each_minute is not None:
            self.file_monitor.each_minute = each_minute
        first, others = self._first_steps(), self._other_steps()
        if not await self._opened():
            self.requests.is_closed = True
            self.steps.run(Step("answer the last commands", self._serve))
            self.log.info("stopped", say="nothing had begun")
            return
        while not self._is_over():
            await self.clock.wait(self._next_wake(), self._wake)
            self._wake.clear()
            self.steps.run(*first, *others)
        if self.is_stopping:
            self.steps.run(*first)  # what was refused when the last job ended
        self.requests.is_closed = True
        self.steps.run(Step("answer the last commands", self._serve))
        if self.steps.damage is not None and not self.is_stopping:
            self.runs.abandon()
            raise self.steps.damage
        end = self.clock.monotonic() + self.last_words
        self.steps.run(Step("end what sends alerts", self._end_alerts))
        self.events.drain(self.clock, max(0.0, end - self.clock.monotonic()))
        self.log.info("stopped", say="nothing is running")

    # --- notes, left for the loop ----------------------------------------------------------

    def wake(self) -> None:
        """Have the loop look at everything: a job has ended."""
        self._wake.set()

    def stop(self) -> None:
        """Ask for the end; asked again, end jobs sooner: first by SIGTERM, then by SIGKILL."""
        self.shutdown.stop()
        self._wake.set()

    def drain(self) -> None:
        """Ask for the end once the jobs that run have ended by themselves, however long it takes.

        A stop after that gives them the grace time.
        """
        self.shutdown.drain()
        self._wake.set()

    def reload(self) -> None:
        """Ask for the crontabs to be read again; no running job is touched."""
        self.reloader.ask()
        self._wake.set()

    async def ask(self, request: Request, peer: Peer) -> Answered | Refused:
        """Have a request of this peer carried out by the loop, and return its reply."""
        future: Future[Answered | Refused] = asyncio.get_running_loop().create_future()
        self._asked.append((request, peer, future))
        self._wake.set()
        return await future

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked for its end, at once or when its jobs have ended."""
        return self.shutdown.is_asked

    @property
    def is_draining(self) -> bool:
        """Whether its jobs have all the time that they need to end."""
        return self.shutdown.is_drain

    @property
    def has_lost_state(self) -> bool:
        """Whether the state folder was deleted or replaced meanwhile."""
        return self.file_monitor.has_lost_state

    # --- the loop's steps ------------------------------------------------------------------

    def _first_steps(self) -> tuple[Step, ...]:
        return (
            Step("see to jobs that ended", self.runs.settle),
            Step("do what a signal asked for", self._obey),
        )

    def _other_steps(self) -> tuple[Step, ...]:
        look = "look at the state folder, the crontabs and the control socket"
        return (
            Step("end jobs that are over their time, and bound outputs", self.runs.enforce),
            Step("start the minute's jobs", self._tick),
            Step("start jobs of anacron that are overdue", self._start_overdue),
            Step("start the jobs that waited", self._start_waiting),
            Step("answer a command", self._serve),
            Step(look, self.file_monitor.look),
            Step("prepare the next minute", self._plan),
            Step("look for jobs that should have succeeded", self._expect),
            Step("send alerts", self._send_alerts),
            Step("ping for the daemon itself", self._ping),
            Step("remove what is not kept any more", self._prune),
            Step("tell the service manager how it does", self._report),
        )

    async def _opened(self) -> bool:
        """Read the crontabs and settle what the last daemon left, before the first minute.

        False if it was asked for its end before calendars were read: then all is as it was.
        """
        with self.steps.watched():
            self.ticker.open()
            self.reloader.read()
        while self.reloader.is_asked:
            await self.clock.wait(self.clock.now() + _A_MOMENT, self._wake)
            self._wake.clear()
            if self.is_stopping:
                return False
            if not self.reloader.is_due():
                self.in_force.tell_of_waiting()
                continue
            with self.steps.watched():
                self.reloader.read()
        with self.steps.watched():
            self.runs.recover()
            self.dispatcher.recover()
            self.ticker.begin()
            self.runs.at_reboot(self.in_force.unbooted(), minute_of(self.clock.now()))
            self.in_force.rebooted()
        return True

    def _is_over(self) -> bool:
        if self.is_stopping:
            return self.shutdown.is_over()
        return self.steps.damage is not None

    def _next_wake(self) -> datetime:
        """Return when there is something to do next."""
        now = self.clock.now()
        look = now + (file_monitor.INTERVAL if self.in_force.watches else _LONGEST_SLEEP)
        wakes = [look, self.runs.next_wake(), self.shutdown.next_wake(now)]
        wakes.append(self.report.next_wake(now))
        if self.expected is not None and self._is_idle():
            wakes.append(self.expected.next_wake(now))
        if (prune := self.pruning.next_step()) is not None and self._is_idle():
            wakes.append(now + timedelta(seconds=prune))
        if self._is_calm():
            wakes.append(self.dispatcher.next_wake(starts=self._tells()))
        if not self.shutdown.has_begun:
            wakes.append(self.ticker.next_wake())
            wakes.append(now if self.reloader.is_due() else None)
        wake = min(wake for wake in wakes if wake is not None)
        return max(wake, self.steps.pause_end(now, self.ticker.next()))

    def _obey(self) -> None:
        """Do what a signal asked for."""
        if self.reloader.is_due() and not self.is_stopping:
            self.reloader.reload()
        self.requests.is_closed = self.is_stopping
        self.shutdown.obey()

    def _tick(self) -> None:
        """Start the minute that has come, and whatever else is owed."""
        if self.shutdown.has_begun:
            self.ticker.handle_idle()  # so that it is not owed
        else:
            self.ticker.tick()

    def _start_overdue(self) -> None:
        """Start what anacron would have started long ago."""
        if not self.shutdown.has_begun:
            self.ticker.start_overdue()

    def _start_waiting(self) -> None:
        """Start what waited for its time, and what is left of a burst."""
        if not self.shutdown.has_begun:
            self.runs.start_pending()
            self.runs.start()

    def _serve(self) -> None:
        """Answer who has asked for something, and start what that brings about."""
        was_asked = bool(self._asked)
        self._answer_reloads()
        while self._asked and not self.ticker.is_imminent():
            request, peer, future = self._asked.popleft()
            if future.done():  # whoever asked is gone: what nobody hears of is not done
                continue
            reply: Answered | Refused | None = _LOOP_BUG
            try:
                reply = self.requests.answer(request, peer)
            finally:
                if reply is None:
                    self._reloads.append(future)
                else:
                    future.set_result(reply)
        if was_asked and not self.shutdown.has_begun:
            self.runs.start()

    def _answer_reloads(self) -> None:
        """Answer those whose reload had to wait for calendars, once it is done."""
        while self._reloads and (reply := self.requests.answer_reload()) is not None:
            future = self._reloads.pop()
            if not future.done():
                future.set_result(reply)

    def _plan(self) -> None:
        """Plan the next minute, shortly before it."""
        is_whole = self.steps.damage is None  # else what is claimed now, nobody would start
        if is_whole and not self.is_stopping and self.ticker.is_time_to_plan():
            self.ticker.plan()

    def _expect(self) -> None:
        """Tell of jobs that are without a success for too long, where that delays no start."""
        if self.expected is not None and self._is_idle():
            self.expected.look(self.clock.now())

    def _send_alerts(self) -> None:
        """Have somebody hear of what happened, where that delays no start."""
        if self._is_calm():
            self.dispatcher.step(starts=self._tells())

    def _ping(self) -> None:
        """Let a service hear that the daemon lives, where that delays no start."""
        if self.own_ping is not None:
            self.own_ping.step(self.ticker.last, is_calm=self._is_calm())

    def _end_alerts(self) -> None:
        if self.own_ping is not None:
            self.own_ping.end()
        self.dispatcher.last_words(self.last_words)

    def _prune(self) -> None:
        """Remove a little of what is no longer kept, where that delays no start."""
        if self._is_idle():
            self.pruning.step(self.in_force.entries)

    def _report(self) -> None:
        """Let systemd hear that the loop goes on, and what it does."""
        self.report.step(is_calm=self._is_calm(), is_stopping=self.shutdown.has_begun)

    def _is_idle(self) -> bool:
        return not self.shutdown.has_begun and self._is_calm()

    def _is_calm(self) -> bool:
        """Say whether nothing is being started, or about to be."""
        if self.shutdown.has_begun:
            return True
        return not self.runs.is_starting() and self.ticker.is_quiet()

    def _tells(self) -> bool:
        """Say whether new alerts are sent: at a stop the next daemon has them sent."""
        return not self.shutdown.has_begun or self.shutdown.is_drain
