"""An entry in, as whom its job is to run out: the daemon's own user, or another.

All that takes another user is in `user_jobs`, which no daemon has but a system daemon.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from scheduler.run import NotStarted

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.process.user_jobs import JobUser, UserJobs
    from scheduler.process.user_spawning import UserLaunch


def user_of(entry: Entry, own: str, users: UserJobs | None) -> JobUser | NotStarted | None:
    """Return as whom a job is to run, or why it can't; None is the daemon's `own` user."""
    if entry.user is None or entry.user == own:
        return None
    if sys.platform != "linux":  # if what starts them died, nobody would hear how they end
        return NotStarted(f"only Linux has what it takes to run jobs as {entry.user}")
    if users is None:
        return NotStarted(f"only a daemon of root's runs jobs as {entry.user}")
    return users.user(entry.user)


def give(descriptor: int, user: UserLaunch | None) -> None:
    """Let a user open by its name in /dev or /proc what a job of that user has open already.

    It is a file or a pipe of this job alone, so nothing is given that the job does not have.
    """
    if user is not None:
        os.fchown(descriptor, user.uid, user.gid)
