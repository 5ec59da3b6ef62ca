"""The channel of the desktop: a delivery in, a notification out; see `system/desktop`.

What failed stays until somebody has seen it; what is newer of a job takes the place of the older.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.alerts import message_origin, wording
from scheduler.errors import NotifyError, NotifyTimeout
from scheduler.notice import Kind, Result
from scheduler.system.desktop import show
from scheduler.system.desktop_session import Desktop
from scheduler.system.notification import Notification, Urgency

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scheduler.alerts.channel import Place
    from scheduler.notice import Delivery

NOTIFIER_SECONDS = 10.0

_STAYS_SHOWN = {Kind.FAILURE, Kind.MISSED, Kind.SILENT}


def send(deliveries: Sequence[Delivery], place: Place) -> Iterator[Result]:
    """Show each of these as one notification; see `channel.Send`."""
    desktop = Desktop(place.environ)
    for delivery in deliveries:
        try:
            show(
                notification_of(delivery, message_origin.of_place(place)),
                desktop,
                timeout=NOTIFIER_SECONDS,
            )
        except NotifyError as error:
            is_unsure = isinstance(error, NotifyTimeout)
            yield Result(delivery.number, str(error), is_unsure=is_unsure)
        else:
            yield Result(delivery.number)


def notification_of(delivery: Delivery, where: message_origin.Origin) -> Notification:
    """Return what is shown of a delivery. Pure but for the outputs that `where` reads."""
    said = wording.message(delivery, where)
    jobs = {notice.facts.job for notice in delivery.notices}
    is_bad = any(notice.kind in _STAYS_SHOWN for notice in delivery.notices)
    return Notification(
        said.subject,
        said.summary,
        urgency=Urgency.CRITICAL if is_bad else Urgency.NORMAL,
        tag=f"meridian {jobs.pop()}" if len(jobs) == 1 else "meridian",
    )
