"""Limits of one attempt: settings in, the words that put them on a process out, and which ended it.

CRON_CPU is RLIMIT_CPU, and CRON_MEMORY without a cgroup RLIMIT_DATA: setrlimit(2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from math import ceil
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGXCPU
from typing import TYPE_CHECKING

from scheduler.crontab import setting_values
from scheduler.process.job_environment import SHELL
from scheduler.process.user_spawner import BEGUN, REFUSED, STARTED
from scheduler.run import Exited, Limit, Signalled
from scheduler.schedule import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.entry import Settings

# What stands in front of a job reports to the daemon on its standard error, which is a pipe. It has
# let go of that when it becomes the job, so nothing that a job writes can be taken for a report.
_REFUSE = f'no() {{ echo "{REFUSED}$1" >&2; exit 126; }}'
# It goes on if the daemon is gone.
_BEGIN = f"""trap '' PIPE
echo "{BEGUN}" >&2
trap - PIPE
exec "$@" 2>&1"""
_MOST_KIB = 2**52  # what is more than any machine has must not overflow a shell's arithmetic
_LEAST_KIB = 1024  # with less than that even a shell may not start: 180 to 260 of dash on Linux

_NICE = (b"/usr/bin/nice", b"-n")  # an absolute path: the job's own PATH may have none
_PLAIN_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")

_FROM_OUTSIDE = frozenset({SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGXCPU})
_NEARLY_ALL = 0.9  # of CRON_MEMORY: a program whose next piece is refused has not used all of it


def are_set(settings: Settings) -> bool:
    """Say whether there is any limit to put on an attempt."""
    return not settings.memory is settings.cpu is settings.nice is None


def words(
    settings: Settings,
    *,
    group: bytes | None = None,
    own_nice: int = 0,
    python: tuple[bytes, ...] | None = None,
) -> tuple[bytes, ...]:
    """Return what goes in front of a command's words, so that it starts under its limits.

    That is a POSIX shell which puts them on itself by builtins alone (sh(1); -d -t -S -H of ulimit
    are what dash, bash and busybox have in common) and then becomes the command, through nice(1)
    where it is to run at another niceness than this process's. `group` is the cgroup.procs that it
    joins first: memory is limited there. `python` takes the shell's place: words that run limited.
    """
    nice: tuple[bytes, ...] = ()
    if settings.nice is not None and settings.nice != own_nice:
        nice = (*_NICE, b"%d" % (settings.nice - own_nice))
    steps = list(_steps(settings, group))
    if not steps:
        return nice
    if python is not None:
        given = ((each.kind, each.one, each.other, REFUSED + each.why) for each in steps)
        texts = (BEGUN, *chain.from_iterable(given), "--")
        return (*python, *(each.encode("utf-8", "surrogateescape") for each in texts), *nice)
    lines = [f"{{ {_in_shell(step)}; }} 2>/dev/null || no '{step.why}'" for step in steps]
    if group is not None:
        lines.append("shift")
    script = "\n".join((_REFUSE, *lines, _BEGIN))
    joined = () if group is None else (group,)
    return (SHELL.encode(), b"-c", script.encode(), b"sh", *joined, *nice)


def report(settings: Settings, group: bytes | None) -> bool:
    """Say whether what goes in front of a command reports on its standard error."""
    return next(_steps(settings, group), None) is not None


def user_steps(
    settings: Settings, group: bytes | None
) -> Iterator[tuple[str, tuple[str | int | bytes, ...], str]]:
    """Yield how root puts these limits on a process that is to be another user's: see user_spawner.

    Each is a kind, its values, and what to say if it can't be. None raises what is in force.
    """
    for step in _steps(settings, group):
        match step.kind:
            case "group":
                yield "group", (group or b"",), step.why
            case "cpu":
                yield "lower", ("RLIMIT_CPU", int(step.one), int(step.other)), step.why
            case "memory":
                most = int(step.one) * 1024
                yield "lower", ("RLIMIT_DATA", most, most), step.why
            case _:
                yield step.kind, (step.one,), step.why
    if settings.nice is not None:
        yield "nice", (settings.nice,), f"CRON_NICE={settings.nice}"


def a_shell_drops(names: Iterable[bytes]) -> bool:
    """Say whether a shell may not hand on variables of these names: POSIX 2.5.3 leaves it free."""
    return not all(map(_PLAIN_NAME.fullmatch, names))


@dataclass(frozen=True, slots=True)
class _LimitStep:
    """A limit to put on, with its values, and what to say if that fails."""

    kind: str
    one: str
    other: str
    why: str


def _steps(settings: Settings, group: bytes | None) -> Iterator[_LimitStep]:
    memory = memory_of(settings)
    if group is not None:
        path = group.decode("utf-8", "surrogateescape")
        yield _LimitStep("group", "", path, f"{memory}: it could not join its cgroup")
    if settings.cpu is not None:
        soft, hard = cpu_seconds(settings)
        told = f"CRON_CPU={duration.to_text(settings.cpu)}"
        yield _LimitStep("cpu", f"{soft}", f"{hard}", f"{told}: the daemon itself has less")
    if settings.memory is not None and group is None:
        kib = min(_MOST_KIB, ceil(settings.memory / 1024))
        yield _LimitStep("memory", f"{kib}", "", f"{memory}: the daemon itself has less")
        if kib < _LEAST_KIB:
            yield _LimitStep("probe", SHELL, "", f"{memory}: too little for a shell to start")


def _in_shell(step: _LimitStep) -> str:
    match step.kind:
        case "group":
            return 'echo 0 >"$1"'
        case "cpu":
            return f"ulimit -S -t {step.one} && ulimit -H -t {step.other}"
        case "memory":
            return f"ulimit -d {step.one}"
        case _:
            return f"{step.one} -c :"


def memory_of(settings: Settings) -> str:
    """Return CRON_MEMORY as a crontab has it."""
    return f"CRON_MEMORY={setting_values.sized(settings.memory or 0)}"


def cpu_seconds(settings: Settings) -> tuple[int, int]:
    """Return after how many seconds of CPU time SIGXCPU comes, and after how many SIGKILL."""
    soft = ceil(settings.cpu or 0)
    return soft, soft + max(1, ceil(settings.kill_after))


def refusal(report: bytes, outcome: Exited | Signalled) -> str | None:
    """Return why a process never came to be its job; None if it did.

    `report` is all that stood in front of the job has reported. Without its last word it was ended
    before: by a shell that did not start, or by somebody, which counts as the end of the job.
    """
    told = report.decode(errors="replace").splitlines()
    refused = [line.removeprefix(REFUSED) for line in told if line.startswith(REFUSED)]
    if refused:
        return refused[-1]
    if BEGUN in told or _signal(outcome) in _FROM_OUTSIDE:
        return None
    told = [line for line in told if not line.startswith(STARTED)]
    last = told[-1] if told else f"it ended with {_worded(outcome)}"
    return f"what puts its limits on did not start: {last}"


def _worded(outcome: Exited | Signalled) -> str:
    return f"exit {outcome.code}" if isinstance(outcome, Exited) else f"signal {outcome.signal}"


def ended_by(
    settings: Settings,
    outcome: Exited | Signalled,
    *,
    cpu_s: float,
    memory_bytes: int | None,
    ran_out: bool | None,
) -> Limit | None:
    """Return which limit ended an attempt; None where none did, or nobody could tell.

    `ran_out` says whether its cgroup did of memory; None without one: then only a failure of its
    own with a peak near the limit tells of it.
    """
    if isinstance(outcome, Exited) and outcome.code in settings.success:
        return None
    if ran_out:
        return Limit.MEMORY
    number = _signal(outcome)
    # Who lives through the first signal gets the second. The kernel counts ticks for both; what it
    # tells in the end is up to a quarter less where a hypervisor takes time away.
    is_spent = number == SIGXCPU or (number == SIGKILL and cpu_s >= cpu_seconds(settings)[0])
    if settings.cpu is not None and is_spent:
        return Limit.CPU
    if settings.memory is not None and ran_out is None and number not in _FROM_OUTSIDE:
        return Limit.MEMORY if (memory_bytes or 0) >= _NEARLY_ALL * settings.memory else None
    return None


def _signal(outcome: Exited | Signalled) -> int:
    """Return the signal that ended the process, or its child as a shell tells of it; 0 for none."""
    if isinstance(outcome, Signalled):
        return outcome.signal
    return max(0, outcome.code - 128)
