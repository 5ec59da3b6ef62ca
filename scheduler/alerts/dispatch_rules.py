"""When a target's turn is, and what follows from what a sender answered. Pure.

Instants and seconds in, consequences for the notices of one delivery out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, assert_never

from scheduler.alerts.courier import Answer, Lane, Unanswered
from scheduler.alerts.ping_rules import Ping
from scheduler.notice import Channel, Kind, Result, channel_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from scheduler.journal.rows import NoticeRow
    from scheduler.notice import Notice

# Seconds from a try to the next one; when the try after the last of them fails, it was the last.
RETRIES = (60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 43_200.0, 86_400.0)
PING_RETRIES = RETRIES[:3]  # a ping tells how things are now
TARGET_PACE = 60.0  # seconds from one delivery to a target to the next; pings have no pace

# Senders of users other than the daemon's own: a process each, which may take its time.
MOST_SENDERS = 6  # at once, of all such users together
MOST_OF_USER = 2  # of them, of one user


@dataclass(frozen=True, slots=True)
class Sent:
    """These were sent, and what there is to say of it."""

    rows: Sequence[NoticeRow]
    note: str = ""


@dataclass(frozen=True, slots=True)
class NeverSent:
    """These are given up, and why."""

    rows: Sequence[NoticeRow]
    error: str


@dataclass(frozen=True, slots=True)
class SentLater:
    """These are tried again at `due`, and why; `is_unsure`: they may have been sent.

    What was not `tried` went along with another delivery, before its own time: it counts no try.
    """

    rows: Sequence[NoticeRow]
    error: str
    due: datetime
    tried: bool
    is_unsure: bool


@dataclass(frozen=True, slots=True)
class NotReached:
    """These go when they may, since what ended their sender was another one's, and why it ended."""

    rows: Sequence[NoticeRow]
    error: str
    is_unsure: bool


Consequence = Sent | NeverSent | SentLater | NotReached


def turn_of(target: str, due: datetime, now: datetime, since_last: float | None) -> datetime:
    """Return when a target may get what is due: `since_last` seconds ago it got something."""
    if since_last is None or channel_of(target) is Channel.PING:
        return due
    return max(due, now + timedelta(seconds=TARGET_PACE - since_last))


def admitted(
    ready: Iterable[Lane], busy: Collection[Lane], last: Mapping[Lane, float]
) -> list[Lane]:
    """Return which lanes may start, beside those that are `busy`.

    The daemon's own all may. Of the others' the one of the user who had a turn least lately comes
    first: `last` says when a lane had one.
    """
    found = [lane for lane in ready if lane.user is None]
    others = [lane for lane in ready if lane.user is not None]
    at_once: list[str | None] = [lane.user for lane in busy if lane.user is not None]
    of_user: dict[str | None, float] = {}
    for lane, at in last.items():
        of_user[lane.user] = max(at, of_user.get(lane.user, -inf))
    others.sort(key=lambda lane: (of_user.get(lane.user, -inf), last.get(lane, -inf)))
    for lane in others:
        if len(at_once) < MOST_SENDERS and at_once.count(lane.user) < MOST_OF_USER:
            at_once.append(lane.user)
            found.append(lane)
    return found


def is_repeated(notice: Notice) -> bool:
    """Say whether a notice that may have been sent is sent again.

    Who sits before the desktop has seen it, and that a run starts is true no more.
    """
    is_start = notice.kind is Kind.PING and notice.facts.detail == Ping.START
    return channel_of(notice.target) is not Channel.DESKTOP and not is_start


def consequences(rows: Sequence[NoticeRow], answer: Answer, now: datetime) -> list[Consequence]:
    """Return what follows for the notices of one delivery from the answer to it."""
    found: list[Consequence]
    match answer:
        case Result(error="", note=note):
            found = [Sent(rows, note)]
        case Result(error=error, permanent=permanent, sent=sent, is_unsure=is_unsure):
            rest = [row for number, row in enumerate(rows) if number not in sent]
            after = _after_failure(rest, error, now, is_unsure=is_unsure)
            found = [
                Sent([row for number, row in enumerate(rows) if number in sent]),
                *([NeverSent(rest, error)] if permanent else after),
            ]
        case Unanswered(why=why, is_unsure=is_unsure, is_tried=False):
            found = [NotReached(rows, why, is_unsure)]
        case Unanswered(why=why, is_unsure=is_unsure):
            found = _after_failure(rows, why, now, is_unsure=is_unsure)
        case _:
            assert_never(answer)
    return [each for each in found if each.rows]


def _after_failure(
    rows: Sequence[NoticeRow], error: str, now: datetime, *, is_unsure: bool
) -> list[Consequence]:
    """Return what follows a try that failed: all of a delivery have been tried equally often."""
    if not rows:
        return []
    first = rows[0]
    if first.due > now:
        return [SentLater(rows, error, first.due, tried=False, is_unsure=is_unsure)]
    waits = PING_RETRIES if channel_of(first.notice.target) is Channel.PING else RETRIES
    if first.tries >= len(waits):
        return [NeverSent(rows, error)]
    due = now + timedelta(seconds=waits[first.tries])
    return [SentLater(rows, error, due, tried=True, is_unsure=is_unsure)]
