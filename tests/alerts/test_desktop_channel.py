"""What an alert looks like on a desktop, and what an empty one answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scheduler.alerts import desktop
from scheduler.alerts.channel import Place
from scheduler.alerts.message_origin import Origin
from scheduler.errors import NotifyError, NotifyTimeout
from scheduler.notice import Delivery, Facts, Kind, Notice, Result
from scheduler.system.notification import Urgency

ORIGIN = Origin("vm", "ann", lambda _: "")
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


def notice(job: str, kind: Kind) -> Notice:
    return Notice("desktop", kind, NOON, Facts(job, "cp", "crontab", 3, "UTC", outcome="exit 1"))


@pytest.mark.parametrize(
    ("kinds", "urgency"),
    [
        ([Kind.FAILURE], Urgency.CRITICAL),  # it stays until somebody is there
        ([Kind.MISSED], Urgency.CRITICAL),
        ([Kind.SILENT], Urgency.CRITICAL),
        ([Kind.RECOVERY], Urgency.NORMAL),
        ([Kind.SLOW], Urgency.NORMAL),
        ([Kind.RECOVERY, Kind.FAILURE], Urgency.CRITICAL),
    ],
)
def test_what_failed_stays_on_the_screen(kinds: list[Kind], urgency: Urgency) -> None:
    delivery = Delivery(1, "desktop", tuple(notice("backup", kind) for kind in kinds))
    shown = desktop.notification_of(delivery, ORIGIN)
    assert (shown.urgency, shown.tag) == (urgency, "meridian backup")
    assert "backup" in shown.title


def test_of_several_jobs_one_notification_is_shown() -> None:
    notices = tuple(notice(job, Kind.FAILURE) for job in ("backup", "report"))
    shown = desktop.notification_of(Delivery(1, "desktop", notices), ORIGIN)
    assert shown.tag == "meridian"
    assert "backup, report" in shown.title


@pytest.mark.parametrize(("kind", "is_unsure"), [(NotifyError, False), (NotifyTimeout, True)])
def test_where_nobody_sits_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, kind: type[NotifyError], is_unsure: bool
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise kind("Nothing showed the notification")

    monkeypatch.setattr(desktop, "show", refuse)
    place = Place(Path("/state"), Path("/config"), {})
    delivery = Delivery(1, "desktop", (notice("backup", Kind.FAILURE),))
    assert list(desktop.send([delivery], place)) == [
        Result(1, "Nothing showed the notification", is_unsure=is_unsure)
    ]
