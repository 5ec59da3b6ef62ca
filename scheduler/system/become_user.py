"""A process of root's becomes a user, and can never go back: see credentials(7)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scheduler.errors import MeridianError

if TYPE_CHECKING:
    from scheduler.system.accounts import Account

_USUAL_UMASK = 0o022  # as cron's jobs have it


def become(account: Account) -> None:
    """Take a user's groups and numbers for good, all three of each; MeridianError if that fails.

    From root that takes root's capabilities too: capabilities(7). Whoever is not root can become
    nobody else.
    """
    try:
        os.setgroups(account.groups)
        os.setgid(account.gid)
        os.setuid(account.uid)
    except OSError as error:
        raise MeridianError(f"can't become user {account.name}: {error.strerror}") from error
    if account.uid and (_can_go_back() or os.geteuid() != account.uid):
        raise MeridianError(f"can't become user {account.name} for good")
    os.umask(_USUAL_UMASK)


def _can_go_back() -> bool:
    try:
        os.setuid(0)
    except OSError:
        return False
    return True
