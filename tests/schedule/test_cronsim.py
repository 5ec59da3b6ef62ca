"""Meridian beside cronsim, an independent reading of Debian's rule: where they agree, and where not.

Every difference is a row of a table here with its reason; the properties assert that there is no
other.
"""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import reference
from cronsim import CronSim, CronSimError
from every_change import MINUTE, ClockChange, clocks
from hypothesis import given, settings
from hypothesis import strategies as st
from schedules import UTC_ZONE, comes, due, expression

from scheduler.errors import BadValue
from scheduler.schedule.expression import parse
from scheduler.schedule.search import following, preceding

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow  # every zone there is

TEXTS = 6  # random expressions for each clock
HOUR = timedelta(hours=1)


def debian(text: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Return the instants in [start, end) by cronsim."""
    found: Iterator[datetime] = CronSim(text, (start - MINUTE).astimezone(zone))
    return list(takewhile(lambda at: at < end, (at.astimezone(UTC) for at in found)))


# --- deliberate differences around clock changes -------------------------------------------------

DIFFERENCES = [  # text, zone, from, to, Meridian, cronsim, why
    ("*/30 2 * * *", "Europe/Berlin", "2027-03-28T00:00+01:00", "2027-03-28T06:00+02:00", "03:00+02", "", "Debian loses what a starred minute asks for in a gap"),
    ("0 */2 * * *", "Europe/Berlin", "2027-03-28T00:00+01:00", "2027-03-28T06:00+02:00", "00:00+01 03:00+02 04:00+02", "00:00+01 04:00+02", "and what a starred hour does"),
    ("15 0-23 * * *", "Europe/Berlin", "2027-03-28T00:00+01:00", "2027-03-28T04:00+02:00", "00:15+01 01:15+01 03:15+02", "00:15+01 01:15+01 03:00+02 03:15+02", "every hour stays in step, however it is written"),
    ("0 */12 * * *", "Asia/Beirut", "2027-03-27T22:00+02:00", "2027-03-28T13:00+03:00", "01:00+03 12:00+03", "12:00+03", "at midnight too"),
    ("*/30 1 * * *", "Antarctica/Troll", "2027-03-28T00:00+00:00", "2027-03-28T05:00+02:00", "03:00+02", "", "and for two hours"),
    ("15 * * * *", "Australia/Lord_Howe", "2027-10-03T00:00+10:30", "2027-10-03T04:00+11:00", "00:15+10:30 01:15+10:30 02:30+11 03:15+11", "00:15+10:30 01:15+10:30 03:15+11", "Debian knows no gap that puts an hourly entry out of step"),
    ("0 3 * * *", "Antarctica/Casey", "2009-10-18T00:00+08:00", "2009-10-18T07:00+11:00", "", "05:00+11", "three hours are a new time to cron(8); to cronsim they are a gap"),
    ("0 12 * * *", "Pacific/Apia", "2011-12-29T13:00-10:00", "2011-12-31T13:00+14:00", "12:00+14", "00:00+14 12:00+14", "and so is a day"),
    ("*/30 3 * * *", "America/Caracas", "2007-12-09T01:00-04:00", "2007-12-09T05:00-04:30", "03:00-04:30 03:30-04:30", "03:30-04:30", "cronsim walks in whole hours, past what half an hour moved"),
    ("*/30 1 * * sun", "America/Asuncion", "2023-09-30T12:00-04:00", "2023-10-01T03:00-03:00", "01:00-03 01:30-03", "", "and from a midnight that never was, to one hour too late"),
]  # fmt: skip


def shown(found: list[datetime], zone: ZoneInfo) -> str:
    times = ((at.astimezone(zone), at.astimezone(zone).isoformat()[-6:]) for at in found)
    return " ".join(f"{at:%H:%M}{offset.removesuffix(':00')}" for at, offset in times)


@pytest.mark.parametrize(("text", "name", "start", "end", "ours", "theirs", "why"), DIFFERENCES)
def test_cronsim_says_something_else_for_a_known_reason(
    text: str, name: str, start: str, end: str, ours: str, theirs: str, why: str
) -> None:
    zone = ZoneInfo(name)
    first, last = (datetime.fromisoformat(each).astimezone(UTC) for each in (start, end))
    assert shown(due(expression(text), zone, first, last), zone) == ours, why
    assert shown(debian(text, zone, first, last), zone) == theirs, why


# --- agreement everywhere else -------------------------------------------------------------------


def follows_elapsed_time(text: str) -> bool:
    minute, hour, *_ = text.split()
    return "*" in (minute[0], hour[0])


def cronsim_can_tell(text: str, change: ClockChange) -> bool:
    """Say whether cronsim answers by Debian's rule here.

    Without a star it makes up for any gap and runs once in any repetition, where cron(8) stops at
    three hours, of which it may never return. With one it walks in whole hours, and from midnight
    to midnight: it loses minutes, or never returns, where a change is not from a full hour to a
    full hour or skips a midnight, or goes back over one by hours.
    """
    if not follows_elapsed_time(text):
        in_step = change.shift > 0 * MINUTE and expression(text).every_hour  # `0-23`: fixed to it
        return abs(change.shift) < 3 * HOUR and not in_step
    old, new = change.at + change.before, change.at + change.after
    skips_midnight = change.shift > 0 * MINUTE and (old - MINUTE).date() != new.date()
    across_two = change.shift <= -3 * HOUR and (old - MINUTE).date() != new.date()
    return old.minute == new.minute == 0 and not skips_midnight and not across_two


def is_made_up_for_here_alone(text: str, change: ClockChange, at: datetime) -> bool:
    """Say whether it is the instant right after a gap that a starred entry has for skipped ones.

    What names every hour has none: the gaps that are compared are of whole hours.
    """
    if change.shift < 0 * MINUTE or at != change.at or not follows_elapsed_time(text):
        return False
    own = reference.asks_for(text, (at + change.after).replace(tzinfo=None))
    return not expression(text).every_hour and not own


def drawn() -> Iterator[tuple[str, ZoneInfo, ClockChange]]:
    draw = Random(random.random())  # seeded anew on each run, and the seed is printed
    for clock in clocks():
        for _ in range(TEXTS):
            text = reference.random_text(draw, every_day=draw.random() < 0.5)
            change = draw.choice(clock.changes)
            if comes(text) and cronsim_can_tell(text, change):
                yield text, clock.zone, change


def test_they_agree_on_random_expressions_around_the_clock_changes_of_every_zone() -> None:
    compared = differed = 0
    for text, zone, change in drawn():
        start, end = change.at - abs(change.shift) - HOUR, change.at + abs(change.shift) + HOUR
        ours = due(expression(text), zone, start, end)
        expected = [at for at in ours if not is_made_up_for_here_alone(text, change, at)]
        assert debian(text, zone, start, end) == expected, (text, zone, change)
        compared += 1
        differed += ours != expected
    assert compared > 4 * len(clocks())
    assert 0 < differed < compared / 10


@settings(max_examples=150)
@given(
    reference.expressions().filter(comes),
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)),
)
def test_they_agree_on_random_expressions_in_random_years(text: str, moment: datetime) -> None:
    ahead = [each.at for each in islice(following(expression(text), UTC_ZONE, moment), 8)]
    assert ahead == list(islice(CronSim(text, moment), 8))
    back = list(islice(preceding(expression(text), UTC_ZONE, moment), 8))
    assert back == list(islice(CronSim(text, moment, reverse=True), 8))


# --- deliberate differences of dialect -----------------------------------------------------------

OURS = [  # text that Meridian alone takes, why
    ("0 0 * * friL", "cronsim wants 5L: here a name stands wherever its number may"),
    ("0 0 * * L5", "the other order, as some crons have it"),
    ("0 0 * * fri-sun", "a weekday range may end on Sunday"),
    ("0 0 * * 5-0", "which cronie reads as 5-7"),
    ("H 3 * * *", "a pick that spreads jobs"),
    ("0~29 3 * * *", "a random pick, OpenBSD's and cronie's"),
    ("@daily", "nicknames are crontab(5)'s"),
    ("@every 90m", "an interval"),
]

THEIRS = [  # text that cronsim alone takes, why
    ("0 0 L/2 * *", "a step from the last day on goes nowhere"),
    ("0 0 LW * *", "the month's last working day is not in the language"),
    ("0 0 0 * * *", "six fields: the tick is a minute"),
]

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(("text", "why"), OURS)
def test_meridian_alone_takes_this_text(text: str, why: str) -> None:
    assert parse(text) is not None, why
    with pytest.raises(CronSimError):
        CronSim(text, NEW_YEAR)


@pytest.mark.parametrize(("text", "why"), THEIRS)
def test_cronsim_alone_takes_this_text(text: str, why: str) -> None:
    assert next(CronSim(text, NEW_YEAR)) > NEW_YEAR, why
    with pytest.raises(BadValue):
        parse(text)


def test_a_weekday_without_an_end_goes_on_to_saturday_and_in_cronsim_to_sunday() -> None:
    ours = [each.at for each in islice(following(expression("0 0 * * 5/1"), UTC_ZONE, NEW_YEAR), 4)]
    assert [f"{at:%a}" for at in ours] == ["Sat", "Fri", "Sat", "Fri"]
    assert [f"{at:%a}" for at in islice(CronSim("0 0 * * 5/1", NEW_YEAR), 3)] == [
        "Sat",
        "Sun",
        "Fri",
    ]
