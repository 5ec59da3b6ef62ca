"""How a daemon does: one typed snapshot, which the daemon builds and whoever asks for it reads.

`codec` makes JSON of it and back, by the types alone. Instants are in UTC, in whole seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 (the codec reads the types)

from scheduler.codec import INLINE, named
from scheduler.pause import Paused  # noqa: TC001 (as above)


@dataclass(frozen=True, slots=True)
class Status:
    """Say what runs, waits, is paused, and how the daemon does; and which of `jobs` it has."""

    jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which daemon it is: its version, process and state folder; since when it runs."""

    version: str
    pid: int
    started: datetime
    state: str


@dataclass(frozen=True, slots=True)
class Crontabs:
    """What there is of entries: their number, their zones', what is refused, what is kept.

    `kept` entries run in their last good version. It is the reply to a reload, too.
    """

    entries: int
    zones: int
    problems: int
    kept: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows there are, of which a snapshot may have the first only."""

    running: int
    waiting: int
    paused: int
    catching_up: int = 0  # an older daemon does not say so


@dataclass(frozen=True, slots=True)
class RunningNow:
    """An attempt that has a process, of the run that is due `at`.

    It has run for so many seconds `for_s`, whatever the clock was set to; None if nobody can tell.
    """

    run: int
    job: str
    at: datetime
    zone: str
    attempt: int
    pid: int | None
    started: datetime | None
    for_s: float | None
    user: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class WaitingNow:
    """A run that waits for its start or its retry: until `due`, or for what `reason` says.

    Its zone is None where its job is in no crontab any more.
    """

    run: int
    job: str
    at: datetime
    zone: str | None
    attempt: int
    due: datetime | None
    reason: str
    user: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class CatchingUp:
    """A job's instants that came too late and are still to run: `left`, from `at` until `until`."""

    job: str
    at: datetime
    until: datetime
    zone: str
    left: int


@dataclass(frozen=True, slots=True)
class Coming:
    """A job's next run, and whose it is; `user` here and above: None is the daemon's own."""

    job: str
    at: datetime
    zone: str
    user: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class CrontabFile:
    """A crontab that the daemon has read: its entries in force, and what is refused of it.

    `refused` counts the lines that became no entry, of which the first are in `lines`, each with
    its reason: the code of a problem, and the line of that if it is another. `kept` entries run in
    their last good version. `user` is whose table it is, where it is one of the spool's.
    """

    file: str
    entries: int
    refused: int
    lines: tuple[int, ...]
    reasons: tuple[str, ...] = field(default=(), kw_only=True)
    kept: int
    is_readable: bool = field(metadata=named("readable"))
    user: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Reads:
    """How the daemon reads its crontabs: named on its command line or not, their form and zone.

    `is_system` is a system daemon; `without_cron` says why it leaves cron's tables alone, and
    `most_entries` how many of one user's table it reads.
    """

    is_named: bool = field(metadata=named("named"))
    is_system_format: bool = field(metadata=named("system_format"))
    zone: str
    is_system: bool = field(default=False, metadata=named("system"))
    without_cron: str | None = None
    most_entries: int | None = None


@dataclass(frozen=True, slots=True)
class ZoneData:
    """A database of zones in use: a folder, a file or a package; its version, if it names one."""

    where: str
    version: str | None
    zones: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How a daemon does at one instant, `now`.

    `last_tick` is the last minute that was handled, `journal` why the journal refuses, `in_force`
    which of the jobs that were asked about a crontab has. What has a default is not said by an
    older daemon.
    """

    daemon: Identity = field(metadata=INLINE)
    is_stopping: bool = field(metadata=named("stopping"))
    crontabs: Crontabs = field(metadata=INLINE)
    last_tick: datetime | None
    now: datetime
    journal: str | None
    zone_data: tuple[ZoneData, ...] = ()
    max_running: int | None
    counts: Counts
    running: tuple[RunningNow, ...]
    waiting: tuple[WaitingNow, ...]
    paused: tuple[Paused, ...]
    catching_up: tuple[CatchingUp, ...] = ()
    coming: tuple[Coming, ...] = field(metadata=named("next"))
    files: tuple[CrontabFile, ...] = ()
    in_force: tuple[str, ...] | None = None
    reads: Reads | None = None
