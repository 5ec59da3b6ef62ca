"""What may be asked of a running daemon: requests and replies, frozen.

The lines of the control socket are read and written in `docs/control.md`'s words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

VERSION = 1


@dataclass(frozen=True, slots=True)
class Status:
    """Say what runs, waits, is paused, and how the daemon does."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Start a run of this job now, whatever its schedule says."""

    job: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Start the next attempt of this run now."""

    run: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End this run, or let go of it where it waits; it is not tried again."""

    run: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Start nothing of these jobs by their schedule, until `until` (None: until told)."""

    jobs: tuple[str, ...]
    until: datetime | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Let these jobs go by their schedules again."""

    jobs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reload:
    """Read the crontabs again."""


Request = Status | Trigger | Retry | Kill | Pause | Resume | Reload

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a request was not carried out: a stable word for machines, a sentence for a person."""

    code: str
    message: str


Reply = Json | Refused  # what was done, or why it was not
