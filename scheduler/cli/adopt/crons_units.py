"""The units of other crons, as systemd has them: which there are, and stopped for good."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import MeridianError, NotifyError
from scheduler.system import helper_program
from scheduler.system.time_limit import TimeLimit

SERVICE = "meridian.service"
ANACRON_SERVICE = "anacron.service"  # a stop waits until its jobs have ended
# Those that keep each other out by /run/crond.pid (Debian's cron, cronie), and anacron's.
_LOCKED_CRONS = (
    *("cron.service", "crond.service", "cronie.service"),
    *(ANACRON_SERVICE, "anacron.timer"),
)
# Those that take no such lock: nothing could keep them from running the same tables.
_UNLOCKED_CRONS = (
    "cron.target",
    "bcron.service",
    "bcron-sched.service",
    "fcron.service",
    "dcron.service",
)
_SYSTEMCTL_LIMIT = 150.0  # seconds: a daemon's stop and start
_BOOTED_BY_SYSTEMD = Path("/run/systemd/system")  # sd_booted(3)


class UnitFailed(MeridianError):
    """systemctl(1) could not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class CronUnit:
    """A unit, as it was found: `is_active` while it runs, `is_enabled` to start at boot."""

    name: str
    is_active: bool
    is_masked: bool = False
    is_enabled: bool = False


def has_systemd() -> bool:
    """Say whether systemd runs this machine."""
    return _BOOTED_BY_SYSTEMD.is_dir()


def systemctl(*words: str) -> str:
    """Have systemd do something; UnitFailed with its own words where it does not."""
    try:
        program = helper_program.found("systemctl", os.environ)
        ended = helper_program.run((program, *words), TimeLimit(_SYSTEMCTL_LIMIT), os.environ)
    except NotifyError as error:
        raise UnitFailed(str(error)) from error
    if ended.code:
        said = (ended.err or ended.out).strip().splitlines()
        raise UnitFailed(f"systemctl {' '.join(words)}: {said[0] if said else ended.code}")
    return ended.out


def of_crons() -> list[CronUnit]:
    """Return the units of crons that are here, each once whatever other names it has."""
    return _there(_LOCKED_CRONS)


def of_others() -> list[CronUnit]:
    """Return the units that run of crons that no lock keeps out."""
    return [unit for unit in _there(_UNLOCKED_CRONS) if unit.is_active]


def unit(name: str) -> CronUnit | None:
    """Return a unit; None if there is none of this name."""
    return next(iter(_there((name,))), None)


def _there(names: Iterable[str]) -> list[CronUnit]:
    found: dict[str, CronUnit] = {}
    for name in names:
        shown = systemctl("show", "--property=Id,LoadState,ActiveState,UnitFileState", name)
        facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        if facts.get("LoadState") in ("loaded", "masked"):
            own = facts.get("Id") or name
            is_active = facts.get("ActiveState") in ("active", "activating", "reloading")
            is_enabled = facts.get("UnitFileState") == "enabled"
            found[own] = CronUnit(own, is_active, facts["LoadState"] == "masked", is_enabled)
    return list(found.values())
