"""A zone's clock changes are found where a look at every minute finds them."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
import reference
from fakes import utc
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.schedule import dst

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
SPRING, AUTUMN = utc(2027, 3, 28, 1), utc(2027, 10, 31, 1)


@pytest.mark.parametrize(
    ("start", "end", "expected", "why"),
    [
        (SPRING - DAY, SPRING + DAY, SPRING, "spring"),
        (AUTUMN - DAY, AUTUMN + DAY, AUTUMN, "autumn"),
        (SPRING - MINUTE, SPRING, SPRING, "the end is in, in spring"),
        (AUTUMN - MINUTE, AUTUMN, AUTUMN, "and in autumn"),
        (SPRING, SPRING + DAY, None, "the start is not, in spring"),
        (AUTUMN, AUTUMN + DAY, None, "nor in autumn"),
        (SPRING - DAY, SPRING - MINUTE, None, "it is still to come, in spring"),
        (AUTUMN - DAY, AUTUMN - MINUTE, None, "and in autumn"),
        (SPRING, SPRING, None, "no time at all"),
    ],
)
def test_a_stretch_with_one_change_or_none(
    start: datetime, end: datetime, expected: datetime | None, why: str
) -> None:
    assert dst.first_change(BERLIN, start, end) == expected, why
    assert dst.last_change(BERLIN, start, end) == expected, why


def test_of_a_year_there_is_a_first_and_a_last() -> None:
    year = (utc(2027, 1, 1), utc(2028, 1, 1))
    assert dst.first_change(BERLIN, *year) == SPRING
    assert dst.last_change(BERLIN, *year) == AUTUMN
    for search in (dst.first_change, dst.last_change):
        assert search(ZoneInfo("UTC"), *year) is None
        assert search(ZoneInfo("Asia/Tokyo"), *year) is None


@settings(max_examples=40)
@given(reference.changes(), st.integers(-2000, 2000), st.integers(0, 3000))
def test_they_are_where_the_offset_differs_from_the_minute_before(
    change: tuple[ZoneInfo, datetime], before: int, length: int
) -> None:
    zone, changed = change
    start = changed - before * MINUTE
    end = start + length * MINUTE
    minutes = [start + n * MINUTE for n in range(length + 1)]
    offsets = [minute.astimezone(zone).utcoffset() for minute in minutes]
    found = [minutes[n] for n, (one, other) in enumerate(pairwise(offsets), 1) if one != other]
    assert dst.first_change(zone, start, end) == (found[0] if found else None)
    assert dst.last_change(zone, start, end) == (found[-1] if found else None)
