"""A notification's words in, on the terminals where somebody sees them out.

Its own terminal; for who has none, as a job, those on which the user is logged in.
"""

from __future__ import annotations

import locale
import os
import select
import stat
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import NotifyError
from scheduler.wrapping import wrapped

if TYPE_CHECKING:
    from scheduler.system.notification import Notification
    from scheduler.system.time_limit import TimeLimit

MOST_LOGINS = 4  # a person has one pair of eyes, but may have dozens of terminals
_STDERR = 2
_USUAL_WIDTH = 78  # cells of a terminal that are there to be written in


def show(
    notification: Notification, limit: TimeLimit, terminal: Path | None, devices: Path
) -> None:
    """Write to `terminal`, or to whichever there is; NotifyError where nobody would see it."""
    title, *more = _folded(notification.title, "")
    text = (each for line in notification.text.splitlines() for each in _folded(line, "  "))
    lines = ["", f"\a{title}", *more, *text, ""]
    words = "\r\n".join(lines).encode(locale.getencoding(), "replace")
    try:
        device = _open(terminal) if terminal else _open_own()
    except OSError as error:
        if terminal is None and tell_logins(words, limit, devices):
            return
        raise NotifyError("there is no terminal to write to") from error
    _write(device, words, limit)


def _folded(line: str, before: str) -> list[str]:
    """Return a line broken at blanks: of several terminals nobody asks how wide each is."""
    return wrapped(f"{before}{line}", _USUAL_WIDTH, len(before))


def _open_own() -> int:
    try:
        return _open(Path("/dev/tty"))
    except OSError:
        return _open(Path(os.ttyname(_STDERR)))


def _open(terminal: Path) -> int:
    # Opened anew even when it is stderr: whoever shares that must not get one that never waits.
    return os.open(terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)


def tell_logins(words: bytes, limit: TimeLimit, devices: Path) -> bool:
    """Write to the terminals that the user has used last; say whether any of them took it."""
    told = False
    for path in logins(devices, os.geteuid())[:MOST_LOGINS]:
        with suppress(OSError, NotifyError):
            _write(_open(path), words, limit.part(1 / MOST_LOGINS))
            told = True
    return told


def logins(devices: Path, uid: int) -> list[Path]:
    """Return the terminals that belong to the user, the one used last first; utmp is not asked."""
    used: dict[Path, float] = {}
    # Consoles that nobody is logged in on are root's own, so root's are not told apart.
    for path in (*devices.glob("pts/[0-9]*"), *(devices.glob("tty[0-9s]*") if uid else ())):
        with suppress(OSError):
            status = path.stat()
            if status.st_uid == uid and stat.S_ISCHR(status.st_mode):
                used[path] = status.st_atime
    return sorted(used, key=lambda path: -used[path])


def _write(device: int, words: bytes, limit: TimeLimit) -> None:
    """Write all of it to the open terminal, and close that."""
    try:
        while words:
            _, writable, _ = select.select([], [device], [], limit.left())
            if not writable:  # stopped by Ctrl-S, or nobody reads the other end
                raise NotifyError(f"the terminal took nothing for {limit.seconds:.2g} s")
            words = words[os.write(device, words) :]
    except OSError as error:
        raise NotifyError(f"the terminal takes nothing ({error.strerror})") from error
    finally:
        os.close(device)
