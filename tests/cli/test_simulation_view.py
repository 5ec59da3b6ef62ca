"""What a simulation prints: aligned whatever the names are, and made to fit a screen."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.cli.simulation_view import EventLines
from scheduler.daemon.simulation_events import EventKind, SimulatedEvent
from scheduler.entry import Entry, Reboot

START = utc(2027, 3, 1, 12)
DAY = timedelta(days=1)


def entry(job: str, zone: str = "UTC") -> Entry:
    return Entry(job, Reboot(), "@reboot", ZoneInfo(zone), "true")


def told(
    entries: list[Entry], *events: SimulatedEvent, width: int | None, days: float = 1.0
) -> list[str]:
    telling = EventLines(entries, ZoneInfo("UTC"), width=width, days=days)
    text = f"{telling.header()}\n{telling.as_lines(events)}"
    return [line.rstrip() for line in text.splitlines()]


def start(job: str, at: datetime = START, reason: str | None = None) -> SimulatedEvent:
    return SimulatedEvent(START, EventKind.START, job, at, 1, reason)


@pytest.mark.parametrize(
    ("job", "zone"), [("a", "UTC"), ("a-long-name-of-a-job", "America/Los_Angeles")]
)
def test_titles_stand_above_their_columns_however_short_the_names(job: str, zone: str) -> None:
    header, line = told([entry(job, zone)], start(job, reason="why"), width=None)
    for title, cell in (("JOB", job), ("ZONE", zone), ("EVENT", "start"), ("WHY", "why")):
        assert line[header.index(title) :].startswith(cell), (title, header, line)


def test_on_a_screen_one_zone_and_the_day_of_a_few_are_said_by_the_command_alone() -> None:
    why = "made up for: asleep from 01:10 until 04:05, and some more words"
    assert told([entry("a")], start("a", reason=why), width=60) == [
        "TIME          EVENT      JOB  SCHEDULED  WHY",
        "Mon 12:00:00  start      a    12:00      made up for: asleep",
        "                                         from 01:10 until",
        "                                         04:05, and some",
        "                                         more words",
    ]


def test_two_zones_are_said_and_so_is_the_date_in_a_simulation_of_weeks() -> None:
    entries = [entry("a"), entry("b", "Asia/Tokyo")]
    assert told(entries, start("b"), width=100, days=30)[1] == (
        "Mon 2027-03-01 21:00:00  Asia/Tokyo  start      b    21:00"
    )


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (START, "12:00"),
        (START - DAY, "Sun 12:00"),
        (START - 7 * DAY, "Mon 2027-02-22 12:00"),
        (START - 330 * DAY, "Sun 2026-04-05 12:00"),
    ],
)
def test_an_instant_of_another_day_has_it(at: datetime, said: str) -> None:
    line = told([entry("a")], start("a", at), width=None)[1]
    assert line.endswith(f"  a    {said}")


@pytest.mark.parametrize(("kind", "is_red"), [(EventKind.RETRY, False), (EventKind.FAILURE, True)])
def test_what_is_retried_is_no_failure(kind: EventKind, *, is_red: bool) -> None:
    event = SimulatedEvent(START, kind, "a", START, 1, "exit 1")
    lines = EventLines([entry("a")], ZoneInfo("UTC"), width=80, days=1.0).as_lines([event])
    assert kind.value in str(lines)
    assert ("red" in {style for _, style in lines.pieces}) == is_red


def test_a_reason_is_whole_in_a_pipe() -> None:
    line = told([entry("a")], start("a", reason="x " * 300), width=None)[1]
    assert line.endswith("x " * 299 + "x")
