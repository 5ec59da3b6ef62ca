"""A state folder in, what the jobs of its daemon inherit out; and whose word that is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scheduler.cli import client, state_folder, which_daemon
from scheduler.codec import decode
from scheduler.entry import Entry
from scheduler.errors import MeridianError, NoAnswer, NoDaemon
from scheduler.process import user_jobs, user_spawner
from scheduler.process.job_environment import Inheritance, text
from scheduler.protocol import Inherited, InheritedEnvironment
from scheduler.system import accounts
from scheduler.wire import Refused

_WAITS_FOR_DAEMON = 2.0  # seconds


@dataclass(frozen=True, slots=True)
class JobSurroundings:
    """What jobs inherit, and in a sentence whose word it is; `umask` is None for this shell's.

    `is_daemons` says whether a running daemon told it.
    """

    inheritance: Inheritance
    umask: int | None
    is_daemons: bool
    said: str


def by_jobs(state: Path | None) -> JobSurroundings:
    """Ask the daemon with this state folder; where none tells, take this shell for its parent."""
    try:
        reply = client.ask(Inherited(), state, _WAITS_FOR_DAEMON)
        if isinstance(reply, Refused):  # by one of an older version
            return _of_this_shell(f"The running daemon does not say ({reply.message})")
        found = decode(InheritedEnvironment, reply)
        umask = int(found.umask, 8)
    except NoDaemon:
        return _of_this_shell("No daemon runs")
    except (NoAnswer, ValueError) as error:
        return _of_this_shell(f"The running daemon does not say ({error})")
    variables = {each.name: each.value for each in found.variables}
    user, home = (variables.get(name, "") for name in ("USER", "HOME"))
    inheritance = Inheritance(variables, home, user)
    return JobSurroundings(inheritance, umask, True, "As the running daemon has it for its jobs")


def of_entry(entry: Entry, state: Path | None) -> JobSurroundings:
    """Return what a job inherits: what cron gives to another user's, else what the daemon's do.

    Raises MeridianError where there is no such user.
    """
    found = by_jobs(state)
    inheritance = of_user(entry, found.inheritance)
    if inheritance is None:
        raise MeridianError(f"there is no user {entry.user}")
    if inheritance is found.inheritance:
        return found
    said = f"As cron gives it to the jobs of {entry.user}"
    return JobSurroundings(inheritance, user_spawner.UMASK, True, said)


def of_user(entry: Entry, own: Inheritance) -> Inheritance | None:
    """Return what a job's user gives it: its daemon's `own` user, or another; None if nobody.

    The machine's daemon is another user's than who asks about their table.
    """
    is_own = entry.user is None or entry.user == own.inherited["LOGNAME"]
    if is_own and not which_daemon.runs(entry):
        return own
    account = accounts.find(str(entry.user))
    return None if account is None else user_jobs.job_user(account).inheritance


def _of_this_shell(why: str) -> JobSurroundings:
    own = {name: text(os.fsencode(value)) for name, value in os.environ.items()}
    user, home = state_folder.account(os.geteuid())
    said = f"{why}: worked out from this shell; a daemon that another started may have less"
    return JobSurroundings(Inheritance(own, home, user), None, False, said)
