"""A job that starts nothing by its schedule for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (the codec reads the types)


@dataclass(frozen=True, slots=True)
class Paused:
    """A job that starts nothing by its schedule from `since` on, until `until` (None: for good)."""

    job: str
    since: datetime
    until: datetime | None = None
    note: str = ""

    def covers(self, instant: datetime) -> bool:
        """Say whether it lasts at an instant that is not before it."""
        return self.until is None or instant < self.until
