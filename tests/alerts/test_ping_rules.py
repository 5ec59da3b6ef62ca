"""Which events ping, and what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler.alerts.ping_rules import Ping, ping_of, target_of
from scheduler.entry import Entry, Reboot, Settings
from scheduler.run import Attempt, Ending, Exited, Reason, Run
from scheduler.runs import events

AT = datetime(2027, 3, 1, 2, 30, tzinfo=UTC)
ENTRY = Entry("backup", Reboot(), "@reboot", ZoneInfo("Europe/Berlin"), "backup")
RUN = Run(7, "backup", AT)
FIRST, SECOND = Attempt(RUN, 1), Attempt(RUN, 2)
FAILED = Ending(Exited(3), AT)
REPLACED = Reason.REPLACED


@pytest.mark.parametrize(
    ("event", "ping"),
    [
        (events.RunStarted(AT, ENTRY, FIRST, 99), Ping.START),
        (events.RunStarted(AT, ENTRY, SECOND, 99), None),  # the run goes on
        (events.RetryScheduled(AT, ENTRY, FIRST, FAILED, AT + timedelta(minutes=1)), None),
        (events.RunSucceeded(AT, ENTRY, SECOND, FAILED), Ping.SUCCESS),
        (events.RunFailed(AT, ENTRY, RUN, Reason.EXHAUSTED, SECOND, FAILED), Ping.FAIL),
        (events.RunFailed(AT, ENTRY, RUN, Reason.SUPERSEDED), Ping.FAIL),  # while it waited
        (events.RunFailed(AT, ENTRY, RUN, Reason.KILLED, FIRST, FAILED), Ping.FAIL),
        (events.RunFailed(AT, ENTRY, RUN, Reason.STOPPED, FIRST, FAILED), Ping.FAIL),
        (events.RunFailed(AT, ENTRY, RUN, REPLACED, FIRST, FAILED), None),  # another has begun
        (events.RunSkipped(AT, ENTRY, RUN, Reason.PAUSED), None),  # the service misses it itself
        (events.RunAdopted(AT, FIRST, 99), None),
    ],
)
def test_what_a_service_hears_of_a_run(event: events.Event, ping: Ping | None) -> None:
    assert ping_of(event) is ping


def test_only_an_entry_with_an_address_pings() -> None:
    with_address = replace(ENTRY, settings=Settings(ping="https://hc-ping.com/1234"))
    assert target_of(with_address) == "ping:https://hc-ping.com/1234"
    assert target_of(ENTRY) is None
    assert target_of(None) is None  # no crontab has the job any more
