"""The limits that the daemon is under: of its process, and of the unit or container it runs in.

Where no daemon runs, those of this process.
"""

from __future__ import annotations

import pwd
import re
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.process.procfs import PROC
from scheduler.text import of_size

_FEW_DESCRIPTORS, _FEW_PROCESSES = 1024, 256
_LITTLE_MEMORY = 256 * 2**20  # of a daemon and its jobs together
_DAEMON_NEEDS = 100 * 2**20  # of a daemon alone
_CGROUPS = Path("/sys/fs/cgroup")
_LINGERING = Path("/var/lib/systemd/linger")
_OF_USER = re.compile(r"/user@(\d+)\.service/")
_UNIT_NAME = re.compile(r"([^/]+\.service)(?:/|\Z)")
_LIMITS = {
    "ulimit -n": resource.RLIMIT_NOFILE,
    "ulimit -u": resource.RLIMIT_NPROC,
    "ulimit -f": resource.RLIMIT_FSIZE,
    "ulimit -d": resource.RLIMIT_DATA,
    "ulimit -v": resource.RLIMIT_AS,
    "ulimit -t": resource.RLIMIT_CPU,
}


def of_process(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield which limits of its process may stop the daemon or its jobs."""
    who = "this shell's" if facts.pid is None else "the daemon's"
    yield from judged_limits(who, _read_limits(facts.pid))


def _read_limits(pid: int | None) -> dict[str, int]:
    """Return the limits that are set, of a process or of this one; what is unlimited is not there.

    Of files that is the hard limit, up to which the daemon goes by itself.
    """
    found = {}
    for name, number in _LIMITS.items():
        if pid is not None and sys.platform == "linux":
            soft, hard = resource.prlimit(pid, number)
        else:
            soft, hard = resource.getrlimit(number)
        value = hard if number == resource.RLIMIT_NOFILE else soft
        if value != resource.RLIM_INFINITY:
            found[name] = value
    return found


def judged_limits(who: str, limits: Mapping[str, int]) -> Iterator[Diagnosis]:
    """Yield what to say of limits, by the word of the shell for each."""
    found = list(_wrong_limits(who, limits))
    yield from found
    if not found:
        files = limits.get("ulimit -n", "unlimited")
        yield fine(f"{who} leave room: {files} open files at most")


def _wrong_limits(who: str, limits: Mapping[str, int]) -> Iterator[Diagnosis]:
    where = "raise it where the daemon is started (LimitNOFILE= of its unit, limits.conf)"
    if (files := limits.get("ulimit -n", _FEW_DESCRIPTORS)) < _FEW_DESCRIPTORS:
        what = f"{who} allow {files} open files (`ulimit -n`): some {files // 4} jobs at once"
        yield warning(what, where)
    if (processes := limits.get("ulimit -u", _FEW_PROCESSES)) < _FEW_PROCESSES:
        what = f"{who} allow {processes} processes of this user (`ulimit -u`)"
        yield warning(what, where.replace("NOFILE", "NPROC"))
    if "ulimit -f" in limits:
        what = f"{who} end files at {of_size(limits['ulimit -f'])} (`ulimit -f`): the journal too"
        yield warning(what, where.replace("NOFILE", "FSIZE"))
    if "ulimit -t" in limits:
        what = f"{who} end the daemon after {limits['ulimit -t']} s of CPU time (`ulimit -t`)"
        yield problem(what, where.replace("NOFILE", "CPU"))
    for name in ("ulimit -d", "ulimit -v"):
        if limits.get(name, _DAEMON_NEEDS) < _DAEMON_NEEDS:
            what = f"{who} leave {of_size(limits[name])} of memory (`{name}`)"
            yield warning(what, f"the daemon needs some {of_size(_DAEMON_NEEDS)}: raise it")


def of_unit(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield how the unit is in which the daemon runs; nothing on a system without /proc."""
    process = PROC / str(facts.pid)
    if facts.pid is not None and process.exists():
        yield from judged_unit(process, _CGROUPS, _LINGERING)


def judged_unit(process: Path, cgroups: Path, lingering: Path) -> Iterator[Diagnosis]:
    """Yield what limits a process's control group, and whether its unit outlives a logout.

    `process` is its folder in /proc, `lingering` has a file for each user whose units do.
    """
    group = _group(process)
    if (user := _OF_USER.search(f"{group}/")) is not None:
        name = _account(int(user[1]))
        if (lingering / name).exists():
            yield fine(f"{_named(group)} of {name} goes on after a logout")
        else:
            what = f"{_named(group)} ends when {name} logs out, and starts at a login alone"
            yield warning(what, f"loginctl enable-linger {name}")
    found = list(_wrong_group(group, cgroups))
    yield from found
    if not found:
        yield fine(f"{_named(group)}, with room for processes and memory")


def _group(process: Path) -> str:
    """Return the path of its group; "" where there is none of version 2."""
    for line in (process / "cgroup").read_text(errors="surrogateescape").splitlines():
        if line.startswith("0::"):
            return line[3:]
    return ""


def _named(group: str) -> str:
    names = _UNIT_NAME.findall(group)
    return names[-1] if names else "the daemon is in no unit of systemd's"


def _wrong_group(group: str, cgroups: Path) -> Iterator[Diagnosis]:
    """Yield what is scarce in a group; what lies above it limits it, too."""
    tasks, memory = _least(group, cgroups, "pids.max"), _least(group, cgroups, "memory.max")
    if tasks is not None and tasks < _FEW_PROCESSES:
        what = f"{_named(group)}: {tasks} processes and threads at most, with all jobs"
        yield warning(what, "TasksMax= of the unit, or the container's limit of processes")
    if memory is not None and memory < _LITTLE_MEMORY:
        what = f"{_named(group)}: {of_size(memory)} of memory for the daemon and all its jobs"
        yield warning(what, "MemoryMax= of the unit, or the container's limit of memory")


def _least(group: str, cgroups: Path, name: str) -> int | None:
    """Return the least that is set from the group up to the root; None if nothing is."""
    here = cgroups / group.lstrip("/")
    found = []
    for folder in (here, *here.parents):
        if not folder.is_relative_to(cgroups):
            break
        try:
            text = (folder / name).read_text().strip()
        except OSError:
            continue
        found += [int(text)] if text.isdecimal() else []
    return min(found, default=None)


def _account(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
