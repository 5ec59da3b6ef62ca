"""The machine's zone, in which a person reads times; that it is unknown is said."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from scheduler.cli import output
from scheduler.schedule import zone_data
from scheduler.system import local_zone


def own_zone() -> ZoneInfo:
    """Return the machine's zone; that it is unknown is said on standard error."""
    zone_data.renew()  # a screen that is drawn anew goes by what is there now
    zone, problem = local_zone.machine_zone()
    if problem:
        output.note(f"warning: {problem}")
    return zone
