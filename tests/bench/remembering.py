"""What the journal costs: a number of runs that it remembers comes in, seconds a run go out.

Each commit is on the disk when it returns (WAL, synchronous FULL), as the daemon's are.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scheduler.journal.journal import Journal
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, Ending, Exited, Run, State

from .daemons import BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FEW, MANY, MANY_QUICKLY = 3_000, 3_000_000, 300_000
JOBS = 3_000
ALONE = 600  # runs measured one by one
AT_ONCE = 100  # runs a commit of a burst
BURSTS = 60
FIRST = datetime(2023, 11, 14, tzinfo=UTC)
THEN = datetime(2027, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)

# Runs that are over, of one job after another, a minute after another, with an attempt each.
_RUNS = """
WITH RECURSIVE k (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM k WHERE n < ? - 1)
INSERT INTO run (job, instant, zone, state)
SELECT printf('job-%04d', n % ?), ? + n / ? * 60, 'Europe/Berlin', 'succeeded' FROM k
"""
_ATTEMPTS = """
INSERT INTO attempt (run, attempt, started, ended, outcome, cpu_s, pid, pid_started, output)
SELECT number, 1, instant + 0.1, instant + 1.2, 'exit 0', 0.1, 4711, 1234567,
       'outputs/' || job || '/' || number || '.1.log'
FROM run
"""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Seconds of one run: median and worst of those alone, mean within commits of many."""

    claim_s: float
    worst_claim_s: float
    settle_s: float
    claims_a_second: float
    settlements_a_second: float
    bursts_a_second: float  # runs claimed, started and settled


def measure(runs: int, folder: Path) -> Remembered:
    """Fill a journal with so many runs, and claim and settle more in it."""
    folder.mkdir()
    path = folder / "journal.db"
    Journal.open(path).close()
    _fill(path, runs)
    with closing(Journal.open(path)) as journal:
        attempts: list[Attempt] = []
        claims = _timed(lambda n: attempts.append(_claimed(journal, n, n)), ALONE)
        settlements = _timed(lambda n: _settle(journal, [attempts[n]]), ALONE)
        bursts = _timed(lambda n: _burst(journal, ALONE + n), BURSTS)
    return Remembered(
        claim_s=statistics.median(claims),
        worst_claim_s=max(claims),
        settle_s=statistics.median(settlements),
        claims_a_second=ALONE / sum(claims),
        settlements_a_second=ALONE / sum(settlements),
        bursts_a_second=BURSTS * AT_ONCE / sum(bursts),
    )


def floor(folder: Path) -> float:
    """Return the median seconds of a bare append of a page that is on the disk when it returns."""
    with (folder / "floor").open("ab", buffering=0) as file:

        def append(_: int) -> None:
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())

        return statistics.median(_timed(append, ALONE))


def _fill(path: Path, runs: int) -> None:
    """Write the rows in one go, without the care that a daemon takes."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for setting in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            connection.execute(f"PRAGMA {setting}")
        connection.execute("BEGIN")
        connection.execute(_RUNS, (runs, JOBS, int(FIRST.timestamp()), JOBS))
        connection.execute(_ATTEMPTS)
        connection.execute("COMMIT")


def _timed(what: Callable[[int], object], times: int) -> list[float]:
    def each() -> Iterator[float]:
        for n in range(times):
            begin = time.perf_counter()
            what(n)
            yield time.perf_counter() - begin

    return list(each())


def _claimed(journal: Journal, job: int, minute: int) -> Attempt:
    with journal.transaction():
        return _claim(journal, job, minute)


def _claim(journal: Journal, job: int, minute: int) -> Attempt:
    run = journal.claim(f"job-{job * 7 % JOBS:04}", THEN + minute * 60 * SECOND, "Europe/Berlin")
    attempt = None if run is None else journal.claim_attempt(run, 1, _output(run))
    if attempt is None:
        raise BenchError("the journal refused a claim")
    return attempt


def _output(run: Run) -> str:
    return output_of(Attempt(run, 1))


def _settle(journal: Journal, attempts: list[Attempt]) -> None:
    with journal.transaction():
        for attempt in attempts:
            journal.started(attempt, THEN, 4711, 1234567)
            journal.ended(attempt, Ending(Exited(0), THEN + SECOND, 0.1))
            journal.finish(attempt.run, State.SUCCEEDED)


def _burst(journal: Journal, minute: int) -> None:
    with journal.transaction():
        attempts = [_claim(journal, job, minute) for job in range(AT_ONCE)]
    _settle(journal, attempts)
