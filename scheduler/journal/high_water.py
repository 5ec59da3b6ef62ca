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
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

NAME = "high-water"
MOST = 10**15  # runs, or commits: a million a second for thirty years
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
    return journal.with_name(NAME)


def read(path: Path) -> HighWater:
    """Return what was written last; zeros where there is nothing, or nothing that makes sense."""
    with suppress(OSError):
        with state_files.open_for(path, os.O_RDONLY) as descriptor:
            found = _RECORD.fullmatch(os.pread(descriptor, 256, 0))
        if found is not None and int(found[5], 16) == zlib.crc32(found[1]):
            commits, run, minute = (int(found[n]) for n in (2, 3, 4))
            if max(commits, run) <= MOST and minute <= LATEST:
                return HighWater(commits, run, minute)
    return HighWater()


class Record:
    """Owns the open file; the journal writes it after each commit, and closes it.

    It never says more than is on the disk. What the system refuses is ignored: then the record is
    behind the journal, which says nothing wrong.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = None
        with suppress(OSError):
            self._descriptor = state_files.opened(path, os.O_WRONLY | os.O_CREAT)

    def write(self, reached: HighWater) -> None:
        """Write this over what was told before, in its place: some 3 us, no wait for the disk."""
        line = _LINE.format(reached.commits, reached.run, max(0, reached.minute)).encode()
        if self._descriptor is not None:
            with suppress(OSError):
                os.pwrite(self._descriptor, b"%b %08x\n" % (line, zlib.crc32(line)), 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write(path: Path, reached: HighWater) -> None:
    """Write a record once."""
    with closing(Record(path)) as record:
        record.write(reached)
