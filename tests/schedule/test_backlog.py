"""What is still to run of a job's missed instants: a stretch that grows, shrinks and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.entry import Entry
from scheduler.schedule import backlog
from scheduler.schedule.expression import parse

if TYPE_CHECKING:
    from scheduler.schedule.backlog import Backlog

NOON = utc(2027, 3, 1, 12)
HOUR = timedelta(hours=1)
HOURLY = Entry("job", parse("0 * * * *"), "0 * * * *", ZoneInfo("UTC"), "true")
MISSED = backlog.of_missed(HOURLY, NOON, NOON + 2 * HOUR, 3)


def test_what_was_missed_is_made_up_for_and_delays_what_comes() -> None:
    expected = (NOON, NOON + 2 * HOUR, 3)
    assert (MISSED.next, MISSED.last, MISSED.left) == expected
    assert MISSED.is_made_up
    assert MISSED.delays_others
    assert MISSED.is_of(HOURLY)
    assert not MISSED.is_of(replace(HOURLY, schedule_text="1 * * * *")), "they are another's now"
    assert not MISSED.is_of(replace(HOURLY, zone=ZoneInfo("Asia/Tokyo")))


@pytest.mark.parametrize(
    ("before", "late", "left", "delays", "why"),
    [
        (MISSED, False, 4, True, "in time, but behind what is late"),
        (MISSED, True, 4, True, "late itself"),
        (None, True, 1, True, "the first, and late"),
        (None, False, 1, False, "the first, in time: nothing waits for it"),
    ],
)
def test_a_new_instant_is_the_last(
    before: Backlog | None, late: bool, left: int, delays: bool, why: str
) -> None:
    found = backlog.behind(before, HOURLY, NOON + 3 * HOUR, late=late)
    assert (found.last, found.left, found.delays_others) == (NOON + 3 * HOUR, left, delays), why
    assert found.is_made_up == (before is not None), "what comes now was not missed"


def test_what_came_in_time_waits_only_for_what_was_late() -> None:
    grown = backlog.behind(MISSED, HOURLY, NOON + 3 * HOUR, late=False)
    rest = backlog.from_instant(grown, NOON + 3 * HOUR, gone=3)
    assert rest is not None
    assert rest.left == 1
    assert not rest.is_made_up
    assert not rest.delays_others


@pytest.mark.parametrize(
    ("hours", "gone", "left", "why"),
    [
        (1, 1, 2, "one has run"),
        (2, 2, 1, "the last is left"),
        (2, 9, 1, "a number that was guessed too high: the last is there all the same"),
        (3, 3, None, "they are all over"),
        (None, 3, None, "and there is no further instant"),
    ],
)
def test_what_is_left_from_an_instant_on(
    hours: int | None, gone: int, left: int | None, why: str
) -> None:
    instant = None if hours is None else NOON + hours * HOUR
    found = backlog.from_instant(MISSED, instant, gone=gone)
    assert (None if found is None else (found.next, found.left)) == (
        None if left is None else (instant, left)
    ), why


def test_what_is_left_up_to_an_instant() -> None:
    found = backlog.until(MISSED, NOON + HOUR, 2)
    expected = (NOON, NOON + HOUR, 2, NOON + HOUR, NOON + HOUR)
    assert (found.next, found.last, found.left, found.missed, found.late) == expected
    in_time = backlog.behind(None, HOURLY, NOON, late=False)
    assert (backlog.until(in_time, NOON, 1).missed, backlog.until(in_time, NOON, 1).late) == (
        None,
        None,
    )


def test_the_oldest_comes_first_whichever_job_it_is_of() -> None:
    other = replace(MISSED, job="a", next=NOON + HOUR)
    assert backlog.oldest_first([other, MISSED]) == [MISSED, other]
    assert backlog.oldest_first([MISSED, replace(MISSED, job="a")])[0].job == "a"
