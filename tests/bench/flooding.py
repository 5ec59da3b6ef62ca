"""Thousands of entries due in one minute, each writing much: their number in, what it cost out."""

from __future__ import annotations

import shutil
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.journal.journal import Journal

from .daemons import BenchError, Meridian, resident, wait_until_idle

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.journal.rows import RunRow

ENTRIES = 3_000
BYTES = 1_000_000
WITHIN = timedelta(minutes=10)  # in which all of them must have ended
LEAD = timedelta(seconds=40)  # between the writing of the crontab and the minute
_LOOK_S = 0.05  # between two looks at the daemon's memory
_SPARE = 1.5  # times what the outputs take must be free on the disk


@dataclass(frozen=True, slots=True)
class Flooded:
    """The daemon's memory before and at its highest, how many succeeded, and when the last did."""

    before: int
    peak: int
    succeeded: int
    whole_outputs: int
    last_s: float


def measure(folder: Path) -> Flooded:
    """Let them all be due in one minute, and wait until the last has ended."""
    if shutil.disk_usage(folder.parent).free < ENTRIES * BYTES * _SPARE:
        raise BenchError(f"{ENTRIES * BYTES / 1e9:.0f} GB of output do not fit on the disk")
    daemon = Meridian(folder)
    minute = (datetime.now(UTC) + LEAD).replace(second=0, microsecond=0) + timedelta(minutes=1)
    when = f"{minute:%M %H} * * *"
    jobs = (f"CRON_NAME=job-{n} {when} head -c {BYTES} /dev/zero\n" for n in range(ENTRIES))
    daemon.crontab.write_text("CRON_TZ=UTC\n" + "".join(jobs), encoding="utf-8")
    with daemon.running() as (pid, _):
        wait_until_idle(pid)
        before = peak = resident(pid)
        while not (rows := _ended(daemon, minute)):
            if datetime.now(UTC) > minute + WITHIN:
                raise BenchError(f"{ENTRIES:,} jobs have not all ended after {WITHIN}")
            until = time.monotonic() + 1
            while time.monotonic() < until:
                peak = max(peak, resident(pid))
                time.sleep(_LOOK_S)
    attempts = [row.attempts[-1] for row in rows]
    ended = [each.ended for each in attempts if each.ended is not None]
    return Flooded(
        before=before,
        peak=peak,
        succeeded=sum(row.state == "succeeded" for row in rows),
        whole_outputs=sum(
            (daemon.state / each.output).stat().st_size == BYTES for each in attempts
        ),
        last_s=(max(ended) - minute).total_seconds(),
    )


def _ended(daemon: Meridian, minute: datetime) -> list[RunRow]:
    """Return all runs once the last has ended; nothing before."""
    if datetime.now(UTC) < minute:
        return []
    with closing(Journal.open(daemon.state / "journal.db", readonly=True)) as journal:
        if journal.unfinished():
            return []
        rows = journal.queries.history()
    return rows if len(rows) == ENTRIES else []
