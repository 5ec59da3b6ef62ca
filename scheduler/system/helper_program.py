"""A program's arguments and a time limit in, what it wrote and how it ended out.

For programs of the system that answer at once, as osascript, ioreg and sendmail: one that hangs is
ended with all it started.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from scheduler.errors import NotifyError, NotifyTimeout
from scheduler.system import own_groups

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scheduler.system.time_limit import TimeLimit

_MOST_WRITTEN = 1 << 20  # ioreg tells of a whole machine


@dataclass(frozen=True, slots=True)
class HelperEnded:
    """How a program ended, a signal as a negative number, and what it wrote to its two outputs."""

    code: int
    out: str
    err: str


def found(name: str, environ: Mapping[str, str]) -> str:
    """Return the path of a program that this PATH finds; NotifyError if it finds none."""
    program = shutil.which(name, path=environ.get("PATH", os.defpath))
    if program is None:
        raise NotifyError(f"{name} is not on PATH")
    return program


def run(
    argv: tuple[str, ...], limit: TimeLimit, environ: Mapping[str, str], given: bytes = b""
) -> HelperEnded:
    """Run a program to its end; NotifyError if it can't be started, or (NotifyTimeout) takes long.

    `given` is what it may read on its standard input.
    """
    # Files, not pipes: a pipe stays open, and is waited for, as long as any descendant lives, and
    # a program that reads nothing would never empty it.
    with (
        tempfile.TemporaryFile() as stdin,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        stdin.write(given)
        stdin.seek(0)
        code = _code(argv, limit, environ, (stdin.fileno(), out.fileno(), err.fileno()))
        return HelperEnded(code, _read(out), _read(err))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_MOST_WRITTEN).decode(errors="replace")


def _code(
    argv: tuple[str, ...], limit: TimeLimit, environ: Mapping[str, str], ends: tuple[int, int, int]
) -> int:
    name = Path(argv[0]).name
    try:
        with own_groups.leader(lambda: _started(argv, environ, ends)) as process, process:
            try:
                return process.wait(limit.left())
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
    except OSError as error:
        raise NotifyError(f"{name} could not be started ({error.strerror})") from error
    except subprocess.TimeoutExpired as late:
        raise NotifyTimeout(f"{name} did not end within {limit.seconds:.2g} s") from late


def _started(
    argv: tuple[str, ...], environ: Mapping[str, str], ends: tuple[int, int, int]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        argv,
        env=dict(environ),
        stdin=ends[0],
        stdout=ends[1],
        stderr=ends[2],
        process_group=0,  # so that a hanging one can be ended with all it started
    )
