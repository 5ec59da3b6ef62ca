"""What a system daemon has and no other: loaded when it starts, and by it alone.

So a user's own daemon has none of it in memory; see `service`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.daemon.machine_tables import MachineTables
from scheduler.daemon.stamp_writer import StampWriter
from scheduler.daemon.user_tables import UserTables
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.process.user_jobs import UserJobs
from scheduler.system import crontab_spool
from scheduler.system.crons_record import CRONS_RECORD_NAME

if TYPE_CHECKING:
    from scheduler.system.clock import Clock
    from scheduler.system.control_server import Ask
    from scheduler.system.crontab_loader import ReadOptions
    from scheduler.system.log import Log
    from scheduler.system.paths import Paths


def crontabs(paths: Paths, how: ReadOptions) -> WatchedCrontabs:
    """Return the crontabs of the machine, which are read as `how` says."""
    record = paths.state / CRONS_RECORD_NAME
    return WatchedCrontabs((), paths, how, MachineTables(paths.folder or paths.config, record))


def users(machine: MachineTables, log: Log) -> UserJobs:
    """Return what starts jobs as other users, and tells the machine's tables who there is."""

    def tell(why: str) -> None:
        what = f"what starts the jobs of other users is gone ({why})"
        log.warning("users", why=why, say=f"{what}; another starts with the next, and jobs go on")

    found = UserJobs(tell)
    machine.know = found.ask
    return found


def stamps(machine: MachineTables, log: Log) -> StampWriter:
    """Return what lets anacron know which of its jobs have run."""
    return StampWriter(machine.anacron, log)


def ask(before: Ask, paths: Paths, clock: Clock, log: Log) -> Ask:
    """Return what is asked at the socket: about tables of users here, else what was `before`."""
    spool = crontab_spool.of_machine(paths.versions)
    return UserTables(spool, clock, log).before(before)
