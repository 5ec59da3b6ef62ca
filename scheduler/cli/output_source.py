"""Where `logs` has runs and outputs from: a journal and its folder, or the machine's daemon."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scheduler.cli.machine_past import MachinePast
from scheduler.cli.which_run import NothingThere, Past
from scheduler.journal.journal import Journal
from scheduler.journal.rows import AttemptRow, RunRow
from scheduler.process.output_files import Reader
from scheduler.process.procfs import PROC, Processes
from scheduler.system import state_lock
from scheduler.system.boot import boot_id


class OutputSource(Protocol):
    """Who tells of runs, opens what they wrote, and knows whether they still go on."""

    @property
    def past(self) -> Past:
        """Who tells of runs."""

    def opened(self, run: RunRow, attempt: AttemptRow) -> Reader:
        """Return what an attempt has written; NothingThere where that can't be read."""

    def lives(self, attempt: AttemptRow) -> bool:
        """Say whether an attempt's process lives; it does until something else is told."""

    def is_served(self) -> bool:
        """Say whether a daemon runs that would tell of an end."""


@dataclass(frozen=True, slots=True)
class JournalOutputs:
    """The journal and the outputs of one's own state folder."""

    journal: Journal
    folder: Path
    processes: Processes = field(default_factory=lambda: Processes(PROC, boot_id()))

    @property
    def past(self) -> Past:
        """Who tells of runs."""
        return self.journal.queries

    def opened(self, run: RunRow, attempt: AttemptRow) -> Reader:  # noqa: ARG002 (as the other one)
        """Return what an attempt has written; NothingThere where that can't be read."""
        path = self.folder / attempt.output
        try:
            return Reader(path)
        except FileNotFoundError as error:
            why = f"The output of that attempt is not kept any more: {path}"
            raise NothingThere(why) from error
        except OSError as error:
            why = f"can't be read: {error.strerror}: {path}"
            raise NothingThere(f"The output of that attempt {why}") from error

    def lives(self, attempt: AttemptRow) -> bool:
        """Say whether an attempt's process lives; it does until something else is told."""
        if attempt.pid is None:
            return False
        try:
            process = self.processes.find(attempt.pid)
        except OSError:
            return True
        start = attempt.pid_started
        return process is not None and (
            start is None or (process.start == start and not process.is_dead)
        )

    def is_served(self) -> bool:
        """Say whether a daemon runs that would tell of an end."""
        return state_lock.holder(self.folder) is not None


@dataclass(frozen=True, slots=True)
class MachineOutputs:
    """The runs of the machine's daemon that are one's own: it answers, or all is over."""

    past: MachinePast = field(default_factory=MachinePast)

    def opened(self, run: RunRow, attempt: AttemptRow) -> Reader:
        """Return what an attempt has written; NothingThere where that can't be read."""
        return self.past.opened(run, attempt)

    def lives(self, attempt: AttemptRow) -> bool:
        """Say whether an attempt's process lives: the daemon looks, and tells of its end."""
        return attempt.pid is not None

    def is_served(self) -> bool:
        """Say whether a daemon runs that would tell of an end: else nothing would be answered."""
        return True
