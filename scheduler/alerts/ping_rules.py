"""An event in, what its entry's CRON_PING hears of it out. Pure.

| what happens | the ping |
| --- | --- |
| a run's first attempt starts | start |
| a later attempt starts, one fails and another follows | none: the run goes on |
| a run succeeds | success |
| a run fails for good, also one that was ended by hand | fail: whoever heard its start waits |
| a run that a new one of its job replaces | none: the new one's start is heard at once |
| a run that never starts: skipped, paused, missed | none: that is what the service looks out for |
| a run of a job that no crontab has any more | none: nobody knows its address |
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from scheduler.run import Reason
from scheduler.runs import events

if TYPE_CHECKING:
    from scheduler.entry import Entry
    from scheduler.runs.events import Event

TARGET = "ping:"  # in front of the URL, as a notice's target


class Ping(StrEnum):
    """What a ping says: the `detail` of its notice."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


def ping_of(event: Event) -> Ping | None:
    """Return what an event pings, if its entry has a CRON_PING; None for nothing."""
    match event:
        case events.RunStarted(attempt=attempt) if attempt.number == 1:
            return Ping.START
        case events.RunSucceeded():
            return Ping.SUCCESS
        case events.RunFailed(reason=reason) if reason is not Reason.REPLACED:
            return Ping.FAIL
        case _:
            return None


def target_of(entry: Entry | None) -> str | None:
    """Return the target of an entry's pings; None where it has none, or is no more."""
    return TARGET + entry.settings.ping if entry is not None and entry.settings.ping else None
