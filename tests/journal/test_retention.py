"""What is kept: the rules, without a journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from scheduler.journal.retention import Retention, edge, reckoned, too_old

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
IN_2099 = datetime(2099, 1, 1, tzinfo=UTC)
EVER = datetime(9999, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "now", "passed", "expected", "why"),
    [
        (None, NOON, 0, NOON, "the first reckoning goes by the clock"),
        (NOON, NOON + HOUR, 3600, NOON + HOUR, "and so does every other while the clock is right"),
        (NOON, IN_2099, 3600, NOON + DAY, "a clock that leaps makes a day of an hour"),
        (NOON, IN_2099, 0, NOON, "and nothing of no time"),
        (NOON, NOON - DAY, 3600, NOON, "set back it makes nothing younger"),
        (NOON, NOON + 30 * DAY, 86400, NOON + 24 * DAY, "a month without a daemon is made up for"),
    ],
)
def test_the_age_of_runs_is_reckoned_by_a_clock_that_may_be_wrong(
    before: datetime | None, now: datetime, passed: float, expected: datetime, why: str
) -> None:
    assert reckoned(before, now, passed) == expected, why


def test_what_is_too_old_goes_by_the_earlier_of_reckoning_and_clock() -> None:
    week = Retention(age=7 * 86400)
    assert too_old(week, NOON, IN_2099) == NOON - 7 * DAY
    assert too_old(week, IN_2099, NOON) == NOON - 7 * DAY


@pytest.mark.parametrize(
    ("nth", "old", "era", "expected", "why"),
    [
        (None, NOON, 0, NOON, "there are not so many: age decides"),
        ((0, NOON + HOUR), NOON, 0, NOON + HOUR, "there are too many"),
        ((0, NOON - HOUR), NOON, 0, NOON, "they are not too many and too old"),
        ((1, NOON - HOUR), NOON, 0, EVER, "there are as many since the clock was set back"),
        ((0, IN_2099), NOON, 1, NOON, "they are newer than what ran before that, whatever it says"),
    ],
)
def test_whichever_is_over_first_decides(
    nth: tuple[int, datetime] | None, old: datetime, era: int, expected: datetime, why: str
) -> None:
    assert edge(nth, old, era) == expected, why
