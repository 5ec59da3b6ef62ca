"""How far a journal has come, as a file beside it tells: a record in, and out for the next daemon.

A database that has lost its log, or a part of it, is an older one and whole: from within nobody
sees that. The record is written after each commit, and waits for no disk: so it may be behind the
journal, but the journal is never behind it, unless something took from what had been on the disk.
"""

from __future__ import annotations

import os
import re
import zlib
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

HIGH_WATER_NAME = "high-water"
MOST_NUMBERED = 10**15  # runs, or commits: a million a second for thirty years
LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp())  # it is in the calendar of any zone
_LINE = "meridian 1 commits {:019d} run {:019d} minute {:019d}"
_RECORD = re.compile(
    rb"(meridian 1 commits ([0-9]{19}) run ([0-9]{19}) minute ([0-9]{19})) ([0-9a-f]{8})\n"
)


@dataclass(frozen=True, slots=True)
class HighWater:
    """What a journal has come to; `minute` is the last one handled, in Unix seconds.

    `run` is the highest number that a run was given, kept or not.
    """

    commits: int = 0
    run: int = 0
    minute: int = 0

    def is_behind(self, known: HighWater) -> bool:
        """Say whether a journal that has come to this is older than the one that is known of."""
        return self.commits < known.commits or self.run < known.run


def beside(journal: Path) -> Path:
    """Return the place of the record of a journal."""
    return journal.with_name(HIGH_WATER_NAME)


def read(path: Path) -> HighWater:
    """Return what was written last; zeros where there is nothing, or nothing that makes sense."""
    with suppress(OSError):
        with state_files.open_for(path, os.O_RDONLY) as descriptor:
            found = _RECORD.fullmatch(os.pread(descriptor, 256, 0))
        if found is not None and int(found[5], 16) == zlib.crc32(found[1]):
            commits, run, minute = (int(found[n]) for n in (2, 3, 4))
            if max(commits, run) <= MOST_NUMBERED and minute <= LATEST:
                return HighWater(commits, run, minute)
    return HighWater()


class Progress:
    """How far an open journal has come, and the record beside it.

    Owns: the numbers, and the record's open file. Called by: `Database` around each commit; whoever
    gives a run its number or handles a minute says so. Invariant: the record never says more than
    is on the disk. What the system refuses leaves it behind the journal, which says nothing wrong.
    """

    def __init__(self, reached: HighWater | None = None) -> None:
        self.reached = reached or HighWater()  # with what the open transaction has come to
        self.is_recorded = False  # whether somebody asked for the record
        self._descriptor: int | None = None

    def open(self, path: Path) -> None:
        """Write the record from now on, in this file."""
        self.is_recorded = True
        with suppress(OSError):
            self._descriptor = state_files.opened(path, os.O_WRONLY | os.O_CREAT)
        self.write()

    def has_run(self, number: int) -> None:
        """Count a number that a run was given."""
        if number > self.reached.run:
            self.reached = replace(self.reached, run=number)

    def has_minute(self, minute: int) -> None:
        """Count a minute as handled."""
        self.reached = replace(self.reached, minute=minute)

    def has_commits(self, number: int) -> None:
        """Count commits that are on the disk."""
        self.reached = replace(self.reached, commits=self.reached.commits + number)

    def write(self) -> None:
        """Write this over what was told before, in its place: some 3 us, no wait for the disk."""
        if self._descriptor is not None:
            reached = self.reached
            line = _LINE.format(reached.commits, reached.run, max(0, reached.minute)).encode()
            with suppress(OSError):
                os.pwrite(self._descriptor, b"%b %08x\n" % (line, zlib.crc32(line)), 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write(path: Path, reached: HighWater) -> None:
    """Write a record once."""
    with closing(Progress(reached)) as progress:
        progress.open(path)
