"""--state and --system in, which daemon a command is about out: one's own, or the machine's.

Users who have neither a daemon, a journal nor a crontab of their own mean the machine's, where
there is one that is open to them.
Root's own daemon is the machine's.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli import state_folder
from scheduler.errors import MeridianError, NoAnswer, NoDaemon
from scheduler.system import control_client, paths, state_files, state_lock
from scheduler.system.control_client import REPLY_TIMEOUT
from scheduler.wire import Received

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.journal.journal import Journal
    from scheduler.protocol import Request

System = Annotated[
    bool,
    typer.Option(
        "--system",
        help="The machine's daemon (run --system), about your own jobs; "
        "so it is where you have no daemon of your own.",
    ),
]


class Machine(Enum):
    """The machine's daemon, as who is not root asks it: by its socket alone."""

    DAEMON = "the machine's daemon"


MACHINE = Machine.DAEMON
_WAY = "root starts it: systemctl start meridian, or meridian run --system"
Where = Path | Machine | None  # a state folder, or one's usual one


def chosen(state: Path | None, *, system: bool) -> Where:
    """Return the daemon that is meant."""
    if system and state is not None:
        raise typer.BadParameter("--system and --state name two daemons: name one")
    if state is not None or _is_root():
        return state
    return MACHINE if system or _has_none_of_own() else None


def keeps_crontab(state: Path | None) -> bool:
    """Say whether one's crontab is the table that the machine's daemon keeps.

    So it is for who has neither another crontab nor a daemon of their own.
    """
    return state is None and not _is_root() and _has_none_of_own(of_runs=False)


def runs(entry: Entry) -> bool:
    """Say whether the machine's daemon, another user's, runs an entry: of one's table there."""
    crontab_place = import_module("scheduler.system.crontab_place")  # which a status has no need of
    return not _is_root() and crontab_place.of_file(entry.file).form is crontab_place.Form.SPOOL


def refuse_machines(command: str, state: Path | None) -> None:
    """Raise MeridianError for a command that reads a journal, where that would be root's."""
    if isinstance(chosen(state, system=False), Machine):
        raise RootsJournal(command)


class RootsJournal(MeridianError):
    """What is asked for stands in the journal of the machine's daemon."""

    def __init__(self, command: str) -> None:
        why = f"{command} reads the journal, and that of the machine's daemon is root's"
        super().__init__(f"{why}: sudo meridian {command}")


def _is_root() -> bool:
    return os.geteuid() == 0


def _has_none_of_own(*, of_runs: bool = True) -> bool:
    """Say whether this user has neither daemon nor crontab, and the machine has a daemon.

    Nor a journal, if it is `of_runs`.
    """
    if not is_open():
        return False
    try:
        own = state_folder.here()
    except state_folder.NotYours:
        return False  # which is said, where it is used
    except MeridianError:
        return True  # without a home there is none
    if state_lock.holder(own.state) is not None or (of_runs and state_files.is_there(own.journal)):
        return False
    crontab_files = import_module("scheduler.system.crontab_files")  # root's status needs none
    return not any(crontab_files.is_there(Path(file)) for file in crontab_files.own_files(own))


def is_open() -> bool:
    """Say whether the machine has a daemon that hears who asks: one without --system is root's."""
    return os.access(socket(), os.W_OK)


def own_journal(state: Path | None) -> Journal:
    """Return the journal that is meant, to be read; JournalError where there is none.

    NoDaemon where the machine's daemon may have run one's jobs, but does not run.
    """
    is_own = state is not None or _is_root() or os.path.lexists(socket())
    if not is_own and not _has_run() and os.path.lexists(folder()):
        none = "there is no journal of your own, and the machine's daemon, which may have run"
        raise NoDaemon(f"{none} your jobs, does not run: {_WAY}")
    return state_folder.journal(state, must_exist=True)


def _has_run() -> bool:
    return state_files.is_there(state_folder.here().journal)


def folder() -> Path:
    """Return the state folder of the machine's daemon, which others see but don't open."""
    return paths.paths({}, 0).state


def socket() -> Path:
    """Return where the machine's daemon hears everybody."""
    return paths.machine_socket()


def option(where: Where) -> str:
    """Return what has to be typed for another command to be about the same daemon, and a space."""
    if isinstance(where, Machine):
        return " --system"
    return "" if where is None else f" --state {shlex.quote(str(where))}"


def ask_machine(request: Request, timeout: float = REPLY_TIMEOUT) -> Received:
    """Return what the machine's daemon replies; NoDaemon or NoAnswer where it does not."""
    with _told():
        return control_client.call(socket(), request, timeout)


def ask_machine_for_file(
    request: Request, timeout: float = REPLY_TIMEOUT
) -> tuple[Received, int | None]:
    """Return the file that came with the reply, too, which the caller closes; None for none."""
    with _told():
        return control_client.call_for_file(socket(), request, timeout)


@contextmanager
def _told() -> Iterator[None]:
    """Say of which daemon there is no answer."""
    try:
        yield
    except NoDaemon as error:
        raise NoDaemon(f"the machine's daemon does not run: {error}; {_WAY}") from error
    except NoAnswer as error:
        raise NoAnswer(f"the machine's daemon: {error}") from error
