"""The state folder: whose it is, what room its disk has, and whether its journal can be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from scheduler.cli import state_folder
from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.errors import JournalError
from scheduler.journal.journal import Journal
from scheduler.system import disk
from scheduler.system.disk import Disk
from scheduler.text import of_size

_LITTLE, _TOO_LITTLE = 200_000_000, 20_000_000  # bytes
_FEW_INODES, _NO_INODES = 1_000, 20  # each attempt has an output file
_OR_NAME_ANOTHER = "or name a folder elsewhere with --state"


def folder(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield whether the state folder is there, and is this user's to write."""
    path, uid = facts.paths.state, os.geteuid()
    if not path.exists():
        above = disk.nearest(path)
        if os.access(above, os.W_OK):
            yield fine(f"{path} is not there yet; the first daemon makes it")
        else:
            what = f"{path} is not there, and {above} is not this user's to write"
            yield problem(what, f"make it, {_OR_NAME_ANOTHER}")
        return
    owner = path.stat().st_uid
    if owner not in (0, uid):
        what = f"{path} belongs to user {owner}, not to user {uid}"
        yield problem(what, f"ask as that user, {_OR_NAME_ANOTHER}")
    elif not os.access(path, os.W_OK | os.X_OK):
        what = f"{path} can't be written by user {uid}"
        yield problem(what, f"chmod u+wx {path}, {_OR_NAME_ANOTHER}")
    else:
        yield fine(f"{path}, of user {owner}")


def room(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield what the disk under it has left, and of what kind that is."""
    path = disk.nearest(facts.paths.state)
    yield from judged(path, disk.under(path))


def judged(path: Path, found: Disk) -> Iterator[Diagnosis]:
    """Yield what is wrong with a disk, or that nothing is."""
    clear = f"remove what is not needed, {_OR_NAME_ANOTHER}"
    if found.is_readonly:
        remount = f"mount it for writing (its kernel log says why it is not), {_OR_NAME_ANOTHER}"
        yield problem(f"{path} is on a disk that can only be read", remount)
        return
    if found.kind in disk.NETWORKED:
        what = f"{path} is on a network ({found.kind}): SQLite's files are not safe there"
        yield problem(what, "put the state folder on a local disk, with --state")
    elif found.kind in disk.TRANSIENT:
        what = f"{path} is on {found.kind}: what happened is forgotten with the boot or container"
        yield warning(what, "put the state folder on a disk or volume that stays")
    left = f"{of_size(found.free)} of {of_size(found.size)} are free under {path}"
    if found.free < _LITTLE:
        yield (problem if found.free < _TOO_LITTLE else warning)(left, clear)
    elif found.free_files is not None and found.free_files < _FEW_INODES:
        few = f"only {found.free_files} more files fit under {path}"
        yield (problem if found.free_files < _NO_INODES else warning)(few, clear)
    else:
        yield fine(left + (f" ({found.kind})" if found.kind else ""))


def journal(facts: MachineFacts, state: Path | None) -> Iterator[Diagnosis]:
    """Yield whether the journal can be read, and whether a damaged one lies beside it."""
    path = facts.paths.journal
    if not path.exists():
        yield fine(f"{path} is not there yet; the first daemon makes it")
        return
    try:
        with closing(Journal.open(path, readonly=True)) as found:
            found.queries.history(limit=1)
    except JournalError as error:
        remedy = "a daemon that starts repairs what is damaged; see docs/state.md"
        yield problem(str(error), remedy)
    else:
        yield fine(f"{path}, {of_size(path.stat().st_size)}")
    for file in state_folder.damaged(state)[-1:]:
        what = f"a damaged journal was moved aside: {file}"
        yield warning(what, "look for what damaged it (dmesg), then remove the file")
