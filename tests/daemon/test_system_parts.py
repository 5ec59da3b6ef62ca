"""What a system daemon has beside any other's, put together."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, cast

from scheduler.daemon import system_parts
from scheduler.system.clock import RealClock
from scheduler.system.log import Log
from scheduler.system.paths import paths

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.system.clock import Clock
    from scheduler.system.control_server import Ask
    from scheduler.system.crontab_loader import ReadOptions


class Heard(Log):
    """A log that keeps what is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def warning(self, message: str, **facts: object) -> None:
        self.told.append(f"{message}: {facts['why']}")


def test_the_machines_tables_hear_from_what_starts_jobs_of_users(tmp_path: Path) -> None:
    place, log = paths({}, 0, state=tmp_path), Heard()
    crontabs = system_parts.crontabs(place, cast("ReadOptions", None))
    machine = crontabs.machine
    assert machine is not None
    users = system_parts.users(machine, log)
    assert machine.know == users.ask
    assert system_parts.stamps(machine, log) is not None


def test_tables_of_users_are_asked_for_here_and_all_else_as_before(tmp_path: Path) -> None:
    place = paths({}, 0, state=tmp_path)
    before = cast("Ask", io.StringIO)
    assert system_parts.ask(before, place, cast("Clock", RealClock()), Heard()) is not before
