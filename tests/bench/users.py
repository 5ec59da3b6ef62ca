"""Jobs of the daemon's own user and of another: starts a second of each come out, of one run."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.entry import Entry, Reboot
from scheduler.process.launch import Launch
from scheduler.process.spawner import RealSpawner
from scheduler.process.user_jobs import UserJobs
from scheduler.run import Attempt, Run

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 200  # as many as are prepared before a minute
ROUNDS = 7  # of each the quickest counts, one after the other
LARGE = 200 << 20  # bytes of a daemon with many entries: what starts jobs must not pay for them
USER = "nobody"  # whom every system has


@dataclass(frozen=True, slots=True)
class UserStarts:
    """Starts a second, from the first to the return of the last."""

    own: float
    other: float


def measure(folder: Path) -> UserStarts | None:
    """Start bursts of /bin/true as both in turn; None for who is not root and can't."""
    if os.geteuid() != 0:
        return None
    users = UserJobs(lambda _: None)
    spawner = RealSpawner(os.environ, str(folder), "root", users=users)
    ballast = bytearray(os.urandom(1 << 20) * (LARGE >> 20))
    best: dict[str | None, float] = {}
    for number in range(ROUNDS):
        for user in (None, USER):
            launches = _prepared(spawner, user, folder / f"{user}-{number}")
            best[user] = max(best.get(user, 0), _rate(spawner, launches))
    del ballast
    return UserStarts(best[None], best[USER])


def _prepared(spawner: RealSpawner, user: str | None, folder: Path) -> list[Launch]:
    entry = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), "/bin/true", user=user)
    now = datetime.now(UTC).replace(microsecond=0)
    attempts = [Attempt(Run(number, "job", now), 1) for number in range(1, JOBS + 1)]
    found = [
        spawner.prepare(entry, each, folder / "job" / f"{each.run.number}") for each in attempts
    ]
    return [each for each in found if isinstance(each, Launch)]


def _rate(spawner: RealSpawner, launches: list[Launch]) -> float:
    begin = time.perf_counter()
    pids = [spawner.start(launch) for launch in launches]
    seconds = time.perf_counter() - begin
    left = {pid for pid in pids if isinstance(pid, int)}
    started = len(left)
    while left:
        left -= {ended.pid for ended in spawner.ended()}
        time.sleep(0.001)
    return started / seconds
