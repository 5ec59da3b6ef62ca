"""The daemon's end of the process that starts jobs as other users: a launch in, its pid out.

`user_spawner` is that process. It is root's own, so no user can signal, stop or trace it: one of a
user's, though faster, that user could stop, and with it everybody else's jobs.
"""

from __future__ import annotations

import contextlib
import errno
import marshal
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.process import user_spawner
from scheduler.process.reaper import ONE_LOOK, ChildEnd
from scheduler.system.clock import rest
from scheduler.system.time_limit import Patience, TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SPAWNER_FILE = Path(__file__).with_name("user_spawner.py")
_FIRST_WAIT = 1.0  # seconds that an answer may take; each late one halves that: 2 s in all
_LEAST_WAIT = 0.02  # a shorter one is none: nothing is asked until a minute is over
_TO_DIE = 1.0  # seconds that a killed process has, until its children are ours
_TO_SETTLE, _LOOK_AGAIN = 0.2, 0.0005  # seconds
_REPORT_BYTES = 4096
_STDERR, _MOST_DESCRIPTORS = 2, 1 << 20  # fs.nr_open, which a limit may have been lowered from
_KEPT_VARIABLES = ("LD_LIBRARY_PATH",)  # of the daemon's variables: Python itself may need it

Step = tuple[str, tuple[Any, ...], str]  # a kind, its values, and what to say if it can't be


@dataclass(frozen=True, slots=True)
class UserLaunch:
    """What the other process needs to start a job: everything that root does first, then who.

    Of `folders` the first that is there is the job's, of `commands` the first that can be
    executed; each has the words for why it can't.
    """

    steps: tuple[Step, ...]
    uid: int
    gid: int
    groups: tuple[int, ...]
    folders: tuple[tuple[bytes, str], ...]
    commands: tuple[tuple[tuple[bytes, ...], str], ...]


@dataclass(frozen=True, slots=True)
class UserChild:
    """A child that was started: what it reports into until it is its job, and what has come."""

    pid: int
    report: int
    told: bytes = b""


class _Gone(Exception):
    """The process has ended, or was ended since it gave no answer."""


def start_here(
    launch: UserLaunch, environment: dict[bytes, bytes], stdin: int, output: int
) -> UserChild:
    """Start a job as a child of this very process: a command's, which has one thread.

    A daemon's is too large to fork, and has threads. OSError where there is no new process.
    """
    report, end = os.pipe()
    try:
        pid = os.fork()
    except OSError:
        os.close(report)
        raise
    else:
        if not pid:
            _close_others(stdin, output, end)
            user_spawner.become(_request(launch, environment), [stdin, output, end])
    finally:
        os.close(end)
    return UserChild(pid, report)


def _close_others(*kept: int) -> None:
    """Close what whoever called this command has left open: root's, and no user's.

    A daemon's spawning process needs none of it: it was started with nothing open.
    """
    ends = sorted({each for each in kept if each > _STDERR})
    for before, following in pairwise((_STDERR, *ends, _MOST_DESCRIPTORS)):
        os.closerange(before + 1, following)


def _request(launch: UserLaunch, environment: dict[bytes, bytes]) -> tuple[Any, ...]:
    user = (launch.uid, launch.gid, launch.groups)
    request = launch.steps, user, launch.folders, environment, launch.commands
    return user_spawner.TO_START, *request


class SpawningProcess:
    """Owns the process that starts jobs as other users, and the socket by which it is asked.

    The spawner calls it, on the loop's thread. Invariant: a start is either told of or did not
    happen, also when the process dies in its midst; its children become this process's then, which
    is to be a subreaper. `tell` hears of a death.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._living: set[int] = set()
        self.is_behind = False  # some that have ended are left for the next look
        self._patience = Patience(_FIRST_WAIT)

    def begin(self) -> None:
        """Have the process ready, if it is not; raises OSError where there can't be one."""
        if self._channel is not None:
            return
        if self._patience.seconds < _LEAST_WAIT:
            raise _not_answering()
        own, other = socket.socketpair()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SPAWNER_FILE)],
                stdin=other.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                start_new_session=True,
            )
        except BaseException:
            own.close()
            raise
        finally:
            other.close()
        self._channel = own

    def start(
        self, launch: UserLaunch, environment: dict[bytes, bytes], stdin: int, output: int
    ) -> UserChild:
        """Start a job; OSError where there is no new process."""
        request = _request(launch, environment)
        for _ in range(2):  # one that dies was not the launch's fault, so another has a try
            self.begin()
            child = self._started(request, stdin, output)
            if child is not None:
                self._living.add(child.pid)
                return child
        raise _not_answering()

    def _started(self, request: tuple[Any, ...], stdin: int, output: int) -> UserChild | None:
        """Return the child; None if the process is gone, and there was none."""
        report, end = os.pipe()
        try:
            pid, number = self._asked(request, (stdin, output, end))
        except _Gone:
            os.close(end)
            child = _reported(report)
            if child is None:
                os.close(report)
            return child
        os.close(end)
        if pid is None:
            os.close(report)
            raise OSError(number, os.strerror(number))
        return UserChild(pid, report)

    def settle(self, pid: int) -> None:
        """Wait until a child that has just been made has a group of its own, to be signalled.

        That is what it does first, and no start waits for it.
        """
        limit = TimeLimit(_TO_SETTLE)
        with contextlib.suppress(ProcessLookupError):
            while pid in self._living and os.getpgid(pid) != pid and not limit.is_over():
                rest(_LOOK_AGAIN)

    def ended(self, before: Callable[[int], object]) -> list[ChildEnd]:
        """Return the children that have ended; `before` is told each while its number is its own.

        What has ended, but not by this, is told as any child of this process. It takes a moment
        at most: then `is_behind` says so.
        """
        limit, self.is_behind = TimeLimit(ONE_LOOK), False
        found: list[ChildEnd] = []
        known: tuple[int, int] | None = None
        while self._living and self._channel is not None and not self.is_behind:
            self.is_behind = known is not None and limit.is_over()
            request = user_spawner.TO_REAP, known and known[0], not self.is_behind
            try:
                used, following = self._asked(request)
            except _Gone:
                if known is not None:
                    found.append(_natively(*known))
                break
            if known is not None:
                cpu_s, peak = used or (0.0, 0)
                found.append(ChildEnd(*known, cpu_s, peak * _UNIT or None))
            if following is None:
                break
            known = following
            before(following[0])
        self._living -= {each.pid for each in found}
        return found

    def reaped(self, pid: int) -> None:
        """Hear that a child of this process is gone: it may be the one that starts the others."""
        self._living.discard(pid)
        if self._process is not None and pid == self._process.pid:
            self._process.returncode = 0  # nobody is to wait for it
            self._end("it was ended")

    def _asked(self, request: tuple[Any, ...], descriptors: Sequence[int] = ()) -> tuple[Any, Any]:
        """Return an answer; raises _Gone if none comes in time."""
        channel = self._channel
        if channel is None:
            raise _Gone
        limit = TimeLimit(self._patience.seconds)
        try:
            _send(channel, request, descriptors, limit)
            return _answer(channel, limit)
        except TimeoutError as error:
            self._end(f"it gave no answer for {limit.seconds:.2g} s")
            raise _Gone from error
        except (OSError, EOFError, ValueError) as error:
            self._end("it was ended")
            raise _Gone from error

    def _end(self, why: str) -> None:
        """Let go of the process: kill it, and wait until its children are ours."""
        self._patience.lose()
        if self._channel is not None:
            self._channel.close()
        process, self._channel, self._process = self._process, None, None
        if process is not None and process.returncode is None:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_TO_DIE)
        self._tell(why)


_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of ru_maxrss: getrusage(2)


def _not_answering() -> OSError:
    return OSError(errno.EAGAIN, "what starts the jobs of other users does not answer")


def _send(
    channel: socket.socket, request: tuple[Any, ...], descriptors: Sequence[int], limit: TimeLimit
) -> None:
    text = marshal.dumps(request)
    message = memoryview(len(text).to_bytes(user_spawner.HEAD_BYTES, "big") + text)
    channel.settimeout(limit.left())
    sent = socket.send_fds(channel, [message], descriptors) if descriptors else 0
    channel.settimeout(limit.left())
    channel.sendall(message[sent:])


def _answer(channel: socket.socket, limit: TimeLimit) -> tuple[Any, Any]:
    length = int.from_bytes(_exactly(channel, user_spawner.HEAD_BYTES, limit), "big")
    one, other = marshal.loads(_exactly(channel, length, limit))  # noqa: S302 (root's own process)
    return one, other


def _exactly(channel: socket.socket, length: int, limit: TimeLimit) -> bytes:
    found = b""
    while len(found) < length:
        channel.settimeout(limit.left())
        piece = channel.recv(length - len(found))
        if not piece:
            raise EOFError
        found += piece
    return found


def _reported(report: int) -> UserChild | None:
    """Return the child that reports here; None if there never was one: nobody has the other end."""
    told, limit = b"", TimeLimit(_TO_DIE)
    poll = select.poll()
    poll.register(report, select.POLLIN)
    while b"\n" not in told and poll.poll(limit.left() * 1000):
        piece = os.read(report, _REPORT_BYTES)
        if not piece:
            return None
        told += piece
    first = told.partition(b"\n")[0].removeprefix(user_spawner.STARTED.encode())
    return UserChild(int(first), report, told) if first.isdigit() else None


def _natively(pid: int, code: int) -> ChildEnd:
    """Return how a child ended of which the process has told, and then has ended itself.

    It is ours by now, unless it was reaped just then: then nobody knows any more what it used.
    """
    try:
        usage = os.wait4(pid, os.WNOHANG)[2]
    except ChildProcessError:
        return ChildEnd(pid, code)
    return ChildEnd(pid, code, usage.ru_utime + usage.ru_stime)
