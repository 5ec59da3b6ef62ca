"""The rules of days a second time, by brute force: what a crontab says in, dates out.

Each item is a question put to its text, and moved days are found by walking from each of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import reference

if TYPE_CHECKING:
    from random import Random

DAY = timedelta(days=1)
CODES = ("DE-BY", "US-CA", "IN", "JP", "SA", "IL", "NZ-AUK")
FARTHEST = 366


@dataclass(frozen=True, slots=True)
class Written:
    """The settings of days as a crontab has them; empty ones are not there."""

    excepted: str = ""
    only: str = ""
    since: str = ""
    until: str = ""
    move: str = ""

    def assignments(self) -> str:
        """Return them as they stand in front of a schedule."""
        pairs = (
            ("CRON_EXCEPT", self.excepted),
            ("CRON_ONLY", self.only),
            ("CRON_FROM", self.since),
            ("CRON_UNTIL", self.until),
            ("CRON_EXCEPT_MOVE", self.move),
        )
        return " ".join(f"{name}={value}" for name, value in pairs if value)


@lru_cache(maxsize=32)
def holidays(code: str) -> frozenset[date]:
    import holidays as library  # noqa: PLC0415 (slow to load, and seldom asked)

    country, _, part = code.partition("-")
    found = library.country_holidays(country, subdiv=part or None, years=range(2005, 2036))
    return frozenset(found)


def is_named(text: str, day: date, rules: Written) -> bool:
    """Say whether one of the items of a value names the day."""
    return any(_item_names(item.strip(), day, rules) for item in text.split(",") if item)


def _item_names(item: str, day: date, rules: Written) -> bool:
    if item.startswith("holidays:"):
        return day in holidays(item.partition(":")[2])
    if item.startswith("workday"):
        left = [each for each in _month(day) if not is_named(rules.excepted, each, rules)]
        place = -1 if item.endswith("L") else int(item.partition("#")[2]) - 1
        return place < len(left) and left[place] == day
    if item[0].isalpha():
        return reference.names_weekday(item, day)
    first, dots, last = item.partition("..")
    last = last if dots else first
    if len(first) == 5:  # noqa: SIM102 (two forms of a date)
        if first > last:
            return f"{day:%m-%d}" >= first or f"{day:%m-%d}" <= last
    return first <= (f"{day:%m-%d}" if len(first) == 5 else day.isoformat()) <= last


def _month(day: date) -> list[date]:
    first = day.replace(day=1)
    return [each for n in range(31) if (each := first + n * DAY).month == day.month]


def is_alive(rules: Written, day: date) -> bool:
    text = day.isoformat()
    return (rules.since or text) <= text <= (rules.until or text)


def is_taken_away(rules: Written, day: date) -> bool:
    if is_named(rules.excepted, day, rules):
        return True
    return bool(rules.only) and not is_named(rules.only, day, rules)


def on_days(text: str, rules: Written, first: date, last: date) -> tuple[set[date], set[date]]:
    """Return the dates on which a schedule runs, and those on which it is left out.

    Of the days from `first` to `last`; what is moved may come from further.
    """
    kept: set[date] = set()
    left_out: set[date] = set()
    for n in range(-FARTHEST, (last - first).days + FARTHEST + 1):
        day = first + n * DAY
        if not is_alive(rules, day) or not _by_fields(text, day):
            continue
        if not _away(rules, day):
            kept.add(day)
        elif (goes := _target(rules, day)) is not None:
            kept.add(goes)
        else:
            left_out.add(day)
    inside = {first + n * DAY for n in range((last - first).days + 1)}
    return kept & inside, left_out & inside


@lru_cache(maxsize=65536)
def _away(rules: Written, day: date) -> bool:
    return is_taken_away(rules, day)


def _by_fields(text: str, day: date) -> bool:
    *_, month, _ = text.split()
    named = reference.names(month, day.month, low=1, high=12, words=reference.MONTHS)
    return named and reference.names_day(text, day)


def _target(rules: Written, day: date) -> date | None:
    if not rules.move:
        return None
    for n in range(1, FARTHEST + 1):
        goes = day + n * DAY if rules.move == "next" else day - n * DAY
        if not is_alive(rules, goes):
            return None
        if not _away(rules, goes):
            return goes
    return None


def is_due(text: str, shown: reference.Shown, days: set[date]) -> bool:
    """Say whether it is due in this minute, on these days alone."""
    minute, hour, *_ = text.split()

    def asks(_text: str, wall: datetime) -> bool:
        return (
            wall.date() in days
            and reference.names(minute, wall.minute, low=0, high=59)
            and reference.names(hour, wall.hour, low=0, high=23)
        )

    return reference.is_due(text, shown, asks)


def random_days(random: Random, year: int) -> Written:
    """Write some settings of days around a year."""
    dates = sorted(f"{year + random.randint(-1, 2)}-{_month_day(random)}" for _ in range(2))
    chance = random.random
    return Written(
        excepted=_some(random, year) if chance() < 0.7 else "",
        only=_some(random, year) if chance() < 0.2 else "",
        since=dates[0] if chance() < 0.15 else "",
        until=dates[1] if chance() < 0.15 else "",
        move=random.choice(("", "next", "previous")),
    )


def _some(random: Random, year: int) -> str:
    return ",".join(_item(random, year) for _ in range(random.randint(1, 4)))


def _item(random: Random, year: int) -> str:
    weekday = random.choice(reference.WEEKDAYS)
    dates = sorted(f"{year + random.randint(-1, 2)}-{_month_day(random)}" for _ in range(2))
    return random.choice(
        (
            *("sat,sun", weekday, f"{weekday}#{random.randint(1, 5)}", f"{weekday}L", "mon-fri"),
            *(dates[0], "..".join(dates), _month_day(random)),
            f"{_month_day(random)}..{_month_day(random)}",
            f"holidays:{random.choice(CODES)}",
        )
    )


def _month_day(random: Random) -> str:
    return f"{random.randint(1, 12):02}-{random.randint(1, 28):02}"
