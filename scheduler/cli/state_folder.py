"""The option --state in, the paths and the journal of the user who asks out."""

from __future__ import annotations

import os
import pwd
import shlex
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from scheduler.errors import MeridianError
from scheduler.journal.glance import Glance
from scheduler.system import paths as machine
from scheduler.system import state_files
from scheduler.system.paths import Paths

if TYPE_CHECKING:
    from scheduler.journal.journal import Journal

T = TypeVar("T")

State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="The state folder, if not the usual one."),
]


def damaged(state: Path | None) -> list[str]:
    """Return the files of damaged journals that were moved aside, the oldest first.

    A database goes by itself: what else SQLite had of it (`-wal`, `-shm`) stands beside it.
    """
    journal = here(state).journal
    files = map(str, journal.parent.glob(f"{journal.name}.damaged-*"))
    return sorted(file for file in files if not file.endswith(("-wal", "-shm")))


def here(state: Path | None = None) -> Paths:
    """Return the paths of the user who asks; MeridianError if that user has none, or no access."""
    paths = paths_of(state)
    if state is None and (why := _astray(paths.state, "STATE_DIRECTORY")):
        raise NotYours(f"{why}, or name a folder with --state")
    if not _is_open(paths.state):
        option = "" if state is None else f" --state {shlex.quote(str(paths.state))}"
        raise NotYours(
            f"{paths.state} is not open to you; if it is root's, as root: "
            f"sudo meridian status{option}"
        )
    return paths


def paths_of(state: Path | None) -> Paths:
    """Return the paths of the user who asks, as they are to be judged now."""
    return machine.paths(os.environ, os.geteuid(), state=state and state.absolute())


def with_crontab(state: Path | None = None) -> Paths:
    """Return the paths of a user who is about to use the crontab there, as `here`.

    Raises MeridianError also where that would be another user's.
    """
    paths = here(state)
    check_crontab(paths)
    return paths


def check_crontab(paths: Paths) -> None:
    """Raise MeridianError if the user's own crontab would be one of another user."""
    if why := _astray(paths.crontab, "CONFIGURATION_DIRECTORY"):
        raise NotYours(why)


def _astray(path: Path, directory: str) -> str:
    """Return which variable leads astray; "" where systemd's own says where it is."""
    return "" if os.environ.get(directory) else machine.astray(path, os.environ, os.geteuid())


class NotYours(MeridianError):
    """A folder among one's paths that is another user's."""


def _is_open(folder: Path) -> bool:
    """Say whether this user may look into a folder, or into where it would be."""
    try:
        folder.stat()
    except PermissionError:
        return False
    except OSError:
        return True
    return os.access(folder, os.R_OK | os.X_OK)


def journal(state: Path | None, *, must_exist: bool = False) -> Journal:
    """Return the journal, to be read; an empty one where nothing has run yet.

    Raises JournalError for one that is damaged or of another version; with `must_exist` also where
    there is none.
    """
    path = here(state).journal
    whole = import_module("scheduler.journal.journal")  # a `glance` has no need of it
    kind: type[Journal] = whole.Journal
    if must_exist or state_files.is_there(path):
        return kind.open(path, readonly=True)
    return kind.in_memory()


def glance(state: Path | None, ask: Callable[[Glance], T]) -> T | None:
    """Return what a glance at the journal answers; None where nothing has run yet.

    Raises JournalError as `journal` does.
    """
    path = here(state).journal
    if not state_files.is_there(path):
        return None
    with Glance.at(path) as found:
        return ask(found)


def account(uid: int) -> tuple[str, str]:
    """Return a user's name and home; the number and `/` where the system knows no such user."""
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return str(uid), "/"
    return found.pw_name, found.pw_dir
