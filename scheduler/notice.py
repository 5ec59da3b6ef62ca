"""What somebody is to hear, as values: from the recorder by the journal to a channel.

A notice is complete: who sends it needs neither a crontab nor the journal. Texts of users in it
(commands, reasons) have no secrets any more; its target may have some, and is shown masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (the codec reads the types)
from enum import StrEnum
from typing import NamedTuple, Self
from urllib.parse import quote, unquote


class Kind(StrEnum):
    """Why somebody is told."""

    OUTPUT = "output"  # mail as in cron: what a run wrote
    FAILURE = "failure"
    RECOVERY = "recovery"
    MISSED = "missed"  # runs that never started, against their entry's own wish
    SLOW = "slow"  # a run that took longer than its job's usually do
    SILENT = "silent"  # a job without a success for longer than its CRON_EXPECT
    PING = "ping"  # a CRON_PING: start, success or failure


class Channel(StrEnum):
    """By which way; each has a file of its name, and a lane of its own."""

    DESKTOP = "desktop"
    MAIL = "mail"
    COMMAND = "command"
    PUSH = "push"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """One attempt of the run; `output` is its file, relative to the state folder.

    `took` is seconds by a clock that nobody sets; the two times are cut to whole seconds on disk.
    `secrets` are fingerprints of what no reader of that output may see: see `redact.text`.
    """

    number: int
    outcome: str
    output: str
    started: datetime | None = None
    ended: datetime | None = None
    secrets: tuple[str, ...] = ()
    took: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a notice tells of.

    `outcome` is the last attempt's ("exit 1"), `reason` why the run is not tried again or did not
    start. `count` failures (or missed instants) in a row, since `since`; of `of` runs, for a job
    that flaps. `usual` and `took` are seconds, of a slow run. `detail` is a channel's own: for a
    ping `start`, `success` or `fail`.
    """

    job: str
    command: str
    file: str
    line: int
    zone: str
    run: int | None = None
    scheduled: datetime | None = None
    outcome: str = ""
    reason: str = ""
    attempts: tuple[AttemptFacts, ...] = ()
    count: int = 0
    of: int = 0
    since: datetime | None = None
    took: float | None = None
    usual: float | None = None
    detail: str = ""


class Recipient(NamedTuple):
    """Who is told: a target as a crontab names it, and the user whose it is.

    None is the daemon's own user. `desktop` and `@team` are others for each user, so that what is
    for one of them never goes with what is for another.
    """

    target: str
    user: str | None = None

    @property
    def key(self) -> str:
        """One text for both, as the journal has it; no target begins with a tilde."""
        return self.target if self.user is None else f"{user_key(self.user)}{self.target}"

    @classmethod
    def of_key(cls, key: str) -> Self:
        """Return whose key this is."""
        if not key.startswith("~"):
            return cls(key)
        user, _, target = key[1:].partition(" ")
        return cls(target, unquote(user, errors="surrogateescape"))


def user_key(user: str) -> str:
    """Return what the keys of all recipients of a user begin with."""
    return f"~{quote(user, safe='', errors='surrogateescape')} "


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that one target is to hear, at `at`.

    `subject` and `text` are the entry's templates, "" for Meridian's own words. `mail_to`,
    `mail_from` and `content_type` are the entry's MAILTO, MAILFROM and CONTENT_TYPE. `user` is who
    the job runs as, and who tells of it; None is the daemon's own user.
    """

    target: str
    kind: Kind
    at: datetime
    facts: Facts
    subject: str = ""
    text: str = ""
    mail_to: str = ""
    mail_from: str = ""
    content_type: str = ""
    user: str | None = None

    @property
    def recipient(self) -> Recipient:
        """Who hears it."""
        return Recipient(self.target, self.user)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Notices that go to one target together; `is_repeat`: they may have been sent before."""

    number: int
    target: str
    notices: tuple[Notice, ...]
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a delivery: `error` is "" if it was sent; a permanent one is not tried again.

    Where only some of several notices were sent, `sent` has their numbers, the first's is 0.
    `is_unsure`: the others may have been sent all the same. `note` is what there is to say of one
    without an error.
    """

    delivery: int
    error: str = ""
    permanent: bool = False
    sent: tuple[int, ...] = ()
    note: str = ""
    is_unsure: bool = False


def channel_of(target: str) -> Channel:
    """Return by which way a target is told: see the table of CRON_ALERT."""
    if target == "desktop":
        return Channel.DESKTOP
    if target == "mail" or target.startswith("mail:"):
        return Channel.MAIL
    if target.startswith("|"):
        return Channel.COMMAND
    return Channel.PING if target.startswith("ping:") else Channel.PUSH
