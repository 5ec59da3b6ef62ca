"""A launch, which is an attempt ready to start, in; its child process, or why there is none, out.

A child leads a session and process group of its own, so that a signal can reach all of its job.
"""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.printable import quoted
from scheduler.process.direct_exec import direct
from scheduler.process.job_environment import raw, text
from scheduler.process.limiter import look_for
from scheduler.process.output_guard import Means
from scheduler.run import NotStarted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.entry import Entry
    from scheduler.process.job_environment import Surroundings
    from scheduler.process.limiter import Limited
    from scheduler.process.user_spawning import UserLaunch
    from scheduler.run import Attempt

STDOUT = 1
# What the system says when it has no room for another process, descriptor or file.
_SCARCE = frozenset(
    {
        *(errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE),
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO),
    }
)


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
    stdin: bytes | None  # what the job reads; None: nothing
    output: int = STDOUT
    path: Path = Path("/dev/stdout")
    limited: Limited | None = None
    means: Means = Means.NONE
    user: UserLaunch | None = None  # what starts it as another user than this process's


def launch_of(
    entry: Entry,
    attempt: Attempt,
    base: Surroundings,
    environment: dict[bytes, bytes],
    limited: Limited | None,
) -> Launch:
    """Return what starts an attempt in these surroundings, on this process's own output."""
    return Launch(
        attempt,
        shell=(raw(base.variables["SHELL"]), b"-c", raw(entry.command)),
        direct=direct(entry.command, base.variables),
        environment=environment,
        directory=raw(base.variables["HOME"]),
        stdin=None if entry.stdin is None else raw(entry.stdin),
        limited=limited,
    )


def start_child(
    launch: Launch, stdin: int, output: int
) -> tuple[subprocess.Popen[bytes], int | None]:
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
def opened_input(given: bytes | None, null: int) -> Iterator[int]:
    """Yield what the job reads: a file, since a pipe could block the daemon on 64 KiB."""
    if given is None:
        yield null
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield file.fileno()


def not_started(part: str, error: OSError | ValueError) -> NotStarted:
    """Say why there is no process, and whether any other job would have fared the same."""
    if not isinstance(error, OSError):
        return NotStarted(f"{part}: {error}")
    return NotStarted(f"{part}: {error.strerror}", by_system=error.errno in _SCARCE)


def refused_part(error: OSError | ValueError, launch: Launch) -> str:
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
