"""Until when another cron ran cron's tables here: kept in the state folder for the next daemon.

It is on the disk before cron's own trace, the pid file, is written over. Where it is missing, or
makes no sense, another cron had the tables until now: rather left out than run twice.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

CRONS_RECORD_NAME = "cron-until"
_RECORD_BYTES = 512


@dataclass(frozen=True, slots=True)
class CronUntil:
    """The tables are this daemon's since `until`, and were taken last in the `boot` of that id."""

    until: datetime
    boot: str | None


def read(path: Path) -> CronUntil | None:
    """Return what was kept; None where there is nothing, or nothing that makes sense."""
    with suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
        with state_files.open_for(path, os.O_RDONLY) as descriptor:
            kept = json.loads(os.pread(descriptor, _RECORD_BYTES, 0))
        boot = kept["boot"]
        return CronUntil(datetime.fromtimestamp(kept["until"], UTC), boot and str(boot))
    return None


def write(path: Path, kept: CronUntil) -> None:
    """Put it on the disk; where that is refused the next daemon knows of nothing."""
    text = json.dumps({"until": int(kept.until.timestamp()), "boot": kept.boot}) + "\n"
    with suppress(OSError):
        descriptor = state_files.opened(path, os.O_RDWR | os.O_CREAT)
        try:
            os.truncate(descriptor, os.pwrite(descriptor, text.encode(), 0))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
