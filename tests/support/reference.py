"""The rules of time a second time, by brute force: an expression's text in, its minutes out.

Nothing here is shared with the code that it checks: fields are questions put to their text, not
sets, and clock changes are seen by walking minute by minute, not by asking for a fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import count
from random import Random
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
THREE_HOURS = timedelta(hours=3)
NEVER = datetime(1, 1, 1)
MONTHS = ("", *"jan feb mar apr may jun jul aug sep oct nov dec".split())
WEEKDAYS = tuple("sun mon tue wed thu fri sat".split())


# --- what a text asks for ------------------------------------------------------------------------


def asks_for(text: str, wall: datetime) -> bool:
    """Say whether the five fields in `text` name this wall-clock minute, clock changes aside."""
    minute, hour, _, month, _ = text.split()
    return (
        names(minute, wall.minute, low=0, high=59)
        and names(hour, wall.hour, low=0, high=23)
        and names(month, wall.month, low=1, high=12, words=MONTHS)
        and names_day(text, wall.date())
    )


@lru_cache(maxsize=4096)
def names_day(text: str, day: date) -> bool:
    """Say whether the two day fields name this date: either may, or both must after a `*`."""
    _, _, of_month, _, of_week = text.split()
    answers = (
        any(names_month_day(item, day) for item in of_month.split(",")),
        any(names_weekday(item, day) for item in of_week.split(",")),
    )
    return all(answers) if "*" in (of_month[0], of_week[0]) else any(answers)


def names_month_day(item: str, day: date) -> bool:
    if item == "L":
        return (day + DAY).month != day.month
    return names(item, day.day, low=1, high=31)


def names_weekday(item: str, day: date) -> bool:
    number = day.isoweekday() % 7
    if "#" in item:
        weekday, nth = item.split("#")
        same_before = [n for n in range(5) if (day - 7 * n * DAY).month == day.month]
        return names(weekday, number, low=0, high=6, words=WEEKDAYS) and len(same_before) == int(
            nth
        )
    if "L" in item:
        weekday = item.replace("L", "")
        last = (day + 7 * DAY).month != day.month
        return last and names_weekday(weekday, day)
    sunday_again = number == 0 and names(item, 7, low=0, high=6, words=WEEKDAYS)
    return sunday_again or names(item, number, low=0, high=6, words=WEEKDAYS)


@lru_cache(maxsize=65536)
def names(field: str, value: int, *, low: int, high: int, words: tuple[str, ...] = ()) -> bool:
    return any(_item_names(item, value, low, high, words) for item in field.split(","))


def _item_names(item: str, value: int, low: int, high: int, words: tuple[str, ...]) -> bool:
    span, _, step = item.partition("/")
    if span == "*":
        first, last = low, high
    else:
        one, _, other = span.partition("-")
        first = words.index(one) if one in words else int(one)
        last = first if not other else words.index(other) if other in words else int(other)
        if step and not other:
            last = high
    return first <= value <= last and (value - first) % int(step or 1) == 0


# --- what a zone's clock shows -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """A UTC minute, the wall-clock minute shown in it, and what the clock has just done."""

    at: datetime
    wall: datetime
    jumped_over: tuple[datetime, ...]
    seen_before: bool


@lru_cache(maxsize=512)
def walk(zone: ZoneInfo, start: datetime, minutes: int, *, watched: int = 180) -> tuple[Shown, ...]:
    """Walk along `minutes` minutes from `start`, having watched the clock for some before it."""
    shown: list[Shown] = []
    seen_until = NEVER  # the wall-clock minutes before it were shown already
    before = _show(zone, start - watched * MINUTE)
    for n in range(1 - watched, minutes):
        wall = _show(zone, start + n * MINUTE)
        moved = wall - before - MINUTE
        jumped_over: tuple[datetime, ...] = ()
        if timedelta(0) < moved < THREE_HOURS:
            jumped_over = tuple(before + m * MINUTE for m in range(1, moved // MINUTE + 1))
        elif -THREE_HOURS <= moved < timedelta(0):
            seen_until = before + MINUTE
        elif moved:
            seen_until = NEVER
        if n >= 0:
            shown.append(Shown(start + n * MINUTE, wall, jumped_over, wall < seen_until))
        before = wall
    return tuple(shown)


def _show(zone: ZoneInfo, at: datetime) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0, second=0)


# --- when it is due ------------------------------------------------------------------------------


def due_minutes(text: str, zone: ZoneInfo, start: datetime, minutes: int) -> list[datetime]:
    """Return the UTC minutes from `start` on at which the expression in `text` is due."""
    return [shown.at for shown in walk(zone, start, minutes) if is_due(text, shown)]


def dates(text: str, year: int) -> Iterator[date]:
    """Yield the dates from the start of a year on that the day and month fields name."""
    month = text.split()[3]
    for day in (date(year, 1, 1) + n * DAY for n in count()):
        if names(month, day.month, low=1, high=12, words=MONTHS) and names_day(text, day):
            yield day


def is_due(text: str, shown: Shown, asks: Callable[[str, datetime], bool] = asks_for) -> bool:
    """Say whether it is due in this minute; `asks` says whether it names a wall-clock minute."""
    minute, hour, *_ = text.split()
    every_hour = all(names(hour, each, low=0, high=23) for each in range(24))
    out_of_step = not every_hour or len(shown.jumped_over) not in (60, 120)
    made_up_for = out_of_step and any(asks(text, wall) for wall in shown.jumped_over)
    follows_elapsed_time = minute.startswith("*") or hour.startswith("*")
    own = asks(text, shown.wall) and (follows_elapsed_time or not shown.seen_before)
    return made_up_for or own


# --- zones and their clock changes ---------------------------------------------------------------

# One year of each: forward, then back, as UTC instants of the change.
CHANGES: dict[str, tuple[datetime, ...]] = {
    name: tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in texts)
    for name, *texts in (
        ("Europe/Berlin", "2027-03-28T01:00", "2027-10-31T01:00"),
        ("America/New_York", "2027-03-14T07:00", "2027-11-07T06:00"),
        ("Australia/Lord_Howe", "2027-10-02T15:30", "2027-04-03T15:00"),  # half an hour
        ("Antarctica/Troll", "2027-03-28T01:00", "2027-10-31T01:00"),  # two hours
        ("Asia/Beirut", "2027-03-27T22:00", "2027-10-30T21:00"),  # at midnight
        ("Africa/Cairo", "2027-04-29T22:00", "2027-10-28T21:00"),  # at midnight
        ("Europe/Dublin", "2027-03-28T01:00", "2027-10-31T01:00"),  # winter is the exception
        ("Asia/Pyongyang", "2018-05-04T15:00", "2015-08-14T15:00"),  # no DST: half an hour for good
        ("Antarctica/Casey", "2009-10-17T18:00", "2010-03-04T15:00"),  # three hours exactly
        ("Pacific/Apia", "2011-12-30T10:00", "2012-03-31T14:00"),  # a day dropped; an hour back
        ("UTC", "2027-03-28T01:00", "2027-10-31T01:00"),  # never changes
    )
}


def changes() -> st.SearchStrategy[tuple[ZoneInfo, datetime]]:
    """Draw a zone and the UTC instant of one of its clock changes."""
    pairs = [(ZoneInfo(name), at) for name, found in CHANGES.items() for at in found]
    return st.sampled_from(pairs)


# --- random expressions --------------------------------------------------------------------------


def random_text(random: Random, *, special: bool = True, every_day: bool = False) -> str:
    """Write five fields; with `special`, days may be `L`, `fri#2` and `5L`."""
    times = (
        _either(random, _values(random, 0, 59), "*", "*/30", "0,30", "15", "45", "59"),
        _either(random, _values(random, 0, 23), "*", "*", "*/2", "0", "1", "2", "3", "23", "1-3"),
    )
    if every_day:
        return " ".join((*times, "* * *"))
    last = ("*,L", "L") if special else ("1",)
    weekdays = [*WEEKDAYS, "7", "5-7", "mon-fri", *(("fri#2", "sun#5", "0L") if special else ())]
    some = ",".join(random.choice(weekdays) for _ in range(random.randint(1, 2)))
    days = (
        _either(random, _values(random, 1, 28), "*", "28-31", *last),
        _either(random, _values(random, 1, 12), "*", "jan-jun", "3,10"),
        _either(random, some, "*", "*/2", "0-6", "1-5/2"),
    )
    return " ".join((*times, *days))


def _either(random: Random, usual: str, *likely: str) -> str:
    return random.choice((usual, random.choice(likely)))


def _values(random: Random, low: int, high: int) -> str:
    if not random.randrange(3):
        return "*"
    return ",".join(_item(random, low, high) for _ in range(random.randint(1, 3)))


def _item(random: Random, low: int, high: int) -> str:
    one, other = sorted(random.sample(range(low, high + 1), 2))  # croniter reads 5-5 as every value
    step = random.randint(2, max(2, (high - low) // 2))
    plain = (f"{one}", f"{other}", f"{one}-{other}")
    stepped = (f"*/{step}", f"{one}-{other}/{step}", f"{one}/{step}")
    return random.choice((*plain, *stepped))


def expressions(*, special: bool = True, every_day: bool = False) -> st.SearchStrategy[str]:
    """Draw what `random_text` writes."""
    randoms = st.integers(0, 2**32).map(Random)  # five times quicker than st.randoms
    return st.builds(random_text, randoms, special=st.just(special), every_day=st.just(every_day))
