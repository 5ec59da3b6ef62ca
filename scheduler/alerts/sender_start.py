"""How a sender is started: of the daemon's own user, or as another user. Words and variables out.

What a sender of another user gets is that user's or anybody's: see `user_sender`.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scheduler.codec import encode
from scheduler.printable import quoted
from scheduler.process.job_environment import PRIVATE
from scheduler.system import accounts, state_files
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from scheduler.notice import Delivery
    from scheduler.system.accounts import Account

SENDER = (sys.executable, "-P", "-X", "utf8", "-m", "scheduler.alerts.sender")
# -I: neither the folder, nor variables, nor a user's own packages are looked at while it is root's.
USER_SENDER = (sys.executable, "-I", "-X", "utf8", "-m", "scheduler.alerts.user_sender")
MOST_OUTPUTS = 64  # files that a sender of another user gets; what is in no other is told as gone

_SENDERS_OWN = {"CREDENTIALS_DIRECTORY", "CONFIGURATION_DIRECTORY"}  # systemd.exec(5)
_USER_PATH = "/usr/bin:/bin"  # cron's
_OF_THE_MACHINE = ("LANG", "LC_", "TZ")  # what the names of variables begin with that anybody has


@dataclass(frozen=True, slots=True)
class SenderStart:
    """A sender's program with its words, its variables, what it reads first, its open files."""

    words: tuple[str, ...]
    environ: Mapping[str, str]
    first: bytes = b""
    files: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Senders:
    """What senders are started with: where the daemon's own user has their state and config.

    `find` tells who a user is. `program` is that of the own user's senders, `user_program` that of
    the others'.
    """

    state: Path
    config: Path
    environ: Mapping[str, str]
    program: Sequence[str] = SENDER
    user_program: Sequence[str] = USER_SENDER
    find: Callable[[str], Account | None] = accounts.find

    @contextmanager
    def start(
        self, channel: str, user: str | None, deliveries: Sequence[Delivery]
    ) -> Iterator[SenderStart]:
        """Say how a sender of a user is started; None is the daemon's own.

        The files are open as long as the block lasts. OSError where there is no such user.
        """
        if user is None:
            folders = str(self.state.absolute()), str(self.config.absolute())
            left_out = PRIVATE - _SENDERS_OWN
            environ = {name: text for name, text in self.environ.items() if name not in left_out}
            yield SenderStart((*self.program, channel, *folders), environ)
            return
        account = self.find(user)
        if account is None:
            raise OSError(errno.ESRCH, f"there is no user {quoted(user)}")
        if account.is_expired(RealClock().now()):
            raise OSError(errno.EACCES, f"the account of {quoted(user)} has expired")
        outputs: dict[str, int] = {}
        try:
            for path in _outputs(deliveries)[:MOST_OUTPUTS]:
                with suppress(OSError):  # it is not kept any more
                    outputs[path] = state_files.opened(self.state / path, os.O_RDONLY)
            yield SenderStart(
                (*self.user_program, channel, json.dumps(encode(account))),
                {**self._of_the_machine(), **_of_user(account)},
                json.dumps(outputs).encode() + b"\n",
                tuple(outputs.values()),
            )
        finally:
            for descriptor in outputs.values():
                os.close(descriptor)

    def _of_the_machine(self) -> Mapping[str, str]:
        return {n: text for n, text in self.environ.items() if n.startswith(_OF_THE_MACHINE)}


def _of_user(account: Account) -> Mapping[str, str]:
    """Return the variables that cron gives a job of this user."""
    name = account.name
    return {
        "HOME": account.home,
        "LOGNAME": name,
        "USER": name,
        "SHELL": "/bin/sh",
        "PATH": _USER_PATH,
    }


def _outputs(deliveries: Sequence[Delivery]) -> list[str]:
    """Return the outputs that are told of, the last attempts' first, then the newest before."""
    runs = [notice.facts.attempts[::-1] for each in deliveries for notice in each.notices]
    longest = max(map(len, runs), default=0)
    found = (run[n].output for n in range(longest) for run in runs if n < len(run))
    return list(dict.fromkeys(path for path in found if path))
