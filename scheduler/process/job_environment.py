"""A job's variables: the daemon's and a crontab's in, one set of bytes out; and its attempt's.

Its CRON_ variables tell a job its attempt, and whoever looks at a process which attempt it says
that it belongs to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.crontab import job_names
from scheduler.errors import BadValue
from scheduler.run import Attempt, Run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from scheduler.entry import Entry, Environment

SHELL = "/bin/sh"
DELEGATED = "MERIDIAN_DELEGATED"  # Delegate= of a unit whose systemd keeps that to itself
PING_VARIABLE = "MERIDIAN_PING"  # --ping, where no list of processes shows it

# What the service manager says to the daemon alone, by why no job may have it: systemd.exec(5),
# sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3). What is as true of a job as of the daemon
# stays: PATH, LANG, TERM, XDG_RUNTIME_DIR, LOG_NAMESPACE, the variables of a session.
_DAEMONS_OWN = {
    "a job could report readiness in the daemon's name, or be expected to report its own": (
        "NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID FDSTORE"
    ),
    "a job does not have those descriptors: others stand under their numbers": (
        "LISTEN_FDS LISTEN_PID LISTEN_PIDFDID LISTEN_FDNAMES"
    ),
    "a job would set up its own triggers on the daemon's cgroup, and free memory for it": (
        "MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE CPU_PRESSURE_WATCH CPU_PRESSURE_WRITE"
        " IO_PRESSURE_WATCH IO_PRESSURE_WRITE"
    ),
    "a job would write where the daemon keeps its state, or read its secrets": (
        "RUNTIME_DIRECTORY STATE_DIRECTORY CACHE_DIRECTORY LOGS_DIRECTORY CONFIGURATION_DIRECTORY"
        " CREDENTIALS_DIRECTORY PIDFILE"
    ),
    "a job would take itself for the service: log in its name, signal it": (
        "INVOCATION_ID JOURNAL_STREAM MAINPID MANAGERPID MANAGERPIDFDID SYSTEMD_EXEC_PID"
        " DEBUG_INVOCATION"
    ),
    "why the daemon was started is not why a job is": (
        "REMOTE_ADDR REMOTE_PORT TRIGGER_UNIT TRIGGER_PATH TRIGGER_TIMER_REALTIME_USEC"
        " TRIGGER_TIMER_MONOTONIC_USEC MONITOR_SERVICE_RESULT MONITOR_EXIT_CODE MONITOR_EXIT_STATUS"
        " MONITOR_INVOCATION_ID MONITOR_UNIT"
    ),
    "the unit tells the daemon alone what is delegated": DELEGATED,
    "a job could ping in the daemon's name": PING_VARIABLE,
    "a daemon that a job starts is not to run as this one does": "MERIDIAN_RUN",  # of the unit
}
PRIVATE = frozenset(name for names in _DAEMONS_OWN.values() for name in names.split())

# As outputs are named by them; what is longer no journal has counted to.
_RUN_NUMBER, _ATTEMPT_NUMBER = re.compile(rb"[1-9][0-9]{0,17}"), re.compile(rb"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the environments of all entries with these assignments have in common."""

    assignments: Environment
    variables: Mapping[str, str]
    encoded: dict[bytes, bytes]


class Inheritance:
    """Owns what every job of a user inherits: the `own` variables, and who it is.

    The spawner calls it once for each start. Invariant: what `of` returned last is the one that it
    keeps, and nobody changes that.
    """

    def __init__(self, own: Mapping[str, str], home: str, user: str) -> None:
        kept = {name: value for name, value in own.items() if name not in PRIVATE}
        self.inherited: Mapping[str, str] = {
            "HOME": home,
            **kept,
            "SHELL": SHELL,
            "LOGNAME": user,
            "USER": user,
        }
        self._newest = self._of(())

    def of(self, assignments: Environment) -> Surroundings:
        """Return what entries with these assignments find; of one object it is made once."""
        if self._newest.assignments is not assignments:
            self._newest = self._of(assignments)  # one entry after the other has the same
        return self._newest

    def _of(self, assignments: Environment) -> Surroundings:
        own = {name: value for name, value in assignments if name != "LOGNAME"}
        variables = {**self.inherited, **own}
        variables["PWD"] = variables["HOME"]  # a shell would set it
        encoded = {raw(name): raw(value) for name, value in variables.items()}
        return Surroundings(assignments, variables, encoded)


def scheduled(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant as RFC 3339 text with the zone's offset."""
    return instant.astimezone(zone).isoformat(timespec="seconds")


def attempt_variables(entry: Entry, attempt: Attempt) -> dict[bytes, bytes]:
    """Return the variables that let a job be idempotent, and its process be found again."""
    return {
        b"CRON_JOB": entry.job.encode("utf-8", "surrogateescape"),
        b"CRON_RUN": b"%d" % attempt.run.number,
        b"CRON_ATTEMPT": b"%d" % attempt.number,
        b"CRON_SCHEDULED": scheduled(attempt.run.instant, entry.zone).encode("ascii"),
    }


def attempt_of(environment: Mapping[bytes, bytes]) -> Attempt | None:
    """Return the attempt that these variables tell of; None where they tell of none.

    Anybody can set them, to anything: only what an attempt of ours can be called is one, and
    whether it is this process's is for other evidence to say.
    """
    job, run, number, instant = (
        environment.get(name, b"")
        for name in (b"CRON_JOB", b"CRON_RUN", b"CRON_ATTEMPT", b"CRON_SCHEDULED")
    )
    if not _RUN_NUMBER.fullmatch(run) or not _ATTEMPT_NUMBER.fullmatch(number):
        return None
    try:
        at = datetime.fromisoformat(instant.decode("ascii"))
        attempt = Attempt(
            Run(int(run), job_names.check(job.decode("ascii")), at.astimezone(UTC)), int(number)
        )
    except (ValueError, OverflowError, BadValue):
        return None
    return None if at.tzinfo is None or at.microsecond else attempt


def raw(text: str) -> bytes:
    """Return the bytes of a text, those that were no UTF-8 as they were."""
    return text.encode("utf-8", "surrogateescape")


def text(raw: bytes) -> str:
    """Return the text of bytes; `raw` gives the same bytes back."""
    return raw.decode("utf-8", "surrogateescape")
