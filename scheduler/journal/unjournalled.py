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

from scheduler.journal.columns import storable
from scheduler.journal.rows import outcome_from
from scheduler.run import Attempt, Ending, Limit, Run
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ENDINGS_NAME = "endings"
_SIZE = 65536  # bytes that are the file's before the disk is full: some 250 ends
_ROOM = _SIZE - 64  # of them: the rest is for the head
_RECORD_HEAD = re.compile(rb"meridian 1 ([0-9]{8}) ([0-9a-f]{8})\n")


class Unjournalled:
    """Ends of attempts that wait in a file of the state folder until the journal takes them.

    Owns: the file, and what was last written to it. Called by: `Runs`, when the journal refuses
    what has ended, and when it takes it. Invariant: the file has all of what was refused last or
    none of it, and is empty once the journal has it. Its room is taken beforehand: the disk may be
    full. Without a path it keeps nothing. What the system refuses is ignored: then those runs are
    lost, as after a kill.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._is_empty = True
        self._is_full = False
        self._kept: dict[Attempt, bytes] = {}
        self._size = 0  # bytes of them

    def open(self) -> Mapping[Attempt, Ending]:
        """Return what an earlier daemon has left, and take the room for more."""
        found: dict[Attempt, Ending] = {}
        with suppress(OSError, ValueError, KeyError, TypeError, OverflowError):
            found = {_attempt(each): _ending(each) for each in json.loads(self._read())}
        self._is_empty = not found
        return found

    def keep(self, endings: Iterable[tuple[Attempt, Ending]]) -> None:
        """Keep these too; of too many, the first: once it is full, nothing more is written."""
        if self._is_full:
            return
        before = len(self._kept)
        for attempt, ending in endings:
            if attempt not in self._kept:
                text = json.dumps(_row(attempt, ending)).encode()
                self._is_full = self._size + len(text) > _ROOM
                if self._is_full:
                    break
                self._kept[attempt] = text
                self._size += len(text) + len(b",")
        if len(self._kept) > before:
            self._is_empty = False
            self._write(b"[%b]" % b",".join(self._kept.values()))

    def clear(self) -> None:
        """Keep nothing any more: the journal has it."""
        if not self._is_empty:
            self._is_empty, self._is_full, self._size = True, False, 0
            self._kept.clear()
            self._write(b"[]")

    def _read(self) -> bytes:
        if self._path is None:
            return b""
        with state_files.open_for(self._path, os.O_RDWR | os.O_CREAT) as descriptor:
            text = os.pread(descriptor, _SIZE, 0)
            if len(text) < _SIZE:
                os.pwrite(descriptor, bytes(_SIZE - len(text)), len(text))
        head = _RECORD_HEAD.match(text)
        if head is None:
            return b""
        body = text[head.end() : head.end() + int(head[1])]
        return body if zlib.crc32(body) == int(head[2], 16) else b""

    def _write(self, text: bytes) -> None:
        head = b"meridian 1 %08d %08x\n" % (len(text), zlib.crc32(text))
        if self._path is not None:
            with suppress(OSError), state_files.open_for(self._path, os.O_WRONLY) as descriptor:
                os.pwrite(descriptor, head + text, 0)
                getattr(os, "fdatasync", os.fsync)(descriptor)  # macOS has no fdatasync


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
