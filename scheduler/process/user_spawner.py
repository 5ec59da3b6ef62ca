"""Requests of a system daemon in, processes of other users out: the one process of root for that.

A program of its own, which the daemon starts by its path and speaks to by its standard input, a
socket. It is small because a fork costs by the size of who forks, and imports little for that. It
opens no file of a user's, enters no folder of one's, and hands nothing of one's to a program before
it has become that user for good: a child of its does all that, and need not be waited for.

A request is a tuple, TO_REAP or TO_START first, its answer another, both behind their length.
Invariant:
what has ended is told before it is reaped, so its number is its own until the daemon asks for more.
It owns its children; when the daemon ends, or this process, they live on. Who is its child but was
not forked by it was made so by a job, clone(2) with CLONE_PARENT: of that nobody is told.
"""

from __future__ import annotations

import errno
import gc
import marshal
import os
import resource
import select
import signal
import socket
import sys
from contextlib import suppress

TYPE_CHECKING = False  # typing's own would have to be loaded, and every fork would pay for it
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

TO_START, TO_REAP = "start", "reap"
HEAD_BYTES = 4  # bytes in front of each message that say how long it is
REFUSED, BEGUN, STARTED = "meridian: not started: ", "meridian: begun", "meridian: pid "
"""What a child reports: why it does not begin, that it begins now, and before all its number."""

_DESCRIPTORS = 3  # of a start: what it reads, what it writes, what it reports into
_STATUS = 126
_INSTEAD = {  # of the words for a command, what execve(2) would not have
    errno.E2BIG: "its command or environment",
    errno.EAGAIN: "no new process for its user",  # more than RLIMIT_NPROC
}
UMASK = 0o022
_forked = set[int]()  # the children that have not been reaped
_DEFAULT_PATH = b"/usr/bin:/bin"
# What a manager or a terminal sends to all processes of a service: this one ends with its daemon.
# They are blocked, not ignored: of what is sent to a child nothing is lost until it can take it.
_BLOCKED = {
    *(signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGTSTP),
}
_MOST_REAPED = 200  # of others' children, before requests have their turn
_OF_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # which it ignores, and a job must not


def main() -> None:
    """Answer requests until the daemon is gone."""
    channel = socket.socket(fileno=0)
    daemon = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    gc.freeze()  # what nobody writes to is shared with each child, and costs it nothing
    gc.disable()
    woken, waker = os.pipe()
    for each in (woken, waker):
        os.set_blocking(each, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    poll.register(woken, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if woken in ready:
            os.read(woken, 4096)
            if _ended() is not None and os.getppid() == daemon:
                os.kill(daemon, signal.SIGCHLD)
        if channel.fileno() in ready:
            try:
                _serve(channel, daemon)
            except ConnectionError:  # the daemon was killed before it had read an answer
                return


def _serve(channel: socket.socket, daemon: int) -> None:
    request, descriptors = _received(channel)
    if os.getppid() != daemon:  # nobody knows of what would start now
        sys.exit(0)
    try:
        answer = _answer(request, descriptors)
    finally:
        for each in descriptors:
            os.close(each)
    message = marshal.dumps(answer)
    channel.sendall(len(message).to_bytes(HEAD_BYTES, "big") + message)


def _received(channel: socket.socket) -> tuple[tuple[Any, ...], list[int]]:
    """Return a request and its descriptors; end with the daemon."""
    head, descriptors = b"", list[int]()
    while len(head) < HEAD_BYTES:
        piece, ancillary, _, _ = channel.recvmsg(HEAD_BYTES - len(head), socket.CMSG_SPACE(4 * 8))
        for _, _, data in ancillary:
            some = memoryview(data[: len(data) - len(data) % 4]).cast("i")
            descriptors += some
        if not piece:
            sys.exit(0)
        head += piece
    for each in descriptors:
        os.set_inheritable(each, False)  # noqa: FBT003 (it takes no keyword)
    text = bytearray()
    length = int.from_bytes(head, "big")
    while len(text) < length:
        piece = channel.recv(min(length - len(text), 1 << 20))
        if not piece:
            sys.exit(0)
        text += piece
    request: tuple[Any, ...] = marshal.loads(text)  # noqa: S302 (root's own daemon wrote it)
    return request, descriptors


def _answer(request: tuple[Any, ...], descriptors: list[int]) -> tuple[Any, ...]:
    if request[0] == TO_REAP:
        _, pid, goes_on = request
        used = None if pid is None else _used(pid)
        return used, _ended() if goes_on else None
    if len(descriptors) != _DESCRIPTORS:
        return None, errno.EMFILE
    try:
        pid = os.fork()
    except OSError as error:
        return None, error.errno
    if not pid:
        become(request, descriptors)
    _forked.add(pid)
    return pid, None


def _used(pid: int) -> tuple[Any, ...] | None:
    """Reap a child, and return the seconds of CPU time and the peak of memory that it had.

    None where it is not ours. 0 is a peak that says nothing: a child begins with what this process
    has, see getrusage(2).
    """
    _forked.discard(pid)
    try:
        usage = os.wait4(pid, os.WNOHANG)[2]
    except ChildProcessError:
        return None
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = usage.ru_maxrss if usage.ru_maxrss > own else 0
    return usage.ru_utime + usage.ru_stime, peak


def _ended() -> tuple[Any, ...] | None:
    """Return a child that has ended and its exit code, a signal as a negative number.

    Children that jobs have made are reaped on the way: so many, and then this process wakes itself.
    """
    for _ in range(_MOST_REAPED):
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return None
        if found is None:
            return None
        pid, status = found.si_pid, found.si_status
        if pid in _forked:
            return pid, status if found.si_code == os.CLD_EXITED else -status
        os.waitpid(pid, os.WNOHANG)
    signal.raise_signal(signal.SIGCHLD)
    return None


# --- in the child --------------------------------------------------------------------------------


def become(request: tuple[Any, ...], descriptors: list[int]) -> NoReturn:
    """Become the user, and then the job; what can't be is reported. It is for a new process."""
    report = descriptors[2]
    try:
        _report(report, f"{STARTED}{os.getpid()}")
        _start(request, descriptors)
    except _StepRefused as refused:
        _report(report, f"{REFUSED}{refused}")
    except BaseException as error:  # noqa: BLE001 (nobody else could tell of it)
        why = getattr(error, "strerror", None) or f"{type(error).__name__} {error}"
        _report(report, f"{REFUSED}no new process: {why}")
    finally:
        os._exit(_STATUS)


class _StepRefused(Exception):
    """What the system would not have, and why."""


def _start(request: tuple[Any, ...], descriptors: list[int]) -> None:
    _, steps, user, folders, environment, commands = request
    stdin, output, report = descriptors
    os.setsid()
    os.umask(UMASK)
    for number, descriptor in enumerate((stdin, output, output)):
        os.dup2(descriptor, number)
    for kind, values, why in steps:
        _tried(_put_on, why, kind, *values)
    _tried(_change_user, "its user", *user)
    # From here on it is the user who does it, and may do no more than that user may
    folder = _entered(folders)
    if folder is not None:
        environment[b"PWD"] = folder
    for kind, values, why in steps:
        if kind == "probe":
            _tried(_probe, why, *values)
    for each in _OF_PYTHON:
        signal.signal(each, signal.SIG_DFL)
    _report(report, BEGUN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _BLOCKED)
    _execute(commands, environment)


def _put_on(kind: str, *values: Any) -> None:
    """Put on one limit, as root: a user may only lower them."""
    if kind == "group":
        descriptor = os.open(values[0], os.O_WRONLY)
        os.write(descriptor, b"0")
        os.close(descriptor)
    elif kind == "limit":
        _limit(*values)
    elif kind == "lower":
        _lower(*values)
    elif kind == "nice":
        os.setpriority(os.PRIO_PROCESS, 0, values[0])


def _limit(name: str, soft: int | None, hard: int | None) -> None:
    number = getattr(resource, name)
    now = resource.getrlimit(number)
    soft, hard = (now[0] if soft is None else soft), (now[1] if hard is None else hard)
    resource.setrlimit(number, (_least(soft, hard), hard))


def _lower(name: str, soft: int, hard: int) -> None:
    number = getattr(resource, name)
    now = resource.getrlimit(number)
    hard = _least(hard, now[1])
    resource.setrlimit(number, (_least(soft, now[0], hard), hard))


def _least(*limits: int) -> int:
    return min(limits, key=lambda each: (each == resource.RLIM_INFINITY, each))


def _change_user(uid: int, gid: int, groups: tuple[Any, ...]) -> None:
    """Become the user for good: no number of root's is left to go back to."""
    if {*os.getgroups()} != {*groups}:
        os.setgroups(groups)
    os.setregid(gid, gid)
    os.setreuid(uid, uid)
    if uid:
        with suppress(OSError):
            os.setuid(0)
            raise ValueError  # there was a way back


def _entered(folders: tuple[Any, ...]) -> bytes | None:
    """Enter the first of these folders that is there; return it if it is not the very first."""
    for number, (folder, why) in enumerate(folders):
        try:
            os.chdir(folder)
        except FileNotFoundError as error:
            if number == len(folders) - 1:
                raise _StepRefused(f"{why}: {error.strerror}") from None
        except OSError as error:
            raise _StepRefused(f"{why}: {error.strerror}") from None
        else:
            return folder if number else None
    return None


def _probe(shell: str) -> None:
    try:
        process = os.posix_spawn(shell, [shell, "-c", ":"], {})
        if os.waitpid(process, 0)[1]:
            raise ValueError
    except OSError as error:
        raise ValueError from error


def _execute(commands: tuple[Any, ...], environment: dict[bytes, bytes]) -> None:
    """Become the first of the commands that can be; the last one's error is told."""
    refused = None
    for words, why in commands:
        error = _failed(words, environment)
        told = _INSTEAD.get(error.errno or 0, why)
        refused = _StepRefused(f"{told}: {error.strerror}")
    if refused is not None:
        raise refused


def _failed(words: tuple[bytes, ...], environment: dict[bytes, bytes]) -> OSError:
    """Become this command, found as execvp(3) finds it; return why that can't be.

    os.execvpe would load modules on its way, which this user may not read.
    """
    found: OSError = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    path = environment.get(b"PATH", _DEFAULT_PATH) if b"/" not in words[0] else b""
    for folder in path.split(b":"):
        try:
            file = folder + b"/" + words[0] if folder else words[0]
            os.execve(file, words, environment)  # noqa: S606 (no shell on purpose)
        except OSError as error:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):
                found = error
    return found


def _tried(step: Callable[..., object], why: str, *values: Any) -> None:
    try:
        step(*values)
    except OSError as error:
        raise _StepRefused(f"{why}: {error.strerror}") from None
    except (ValueError, MemoryError):
        raise _StepRefused(why) from None


def _report(report: int, text: str) -> None:
    """Write a line; the daemon that would read it may be gone, which is no reason not to begin."""
    with suppress(OSError):
        os.write(report, f"{text}\n".encode(errors="surrogateescape"))


if __name__ == "__main__":
    main()
