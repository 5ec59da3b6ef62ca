"""A journal and a folder of outputs of some age, for tests of what is no longer kept."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from fakes import FakeClock

from scheduler.journal.journal import Journal
from scheduler.journal.retention import Pruning, Retention
from scheduler.process import output_files
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, Ending, Exited, Run, State

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.process.output_files import Found

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass
class Scene:
    """A journal, a folder of outputs and a clock that moves when it is told to."""

    state: Path
    kept: Retention | None
    journal: Journal = field(default_factory=Journal.in_memory)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    jobs: set[str] = field(default_factory=lambda: {"job"})
    met: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.new_daemon()

    def new_daemon(self) -> None:
        self.pruning = Pruning(
            clock=self.clock,
            journal=self.journal,
            state=self.state,
            kept=self.kept,
            keep_within=self.keep_within,
        )

    def keep_within(self, found: Found) -> None:
        self.met.append(found.path)

    def ran(self, *ages: float, job: str = "job") -> None:
        """Let the job have run so many days ago, and have written something."""
        for age in ages:
            run = self.claim(age, job=job)
            attempt = self.attempt(run)
            self.journal.ended(attempt, Ending(Exited(0), run.instant))
            self.journal.finish(run, State.SUCCEEDED)

    def claim(self, age: float, *, job: str = "job") -> Run:
        run = self.journal.claim(job, NOW - age * DAY, "UTC")
        assert run is not None
        return run

    def attempt(self, run: Run) -> Attempt:
        attempt = self.journal.claim_attempt(run, 1, output_of(Attempt(run, 1)))
        assert attempt is not None
        self.file(run.number, job=run.job)
        return attempt

    def file(self, run: int, *, job: str = "job", age: float = 0, number: int = 1) -> Path:
        path = self.state / f"outputs/{job}/{run}.{number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"text")
        changed = (NOW - age * DAY).timestamp()
        os.utime(path, (changed, changed))
        return path

    def pass_(self, seconds: float) -> None:
        """Let time pass with a wake-up each minute, and whenever a step is wanted."""
        end = self.clock.monotonic() + seconds
        while (left := end - self.clock.monotonic()) > 0:
            wanted = self.pruning.next_step()
            self.clock.advance(min(60.0, left, 60.0 if wanted is None else max(wanted, 0.001)))
            self.pruning.step(self.jobs)

    def ages(self, job: str = "job") -> list[float]:
        """How many days old the runs in the journal are."""
        return [(NOW - row.run.instant) / DAY for row in self.journal.queries.history(job)]

    def files(self, job: str = "job") -> list[int]:
        """The numbers of the runs that have an output."""
        return sorted(each.run for each in output_files.there(self.state / "outputs") if each.path.parent.name == job)  # fmt: skip
