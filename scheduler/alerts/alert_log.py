"""What the log says of alerts: consequences in, lines out, and no secret of a target in them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from scheduler.alerts.dispatch_rules import Consequence, NeverSent, NotReached, Sent, SentLater
from scheduler.journal.outbox import MOST_USER_HOUR, MOST_USER_WAITING
from scheduler.notice import Channel, Recipient, channel_of
from scheduler.printable import clean
from scheduler.redact import mask_error, shown_recipient
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduler.journal.rows import NoticeRow
    from scheduler.system.log import Log

_NAMED_IN_LINE = 3  # jobs, or targets, that a line names


class AlertLog:
    """Tells in the log what became of deliveries.

    Owns: the targets in trouble, which are those whose last delivery failed. The dispatcher calls
    it when an answer is on disk. Invariant: of each trouble of a target one warning is told, and of
    each delivery that is given up one error. Pings that were sent are not told of: each run has
    two.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._troubled: set[Recipient] = set()

    def is_in_trouble(self, recipient: Recipient) -> bool:
        """Say whether the last delivery to one failed."""
        return recipient in self._troubled

    def repeats(self, notices: int) -> None:
        """Tell that some may be sent twice."""
        what = counted(notices, "alert")
        say = f"{what} may have been sent when the last daemon ended: sent again, with a mark"
        self._log.warning("alerts", repeated=notices, say=say)

    def crowded(self, user: str) -> None:
        """Tell that a user has so many alerts that new ones are dropped."""
        who = clean(user)
        most = f"{MOST_USER_WAITING:,} waiting, or {MOST_USER_HOUR:,} in an hour"
        say = f"{who} has too many alerts ({most}): new ones are dropped for now"
        self._log.warning("alerts", user=who, dropped=True, say=say)

    def tell(self, found: Iterable[Consequence]) -> None:
        """Tell what became of deliveries, each with the notices that have this consequence."""
        new: dict[tuple[Channel, str], list[Recipient]] = defaultdict(list)
        for each in found:
            recipient = each.rows[0].notice.recipient
            match each:
                case Sent(rows):
                    self._troubled.discard(recipient)
                    self._sent(recipient, rows)
                case NeverSent(rows, error):
                    self._troubled.add(recipient)
                    self._given_up(recipient, rows, error)
                case SentLater(_, error):
                    target = recipient.target
                    if recipient not in self._troubled:
                        new[channel_of(target), mask_error(error, target)].append(recipient)
                    self._troubled.add(recipient)
                case NotReached():
                    pass  # its own target has done nothing
        for (channel, error), recipients in new.items():
            self._trouble(channel, error, recipients)

    def _sent(self, recipient: Recipient, rows: Sequence[NoticeRow]) -> None:
        if channel_of(recipient.target) is not Channel.PING:
            to, what = shown_recipient(recipient), _named(rows)
            self._log.info("alert", target=to, alerts=len(rows), say=f"told {to}: {what}")

    def _trouble(self, channel: Channel, error: str, recipients: Sequence[Recipient]) -> None:
        shown = list(dict.fromkeys(shown_recipient(each) for each in recipients))
        to, why = _some(shown), clean(error)
        say = f"{to} can't be told: {why}; it is tried again"
        self._log.warning("alert", channel=channel.value, target=to, error=why, say=say)

    def _given_up(self, recipient: Recipient, rows: Sequence[NoticeRow], error: str) -> None:
        to, what, why = (
            shown_recipient(recipient),
            _named(rows),
            clean(mask_error(error, recipient.target)),
        )
        tries = rows[0].tries + 1
        after = f"after {tries} tries" if tries > 1 else "at the first try"
        say = f"{to} was not told, {after}: {what}; {why}; see meridian alerts --failed"
        self._log.error("alert", target=to, alerts=len(rows), error=why, say=say)


def _named(rows: Sequence[NoticeRow]) -> str:
    """Return what notices tell of: `failure of backup`."""
    return _some([f"{row.notice.kind} of {clean(row.notice.facts.job)}" for row in rows])


def _some(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED_IN_LINE} more" if len(words) > _NAMED_IN_LINE else ""
    return ", ".join(words[:_NAMED_IN_LINE]) + more
