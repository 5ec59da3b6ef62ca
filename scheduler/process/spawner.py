"""Processes of jobs: an entry and its attempt in, a process group out, and later how it ended."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from scheduler.printable import quoted
from scheduler.process import job_marks, survivors
from scheduler.process.direct_exec import direct
from scheduler.process.job_environment import Inheritance, raw, text
from scheduler.process.leaders import Leaders, signal_one
from scheduler.process.limiter import Limiter, look_for
from scheduler.process.output_guard import Means, OutputGuard, open_output, pipe_to
from scheduler.process.procfs import PROC, Processes
from scheduler.process.survivors import Survivors
from scheduler.run import Exited, NotStarted, Signalled
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from scheduler.entry import Entry
    from scheduler.process.limiter import Groups, Limited
    from scheduler.process.procfs import Process
    from scheduler.run import Attempt, Limit

# What the system says when it has no room for another process, descriptor or file.
_SCARCE = frozenset(
    {
        *(errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    }
)

_SET_CHILD_SUBREAPER = 36  # prctl(2)


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything a start needs, worked out before the minute; `output` is an open descriptor.

    Words are bytes as the crontab has them, whatever the daemon's locale.
    """

    attempt: Attempt
    shell: tuple[bytes, ...]
    direct: tuple[bytes, ...] | None  # the same without a shell, where that means the same
    environment: dict[bytes, bytes]
    directory: bytes
    stdin: bytes | None
    output: int
    path: Path
    limited: Limited | None = None
    means: Means = Means.NONE


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that is gone, which limit ended it, and whether it emptied its output.

    `memory_bytes` is None where the system's figure says nothing. NotStarted is one whose limits
    could not be put on, so that it never came to be the job.
    """

    pid: int
    outcome: Exited | Signalled | NotStarted
    cpu_s: float
    memory_bytes: int | None
    limit: Limit | None = None
    emptied: bool = False


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
        """Say whether `ended` is to be asked again soon: what a child wrote is being stored."""

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

    `environ` is what they inherit, `boot` what names this boot of the machine, `groups` what limits
    an attempt's memory as a whole. Descriptors above 2 are closed in them, and signals have their
    default dispositions: see `default_signals`.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        home: str,
        user: str,
        *,
        boot: str | None = None,
        groups: Groups | None = None,
        proc: Path = PROC,
        has_pidfds: bool = True,
    ) -> None:
        own = {name: text(os.fsencode(value)) for name, value in environ.items()}
        self._inheritance = Inheritance(own, home, user)
        self._processes = Processes(proc, boot)
        self._leaders = Leaders(self._processes, has_pidfds=has_pidfds)
        self._survivors = Survivors(self._processes, self._is_own)
        self._starts: dict[int, int] = {}  # of the children, as far as the system told
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._limiter = Limiter(groups)
        self.guard = OutputGuard()
        self._over: list[tuple[int, int, resource.struct_rusage]] = []  # and told when copied
        self._bequeathed: set[int] = set()  # those of them that an earlier daemon started
        self._null = os.open(os.devnull, os.O_RDONLY)

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        base = self._inheritance.of(entry.environment)
        environment = base.encoded | job_marks.of_attempt(entry, attempt)
        try:
            descriptor = open_output(output)
        except OSError as error:
            return _not_started(f"its output file {output}", error)
        limited = self._limiter.prepare(entry.settings, attempt, environment)
        if isinstance(limited, NotStarted):
            os.close(descriptor)
            return limited
        return Launch(
            attempt,
            shell=(raw(base.variables["SHELL"]), b"-c", raw(entry.command)),
            direct=direct(entry.command, base.variables),
            environment=environment,
            directory=raw(base.variables["HOME"]),
            stdin=None if entry.stdin is None else raw(entry.stdin),
            output=descriptor,
            path=output,
            limited=limited,
            means=self.guard.begin(entry, descriptor),
        )

    def start(self, launch: Launch) -> int | NotStarted:
        result = self._start(launch)
        if isinstance(result, NotStarted):
            self._limiter.discard(launch.limited)
        return result

    def _start(self, launch: Launch) -> int | NotStarted:
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, launch.output)
            try:
                stdin = stack.enter_context(_input(launch.stdin, self._null))
            except OSError as error:
                return _not_started("its standard input can't be stored", error)
            pipe = pipe_to(launch.output) if launch.means is Means.PIPE else None
            if pipe is not None:
                stack.callback(os.close, pipe.end)
            try:
                child, report = _popen(launch, stdin, pipe.end if pipe else launch.output)
            except (OSError, ValueError) as error:
                return _not_started(_part(error, launch), error)
            self._children[child.pid] = child
            self._tag(launch, child.pid)
        self._limiter.started(child.pid, launch.limited, report)
        self.guard.started(child.pid, launch.attempt.run.job, launch.path, pipe or launch.means)
        return child.pid

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
        while (reaped := _reap(self._leaders.before_reaping)) is not None:
            pid, code, usage = reaped
            child = self._children.pop(pid, None)
            self._starts.pop(pid, None)
            self.guard.reaped(pid)
            if child is not None:  # else a copier, or what a job has left behind
                child.returncode = code
                self._over.append((pid, code, usage))
        over, self._over = self._over, []
        found: list[Ended] = []
        for each in over:
            if self.guard.is_copying(each[0]):
                self._over.append(each)
            else:
                found.append(self._ended(*each))
        return found

    def is_settling(self) -> bool:
        return bool(self._over)

    def _ended(self, pid: int, code: int, usage: resource.struct_rusage) -> Ended:
        cpu_s, peak = usage.ru_utime + usage.ru_stime, _peak(usage.ru_maxrss)
        seen = Exited(code) if code >= 0 else Signalled(-code)
        outcome, limit = self._limiter.ended(pid, seen, cpu_s=cpu_s, memory_bytes=peak)
        return Ended(pid, outcome, cpu_s, peak, limit, emptied=self.guard.ended(pid))

    def keep(self, pid: int, started: int) -> None:
        self._leaders.take(pid, started)

    def one_look(self) -> AbstractContextManager[None]:
        return self._leaders.one_look()

    def signal(self, pid: int, number: int) -> bool:
        if pid in self._children:
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
        found: dict[Attempt, list[Process]] = {}
        for process, environment in self._processes.descendants(os.getpid()):
            attempt = job_marks.attempt_of(environment)
            if attempt is not None and ended.get(attempt, process.group) != process.group:
                found.setdefault(attempt, []).append(process)
        for attempt, pid in ended.items():
            for process in self._in_cgroup(attempt, pid):
                if process not in found.get(attempt, ()):
                    found.setdefault(attempt, []).append(process)
        return found

    def _in_cgroup(self, attempt: Attempt, group: int) -> Iterator[Process]:
        """Yield what got away within the cgroup of an attempt, whatever it did to its marks."""
        for pid in self._limiter.living(attempt):
            process = self._processes.find(pid)
            if process is not None and not process.is_dead and process.group != group:
                yield process

    def end(self, process: Process, number: int, /) -> None:
        signal_one(self._processes, process, number)

    def leave_running(self) -> None:
        self._bequeathed = set(self._children)

    def _is_own(self, pid: int) -> bool:
        return pid in self._children and pid not in self._bequeathed


def become_subreaper() -> None:
    """Become the parent of what jobs leave behind (prctl(2): PR_SET_CHILD_SUBREAPER).

    So it can be told which of them got away from an attempt that is ended. Only Linux has that.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def default_signals() -> None:
    """Give back to every signal its default disposition, since jobs inherit what is ignored.

    A daemon started by nohup(1) or in the background ignores SIGHUP, SIGINT or SIGQUIT; Python
    itself ignores SIGPIPE and SIGXFSZ, which subprocess restores in each child.
    """
    keep = {signal.SIGPIPE, getattr(signal, "SIGXFSZ", signal.SIGPIPE)}
    for number in signal.valid_signals() - keep:
        with contextlib.suppress(OSError, ValueError):
            if signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _reap(
    before: Callable[[int], object],
) -> tuple[int, int, resource.struct_rusage] | None:
    """Return a child that has ended, with its exit code and what it used; None if none has.

    `before` is told its pid while nobody else can have that.
    """
    try:
        pid = -1
        if hasattr(os, "waitid"):  # else it is macOS, which has no /proc to look into before
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None:
                return None
            before(pid := found.si_pid)
        pid, status, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status), usage) if pid else None


def _popen(launch: Launch, stdin: int, output: int) -> tuple[subprocess.Popen[bytes], int | None]:
    """Start it, and return what it reports into until it is the job; None if it is at once."""
    if launch.limited is not None:
        return _limited(launch, launch.limited, stdin, output)
    if launch.direct is not None:
        # Not found, not executable, a script without "#!": the shell has its own words and exit
        # codes for each, so it gets its turn.
        with contextlib.suppress(OSError):
            return _child(launch.direct, launch, stdin, output), None
    return _child(launch.shell, launch, stdin, output), None


def _limited(
    launch: Launch, limited: Limited, stdin: int, output: int
) -> tuple[subprocess.Popen[bytes], int | None]:
    path = launch.environment.get(b"PATH", os.fsencode(os.defpath))
    look_for(launch.shell[0], launch.directory, path)
    words = limited.words + launch.shell
    if not limited.reports:
        return _child(words, launch, stdin, output), None
    report, end = os.pipe()
    try:
        return _child(words, launch, stdin, output, end), report
    except BaseException:
        os.close(report)
        raise
    finally:
        os.close(end)


def _child(
    words: tuple[bytes, ...], launch: Launch, stdin: int, output: int, error: int | None = None
) -> subprocess.Popen[bytes]:
    more = {} if launch.limited is None else launch.limited.variables
    return subprocess.Popen(
        words,
        stdin=stdin,
        stdout=output,
        stderr=output if error is None else error,
        cwd=launch.directory,
        env={**launch.environment, **more},
        start_new_session=True,
    )


@contextlib.contextmanager
def _input(given: bytes | None, null: int) -> Iterator[int]:
    """Yield what the job reads: a file, since a pipe could block the daemon on 64 KiB."""
    if given is None:
        yield null
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file.fileno()


def _peak(maxrss: int) -> int | None:
    """Return a child's peak memory in bytes, or None where the figure is this daemon's own.

    A child starts in its parent's memory, and Linux counts that in: a job smaller than the daemon
    reports the daemon's size. getrusage(2) counts in KiB, on macOS in bytes.
    """
    if maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        return None
    return maxrss if sys.platform == "darwin" else maxrss * 1024


def _part(error: OSError | ValueError, launch: Launch) -> str:
    """Say which part of a launch the system would not have."""
    if not isinstance(error, OSError) or error.errno == errno.E2BIG:
        return "its command or environment"
    if error.filename is None:
        return "no new process"
    if error.filename == launch.directory:
        return f"its HOME {quoted(text(launch.directory))}"
    if error.filename == launch.shell[0]:
        return f"its SHELL {quoted(text(launch.shell[0]))}"
    return f"what puts its limits on, {quoted(text(error.filename))}"


def _not_started(part: str, error: OSError | ValueError) -> NotStarted:
    """Say why there is no process, and whether any other job would have fared the same."""
    if not isinstance(error, OSError):
        return NotStarted(f"{part}: {error}")
    return NotStarted(f"{part}: {error.strerror}", by_system=error.errno in _SCARCE)
