"""What somebody is to hear, on disk: notices in, what is to be sent and what became of it out.

It is a transactional outbox: a notice is written in the commit of what it tells of, so that neither
is there without the other.
"""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING

from scheduler import codec
from scheduler.journal import decoding
from scheduler.journal.columns import seconds, storable
from scheduler.journal.connection import Connection, first
from scheduler.notice import Channel, Delivery, Notice, channel_of, user_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    from scheduler.journal.rows import NoticeRow, NoticeState
    from scheduler.notice import Recipient

MOST_IN_DELIVERY = 1000  # notices of one delivery
LONGEST_DELAY = timedelta(hours=25)  # longer than any that is asked for
# Notices of a user other than the daemon's own: the disk is everybody's.
MOST_USER_WAITING = 1000
MOST_USER_HOUR = 3000  # in one hour; what was sent is kept for a week

# Seconds that a notice waits for others that go to the same target.
_GATHERING = {Channel.DESKTOP: 1.0, Channel.MAIL: 10.0, Channel.COMMAND: 10.0, Channel.PUSH: 10.0}
_ALL = 2**31 - 1  # more rows than there will ever be


class Outbox:
    """The part of the journal that has notices, and what was told of each job.

    Owns: its way to the connection, whether something new may be there, and how much users have had
    lately. Called by: the recorder
    inside the commits of runs, the dispatcher, and commands that only read. Invariant: a notice is
    `sending` before a sender has it, and from then on it belongs to one delivery, which goes as a
    whole each time and has the number of the first notice in it.
    """

    def __init__(
        self, connection: Connection, together: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self._connection = connection
        self._together = together
        self.has_new = True  # since the dispatcher has looked; it may be wrong, but never misses
        self.crowded: set[str] = set()  # users who had too many for another one
        self._hours: dict[str, tuple[float, int]] = {}  # how many a user had in an hour

    # --- in the commit of what is told -------------------------------------------------------

    def add(self, notice: Notice) -> None:
        """Have somebody hear of this, after a moment in which there may be more for them.

        Of a user who has too many it is dropped: nobody's alerts fill the disk of others.
        """
        if notice.user is not None and self._is_crowded(notice.user, notice.at):
            self.crowded.add(notice.user)
            return
        gathering = _GATHERING.get(channel_of(notice.target), 0.0)
        self._connection.do(
            "add_notice",
            target=storable(notice.recipient.key),
            body=json.dumps(codec.encode(notice)),
            due=seconds(notice.at) + gathering,
        )
        self.has_new = True

    def _is_crowded(self, user: str, at: datetime) -> bool:
        hour, number = seconds(at) // 3600, 0
        if self._hours.get(user, (None, 0))[0] == hour:
            number = self._hours[user][1]
        if number >= MOST_USER_HOUR:
            return True
        self._hours[user] = hour, number + 1
        key = user_key(user)
        after = f"{key[:-1]}!"  # the sign after the blank at its end
        found = self._connection.read(
            decoding.numbers, "count_of_user", first=key, after=after, most=MOST_USER_WAITING
        )
        return MOST_USER_WAITING in found

    def state_of(self, job: str) -> str | None:
        """Return what was told of a job, as the policy wrote it; None if there is nothing."""
        return first(self._connection.read(decoding.words, "alert_state", job=job))

    def set_state(self, job: str, text: str | None) -> None:
        """Remember what was told of a job; None forgets it."""
        if text is None:
            self._connection.do("forget_alert_state", job=job)
        else:
            self._connection.do("set_alert_state", job=job, state=text)

    def jobs(self) -> list[str]:
        """Return the jobs of which something was told that is not over, in order."""
        return self._connection.read(decoding.words, "alert_jobs")

    # --- sending -----------------------------------------------------------------------------

    def due(self) -> list[tuple[Recipient, datetime]]:
        """Return who is to hear something, and when the first of it is due."""
        return self._connection.read(decoding.recipients, "targets")

    def hasten(self, recipient: Recipient, now: datetime) -> None:
        """Have what is due far too late due now: the clock was set back since it was written."""
        self._connection.do(
            "hasten_notices",
            target=storable(recipient.key),
            now=seconds(now),
            latest=seconds(now + LONGEST_DELAY),
        )

    def clock_went_back(self, by: float) -> None:
        """Let nothing wait longer since the clock was set back by so many seconds."""
        self._connection.do("shift_notices", seconds=by)

    def take(self, recipient: Recipient) -> list[Delivery]:
        """Return all that waits for one, the oldest first, as `sending` from now on.

        What has been tried goes again as it was, and what is new as one delivery, or each ping as
        one: a refusal of one says nothing of the next. At most about MOST_IN_DELIVERY notices of
        each.
        """
        key, most = storable(recipient.key), MOST_IN_DELIVERY
        read = self._connection.read
        again = read(decoding.notices, "waiting_again", target=key, limit=most)
        new = read(decoding.notices, "waiting_new", target=key, limit=most)
        tried = [list(rows) for _, rows in groupby(again, key=lambda row: row.delivery)]
        if len(again) == most and len(tried) > 1:
            tried.pop()  # which may not be whole
        is_ping = channel_of(recipient.target) is Channel.PING
        untried = [[row] for row in new] if is_ping else [new]
        deliveries = [rows for rows in (*tried, *untried) if rows]
        with self._together():
            for rows in deliveries:
                for row in rows:
                    where = {"number": row.number, "delivery": rows[0].number}
                    self._connection.do("send_notice", **where)
        return [_delivery(rows) for rows in deliveries]

    def sending(self) -> list[Delivery]:
        """Return what a sender has; at a daemon's start that is what the one before it had."""
        rows = self._connection.read(decoding.notices, "sending")
        return [_delivery(list(some)) for _, some in groupby(rows, key=lambda row: row.delivery)]

    def of_delivery(self, delivery: int) -> list[NoticeRow]:
        """Return the notices of a delivery that a sender has, in order."""
        return self._connection.read(decoding.notices, "of_delivery", delivery=delivery)

    def end(
        self, rows: Sequence[NoticeRow], state: NoticeState, at: datetime, error: str = ""
    ) -> None:
        """Let these, which a sender had, be sent, or given up, at this time.

        `error` is why, or what there is to say of what was sent.
        """
        for row in rows:
            self._connection.do(
                "end_notice",
                number=row.number,
                state=state.value,
                error=storable(error),
                done=seconds(at),
                tried=1,
            )

    def wait(
        self, row: NoticeRow, due: datetime, error: str, *, delivery: int, tried: bool, unsure: bool
    ) -> None:
        """Let one that a sender had wait until `due`, in a delivery.

        One that was `tried` counts a try more; nobody is `unsure` where it was not sent.
        """
        self._connection.do(
            "wait_notice",
            number=row.number,
            due=seconds(due),
            error=storable(error),
            delivery=delivery,
            tried=int(tried),
            repeated=int(unsure),
        )

    # --- looking back, and what goes ---------------------------------------------------------

    def notices(self, *states: NoticeState, limit: int | None = None) -> list[NoticeRow]:
        """Return the newest notices in these states, or in any, the newest last."""
        one, other = (states[0], states[-1]) if states else ("", "")
        found = self._connection.read(
            decoding.notices,
            "notices",
            any=int(not states),
            one=str(one),
            other=str(other),
            limit=_ALL if limit is None else limit,
        )
        return found[::-1]

    def forget(self, state: NoticeState, before: datetime, *, beyond: datetime, limit: int) -> int:
        """Keep no notices that came into this state before then; return how many went by now.

        One that did so `beyond` a time is of a clock's wrong future, and not kept either.
        """
        times = {"before": seconds(before), "beyond": seconds(beyond)}
        where = {"state": state.value, **times, "limit": limit}
        return self._connection.do("forget_notices", **where).rowcount


def _delivery(rows: Sequence[NoticeRow]) -> Delivery:
    notices = tuple(row.notice for row in rows)
    is_repeat = any(row.repeated for row in rows)
    return Delivery(rows[0].number, notices[0].target, notices, is_repeat)
