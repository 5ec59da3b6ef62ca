"""The daemon's own user, and who tells of an entry: the user that its jobs run as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.entry import Entry


@dataclass(frozen=True, slots=True)
class OwnUser:
    """Their name, and the fingerprints of the secrets that their jobs inherit from the daemon.

    Nothing of these is for another user: neither do such jobs inherit any, nor may what is told of
    them answer whether a text is one of them.
    """

    name: str = ""
    inherited: tuple[str, ...] = ()

    def speaker_of(self, entry: Entry) -> str | None:
        """Return who tells of a job; None for the daemon's own user."""
        return None if entry.user == self.name else entry.user

    def inherited_by(self, entry: Entry) -> tuple[str, ...]:
        """Return the fingerprints of the secrets that an entry's jobs inherit."""
        return self.inherited if self.speaker_of(entry) is None else ()


UNNAMED = OwnUser()  # of a daemon whose jobs inherit no secret, and all are its own user's
