"""The jobs of the bench: crontabs of them go out, the instants at which they began come back.

A job is GNU date, which prints its number and the time: it says itself when it started.
"""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path


class Load(StrEnum):
    """How many jobs are due in one minute, and whether a shell starts them."""

    LONE = "one job"
    HUNDRED = "100 jobs"
    THOUSAND = "1,000 jobs"
    SHELLED = "1,000 jobs by shell"

    @property
    def jobs(self) -> int:
        return {Load.LONE: 1, Load.HUNDRED: 100}.get(self, 1000)


def argument(number: int) -> str:
    return f"+{number}:%s.%N"


def crontab(load: Load, minutes: Iterable[datetime], file: Path | None) -> Iterator[str]:
    """Yield the lines of a load; into `file` through the shell, where None is standard output."""
    when = ",".join(str(minute.minute) for minute in sorted(minutes))
    where = "" if file is None else f" >> {shlex.quote(str(file))}"
    for number in range(load.jobs):
        told = argument(number).replace("%", "\\%")
        yield f"{when} * * * * date {told}{where}\n"


def idle_crontab(entries: int, now: datetime) -> str:
    """Return a crontab of distinct schedules and commands that are due in half a year."""
    month = (now.month + 5) % 12 + 1
    return "".join(
        f"{n % 60} {n // 60 % 24} {n // 1440 % 28 + 1} {month} * /usr/local/bin/backup --host web{n}\n"
        for n in range(entries)
    )


def told(text: str) -> list[float]:
    """Return the Unix seconds of every start that was told in this text."""
    return [float(line.partition(":")[2]) for line in text.split()]


def told_in(file: Path) -> list[float]:
    """Return what was told in this file; nothing if no job got as far as making it."""
    return told(file.read_text(encoding="ascii")) if file.exists() else []


def lateness(instants: Iterable[float], minute: datetime) -> list[float]:
    """Return by how many seconds each of these came after the minute, without those of others."""
    begin = minute.timestamp()
    return [at - begin for at in instants if 0 <= at - begin < 60]
