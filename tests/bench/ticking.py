"""What a tick costs among many entries: nothing comes in, seconds come out.

They are measured in a fresh process, whose program this module is too.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.crontab import parser
from scheduler.crontab.unique_names import unique
from scheduler.schedule.timetable import Timetable

from .daemons import BenchError

ENTRIES = 100_000
ZONES = (
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles",
    "America/Sao_Paulo", "Asia/Tokyo", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Auckland",
)  # fmt: skip
DAY = datetime(2027, 6, 1, tzinfo=UTC)  # on which none of them changes its clock
MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Ticks:
    """Seconds: from a crontab's bytes to its timetable, and a tick's of a day's."""

    load_s: float
    median_s: float
    worst_s: float


def measure() -> Ticks:
    """Let a fresh process do it; raises BenchError if it can't."""
    command = [sys.executable, "-m", "tests.bench.ticking"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"the ticks could not be measured:\n{done.stderr[-2000:]}")
    return Ticks(**json.loads(done.stdout))


def _measured() -> Ticks:
    text = _crontab()
    begin = time.perf_counter()
    (table,) = unique([parser.parse(text, file="bench", zone=ZoneInfo("UTC"))])
    timetable = Timetable(table.entries, {})
    load_s = time.perf_counter() - begin
    ticks = []
    for minute in (DAY + n * timedelta(minutes=1) for n in range(MINUTES)):
        begin = time.perf_counter()
        due = timetable.due(minute)
        ticks.append(time.perf_counter() - begin)
        if len(due) != len(ZONES):
            raise BenchError(f"{len(due)} entries are due at {minute}, not {len(ZONES)}")
    return Ticks(load_s, statistics.median(ticks), max(ticks))


def _crontab() -> bytes:
    """Return entries of which one a zone is due at every minute; the others want another month."""
    lines = []
    for zone in ZONES:
        lines.append(f"CRON_TZ={zone}")
        for n in range(ENTRIES // len(ZONES)):
            time_of_day = f"{n % 60} {n // 60 % 24}"
            date = "* *" if n < MINUTES else f"{n // MINUTES % 28 + 1} 12"
            lines.append(
                f"{time_of_day} {date} * /usr/local/bin/backup --host web{n} --zone {zone}"
            )
    return "\n".join(lines).encode()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_measured())))
