"""Starts jobs and tells how they ended: an entry and an attempt in, a process group out.

What a launch is stands in `launch`, the reaping of ended children in `reaper`, signals to groups in
`process_groups`, processes of an earlier daemon in `survivors`.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from scheduler.process import output_room, survivors
from scheduler.process.as_user import give, user_of
from scheduler.process.escaped_processes import EscapedProcesses
from scheduler.process.job_environment import Inheritance, attempt_variables, text
from scheduler.process.launch import (
    Launch,
    launch_of,
    not_started,
    opened_input,
    refused_part,
    start_child,
)
from scheduler.process.limiter import Limiter
from scheduler.process.output_files import open_output
from scheduler.process.output_guard import Means, OutputGuard, pipe_to
from scheduler.process.process_groups import Leaders, signal_one
from scheduler.process.procfs import PROC, Processes
from scheduler.process.reaper import ONE_LOOK, ChildEnd, Ended, peak_memory, reap_some
from scheduler.process.survivors import Survivors
from scheduler.run import Exited, NotStarted, Signalled
from scheduler.system import state_files
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.process.limiter import MemoryGroups
    from scheduler.process.procfs import Process
    from scheduler.process.user_jobs import UserJobs
    from scheduler.run import Attempt


class Spawner(Protocol):
    """What the daemon asks of processes; a stand-in that answers the same takes its place."""

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        """Work out a start and open its output file, or say why there can be none."""

    def start(self, launch: Launch) -> int | NotStarted:
        """Start it and return its pid, or say why it could not be."""

    def discard(self, launch: Launch) -> None:
        """Let go of a launch that is not going to be started, and of its empty output file."""

    def ended(self) -> list[Ended]:
        """Return the children that ended since the last call."""

    def is_settling(self) -> bool:
        """Say whether `ended` is to be asked again soon: output is on its way, or ends are."""

    def keep(self, pid: int, started: int) -> None:
        """Keep a process of this start, which an earlier daemon started, so as to signal it."""

    def one_look(self) -> AbstractContextManager[None]:
        """Let all signals that are sent inside share one look at the machine's processes.

        It holds up the loop for as long as that takes; inside is one short step of the loop.
        """

    def signal(self, pid: int, number: int) -> bool:
        """Signal the process group of a child, or of one that is kept; False if nobody is left.

        A child that has been signalled is kept, too, and beyond its end. A group that is not kept
        gets no signal: its number can be another's.
        """

    def release(self, pid: int) -> None:
        """Let go of a process and of its group, which get no other signal."""

    def started_at(self, pid: int) -> int | None:
        """Return what tells this process from a later one with its pid; None if it is gone.

        Raises OSError where the system does not tell now whether it is. For a child, whose end is
        told by `ended`, that is None too.
        """

    def began(self, started: int) -> float | None:
        """Return when a process began that `started_at` told of, on the clock of `since_boot`.

        None where the system does not tell.
        """

    def orphans(self, outputs: Mapping[Attempt, Path], /) -> Mapping[Attempt, int]:
        """Return the pids of those attempts that live, which an earlier daemon started.

        They are known by their outputs: by what was written on those, or as who has them open. 0 is
        somebody whom the system hides. Raises OSError where it can't tell now.
        """

    def survivors(self, outputs: Iterable[Path], /) -> Mapping[Attempt, int]:
        """Return the same of all attempts that these outputs are of, for a journal that is lost."""

    def is_held(self, output: Path, /) -> bool:
        """Say whether anybody has an output open to write; True where the system can't tell."""

    def escaped(self, ended: Mapping[Attempt, int], /) -> Mapping[Attempt, Sequence[Process]]:
        """Return the living processes of these attempts, by pid, that are in no group of theirs.

        They descend from this process, which adopts what their parents leave; none are found on
        a system that does not tell of other processes. Raises OSError where one that does can't.
        """

    def end(self, process: Process, number: int, /) -> None:
        """Signal one process, unless its number is another's by now."""

    def leave_running(self) -> None:
        """Let the next daemon in this process find the children as if another's had been theirs.

        Their ends are still told by `ended`.
        """


class RealSpawner:
    """Jobs as children of this process, each in a session and process group of its own.

    Owns the children from their start until `ended` tells of them, and through its parts their
    limits, the leaders of groups that may be signalled, and the guard of their outputs. Of `runs`
    the launcher prepares and starts, the supervisor signals, outcomes ask who has ended, recovery
    asks who lives on; all on the thread of the loop. Invariant: each child that started is told of
    once, after all of its output is stored; no signal reaches a group that is not an attempt's.

    `environ` is what they inherit, `boot` what names this boot of the machine, `groups` what limits
    an attempt's memory as a whole, `users` what starts jobs as other users (root's daemon alone
    can have that). Descriptors above 2 are closed in them, and signals have their
    default dispositions: see `default_signals`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: str,
        user: str,
        *,
        boot: str | None = None,
        groups: MemoryGroups | None = None,
        users: UserJobs | None = None,
        proc: Path = PROC,
        has_pidfds: bool = True,
    ) -> None:
        own = {name: text(os.fsencode(value)) for name, value in environ.items()}
        self.inheritance = Inheritance(own, home, user)
        self._processes = Processes(proc, boot)
        self._leaders = Leaders(self._processes, has_pidfds=has_pidfds)
        self._survivors = Survivors(self._processes, self._is_own)
        self._starts: dict[int, int] = {}  # of the children, as far as the system told
        self._children: dict[int, subprocess.Popen[bytes] | None] = {}  # None: another user's
        self._user = user
        self._users = users
        self._limiter = Limiter(groups)
        self._escaped = EscapedProcesses(self._processes, self._limiter)
        self.guard = OutputGuard()
        self._reaped: list[ChildEnd] = []  # told when copied
        self._is_behind = False  # more have ended, and wait for the next look
        self._left_running: set[int] = set()  # those of them that an earlier daemon started
        self._null = os.open(os.devnull, os.O_RDONLY)

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        user = user_of(entry, self._user, self._users)
        if isinstance(user, NotStarted):
            return user
        if user is not None and (why := output_room.refusal(output)):
            return NotStarted(why)
        base = (self.inheritance if user is None else user.inheritance).of(entry.environment)
        environment = base.encoded | attempt_variables(entry, attempt)
        try:
            descriptor = open_output(output)
        except OSError as error:
            return not_started(f"its output file {output}", error)
        if user is None:
            limited = self._limiter.prepare(entry.settings, attempt, environment)
        else:
            limited = self._limiter.prepare_for_user(entry.settings, attempt)
        if isinstance(limited, NotStarted):
            os.close(descriptor)
            return limited
        launch = launch_of(entry, attempt, base, environment, limited)
        if user is not None and limited is not None and self._users is not None:
            self._users.begin()
            launch = replace(launch, user=user.launch(entry, launch, limited))
        means = self.guard.begin(entry, descriptor)
        return replace(launch, output=descriptor, path=output, means=means)

    def start(self, launch: Launch) -> int | NotStarted:
        result = self._start(launch)
        if isinstance(result, NotStarted):
            self._limiter.discard(launch.limited)
        return result

    def _start(self, launch: Launch) -> int | NotStarted:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, launch.output)
            try:
                stdin = stack.enter_context(opened_input(launch.stdin, self._null))
                if launch.stdin is not None:
                    give(stdin, launch.user)
            except OSError as error:
                return not_started("its standard input can't be stored", error)
            pipe = pipe_to(launch.output) if launch.means is Means.PIPE else None
            if pipe is not None:
                stack.callback(os.close, pipe.end)
                give(pipe.end, launch.user)
            try:
                pid = self._start_child(launch, stdin, pipe.end if pipe else launch.output)
            except (OSError, ValueError) as error:
                return not_started(refused_part(error, launch), error)
            self._tag(launch, pid)
        self.guard.started(pid, launch.attempt.run.job, launch.path, pipe or launch.means)
        return pid

    def _start_child(self, launch: Launch, stdin: int, output: int) -> int:
        if launch.user is None or self._users is None:
            child, report = start_child(launch, stdin, output)
            self._children[child.pid] = child
            self._limiter.started(child.pid, launch.limited, report)
            return child.pid
        other = self._users.start(launch, stdin, output)
        self._children[other.pid] = None
        self._escaped.started(other.pid, launch.user.uid)
        self._limiter.started(other.pid, launch.limited, other.report, other.told)
        return other.pid

    def _tag(self, launch: Launch, pid: int) -> None:
        """Write on its output which process it is of: the journal hears of it after the burst."""
        with contextlib.suppress(OSError):
            process = self._processes.find(pid)
            if process is not None:
                self._starts[pid] = process.start
                survivors.tag(launch.output, launch.attempt, process)

    def discard(self, launch: Launch) -> None:
        os.close(launch.output)
        with contextlib.suppress(OSError):  # a job has changed what is there: retention comes too
            state_files.remove(launch.path)
        self._limiter.discard(launch.limited)

    def ended(self) -> list[Ended]:
        self._limiter.look()
        found, self._is_behind = reap_some(self._leaders.before_reaping, TimeLimit(ONE_LOOK))
        for pid, code, usage in found:
            self.guard.reaped(pid)
            if self._users is not None:
                self._users.reaped(pid)
            cpu_s, peak = usage.ru_utime + usage.ru_stime, peak_memory(usage.ru_maxrss)
            self._saw_end(ChildEnd(pid, code, cpu_s, peak))
        if self._users is not None:
            for other in self._users.ended(self._leaders.before_reaping):
                self._saw_end(other)
            self._is_behind |= self._users.is_behind()
        reaped, self._reaped = self._reaped, []
        told: list[Ended] = []
        for each in reaped:
            if self.guard.is_copying(each.pid):
                self._reaped.append(each)
            else:
                told.append(self._ended(each))
        return told

    def _saw_end(self, end: ChildEnd) -> None:
        """Take note that a process is gone; not of a copier, or of what a job has left behind."""
        self._starts.pop(end.pid, None)
        if end.pid in self._children:
            child = self._children.pop(end.pid)
            if child is not None:
                child.returncode = end.code
            self._reaped.append(end)

    def is_settling(self) -> bool:
        return self._is_behind or bool(self._reaped)

    def _ended(self, end: ChildEnd) -> Ended:
        pid, cpu_s, peak = end.pid, end.cpu_s, end.memory_bytes
        seen = Exited(end.code) if end.code >= 0 else Signalled(-end.code)
        outcome, limit = self._limiter.ended(pid, seen, cpu_s=cpu_s, memory_bytes=peak)
        self._escaped.ended(pid, was_signalled=pid in self._leaders)
        return Ended(pid, outcome, cpu_s, peak, limit, emptied=self.guard.ended(pid))

    def keep(self, pid: int, started: int) -> None:
        self._leaders.take(pid, started)

    def one_look(self) -> AbstractContextManager[None]:
        return self._leaders.one_look()

    def signal(self, pid: int, number: int) -> bool:
        if pid in self._children:
            if self._users is not None:
                self._users.settle(pid)
            self._leaders.take(pid, self._starts.get(pid))
        return self._leaders.signal(pid, number, is_pinned=pid in self._children)

    def release(self, pid: int) -> None:
        self._leaders.drop(pid)

    def started_at(self, pid: int) -> int | None:
        if self._is_own(pid) and pid in self._starts:
            return self._starts[pid]
        if pid not in self._children and self._leaders.tells(pid):
            return self._leaders.start_of(pid)
        try:
            process = self._processes.find(pid)
        except OSError:
            if self._is_own(pid):
                return None
            raise
        if process is None or (process.is_dead and pid not in self._children):
            return None
        return process.start

    def began(self, started: int) -> float | None:
        return self._processes.began(started)

    def orphans(self, outputs: Mapping[Attempt, Path], /) -> Mapping[Attempt, int]:
        return self._survivors.of(outputs)

    def survivors(self, outputs: Iterable[Path], /) -> Mapping[Attempt, int]:
        return self._survivors.among(outputs)

    def is_held(self, output: Path, /) -> bool:
        return survivors.is_held(output)

    def escaped(self, ended: Mapping[Attempt, int], /) -> Mapping[Attempt, Sequence[Process]]:
        return self._escaped.of(ended)

    def end(self, process: Process, number: int, /) -> None:
        signal_one(self._processes, process, number)

    def leave_running(self) -> None:
        self._left_running = set(self._children)

    def _is_own(self, pid: int) -> bool:
        return pid in self._children and pid not in self._left_running
