"""A state folder and names of crontabs in, what all checks look at out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler.cli import client, crontabs, inherited, state_folder
from scheduler.cli.inherited import JobSurroundings
from scheduler.cli.own_zone import own_zone
from scheduler.errors import MeridianError, NoAnswer, NoDaemon
from scheduler.status import Snapshot
from scheduler.system.crontab_loader import Loaded
from scheduler.system.paths import Paths

_WAITS_TO_EXAMINE = 3.0  # seconds
NOTHING_LOADED = Loaded((), (), ())


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """What the checks look at.

    `absence` is why there is no snapshot, `unreadable` why there are no crontabs; `is_silent` says
    that a daemon is there, but gives no answer.
    """

    paths: Paths
    loaded: Loaded
    unreadable: str
    snapshot: Snapshot | None
    absence: str
    is_silent: bool
    surroundings: JobSurroundings

    @property
    def pid(self) -> int | None:
        """The running daemon's process, None if none answers."""
        return None if self.snapshot is None else self.snapshot.daemon.pid

    @property
    def files(self) -> frozenset[str]:
        """The crontabs, by their absolute paths."""
        named = (table.file for table in self.loaded.crontabs)
        return frozenset(os.path.realpath(file) for file in named if file != "-")


def gather(
    files: Sequence[str] | None, state: Path | None, *, system: bool, json: bool
) -> MachineFacts:
    """Return the facts; MeridianError where this user has no state folder to look at."""
    paths = state_folder.here(state)
    snapshot, absence, is_silent = None, "", False
    try:
        snapshot = client.snapshot(state, timeout=_WAITS_TO_EXAMINE)
    except NoDaemon as error:
        absence = str(error)
    except NoAnswer as error:
        absence, is_silent = str(error), True
    loaded, unreadable = NOTHING_LOADED, ""
    try:
        loaded = crontabs.load(files, own_zone(), system=system, state=state, json=json)
    except MeridianError as error:
        unreadable = str(error)
    surroundings = inherited.by_jobs(state)
    return MachineFacts(paths, loaded, unreadable, snapshot, absence, is_silent, surroundings)
