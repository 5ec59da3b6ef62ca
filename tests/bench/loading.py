"""What entries cost that are not due: a number of them comes in, seconds and bytes go out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .daemons import Meridian, processor_time, resident, wait_until_idle
from .jobs import idle_crontab

if TYPE_CHECKING:
    from pathlib import Path

    from .debian_cron import Cron


@dataclass(frozen=True, slots=True)
class Loaded:
    """A daemon that has read its crontab and waits; `ready_s` is None where nobody is told."""

    entries: int
    ready_s: float | None
    cpu_s: float
    memory: int


def meridian(entries: int, folder: Path) -> Loaded:
    daemon = Meridian(folder)
    daemon.crontab.write_text(idle_crontab(entries, datetime.now(UTC)), encoding="utf-8")
    with daemon.running() as (pid, ready_s):
        wait_until_idle(pid)
        return Loaded(entries, ready_s, processor_time(pid), resident(pid))


def cron(entries: int, daemon: Cron) -> Loaded:
    with daemon.running(idle_crontab(entries, datetime.now(UTC))) as pid:
        wait_until_idle(pid)
        return Loaded(entries, None, processor_time(pid), resident(pid))
