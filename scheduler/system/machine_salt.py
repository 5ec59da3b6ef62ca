"""The machine's id in, the salt of what crontabs leave to chance out: the same at each start."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_MACHINE_ID = Path("/etc/machine-id")


def salt() -> str:
    """Return a stable hash of this machine (its id, else its name), for `~` and RANDOM_DELAY."""
    try:
        machine = _MACHINE_ID.read_bytes().strip()
    except OSError:
        machine = b""
    return hashlib.sha256(machine or os.uname().nodename.encode()).hexdigest()[:16]
