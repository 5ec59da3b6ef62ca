"""Programs that write without end, under the default bound: their number in, what they took out."""

from __future__ import annotations

import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .daemons import Meridian, processor_time

if TYPE_CHECKING:
    from os import stat_result

IN_MEMORY = Path("/dev/shm")
NUMBERS = (1, 3, 4, 8)
SECONDS = 20.0
_LOOK_S = 0.01
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class Endless:
    """The most that one output took, and all of them; what was written; the daemon's CPU time."""

    largest: int
    all_together: int
    written: int
    cpu_s: float


def measure(number: int, folder: Path) -> Endless:
    """Let so many `yes` run in this folder for a while."""
    daemon = Meridian(folder)
    jobs = (f"CRON_NAME=job-{n} CRON_RETRIES=0 @reboot yes\n" for n in range(number))
    daemon.crontab.write_text("".join(jobs), encoding="utf-8")
    largest = together = 0
    with daemon.running() as (pid, _):
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            rooms = [status.st_blocks * _SECTOR for status in _statuses(daemon.state)]
            largest = max(largest, *rooms, 0)
            together = max(together, sum(rooms))
            time.sleep(_LOOK_S)
        written = sum(status.st_size for status in _statuses(daemon.state))
        return Endless(largest, together, written, processor_time(pid))


def measure_in_memory(number: int) -> Endless | None:
    """Do the same in memory; None where there is no such file system."""
    if not IN_MEMORY.is_dir():
        return None
    with tempfile.TemporaryDirectory(prefix="meridian-bench-", dir=IN_MEMORY) as name:
        return measure(number, Path(name) / "endless")


def _statuses(state: Path) -> list[stat_result]:
    found = []
    for path in (state / "outputs").glob("*/*.log"):
        with suppress(FileNotFoundError):
            found.append(path.stat())
    return found
