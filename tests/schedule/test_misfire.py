"""The misfire window: when a run starts in time, and how late it still may."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.entry import Entry, Settings
from scheduler.schedule.expression import parse
from scheduler.schedule.misfire import is_too_late, own_start, window_opens

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
NOON = utc(2027, 3, 1, 12)
HOUR = timedelta(hours=1)


def entry(schedule: str, *, zone: ZoneInfo = UTC_ZONE, delay: float = 0, **chosen: Any) -> Entry:
    given = Settings(**chosen)
    return Entry("job", parse(schedule), schedule, zone, "true", settings=given, delay=delay)


LATENESS = [
    # seconds late, within, delay, too late?, why
    (59, 0, 0, False, "within its own minute nothing is late"),
    (60, 0, 0, True, "then it is, where nothing is allowed"),
    (60, 60, 0, False, "the last moment"),
    (61, 60, 0, True, "and the first after it"),
    (661, 60, 600, True, "a spread start counts from its own time"),
    (660, 60, 600, False, "and has all of its time from there"),
]


@pytest.mark.parametrize(("late", "within", "delay", "expected", "why"), LATENESS)
def test_how_late_a_run_may_start(
    late: int, within: float, delay: int, expected: bool, why: str
) -> None:
    asked = entry("0 12 * * *", within=float(within), delay=float(delay))
    own = own_start(asked, NOON)
    assert is_too_late(asked, own, NOON + timedelta(seconds=late), made_up=True) is expected, why


HELD = [
    # hours, own time, start (Berlin's wall clock), seconds that count, why
    ((3, 22), "2027-03-27T23:00", "2027-03-28T03:30", 1800, "a night that is an hour shorter"),
    ((3, 22), "2027-10-30T21:00", "2027-10-31T03:30", 5400, "and one that is longer"),
    ((22, 6), "2027-03-27T05:00", "2027-03-27T23:00", 7200, "over midnight: before and after"),
    ((3, 22), "2027-03-01T21:00", "2027-03-03T03:30", 73_800, "a whole day of them between"),
    ((0, 24), "2027-03-27T05:00", "2027-03-27T23:00", 64_800, "every hour"),
]  # fmt: skip


@pytest.mark.parametrize(("hours", "own", "start", "counted", "why"), HELD)
def test_only_hours_in_which_a_missed_run_may_start_make_it_late(
    hours: tuple[int, int], own: str, start: str, counted: int, why: str
) -> None:
    due, begun = (datetime.fromisoformat(text).replace(tzinfo=BERLIN) for text in (own, start))
    for within, expected in ((counted, False), (counted - 1, True)):
        asked = entry("0 0 * * *", zone=BERLIN, start_hours=hours, within=float(within))
        late = is_too_late(
            asked, due.astimezone(UTC_ZONE), begun.astimezone(UTC_ZONE), made_up=True
        )
        assert late is expected, why


def test_a_run_that_is_not_made_up_for_is_not_held_back_so_all_its_time_counts() -> None:
    asked = entry("0 12 * * *", start_hours=(18, 20))
    assert is_too_late(asked, NOON, NOON + 4 * HOUR, made_up=False)


OPENINGS = [
    # hours, at (Berlin's wall clock), opens, why
    (None, "2027-03-27T02:30", "2027-03-27T02:30", "any hour"),
    ((3, 22), "2027-03-27T03:00", "2027-03-27T03:00", "the first"),
    ((3, 22), "2027-03-27T21:59", "2027-03-27T21:59", "the last"),
    ((3, 22), "2027-03-27T22:00", "2027-03-28T03:00", "over: the next day, whose 03:00 comes after 01:59"),
    ((3, 22), "2027-03-27T01:30", "2027-03-27T03:00", "not yet"),
    ((2, 22), "2027-03-28T00:30", "2027-03-28T03:00", "an hour that is skipped in spring: the one after it"),
    ((2, 22), "2027-10-31T00:30", "2027-10-31T02:00", "one that comes twice in autumn: the first"),
    ((22, 6), "2027-03-27T23:00", "2027-03-27T23:00", "over midnight: before it"),
    ((22, 6), "2027-03-27T05:59", "2027-03-27T05:59", "and after it"),
    ((22, 6), "2027-03-27T06:00", "2027-03-27T22:00", "and the day between"),
]  # fmt: skip


@pytest.mark.parametrize(("hours", "at", "expected", "why"), OPENINGS)
def test_when_a_missed_run_may_be_made_up_for(
    hours: tuple[int, int] | None, at: str, expected: str, why: str
) -> None:
    asked = entry("0 0 * * *", zone=BERLIN, start_hours=hours)
    moment = datetime.fromisoformat(at).replace(tzinfo=BERLIN)
    found = window_opens(asked, moment.astimezone(UTC_ZONE))
    assert f"{found.astimezone(BERLIN):%Y-%m-%dT%H:%M}" == expected, why
    assert found.astimezone(BERLIN).fold == 0
