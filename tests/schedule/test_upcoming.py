"""The coming runs of entries: in order, from where intervals count, and with what note."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from fakes import utc
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_library import UTC_ZONE

from scheduler.entry import Entry
from scheduler.schedule import expression
from scheduler.schedule.timetable import Timetable
from scheduler.schedule.upcoming import NOT_BEGUN, NOT_KNOWN, coming, first_instants

NOON = utc(2027, 3, 1, 12)
MINUTE = timedelta(minutes=1)


def entry(schedule: str, job: str = "job") -> Entry:
    return Entry(job, expression.parse(schedule), schedule, UTC_ZONE, "echo")


@pytest.mark.parametrize(
    ("anchors", "expected", "note", "why"),
    [
        ({"job": NOON - 30 * MINUTE}, 60, "", "it counts from its anchor"),
        ({"job": NOON - 90 * MINUTE}, 0, "", "the present is not too early"),
        ({"job": NOON + 30 * MINUTE}, 120, "", "nor is it due before its anchor, or at it"),
        ({}, 90, NOT_BEGUN, "it begins now"),
        ({"other": NOON}, 90, NOT_BEGUN, "whatever others do"),
        (None, 90, NOT_KNOWN, "nobody knows"),
    ],
)
def test_an_interval_counts_from_its_anchor(
    anchors: dict[str, datetime] | None, expected: int, note: str, why: str
) -> None:
    first, second = islice(coming((entry("@every 90m"),), NOON, anchors), 2)
    assert (first.at, first.note) == (NOON + expected * MINUTE, note), why
    assert (second.at, second.note) == (first.at + 90 * MINUTE, note)


@settings(max_examples=100)
@given(st.integers(1, 5000), st.integers(-20_000, 20_000), st.integers(0, 59))
def test_an_interval_is_announced_when_the_timetable_has_it(
    minutes: int, anchored: int, seconds: int
) -> None:
    each, anchors = entry(f"@every {minutes}m"), {"job": NOON + anchored * MINUTE}
    since = NOON + timedelta(seconds=seconds)
    table, at = Timetable((each,), anchors), since - timedelta.resolution
    for run in islice(coming((each,), since, anchors), 3):
        assert run.at == table.next_instant(each, at)
        at = run.at


def test_what_has_no_instants_is_left_out() -> None:
    found = coming((entry("@reboot", "up"), entry("0 13 * * *", "daily")), NOON, {})
    assert [run.entry.job for run in islice(found, 2)] == ["daily", "daily"]
    assert list(first_instants((entry("@reboot"), entry("0 13 * * *")), NOON, {})) == [
        None,
        NOON + 60 * MINUTE,
    ]


def test_an_interval_without_an_anchor_begins_with_the_minute_under_way() -> None:
    since = NOON + timedelta(seconds=40)
    assert next(coming((entry("@every 5m"),), since, {})).at == NOON + 5 * MINUTE
