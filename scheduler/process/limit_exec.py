"""Limits and a command in; this process under those limits, and then that command, out.

A program of its own, which the daemon starts by its path in front of a job. It does what the shell
of `limits.words` does, in the same words, for a job in whose environment are names that a shell
drops: Python keeps them all, and none of their values is ever in an argument. It imports little,
since it is on the way of a start.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from contextlib import suppress

TOLD_BEFORE = b"MERIDIAN_LC_CTYPE"
"""What LC_CTYPE was: Python sets it in the C locale, see PEP 538, and a job must not find that."""

_STATUS = 126


def main(words: list[str]) -> None:
    """Put on the limits in front of `--`, four words each, and become the command behind it.

    The first word is what to report when the job begins, and the last of each limit what if that
    can't be put on. Reports go to standard error, which is the daemon's until the job begins.
    """
    reports = os.dup(2)  # closed in the job
    begun, *words = words
    while words[0] != "--":
        kind, one, other, why, *words = words
        try:
            _put_on(kind, one, other)
        except (OSError, ValueError, MemoryError):
            _end(reports, why)
    _report(reports, begun)
    os.dup2(1, 2)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(words[1], words[1:], _environment())  # noqa: S606 (there is none on purpose)
    except (OSError, MemoryError) as error:
        _end(2, f"{words[1]}: {getattr(error, 'strerror', None) or 'no memory'}")


def _put_on(kind: str, one: str, other: str) -> None:
    match kind:
        case "group":
            with open(other, "wb", buffering=0) as file:  # noqa: PTH123 (pathlib takes 5 ms)
                file.write(b"0\n")
        case "cpu":
            resource.setrlimit(resource.RLIMIT_CPU, (int(one), int(other)))
        case "memory":
            most = int(one) * 1024
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        case "probe":
            probe = os.posix_spawn(one, [one, "-c", ":"], {})
            if os.waitpid(probe, 0)[1]:
                raise ValueError
        case _:
            raise ValueError(kind)


def _environment() -> dict[bytes, bytes]:
    found = dict(os.environb)
    found.pop(b"LC_CTYPE", None)
    if (before := found.pop(TOLD_BEFORE, None)) is not None:
        found[b"LC_CTYPE"] = before
    return found


def _end(report: int, why: str) -> None:
    _report(report, why)
    os._exit(_STATUS)


def _report(report: int, text: str) -> None:
    """Write a line; the daemon that would read it may be gone, which is no reason not to begin."""
    with suppress(OSError):
        os.write(report, f"{text}\n".encode(errors="surrogateescape"))


if __name__ == "__main__":
    main(sys.argv[1:])
