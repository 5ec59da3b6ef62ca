"""How many instants lie between two: the arithmetic is held against a look at every minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import reference
from fakes import utc
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.entry import Entry, Reboot
from scheduler.schedule.counting import nth_last, number
from scheduler.schedule.expression import parse
from scheduler.schedule.timetable import Timetable

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
SCHEDULES = (
    *("* * * * *", "*/7 * * * *", "15 * * * *", "30 2 * * *", "*/20 1-3 * * *", "0 */2 * * *"),
    *("5 4 * * 1-5", "0 0 13 * 5", "*/30 2 L * *", "10 2 * * sun#2"),
)


def entry(schedule: str, zone: ZoneInfo) -> Entry:
    return Entry("job", parse(schedule), schedule, zone, "true")


def looked_up(asked: Entry, start: datetime, end: datetime) -> list[datetime]:
    """The instants from start to end, by a look at each minute."""
    timetable = Timetable([asked], {"job": start - MINUTE})
    minutes = (end - start) // MINUTE
    return [at for n in range(minutes + 1) if timetable.due(at := start + n * MINUTE)]


CHANGES = [(zone, change) for zone, some in sorted(reference.CHANGES.items()) for change in some]


@given(
    st.sampled_from(SCHEDULES), st.sampled_from(CHANGES), st.integers(0, 5000), st.integers(1, 9000)
)
@example("*/20 1-3 * * *", CHANGES[0], 0, 1)
def test_there_are_as_many_as_a_look_at_each_minute_finds(
    schedule: str, place: tuple[str, datetime], before: int, length: int
) -> None:
    zone, change = place
    asked, start = entry(schedule, ZoneInfo(zone)), change - before * MINUTE
    found = looked_up(asked, start, start + length * MINUTE)
    if found:
        assert number(asked, found[0], found[-1]) == len(found)
        for count in {1, len(found) // 2 or 1, len(found)}:
            assert nth_last(asked, found[0], found[-1], count) == found[-count]
        assert nth_last(asked, found[0], found[-1], len(found) + 1) == found[0]


def test_a_year_of_minutes_is_counted() -> None:
    start = utc(2027, 1, 1)
    asked = entry("* * * * *", ZoneInfo("Europe/Berlin"))
    last = start + 364 * DAY
    assert number(asked, start, last) == 364 * 1440 + 1
    assert nth_last(asked, start, last, 10_000) == last - 9_999 * MINUTE


@pytest.mark.parametrize(("minutes", "left"), [(40, 1), (80, 2), (400, 10)])
def test_an_interval_is_counted_from_its_own_first_instant(minutes: int, left: int) -> None:
    asked, first = entry("@every 40m", ZoneInfo("UTC")), utc(2027, 3, 1, 12)
    last = first + (left - 1) * 40 * MINUTE
    assert number(asked, first, last) == left
    assert nth_last(asked, first, last, 1) == last
    assert nth_last(asked, first, last, left + 1) == first
    assert (last - first) // MINUTE + 40 == minutes


def test_a_boot_is_no_minute() -> None:
    asked = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), "true")
    at = datetime(2027, 3, 1, tzinfo=UTC)
    assert (number(asked, at, at + DAY), nth_last(asked, at, at + DAY, 1)) == (0, at)
