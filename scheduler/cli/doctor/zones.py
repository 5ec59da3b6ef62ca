"""Where the zones' rules come from and how old they are, and how the machine's zone was found."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from scheduler.cli.doctor.diagnosis import Diagnosis, fine, problem, warning
from scheduler.cli.doctor.facts import MachineFacts
from scheduler.crontab import zone_changes
from scheduler.schedule import zone_data
from scheduler.schedule.zone_data import ZoneDatabase
from scheduler.system import local_zone
from scheduler.system.clock import RealClock
from scheduler.text import counted

_YEARS_FRESH = 2  # years; a year has several versions, each with what some country has changed
_TZDB_VERSION = re.compile(r"(\d{4})[a-z]")


def data(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield where the data of the zones in use come from."""
    own, _ = local_zone.machine_zone()
    zones = {entry.zone.key for entry in facts.loaded.entries} | {own.key}
    now = RealClock().now()
    if not zone_data.names():
        what = "there is none on this machine: every name of a zone is refused"
        yield problem(what, "install tzdata, or pip install tzdata")
    yield from judged_data(zone_data.databases(zones), now)
    for each in zone_changes.conflicts(zones, now):
        yield warning(each.message, each.hint)


def judged_data(databases: Iterable[ZoneDatabase], now: datetime) -> Iterator[Diagnosis]:
    """Yield for each database its version, and whether that is old."""
    for each in databases:
        version = f"version {each.version}" if each.version else "which names no version"
        what = f"{counted(len(each.zones), 'zone')} from {each.where}, {version}"
        found = _TZDB_VERSION.match(each.version)
        if found and int(found[1]) <= now.year - _YEARS_FRESH:
            is_package = each.where == zone_data.PACKAGE
            way = "pip install --upgrade tzdata" if is_package else "update the package tzdata"
            yield warning(f"{what}: zones that changed since have old rules", way)
        else:
            yield fine(what)


def machines(facts: MachineFacts) -> Iterator[Diagnosis]:
    """Yield the machine's zone, and what it was found by."""
    reads = None if facts.snapshot is None else facts.snapshot.reads
    daemons = None if reads is None else reads.zone
    yield judged_machines(os.environ, local_zone.LOCALTIME, daemons)


def judged_machines(environ: Mapping[str, str], localtime: Path, daemons: str | None) -> Diagnosis:
    """Return which zone these come to; `daemons` is what the running daemon goes by."""
    zone, why = local_zone.machine_zone(environ, localtime)
    if why:
        message, _, remedy = why.partition("; ")
        is_damaged = zone is zone_data.NOBODYS
        return (problem if is_damaged else warning)(message, remedy)
    what = f"{zone.key}, {found_by(environ, localtime)}"
    if daemons is not None and daemons != zone.key:
        remedy = "jobs without CRON_TZ go by the daemon's; if that is not meant, start it again"
        return warning(f"{what}; but the running daemon has {daemons}", remedy)
    return fine(what)


def found_by(environ: Mapping[str, str], localtime: Path) -> str:
    """Return what told the zone: tzset(3)."""
    if "TZ" in environ:
        return f"by TZ={environ['TZ']}"
    if localtime.is_symlink():
        return f"by {localtime}, a link to {localtime.readlink()}"
    if localtime.exists():
        return f"by {localtime}, a file with its rules"
    return f"since there is no {localtime}, nor TZ"
