"""Daemons with nothing to do: how long to count comes in, how often each woke goes out."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from .daemons import Meridian, processor_time, wait_until_idle
from .jobs import idle_crontab

if TYPE_CHECKING:
    from .debian_cron import Cron
    from .progress import Progress

ENTRIES = 10_000  # Debian's cron takes no crontab of more lines
SETTLE_S = 5.0


@dataclass(frozen=True, slots=True)
class Idle:
    """How often a daemon woke, and the CPU seconds it used."""

    wakeups: float
    cpu_s: float


def measure(
    minutes: int, folder: Path, cron: Cron | None, progress: Progress
) -> tuple[Idle, Idle | None]:
    """Count for Meridian, and cron if there is one, in the same minutes."""
    meridian = Meridian(folder)
    text = idle_crontab(ENTRIES, datetime.now(UTC))
    meridian.crontab.write_text(text, encoding="utf-8")
    with ExitStack() as stack:
        pids = [stack.enter_context(meridian.running())[0]]
        if cron is not None:
            pids.append(stack.enter_context(cron.running(text)))
        for pid in pids:
            wait_until_idle(pid)
        time.sleep(SETTLE_S)
        before = [_so_far(pid) for pid in pids]
        progress.wait(datetime.now(UTC) + timedelta(minutes=minutes), "watching idle daemons")
        after = [_so_far(pid) for pid in pids]
    ours, *theirs = (
        Idle(now.wakeups - then.wakeups, now.cpu_s - then.cpu_s)
        for now, then in zip(after, before, strict=True)
    )
    return ours, theirs[0] if theirs else None


def _so_far(pid: int) -> Idle:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return Idle(sum(_waits(task / "status") for task in tasks), processor_time(pid))


def _waits(status: Path) -> int:
    """Return how often a thread has given up the processor to wait: proc_pid_status(5)."""
    lines = status.read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
