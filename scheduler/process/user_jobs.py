"""Jobs of other users: a name and an entry in, what starts the job as that user out, or why not.

The rules are cron's: a clean environment, the user's home to begin in, all groups of the user and
none of root's, the limits that an administrator gave to the user.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.printable import quoted
from scheduler.process import resource_limits
from scheduler.process.job_environment import Inheritance, text
from scheduler.process.launch import not_started
from scheduler.process.user_spawning import SpawningProcess, UserLaunch
from scheduler.run import NotStarted
from scheduler.system import accounts, user_limits, user_variables
from scheduler.system.clock import RealClock
from scheduler.system.known_users import KnownUsers, NotTold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scheduler.entry import Entry
    from scheduler.process.launch import Launch
    from scheduler.process.limiter import Limited
    from scheduler.process.reaper import ChildEnd
    from scheduler.process.user_spawning import Step, UserChild
    from scheduler.system.accounts import Account
    from scheduler.system.user_limits import UserLimits

_CRONS_PATH = "/usr/bin:/bin"  # crontab(5)
_NO_NEW_PRIVILEGES = (b"/usr/bin/setpriv", b"--no-new-privs")  # which Python has no call for
_NO_HOME = b"/"  # where a job begins whose user has a home that is not there, as login(1) has it


@dataclass(frozen=True, slots=True)
class JobUser:
    """A user as whom jobs can start, what they inherit, and what limits them."""

    account: Account
    inheritance: Inheritance
    limits: UserLimits

    def launch(self, entry: Entry, launch: Launch, limited: Limited) -> UserLaunch:
        """Return what starts this launch as the user."""
        account = self.account
        procs = None if limited.group is None else os.fsencode(limited.group / "cgroup.procs")
        steps = (*_of_account(self.limits), *resource_limits.user_steps(entry.settings, procs))
        return UserLaunch(
            tuple(sorted(steps, key=lambda step: step[0] != "group")),
            account.uid,
            account.gid,
            account.groups,
            tuple(_folders(entry, launch.directory)),
            tuple(_commands(self, launch)),
        )


class UserJobs:
    """Owns what starts jobs as other users than this process's, and what is known of those users.

    The spawner calls it, on the loop's thread, on which nobody is looked up: see KnownUsers.
    Invariant: no job starts for a user whom the system does not know, or whose account is over.
    `root` is where the files of the system are; `tell` hears when the process that starts the jobs
    has died.
    """

    def __init__(
        self,
        tell: Callable[[str], object],
        look: Callable[[str], Account | None] = accounts.find,
        root: Path = Path("/"),
    ) -> None:
        self._clock = RealClock()
        self._known = KnownUsers(partial(_look_up, look, root))
        self._process = SpawningProcess(tell)

    def ask(self, names: Iterable[str]) -> None:
        """Have these users looked up by the time that jobs of theirs start."""
        self._known.ask(names)

    def user(self, name: str) -> JobUser | NotStarted:
        """Return the user of this name, or why no job can start as that one."""
        try:
            found = self._known.find(name)
        except NotTold as error:  # the jobs of all others start
            return NotStarted(f"{error.strerror}")
        except OSError as error:
            return not_started(f"user {quoted(name)}", error)
        if found is None:
            return NotStarted(f"there is no user {name}")
        if found.account.is_expired(self._clock.now()):
            return NotStarted(f"the account of {name} has expired")
        if found.limits.chroot:
            return NotStarted(f"limits.conf gives {name} a chroot, and Meridian makes none")
        return found

    def begin(self) -> None:
        """Be ready before the minute; where that can't be yet, the start itself tries again."""
        with contextlib.suppress(OSError):
            self._process.begin()

    def start(self, launch: Launch, stdin: int, output: int) -> UserChild:
        """Start a launch of a user's; OSError where there is no new process."""
        if launch.user is None:
            raise ValueError
        return self._process.start(launch.user, launch.environment, stdin, output)

    def settle(self, pid: int) -> None:
        """Wait until a child that has just started can be signalled."""
        self._process.settle(pid)

    def ended(self, before: Callable[[int], object]) -> list[ChildEnd]:
        """Return those of its children that have ended; see SpawningProcess."""
        return self._process.ended(before)

    def is_behind(self) -> bool:
        """Say whether some are left that `ended` is to tell of when it is asked again."""
        return self._process.is_behind

    def reaped(self, pid: int) -> None:
        """Hear that a child of this process is gone."""
        self._process.reaped(pid)


def job_user(account: Account, root: Path = Path("/")) -> JobUser:
    """Return what jobs of this account inherit, and what limits them."""
    variables = {**user_variables.of_users(root), "PATH": _CRONS_PATH}
    home = account.home or text(_NO_HOME)
    inheritance = Inheritance(variables, home, account.name)
    limits = user_limits.of_account(account, root / user_limits.SECURITY)
    return JobUser(account, inheritance, limits)


def _look_up(look: Callable[[str], Account | None], root: Path, name: str) -> JobUser | None:
    """Return a user as jobs start as that one; None if there is none. OSError as `look` has it."""
    account = look(name)
    return None if account is None else job_user(account, root)


def _of_account(limits: UserLimits) -> Iterator[Step]:
    for name, (soft, hard) in limits.limits.items():
        yield "limit", (name, soft, hard), f"{name} of limits.conf"
    if limits.nice is not None:
        yield "nice", (limits.nice,), f"priority {limits.nice} of limits.conf"


def _folders(entry: Entry, home: bytes) -> Iterator[tuple[bytes, str]]:
    yield home, f"its HOME {quoted(text(home))}"
    if all(name != "HOME" for name, _ in entry.environment):
        yield _NO_HOME, "/"


def _commands(user: JobUser, launch: Launch) -> Iterator[tuple[tuple[bytes, ...], str]]:
    shell = f"its SHELL {quoted(text(launch.shell[0]))}"
    if user.limits.no_new_privileges:
        yield (*_NO_NEW_PRIVILEGES, *launch.shell), "nonewprivs of limits.conf: setpriv"
        return
    if launch.direct is not None:
        yield launch.direct, shell
    yield launch.shell, shell
