"""The attempts that have a process: started ones in, signals to those over their time out.

`Supervisor` owns them, by pid and by run, when which signal is due, and the process groups that
outlive an attempt which was made to end. The loop's verbs call it, and commits as their effects.
Invariant: no signal reaches a number that may be another process's by now.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.run import Reason, TimedOut
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.process.spawner import Spawner
    from scheduler.run import Attempt, Outcome
    from scheduler.runs.echo import Echo
    from scheduler.runs.output_cap import OutputCap
    from scheduler.system.clock import Clock

_LOOK_AT_ADOPTED = 15.0  # seconds between looks at processes that are not our children
_LOOK_AT_MOST = 0.2  # and at least so many between them, whatever wakes the daemon
_ROUNDING = 1e-6  # seconds: what is due in less is due, since no wait is shorter
_LOOK_BEHIND = 0.5  # and at what an ended job left behind, which is none of ours either


@dataclass(slots=True)
class Running:
    """An attempt with a process; the supervisor owns it.

    Who makes one says `adopted`, `began`, `output` and a first `stop_reason` before it is added:
    `outcomes` of a start, `recovery` of what it found. After that the supervisor alone changes it.

    `stop_reason` is why the daemon itself decided to end it; `signal_at` is on the monotonic clock,
    since no setting of the clock may end a job; `adopted` is the start time of a process that an
    earlier daemon started, so that its end has to be looked for, and `output` is where; `began` is
    when it did on the clock of `since_boot`, None where nobody can tell. A `pid` of 0 is hidden:
    somebody has the output open, whom the system does not name.
    """

    entry: Entry
    attempt: Attempt
    pid: int
    started: datetime
    first_start: datetime
    stop_reason: TimedOut | Reason | None = None
    next_signal: signal.Signals = signal.SIGTERM
    signal_at: float | None = None
    adopted: int | None = None
    began: float | None = None
    output: Path | None = None

    @property
    def key(self) -> int:
        """What no other has that runs: the pid, or where that is hidden one below 0."""
        return self.pid or -self.attempt.run.number

    def took(self, until: float) -> float | None:
        """Return for how many seconds it had run by then, on the clock of `since_boot`."""
        return None if self.began is None else max(0.0, until - self.began)

    def live(self) -> LiveRun:
        """Return the run that it is an attempt of, as the table has it."""
        return LiveRun(
            self.attempt.run,
            self.entry,
            Phase.RUNNING if self.stop_reason is None else Phase.STOPPING,
            self.started,
            self.attempt.number,
            first_start=self.first_start,
        )

    def outcome_of(self, outcome: Outcome) -> Outcome:
        """Return the outcome, which is the timeout's where that is what ended it."""
        return self.stop_reason if isinstance(self.stop_reason, TimedOut) else outcome


class Supervisor:
    """See the module."""

    def __init__(
        self, clock: Clock, spawner: Spawner, output_cap: OutputCap, echo: Echo | None = None
    ) -> None:
        self._clock = clock
        self._spawner = spawner
        self._output_cap = output_cap
        self._echo = echo  # None: what jobs write is not shown in the log
        self._running: dict[int, Running] = {}
        self._runs: dict[int, int] = {}  # the pid by the number of the run
        self._stragglers: dict[int, float] = {}  # groups whose leader is gone; when to kill them
        self._adopted: set[int] = set()
        self._looked_at = -_LOOK_AT_MOST  # when they were looked at last

    def __len__(self) -> int:
        """Return how many process groups there still is something to do about."""
        return len(self._running) + len(self._stragglers)

    def add(self, running: Running) -> None:
        """Supervise an attempt; its CRON_TIMEOUT counts from its start."""
        timeout = running.entry.settings.timeout
        if timeout is not None and running.pid:
            running.signal_at = self._clock.monotonic() + timeout - self._age(running)
        self._running[running.key] = running
        self._output_cap.add(running.attempt, None if running.adopted is None else running.pid)
        if self._echo is not None:
            is_adopted = running.adopted is not None
            self._echo.add(running.attempt, running.entry, is_adopted=is_adopted)
        self._runs[running.attempt.run.number] = running.key
        if running.adopted is not None:
            self._adopted.add(running.key)
            if running.pid:
                self._spawner.keep(running.pid, running.adopted)

    def _age(self, running: Running) -> float:
        """Return for how long it has run; from now on where nobody can tell."""
        return running.took(since_boot(self._clock)) or 0.0

    def all(self) -> Iterable[Running]:
        """Return the attempts that run."""
        return self._running.values()

    def find(self, run: int) -> Running | None:
        """Return the attempt of this run that runs; None if none does."""
        key = self._runs.get(run)
        return None if key is None else self._running[key]

    def terminate(self, running: Running, reason: Reason) -> None:
        """Begin to end an attempt; told again, it is ended at once."""
        running.stop_reason = reason
        self._signal(running)

    def knows(self, pid: int) -> bool:
        """Say whether an attempt with this process is supervised."""
        return pid in self._running

    def remove(self, key: int) -> Running:
        """Forget an attempt whose process is gone; what it left behind stays marked.

        Only who was being ended leaves stragglers: they get the rest of CRON_KILL_AFTER, then
        SIGKILL. A job that ended by itself may leave a daemon behind, as under any cron.
        """
        running = self._running.pop(key)
        self._output_cap.end(running.attempt)
        if self._echo is not None:
            self._echo.end(running.attempt)
        self._adopted.discard(key)
        del self._runs[running.attempt.run.number]
        if running.stop_reason is not None and self._reach(running, 0):
            due = running.signal_at
            self._stragglers[running.pid] = self._clock.monotonic() if due is None else due
        else:
            self._spawner.release(running.pid)
        return running

    def vanished(self) -> Iterator[Running]:
        """Yield the adopted attempts whose process is gone; asked often, it does not look often."""
        now = self._clock.monotonic()
        if not self._adopted or now < self._looked_at + _LOOK_AT_MOST:
            return
        self._looked_at = now
        for key in list(self._adopted):
            running = self._running[key]
            if self._alive(running) != running.adopted:
                yield self.remove(key)

    def enforce(self) -> None:
        """Send the signals that are due."""
        now = self._clock.monotonic()
        for running in self._running.values():
            if running.signal_at is not None and running.signal_at <= now + _ROUNDING:
                running.stop_reason = running.stop_reason or TimedOut()
                self._signal(running)
        for pid, at in list(self._stragglers.items()):
            number = signal.SIGKILL if at <= now + _ROUNDING else 0
            if not self._spawner.signal(pid, number) or number:
                del self._stragglers[pid]  # nobody is left, or will be
                self._spawner.release(pid)

    def end_all(self) -> None:
        """Send every attempt its next signal: SIGTERM first, SIGKILL after that.

        Who is hidden can't be ended, and is left to the next daemon.
        """
        for running in list(self._running.values()):
            if not running.pid:
                self.remove(running.key)
                continue
            running.stop_reason = running.stop_reason or Reason.STOPPED
            self._signal(running)
        for pid in self._stragglers:
            self._spawner.signal(pid, signal.SIGKILL)
            self._spawner.release(pid)
        self._stragglers.clear()

    def next_signal(self) -> float | None:
        """Return in how many seconds there is something to do here; None if nothing is due."""
        now = self._clock.monotonic()
        due = [r.signal_at - now for r in self._running.values() if r.signal_at is not None]
        due += [min(at - now, _LOOK_BEHIND) for at in self._stragglers.values()]
        if self._adopted:
            due.append(_LOOK_AT_ADOPTED)
        wait = min(due, default=None)
        return None if wait is None else max(0.0, wait)

    def _signal(self, running: Running) -> None:
        self._reach(running, running.next_signal)
        if running.next_signal is signal.SIGTERM:
            running.next_signal = signal.SIGKILL
            running.signal_at = self._clock.monotonic() + running.entry.settings.kill_after
        else:
            running.signal_at = None

    def _reach(self, running: Running, number: int) -> bool:
        """Signal an attempt's process group; False if nobody is left in it.

        An adopted process is nobody's child that we know of: its number may be another's by now,
        whom no signal may reach. While a part of its group lives the number can't go round.
        """
        if not running.pid:
            return False
        alive = None if running.adopted is None else self._alive(running)
        if alive not in (None, running.adopted):
            return False
        return self._spawner.signal(running.pid, number)

    def _alive(self, running: Running) -> int | None:
        """Return what has an adopted process's number; itself, until the system tells otherwise."""
        try:
            return still(running.adopted, running.pid, running.output, self._spawner)
        except OSError:
            return running.adopted


def still(known: int | None, pid: int, output: Path | None, spawner: Spawner) -> int | None:
    """Return the start of an attempt's process; None if it is gone.

    Where the number is hidden, or somebody has it who is, whoever has the output open stands for
    the `known` process: else another with its number would count as the job for ever. Raises
    OSError where the system does not tell now.
    """
    try:
        if pid:
            return spawner.started_at(pid)
    except PermissionError:
        pass
    return known if output is not None and spawner.is_held(output) else None
