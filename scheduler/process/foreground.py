"""A job in the foreground: an entry and what it inherits in, its end out; nobody else hears of it.

It starts as any attempt of the daemon does, by the same parts, but on this process's own output;
another user's on a pipe, which is copied there.
"""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scheduler.process.as_user import give, user_of
from scheduler.process.job_environment import attempt_variables
from scheduler.process.launch import (
    launch_of,
    not_started,
    opened_input,
    refused_part,
    start_child,
)
from scheduler.process.limiter import Limiter
from scheduler.process.output_copy import OutputCopy
from scheduler.process.own_process import default_signals
from scheduler.process.reaper import peak_memory, reap
from scheduler.process.user_jobs import UserJobs
from scheduler.process.user_spawning import start_here
from scheduler.run import Attempt, Exited, NotStarted, Run, Signalled

if TYPE_CHECKING:
    import resource
    from collections.abc import Callable, Iterator

    from scheduler.entry import Entry
    from scheduler.process.job_environment import Inheritance
    from scheduler.process.launch import Launch
    from scheduler.run import Limit
    from scheduler.system.clock import RealClock

    Notes = Callable[[float | None, OutputCopy | None], list[int]]

NO_RUN = 0  # as CRON_RUN: those of the journal count from 1

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_STOPPED = signal.SIGTSTP  # Ctrl-Z, which reaches no job in a session of its own


@dataclass(frozen=True, slots=True)
class ForegroundEnd:
    """How it ended, by which limit, and whether its CRON_TIMEOUT had passed."""

    outcome: Exited | Signalled | NotStarted
    limit: Limit | None = None
    timed_out: bool = False


def run(entry: Entry, inheritance: Inheritance, clock: RealClock) -> ForegroundEnd:
    r"""Run a job to its end, once.

    What ends a program at a terminal (Ctrl-C, Ctrl-\, a hangup) goes to all processes of the job,
    which has no terminal to control, as under the daemon; Ctrl-Z stops both.
    """
    attempt = Attempt(Run(NO_RUN, entry.job, clock.now().replace(microsecond=0)), 1)
    limiter = Limiter()
    launch = _launch(entry, attempt, inheritance, limiter)
    if isinstance(launch, NotStarted):
        return ForegroundEnd(launch)
    with _noted_signals() as notes, _output_of(launch) as (output, copy):
        pid = _start(replace(launch, output=output), limiter)
        if output != launch.output:
            os.close(output)  # so that its end is seen
        if isinstance(pid, NotStarted):
            return ForegroundEnd(pid)
        return _Foreground(entry, pid, limiter, clock, copy).wait(notes)


@contextmanager
def _output_of(launch: Launch) -> Iterator[tuple[int, OutputCopy | None]]:
    """Yield what the job writes into, and what copies that; None where it is our own output."""
    if launch.user is None:
        yield launch.output, None
        return
    reader, writer = os.pipe()
    give(writer, launch.user)
    copy = OutputCopy(reader)
    try:
        yield writer, copy
    finally:
        copy.close()


def _launch(
    entry: Entry, attempt: Attempt, inheritance: Inheritance, limiter: Limiter
) -> Launch | NotStarted:
    """Work out a start, as the entry's user: where that is another than this one, root alone can.

    Nobody is told of a process that starts others here, since there is none.
    """
    users = UserJobs(lambda _: None) if os.geteuid() == 0 else None
    user = user_of(entry, inheritance.inherited["LOGNAME"], users)
    if isinstance(user, NotStarted):
        return user
    base = (inheritance if user is None else user.inheritance).of(entry.environment)
    environment = base.encoded | attempt_variables(entry, attempt)
    if user is not None:
        of_user = limiter.prepare_for_user(entry.settings, attempt)
        if isinstance(of_user, NotStarted):
            return of_user
        launch = launch_of(entry, attempt, base, environment, of_user)
        return replace(launch, user=user.launch(entry, launch, of_user))
    limited = limiter.prepare(entry.settings, attempt, environment)
    if isinstance(limited, NotStarted):
        return limited
    return launch_of(entry, attempt, base, environment, limited)


def _start(launch: Launch, limiter: Limiter) -> int | NotStarted:
    with ExitStack() as stack:
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        stack.callback(os.close, null)
        try:
            stdin = stack.enter_context(opened_input(launch.stdin, null))
            if launch.stdin is not None:
                give(stdin, launch.user)
            if launch.user is not None:
                other = start_here(launch.user, launch.environment, stdin, launch.output)
                limiter.started(other.pid, launch.limited, other.report)
                return other.pid
            child, report = start_child(launch, stdin, launch.output)
        except (OSError, ValueError) as error:
            return not_started(refused_part(error, launch), error)
    limiter.started(child.pid, launch.limited, report)
    child.returncode = 0  # it is reaped here, with what it used
    return child.pid


class _Foreground:
    """Owns a job that runs in the foreground: its process, when it is signalled next and how.

    `run` calls it once. Invariant: no signal is sent once its process is reaped, since the number
    may be another's then.
    """

    def __init__(
        self,
        entry: Entry,
        pid: int,
        limiter: Limiter,
        clock: RealClock,
        copy: OutputCopy | None,
    ) -> None:
        self._settings = entry.settings
        self._pid = pid
        self._limiter = limiter
        self._clock = clock
        self._copy = copy
        timeout = entry.settings.timeout
        self._signal_at = None if timeout is None else clock.monotonic() + timeout
        self._next = signal.SIGTERM
        self._timed_out = False

    def wait(self, notes: Notes) -> ForegroundEnd:
        """Pass on what comes until it has ended."""
        while (ended := reap(self._before_reaping)) is None or ended[0] != self._pid:
            self._limiter.look()
            # One that has ended may be the first of many, which all else would wait for.
            for number in notes(self._left() if ended is None else 0.0, self._copy):
                self._pass_on(number)
            if self._copy is not None:
                self._copy.step()
            self._enforce_timeout()
        if self._copy is not None:
            _finish(self._copy, notes)
        return self._ended(*ended[1:])

    def _left(self) -> float | None:
        return None if self._signal_at is None else max(0.0, self._signal_at - self._now())

    def _now(self) -> float:
        return self._clock.monotonic()

    def _pass_on(self, number: int) -> None:
        if number in _PASSED_ON:
            self._signal(number)
        elif number == _STOPPED:
            self._signal(signal.SIGSTOP)
            os.kill(os.getpid(), signal.SIGSTOP)  # until the shell says `fg`
            self._signal(signal.SIGCONT)

    def _enforce_timeout(self) -> None:
        """As the supervisor does: SIGTERM, and CRON_KILL_AFTER later SIGKILL."""
        if self._signal_at is None or self._signal_at > self._now():
            return
        self._timed_out = True
        self._signal(self._next)
        is_last = self._next is signal.SIGKILL
        self._signal_at = None if is_last else self._now() + self._settings.kill_after
        self._next = signal.SIGKILL

    def _before_reaping(self, pid: int) -> None:
        if pid == self._pid and self._timed_out:
            self._signal(signal.SIGKILL)  # what it has left behind

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError, PermissionError):  # macOS says EPERM for zombies
            os.killpg(self._pid, number)

    def _ended(self, code: int, usage: resource.struct_rusage) -> ForegroundEnd:
        outcome, limit = self._limiter.ended(
            self._pid,
            Exited(code) if code >= 0 else Signalled(-code),
            cpu_s=usage.ru_utime + usage.ru_stime,
            memory_bytes=peak_memory(usage.ru_maxrss),
        )
        return ForegroundEnd(outcome, limit, self._timed_out)


def _finish(copy: OutputCopy, notes: Notes) -> None:
    """Copy what a job that is over has written, unless a signal says that this is to end now."""
    copy.job_ended()
    while not copy.is_done() and not {*_PASSED_ON}.intersection(notes(None, copy)):
        copy.step()


@contextmanager
def _noted_signals() -> Iterator[Notes]:
    """Yield what waits, for some seconds at most, and returns the signals that came.

    It waits no longer than until there is something to copy.
    Handlers leave a note and no more; a child has the default disposition of each. Of what was
    ignored, as under nohup(1), there is no note.
    """
    wanted = (*_PASSED_ON, _STOPPED, signal.SIGCHLD)
    ignored = {each for each in wanted if signal.getsignal(each) is signal.SIG_IGN}
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    default_signals()
    before = {each: signal.signal(each, lambda *_: None) for each in wanted}
    old = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def notes(seconds: float | None, copy: OutputCopy | None) -> list[int]:
        reads, writes = ([], []) if copy is None else copy.waits_for()
        if reader not in select.select([reader, *reads], writes, [], seconds)[0]:
            return []
        return [each for each in os.read(reader, 1024) if each not in ignored]

    try:
        yield notes
    finally:
        signal.set_wakeup_fd(old)
        for each, handler in before.items():
            signal.signal(each, signal.SIG_IGN if each in ignored else handler)
        os.close(reader)
        os.close(writer)
