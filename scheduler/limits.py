"""Limits of one attempt: settings in, the words that put them on a process out, and which ended it.

CRON_CPU is RLIMIT_CPU, and CRON_MEMORY without a cgroup RLIMIT_DATA: setrlimit(2).
"""

from __future__ import annotations

import re
from math import ceil
from signal import SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGXCPU
from typing import TYPE_CHECKING

from scheduler import duration, values
from scheduler.environment import SHELL
from scheduler.model import Exited, Limit, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.model import Settings

# A step that fails says so in the attempt's output, and the job is not run without its limit.
_REFUSED = "meridian: not started: "
REFUSAL = Exited(126)
_REFUSE = f'no() {{ echo "{_REFUSED}$1"; exit {REFUSAL.code}; }}'
_MOST_KIB = 2**52  # what is more than any machine has must not overflow a shell's arithmetic

_NICE = (b"/usr/bin/nice", b"-n")  # an absolute path: the job's own PATH may have none
_ENV = (b"/usr/bin/env", b"--")
_PLAIN_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")

_FROM_OUTSIDE = frozenset({SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGXCPU})
_NEAR = 0.9  # of CRON_MEMORY: a program whose next piece is refused has not used all of it


def are_set(settings: Settings) -> bool:
    """Say whether there is any limit to put on an attempt."""
    return not settings.memory is settings.cpu is settings.nice is None


def words(
    settings: Settings,
    environment: Iterable[tuple[bytes, bytes]] = (),
    *,
    group: bytes | None = None,
    own_nice: int = 0,
) -> tuple[bytes, ...]:
    """Return what goes in front of a command's words, so that it starts under its limits.

    That is a POSIX shell which puts them on itself by builtins alone (sh(1); -d -t -S -H of ulimit
    are what dash, bash and busybox have in common) and then becomes the command, through nice(1)
    where it is to run at another niceness than this process's. `group` is the cgroup.procs that it
    joins first: memory is limited there. Variables whose names a shell drops come from env(1).
    """
    nice: tuple[bytes, ...] = ()
    if settings.nice is not None and settings.nice != own_nice:
        nice = (*_NICE, b"%d" % (settings.nice - own_nice))
    steps = [f"{{ {step}; }} 2>/dev/null || no '{why}'" for step, why in _steps(settings, group)]
    if not steps:
        return nice
    if group is not None:
        steps.append("shift")
    script = "\n".join((_REFUSE, *steps, 'exec "$@"'))
    joined = () if group is None else (group,)
    odd = [b"%b=%b" % each for each in environment if not _PLAIN_NAME.fullmatch(each[0])]
    return (
        SHELL.encode(),
        b"-c",
        script.encode(),
        b"sh",
        *joined,
        *((*_ENV, *odd) if odd else ()),
        *nice,
    )


def _steps(settings: Settings, group: bytes | None) -> Iterator[tuple[str, str]]:
    """Yield each step as shell text, and what to say if it fails."""
    if group is not None:
        yield 'echo 0 >"$1"', f"{memory_of(settings)}: it could not join its cgroup"
    if settings.cpu is not None:
        soft, hard = cpu_seconds(settings)
        told = f"CRON_CPU={duration.to_text(settings.cpu)}"
        yield f"ulimit -S -t {soft} && ulimit -H -t {hard}", f"{told}: the daemon itself has less"
    if settings.memory is not None and group is None:
        kib = min(_MOST_KIB, ceil(settings.memory / 1024))
        yield f"ulimit -d {kib}", f"{memory_of(settings)}: the daemon itself has less"


def memory_of(settings: Settings) -> str:
    """Return CRON_MEMORY as a crontab has it."""
    return f"CRON_MEMORY={values.sized(settings.memory or 0)}"


def cpu_seconds(settings: Settings) -> tuple[int, int]:
    """Return after how many seconds of CPU time SIGXCPU comes, and after how many SIGKILL."""
    soft = ceil(settings.cpu or 0)
    return soft, soft + max(1, ceil(settings.kill_after))


def refusal(output: bytes) -> str | None:
    """Return why a limit could not be put on; None if the job's own output begins so.

    An attempt of which that may be asked ended as `REFUSAL`.
    """
    line = output.partition(b"\n")[0].decode(errors="replace")
    return line.removeprefix(_REFUSED) if line.startswith(_REFUSED) else None


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
    # Who lives through the first signal meets the second. The kernel counts ticks for both; what it
    # tells in the end is up to a quarter less where a hypervisor takes time away.
    is_spent = number == SIGXCPU or (number == SIGKILL and cpu_s >= cpu_seconds(settings)[0])
    if settings.cpu is not None and is_spent:
        return Limit.CPU
    if settings.memory is not None and ran_out is None and number not in _FROM_OUTSIDE:
        return Limit.MEMORY if (memory_bytes or 0) >= _NEAR * settings.memory else None
    return None


def _signal(outcome: Exited | Signalled) -> int:
    """Return the signal that ended the process, or its child as a shell tells of it; 0 for none."""
    if isinstance(outcome, Signalled):
        return outcome.signal
    return max(0, outcome.code - 128)
