"""Processes of jobs: an entry and its attempt in, a process group out, and later how it ended."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scheduler.model import Exited, NotStarted, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from zoneinfo import ZoneInfo

    from scheduler.model import Attempt, Entry, Environment

# What the service manager said to the daemon is not for its jobs: a job that kept NOTIFY_SOCKET
# could report readiness in the daemon's name (sd_notify(3), sd_listen_fds(3)).
_PRIVATE = frozenset(
    {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}
)
_SHELL = "/bin/sh"

# A command of plain words means the same to execve(2) as to a Bourne shell, unless its first word
# is the shell's own (POSIX 2.9.1, 2.14, 2.4 and what bash and dash add) or assigns a variable.
_PLAIN = re.compile(r"[A-Za-z0-9_@+:,./-][A-Za-z0-9_@%+=:,./ -]*", re.ASCII)
_PLAIN_SHELLS = frozenset({"/bin/sh", "/bin/bash", "/bin/dash", "/usr/bin/sh", "/usr/bin/bash"})
_SHELL_WORDS = frozenset(
    """. : alias bg bind break builtin caller case cd chdir command compgen complete compopt
    continue coproc declare dirs disown do done echo elif else enable esac eval exec exit export
    fc fg fi for function getopts hash help history if in jobs kill let local logout mapfile popd
    printf pushd pwd read readarray readonly return select set shift shopt source suspend test
    then time times trap type typeset ulimit umask unalias unset until wait while""".split()
)
_SHELL_INIT = frozenset({"ENV", "BASH_ENV"})


@dataclass(frozen=True, slots=True)
class Launch:
    """Everything a start needs, worked out before the minute; `output` is an open descriptor."""

    attempt: Attempt
    shell: tuple[str, ...]
    direct: tuple[str, ...] | None  # the same without a shell, where that means the same
    environment: dict[str, str]
    directory: str
    stdin: str | None
    output: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A child that is gone; `memory_bytes` is None where the system's figure says nothing."""

    pid: int
    outcome: Exited | Signalled
    cpu_s: float
    memory_bytes: int | None


class Spawner(Protocol):
    """What the daemon asks of processes; a stand-in that answers the same takes its place."""

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        """Work out a start and open its output file, or say why there can be none."""

    def start(self, launch: Launch) -> int | NotStarted:
        """Start it and return its pid, or say why it could not be."""

    def discard(self, launch: Launch) -> None:
        """Let go of a launch that is not going to be started."""

    def ended(self) -> list[Ended]:
        """Return the children that ended since the last call."""

    def signal(self, pid: int, number: int) -> bool:
        """Signal the process group of this child; False if nobody is left in it."""

    def started_at(self, pid: int) -> int | None:
        """Return what tells this process from a later one with its pid; None if it is gone."""


class RealSpawner:
    """Jobs as children of this process, each in a session and process group of its own.

    `environ` is what they inherit. Descriptors above 2 are closed in them, and signals have their
    default dispositions: see `default_signals`.
    """

    def __init__(self, environ: Mapping[str, str], home: str, user: str) -> None:
        self._inherited = {k: v for k, v in environ.items() if k not in _PRIVATE}
        self._inherited.setdefault("HOME", home)
        self._inherited.update(SHELL=_SHELL, LOGNAME=user, USER=user)
        self._shared: tuple[Environment, dict[str, str]] = ((), self._inherited)
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._null = os.open(os.devnull, os.O_RDONLY)

    def prepare(self, entry: Entry, attempt: Attempt, output: Path) -> Launch | NotStarted:
        base = self._base(entry.environment)
        environment = base | {
            "CRON_JOB": entry.job,
            "CRON_RUN": str(attempt.run.number),
            "CRON_ATTEMPT": str(attempt.number),
            "CRON_SCHEDULED": scheduled(attempt.run.instant, entry.zone),
        }
        try:
            descriptor = _open_output(output)
        except OSError as error:
            return NotStarted(f"its output file {output}: {error.strerror}")
        return Launch(
            attempt,
            shell=(environment["SHELL"], "-c", entry.command),
            direct=direct(entry.command, environment),
            environment=environment,
            directory=environment["HOME"],
            stdin=entry.stdin,
            output=descriptor,
        )

    def start(self, launch: Launch) -> int | NotStarted:
        try:
            with _input(launch.stdin, self._null) as stdin:
                child = _popen(launch, stdin)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            return NotStarted(_why(error, launch))
        finally:
            os.close(launch.output)
        self._children[child.pid] = child
        return child.pid

    def discard(self, launch: Launch) -> None:
        os.close(launch.output)

    def ended(self) -> list[Ended]:
        found: list[Ended] = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return found
            if pid == 0:
                return found
            child = self._children.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            if child is not None:  # else a stranger's orphan that came to us to be buried
                child.returncode = code
                found.append(_ended(pid, code, usage))

    def signal(self, pid: int, number: int) -> bool:
        try:
            os.killpg(pid, number)
        except (ProcessLookupError, PermissionError):  # macOS says EPERM for a group of zombies
            return False
        return True

    def started_at(self, pid: int) -> int | None:
        """Return the start time in clock ticks since boot: field 22 of proc_pid_stat(5)."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        fields = stat[stat.rindex(b")") + 2 :].split()
        return None if fields[0] in (b"Z", b"X") and pid not in self._children else int(fields[19])

    def _base(self, assignments: Environment) -> dict[str, str]:
        """Return the environment for these assignments; one after the other, they are the same."""
        known, environment = self._shared
        if known is not assignments:
            own = {name: value for name, value in assignments if name not in ("LOGNAME", "USER")}
            environment = self._inherited | own
            environment["PWD"] = environment["HOME"]  # a shell would set it
            self._shared = (assignments, environment)
        return environment


def scheduled(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as RFC 3339 text with the zone's offset."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def direct(command: str, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """Return the words of a command that means the same without a shell; None if it needs one."""
    if not _PLAIN.fullmatch(command) or environment["SHELL"] not in _PLAIN_SHELLS:
        return None
    words = tuple(command.split())
    if not words or "=" in words[0] or words[0] in _SHELL_WORDS or not environment.get("PATH"):
        return None
    if any(name in _SHELL_INIT or name.startswith("BASH_FUNC_") for name in environment):
        return None
    return words


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


def _popen(launch: Launch, stdin: int) -> subprocess.Popen[bytes]:
    for words in (launch.direct, launch.shell):
        if words is None:
            continue
        try:
            return subprocess.Popen(
                words,
                stdin=stdin,
                stdout=launch.output,
                stderr=launch.output,
                cwd=launch.directory,
                env=launch.environment,
                start_new_session=True,
            )
        except OSError:
            # Not found, not executable, a script without "#!": the shell has its own words and
            # exit codes for each, so it gets its turn.
            if words is launch.shell:
                raise
    raise AssertionError("a launch has a shell")


@contextlib.contextmanager
def _input(text: str | None, null: int) -> Iterator[int]:
    """Yield what the job reads: a file, since a pipe could block the daemon on 64 KiB."""
    if text is None:
        yield null
        return
    with tempfile.TemporaryFile() as file:
        file.write(text.encode("utf-8", "surrogateescape"))
        file.seek(0)
        yield file.fileno()


def _open_output(path: Path) -> int:
    """Create the output file; appended to, so that two writers of a job never overwrite."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(path, flags, 0o600)


def _ended(pid: int, code: int, usage: resource.struct_rusage) -> Ended:
    outcome = Exited(code) if code >= 0 else Signalled(-code)
    return Ended(pid, outcome, usage.ru_utime + usage.ru_stime, _peak(usage.ru_maxrss))


def _peak(maxrss: int) -> int | None:
    """Return a child's peak memory in bytes, or None where the figure is this daemon's own.

    A child starts in its parent's memory, and Linux counts that in: a job smaller than the daemon
    reports the daemon's size. getrusage(2) counts in KiB, on macOS in bytes.
    """
    if maxrss <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        return None
    return maxrss if sys.platform == "darwin" else maxrss * 1024


def _why(error: Exception, launch: Launch) -> str:
    if isinstance(error, OSError):
        name = error.filename or launch.shell[0]
        return f"{name}: {error.strerror}"
    return str(error)
