"""Limits in force: settings in, what an attempt starts under out, and later what it ended by."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scheduler.process import limit_exec, resource_limits
from scheduler.run import NotStarted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.entry import Settings
    from scheduler.run import Attempt, Exited, Limit, Signalled

_PROGRAM = Path(__file__).with_name("limit_exec.py")
_REPORT_BYTES = 4096  # bytes of a report that are read
_LOOKED_AT = 64  # reports at a time, 1 us each: more than come, so that each has its turn


class MemoryGroups(Protocol):
    """What limits a whole attempt, with everything that it starts."""

    def make(self, name: str, memory: int) -> Path | None:
        """Make a group of at most so many bytes; None where there can be none; or OSError."""

    def ran_out(self, group: Path) -> bool:
        """Say whether the group's own limit made the kernel kill what was in it."""

    def remove(self, group: Path) -> None:
        """Remove a group, now or when what was left in it has ended."""

    def living(self, name: str) -> list[int]:
        """Return the pids of what lives on in a removed group that was made with this name."""


@dataclass(frozen=True, slots=True)
class Limited:
    """What an attempt starts under: words in front of its own, and its group if it has one.

    What is in front `reports` on its standard error until it becomes the job, or does not.
    """

    settings: Settings
    words: tuple[bytes, ...]
    group: Path | None
    reports: bool
    variables: Mapping[bytes, bytes]  # for what is in front; it takes them away


@dataclass(slots=True)
class _LimitedAttempt:
    """What limits an attempt that runs, and what has come of its report; the limiter changes it.

    `pipe` is None once the whole report has come.
    """

    limited: Limited
    pipe: int | None
    report: bytes = b""


class Limiter:
    """Owns the limits of attempts that run, and the pipes into which their starts report.

    The spawner calls it: `prepare`, `started` and `ended` once for each attempt, `look` often.
    Invariant: each pipe is closed once its job begins or has ended, and each cgroup is removed.
    Without `groups` memory is limited process by process.
    """

    def __init__(self, groups: MemoryGroups | None = None) -> None:
        self._groups = groups
        self._started: dict[int, _LimitedAttempt] = {}
        self._reporting: deque[_LimitedAttempt] = deque()

    def prepare(
        self, settings: Settings, attempt: Attempt, environment: Mapping[bytes, bytes]
    ) -> Limited | NotStarted | None:
        """Return what limits this attempt, or why that can't be; None for one without limits."""
        if not resource_limits.are_set(settings):
            return None
        own_nice = os.getpriority(os.PRIO_PROCESS, 0)
        if settings.nice is not None and not _is_allowed(settings.nice, own_nice):
            return NotStarted(f"CRON_NICE={settings.nice}: not permitted")
        group = self._group(settings, attempt)
        if isinstance(group, NotStarted):
            return group
        procs = None if group is None else os.fsencode(group / "cgroup.procs")
        python, variables = _instead_of_shell(environment)
        words = resource_limits.words(settings, group=procs, own_nice=own_nice, python=python)
        reports = resource_limits.report(settings, procs)
        return Limited(settings, words, group, reports, variables if reports else {})

    def prepare_for_user(self, settings: Settings, attempt: Attempt) -> Limited | NotStarted:
        """Return what limits an attempt of another user's, or why that can't be.

        It reports, limits or not: what becomes of it on its way to the job is seen by that alone.
        """
        group = self._group(settings, attempt)
        if isinstance(group, NotStarted):
            return group
        return Limited(settings, (), group, reports=True, variables={})

    def started(
        self, pid: int, limited: Limited | None, pipe: int | None = None, told: bytes = b""
    ) -> None:
        """Remember under what a process has started; None for one without limits.

        `pipe` is what it reports into, to be read and closed here; `told` is what has been read.
        """
        self.look()
        if limited is not None:
            started = self._started[pid] = _LimitedAttempt(limited, pipe, told)
            if pipe is not None:
                os.set_blocking(pipe, False)
                self._reporting.append(started)

    def look(self) -> None:
        """Read what has come of reports, and let go of those that are over: their jobs run."""
        for _ in range(min(_LOOKED_AT, len(self._reporting))):
            reporting = self._reporting.popleft()
            _read(reporting)
            if reporting.pipe is not None:
                self._reporting.append(reporting)

    def discard(self, limited: Limited | None) -> None:
        """Let go of what limits an attempt that is over, or that is not going to be started."""
        if self._groups is not None and limited is not None and limited.group is not None:
            self._groups.remove(limited.group)

    def ended(
        self, pid: int, outcome: Exited | Signalled, *, cpu_s: float, memory_bytes: int | None
    ) -> tuple[Exited | Signalled | NotStarted, Limit | None]:
        """Return how a process that is gone really ended, and by which limit."""
        started = self._started.pop(pid, None)
        if started is None:
            return outcome, None
        limited = started.limited
        ran_out = self._ran_out(limited)
        self.discard(limited)
        _read(started, is_over=True)
        why = resource_limits.refusal(started.report, outcome) if limited.reports else None
        if why is not None:
            return NotStarted(why), None
        limit = resource_limits.ended_by(
            limited.settings, outcome, cpu_s=cpu_s, memory_bytes=memory_bytes, ran_out=ran_out
        )
        return outcome, limit

    def living(self, attempt: Attempt) -> list[int]:
        """Return the pids of what lives on in the cgroup of an attempt that is over."""
        return [] if self._groups is None else self._groups.living(_name(attempt))

    def _ran_out(self, limited: Limited) -> bool | None:
        if self._groups is None or limited.group is None:
            return None
        return self._groups.ran_out(limited.group)

    def _group(self, settings: Settings, attempt: Attempt) -> Path | NotStarted | None:
        """Return what limits the memory of a whole attempt; None where nothing does, or has to."""
        if settings.memory is None:
            return None
        group = None
        try:
            if self._groups is not None:
                group = self._groups.make(_name(attempt), settings.memory)
        except OSError as error:
            why = f"its cgroup: {error.strerror}"
            return NotStarted(f"{resource_limits.memory_of(settings)}: {why}")
        if group is None and sys.platform != "linux":
            return NotStarted(f"{resource_limits.memory_of(settings)}: only Linux has such a limit")
        return group


def _name(attempt: Attempt) -> str:
    return f"{attempt.run.number}.{attempt.number}"


def _is_allowed(nice: int, own: int) -> bool:
    """Ask the system whether a process may be as nice as that: by trying, for a moment.

    Below its own niceness that takes a right (getrlimit(2): RLIMIT_NICE; capabilities(7)) which a
    container may lack even where its user is root. nice(1) only warns, and goes on.
    """
    if nice >= own:
        return True
    try:
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    except OSError:
        return False
    os.setpriority(os.PRIO_PROCESS, 0, own)
    return True


def look_for(shell: bytes, directory: bytes, path: bytes) -> None:
    """Raise what its start would, for a shell that only another program would find missing."""
    name = os.fsdecode(shell)
    place = f"{os.fsdecode(directory)}/{name}" if "/" in name[1:] and name[0] != "/" else name
    if shutil.which(place, path=os.fsdecode(path)) is None:
        number = errno.EACCES if Path(place).exists() else errno.ENOENT
        raise OSError(number, os.strerror(number), shell)


def _instead_of_shell(
    environment: Mapping[bytes, bytes],
) -> tuple[tuple[bytes, ...] | None, Mapping[bytes, bytes]]:
    """Return what puts limits on where a shell would drop variables, and variables for itself."""
    if not resource_limits.a_shell_drops(environment):
        return None, {}
    words = (sys.executable, "-I", "-S", "-X", "utf8", str(_PROGRAM))
    before = environment.get(b"LC_CTYPE")
    variables = {} if before is None else {limit_exec.TOLD_BEFORE: before}
    return tuple(map(os.fsencode, words)), variables


def _read(started: _LimitedAttempt, *, is_over: bool = False) -> None:
    """Read what there is of a report, up to its end, which is when the job begins."""
    while started.pipe is not None:
        try:
            piece = os.read(started.pipe, _REPORT_BYTES)
        except BlockingIOError:
            if not is_over:
                return
            piece = b""
        started.report = (started.report + piece)[-_REPORT_BYTES:]
        if not piece:
            os.close(started.pipe)
            started.pipe = None
