"""Ends of attempts that were seen and that no journal took: in, and out again for the next daemon.

A daemon that is stopped while the disk is full, or whose journal is damaged, has seen its jobs end.
Who does not hear of that takes their runs for lost, and starts them again.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from scheduler import inside
from scheduler.model import Attempt, Ending, Limit, Run
from scheduler.record import outcome_from, storable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NAME = "endings"
_SIZE = 65536  # bytes that are the file's before the disk is full: some 250 ends
_HEAD = re.compile(rb"meridian 1 ([0-9]{8}) ([0-9a-f]{8})\n")


class Unjournalled:
    """Owns a file in the state folder; `Runs` calls it when the journal refuses what has ended.

    The file holds what was refused last, all or nothing, and is empty once the journal has it. Its
    room is taken beforehand, and it is written over in its place. Without a path it keeps nothing.
    What the system refuses is ignored: then those runs are lost, as after a kill.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._kept = 0

    def open(self) -> Mapping[Attempt, Ending]:
        """Return what an earlier daemon has left, and take the room for more."""
        found: dict[Attempt, Ending] = {}
        with suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
            found = {_attempt(each): _ending(each) for each in json.loads(self._read())}
        self._kept = len(found)
        return found

    def keep(self, endings: Iterable[tuple[Attempt, Ending]]) -> None:
        """Keep these in place of what was kept; of too many, the first."""
        rows = [_row(*each) for each in endings]
        if len(rows) == self._kept:
            return
        self._kept = len(rows)
        text = b""
        while rows and len(text := json.dumps(rows).encode()) > _SIZE - 64:
            del rows[len(rows) // 2 :]
        self._write(text)

    def clear(self) -> None:
        """Keep nothing any more: the journal has it."""
        if self._kept:
            self._kept = 0
            self._write(b"[]")

    def _read(self) -> bytes:
        if self._path is None:
            return b""
        with inside.open_for(self._path, os.O_RDWR | os.O_CREAT) as descriptor:
            text = os.pread(descriptor, _SIZE, 0)
            if len(text) < _SIZE:
                os.pwrite(descriptor, bytes(_SIZE - len(text)), len(text))
        head = _HEAD.match(text)
        if head is None:
            return b""
        body = text[head.end() : head.end() + int(head[1])]
        return body if zlib.crc32(body) == int(head[2], 16) else b""

    def _write(self, text: bytes) -> None:
        head = b"meridian 1 %08d %08x\n" % (len(text), zlib.crc32(text))
        if self._path is not None:
            with suppress(OSError), inside.open_for(self._path, os.O_WRONLY) as descriptor:
                os.pwrite(descriptor, head + text, 0)
                os.fdatasync(descriptor)


def _row(attempt: Attempt, ending: Ending) -> dict[str, Any]:
    run = attempt.run
    return {
        "run": [run.number, run.job, run.instant.isoformat(), run.era],
        "attempt": attempt.number,
        "outcome": storable(str(ending.outcome)),
        "ended": ending.ended.isoformat(),
        "used": [ending.cpu_s, ending.memory_bytes],
        "limit": None if ending.limit is None else ending.limit.value,
        "took": ending.took,
        "emptied": ending.emptied,
    }


def _attempt(row: dict[str, Any]) -> Attempt:
    number, job, instant, era = row["run"]
    return Attempt(Run(number, job, datetime.fromisoformat(instant), era), row["attempt"])


def _ending(row: dict[str, Any]) -> Ending:
    cpu_s, memory_bytes = row["used"]
    return Ending(
        outcome_from(row["outcome"]),
        datetime.fromisoformat(row["ended"]),
        cpu_s,
        memory_bytes,
        None if row["limit"] is None else Limit(row["limit"]),
        row["took"],
        row["emptied"],
    )
