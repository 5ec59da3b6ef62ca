"""A tag and a notification server in, the number that this server gave to its last one out.

A server counts anew when it starts: a number of an earlier one is somebody else's notification
now, and would take its place. So each number stands with the server that gave it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError
from scheduler.system import paths, state_files

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.system.desktop_session import Desktop

_MOST_READ = 1024


class ShownNumbers:
    """Owns a folder of numbers, a file for each tag; whoever shows something calls it.

    Invariant: a number comes out for the very server that gave it alone. What can't be read or kept
    is as if it had never been: then a notification stands beside the one before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last(self, tag: str, server: str) -> int:
        """Return the number of the last one with this tag; 0 if this server gave none."""
        with (
            suppress(OSError, ValueError),
            state_files.open_for(self._file(tag), os.O_RDONLY) as at,
        ):
            number, _, whose = os.read(at, _MOST_READ).decode("ascii").partition(" ")
            return int(number) if whose == server else 0
        return 0

    def keep(self, tag: str, server: str, number: int) -> None:
        """Remember what the last one with this tag is called."""
        with suppress(OSError, ValueError, MeridianError):
            paths.make_private(self._folder, os.geteuid(), kind="notifications")
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            with state_files.open_for(self._file(tag), flags) as at:
                os.write(at, f"{number} {server}".encode("ascii"))

    def _file(self, tag: str) -> Path:
        return self._folder / hashlib.sha256(tag.encode()).hexdigest()[:32]


def of(desktop: Desktop) -> ShownNumbers | None:
    """Return where this desktop's numbers are kept; None for a user who has no place for them."""
    if desktop.numbers is not None:
        return ShownNumbers(desktop.numbers)
    try:
        return ShownNumbers(paths.paths(desktop.environ, desktop.uid).runtime / "notifications")
    except MeridianError:
        return None
