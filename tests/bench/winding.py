"""What a wound clock costs: nothing comes in, the seconds of a simulated year come out."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from .daemons import BenchError

if TYPE_CHECKING:
    from pathlib import Path

ENTRIES = 1_000


def on_the_hour(entries: int) -> str:
    """Return daily entries on the hour, spread over the day."""
    return "".join(f"0 {n % 24} * * * job-{n}\n" for n in range(entries))


def one_by_one(entries: int) -> str:
    """Return daily entries of which no two share a minute."""
    minutes = (n * 37 % 1440 for n in range(entries))  # 37 and 1440 have no factor in common
    return "".join(f"{m % 60} {m // 60} * * * job-{m}\n" for m in minutes)


def measure(text: str, folder: Path) -> float:
    """Return how long `meridian simulate` takes for a year of this crontab."""
    folder.mkdir()
    crontab = folder / "crontab"
    crontab.write_text(text, encoding="utf-8")
    words = ("simulate", str(crontab), "--from", "2027-01-01", "--until", "2028-01-01", "--json")
    command = [sys.executable, "-m", "scheduler", *words, "--state", str(folder)]
    begin = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        raise BenchError(f"the year could not be simulated:\n{done.stderr[-2000:]!r}")
    return time.perf_counter() - begin
