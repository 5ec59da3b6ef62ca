"""anacron's rule: due where the last run is a period ago, and what that says of coming days."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.day_rules import Period
from scheduler.schedule import periods

DAY = timedelta(days=1)
DATES = st.dates(date(1999, 1, 1), date(2101, 12, 31))
HOW_OFTEN = st.one_of(
    st.tuples(st.integers(1, 400), st.just(0)), st.tuples(st.just(0), st.sampled_from([1, 12]))
)


def anacron(days: int, months: int, last: date, day: date) -> bool:
    """What anacron(8) would say on this day: consider_job, word by word."""
    passed = (day - last).days
    if passed < 0:
        return True
    if months == 0:
        return passed >= days
    if passed == 0:
        return False
    this = day.replace(day=1) if months == 1 else day.replace(month=1, day=1)
    before = (
        (this - DAY).replace(day=1) if months == 1 else this.replace(year=this.year - 1),
        this,
    )
    after = (this + 31 * DAY).replace(day=1) if months == 1 else this.replace(year=this.year + 1)
    return passed >= (before[1] - before[0]).days or passed == (after - this).days


@given(HOW_OFTEN, DATES, st.integers(-40, 800))
def test_the_first_day_is_the_one_on_which_anacron_would_run_it(
    often: tuple[int, int], last: date, later: int
) -> None:
    today = last + later * DAY
    first = periods.due_from(*often, last, today).first
    day = today
    while not anacron(*often, last, day):
        day += DAY
    assert first == day


@pytest.mark.parametrize(
    ("days", "months", "last", "today", "due"),
    [
        pytest.param(1, 0, None, "2027-03-10", "2027-03-10", id="never ran: today"),
        pytest.param(1, 0, "2027-03-10", "2027-03-10", "2027-03-11", id="ran today: tomorrow"),
        pytest.param(1, 0, "2027-03-09", "2027-03-10", "2027-03-10", id="ran yesterday: today"),
        pytest.param(7, 0, "2027-03-09", "2027-03-10", "2027-03-16", id="a week from its last run"),
        pytest.param(7, 0, "2027-01-09", "2027-03-10", "2027-03-10", id="long overdue: today"),
        pytest.param(7, 0, "2028-01-09", "2027-03-10", "2027-03-10", id="a stamp of the future"),
        pytest.param(0, 1, "2027-01-31", "2027-02-01", "2027-02-28", id="February is short"),
        pytest.param(0, 1, "2027-02-28", "2027-03-01", "2027-03-28", id="28 days are enough"),
        pytest.param(0, 1, "2027-03-15", "2027-03-16", "2027-04-14", id="30 days of April"),
        pytest.param(0, 12, "2027-05-01", "2027-05-02", "2028-04-30", id="or a year's 365 or 366"),
    ],
)
def test_when_it_is_due(days: int, months: int, last: str | None, today: str, due: str) -> None:
    ran = None if last is None else date.fromisoformat(last)
    period = periods.due_from(days, months, ran, date.fromisoformat(today))
    assert str(period.first) == due


@pytest.mark.parametrize(
    ("days", "months", "first", "due"),
    [
        pytest.param(1, 0, "2027-02-27", "02-27 02-28 03-01 03-02", id="each day"),
        pytest.param(7, 0, "2027-02-27", "02-27 03-06 03-13 03-20", id="each week, over February"),
        pytest.param(0, 1, "2027-01-31", "01-31 02-28 03-31 04-30", id="a month's last day"),
        pytest.param(
            0, 1, "2027-01-15", "01-15 02-15 03-15 04-15", id="the same day of each month"
        ),
        pytest.param(0, 12, "2028-02-29", "02-29 02-28 02-28 02-28", id="a leap day"),
    ],
)
def test_the_days_of_a_period(days: int, months: int, first: str, due: str) -> None:
    begin = date.fromisoformat(first)
    period = Period(begin, days, months)
    found = (begin + n * DAY for n in range(-400, 1500) if periods.has(period, begin + n * DAY))
    assert " ".join(f"{day:%m-%d}" for day, _ in zip(found, range(4), strict=False)) == due
