"""Jobs that an earlier daemon started: attempts and outputs in, their living processes out.

A daemon that is killed in a burst leaves starts that its journal has not heard of. Each output
bears the number and the start of its attempt's process, written the moment that there is one: the
kernel keeps that whatever becomes of the daemon. Where it is missing, whoever has the output open
to write is the attempt's. What a process says of itself in its environment is no evidence: anybody
may have written that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.process.file_writers import is_open_to_write, leaders_of_writers
from scheduler.process.job_environment import attempt_of
from scheduler.run import Attempt, Run
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from scheduler.process.file_writers import Identity
    from scheduler.process.procfs import Process, Processes

HIDDEN = 0  # stands for the number of a process that lives, where the system does not tell it

TAG = "user.meridian.process"  # see xattr(7): pid, its start, the run's instant in Unix seconds
_TAGGED = re.compile(rb"([0-9]{1,10}) ([0-9]{1,19}) ([0-9]{1,12})")
_OUTPUT = re.compile(r"([0-9]+)\.([0-9]+)\.log")  # not one that made room for another
_NONE = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST)


@dataclass(frozen=True, slots=True)
class Tag:
    """Which process an output belongs to, and of which instant."""

    pid: int
    start: int
    instant: datetime


@dataclass(frozen=True, slots=True)
class _Seen:
    """An output: which file it is, its tag, and whether somebody has it open to write.

    None where the system does not tell.
    """

    path: Path
    file: Identity
    tag: Tag | None
    is_held: bool | None


def tag(output: int, attempt: Attempt, process: Process) -> None:
    """Write on an open output whose it is; where the file system has no room for that, nothing."""
    text = b"%d %d %d" % (process.pid, process.start, int(attempt.run.instant.timestamp()))
    with contextlib.suppress(AttributeError, OSError):
        os.setxattr(output, TAG, text)


def is_held(path: Path) -> bool:
    """Say whether somebody has this output open to write; True where the system can't tell.

    Raises OSError where it does not tell now.
    """
    seen = _seen(path)
    return seen is not None and seen.is_held is not False


class Survivors:
    """Looks for living processes of attempts that an earlier daemon started, by their outputs.

    The spawner calls it for recovery. It keeps nothing between two calls; `is_own` says which
    processes are children of this daemon, and are left out.
    """

    def __init__(self, processes: Processes, is_own: Callable[[int], bool]) -> None:
        self._processes = processes
        self._is_own = is_own

    def of(self, outputs: Mapping[Attempt, Path]) -> dict[Attempt, int]:
        """Return the pids of those attempts that live, HIDDEN for a process that is hidden from us.

        Raises OSError where the system does not tell of all now.
        """
        there = {attempt: seen for attempt, path in outputs.items() if (seen := _seen(path))}
        return self._living(there)

    def _living(self, there: Mapping[Attempt, _Seen]) -> dict[Attempt, int]:
        untagged = [seen for seen in there.values() if seen.tag is None]
        holders = self._holders(untagged)
        found = {
            attempt: holders.get(seen.file) if seen.tag is None else self._tagged(seen.tag, seen)
            for attempt, seen in there.items()
        }
        return {
            attempt: pid
            for attempt, pid in found.items()
            if pid is not None and not self._is_own(pid)
        }

    def among(self, paths: Iterable[Path]) -> dict[Attempt, int]:
        """Return the same of the attempts that these outputs are of, for a journal that is lost.

        Of an output without a tag a process of our user's own has to name the attempt. There may be
        a million outputs: each is looked at once, and only what may live is remembered.
        """
        tagged: dict[Attempt, _Seen] = {}
        untagged: dict[Path, _Seen] = {}
        for path, seen in _all_seen(paths):
            if seen.tag is None and seen.is_held is not False:
                untagged[_place(path)] = seen
            elif seen.tag is not None and self._tagged(seen.tag, seen) is not None:
                tagged |= _tagged_attempt(path, seen)
        return self._living(tagged | self._named(untagged))

    def _named(self, outputs: Mapping[Path, _Seen]) -> dict[Attempt, _Seen]:
        leaders = self._processes.own_leaders() if outputs else ()
        named = filter(None, (attempt_of(environment) for _, environment in leaders))
        paths = {each: Path(each.run.job, f"{each.run.number}.{each.number}.log") for each in named}
        return {each: outputs[place] for each, place in paths.items() if place in outputs}

    def _tagged(self, tag: Tag, seen: _Seen) -> int | None:
        if not self._processes.is_of_this_boot(tag.start):
            return None
        try:
            process = self._processes.find(tag.pid)
        except PermissionError:  # somebody has that number whom we are not told of
            return HIDDEN if seen.is_held else None
        lives = process is not None and process.start == tag.start and not process.is_dead
        return tag.pid if lives else None

    def _holders(self, outputs: Collection[_Seen]) -> dict[Identity, int | None]:
        """Return who has these open to write: HIDDEN is somebody whom the system does not name.

        Of a job that writes into a pipe it is the copier that has the file open: it lives as long
        as anybody can write into that pipe, so the attempt is not started beside itself.
        """
        hidden = {seen.file: HIDDEN for seen in outputs if seen.is_held}
        asked = {seen.file: seen.path for seen in outputs if seen.is_held is not False}
        return hidden | (leaders_of_writers(self._processes, asked) if asked else {})


def _place(path: Path) -> Path:
    """Return where an output is among the others: in its job's folder."""
    return Path(path.parent.name, path.name)


def _tagged_attempt(path: Path, seen: _Seen) -> dict[Attempt, _Seen]:
    """Return whose output this is; nothing for one that made room for another of its name."""
    name = _OUTPUT.fullmatch(path.name)
    if name is None or seen.tag is None:
        return {}
    return {Attempt(Run(int(name[1]), path.parent.name, seen.tag.instant), int(name[2])): seen}


def _all_seen(paths: Iterable[Path]) -> Iterator[tuple[Path, _Seen]]:
    """Look at outputs, those of a folder one after another."""
    for folder, some in groupby(paths, key=attrgetter("parent")):
        with contextlib.suppress(FileNotFoundError), state_files.held(folder):
            for path in some:
                if (seen := _seen(path)) is not None:
                    yield path, seen


def _seen(path: Path) -> _Seen | None:
    """Look at an output; None for one that is not there, or in whose place is something else.

    Raises OSError where the system does not tell.
    """
    try:
        descriptor = state_files.opened(path, os.O_RDONLY)
    except BlockingIOError:  # its tag is being removed just now: its job has ended
        return None
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise
    try:
        status = os.fstat(descriptor)
        file = status.st_dev, status.st_ino
        return _Seen(path, file, _tag_of(descriptor), is_open_to_write(descriptor))
    finally:
        os.close(descriptor)


def _tag_of(descriptor: int) -> Tag | None:
    try:
        found = _TAGGED.fullmatch(os.getxattr(descriptor, TAG))
        if found is None:
            return None
        pid, start, instant = map(int, found.groups())
        return Tag(pid, start, datetime.fromtimestamp(instant, UTC))
    except (AttributeError, OSError, ValueError, OverflowError):
        return None
