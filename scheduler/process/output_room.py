"""The disk under the outputs in; whether another user's job may begin to write there out.

Outputs are on root's disk, with the journal: without room for that nothing starts any more, of
anybody. So the last of the room is for root's own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ROOTS_PART = 20  # one in so many parts of a disk is root's,
_MOST_ROOTS = 1024**3  # but no more bytes than these


def refusal(output: Path, ask: Callable[[Path], os.statvfs_result] = os.statvfs) -> str:
    """Return why no job of another user may write this output now; "" if it may.

    It is asked before each start: who writes already is kept to the cap of outputs.
    """
    folder = output.parent.parent  # of all jobs: that of this one may not be made yet
    try:
        disk = ask(folder)
    except OSError:
        return ""  # whoever opens the output will say why
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    if free >= min(size // _ROOTS_PART, _MOST_ROOTS):
        return ""
    return f"the disk of {folder} is nearly full, and what is left of it is root's"
