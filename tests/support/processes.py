"""Processes that a test has started: whether one is over."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path


def is_gone(pid: int) -> bool:
    """Whether a process ends soon; what is left of one that nobody waited for is gone, too."""
    for _ in range(200):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        with suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    return False
