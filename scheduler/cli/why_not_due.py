"""An expression and a minute in, which of its five fields keep it from being due then out."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from scheduler.entry import Expression
from scheduler.schedule import day_words
from scheduler.schedule.canonical import five_fields
from scheduler.schedule.dates import matches_day
from scheduler.schedule.dst import Wall, applies, walls

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


_WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def misses(expression: Expression, zone: ZoneInfo, at: datetime) -> list[str]:
    """Return what keeps the expression from asking for this minute of the zone's clock."""
    shown_ones = walls(zone, at)
    wall = shown_ones[-1]
    if any(applies(expression, each) for each in shown_ones):
        return []
    if expression.day_rules is not None:
        plain = replace(expression, day_rules=None)
        named = [each.time.date() for each in shown_ones if applies(plain, each)]
        told = [day_words.why_not(expression.day_rules, day, zone) for day in named]
        return list(filter(None, told)) or misses(plain, zone, at)
    if applies(expression, Wall(wall.time)):
        return [
            f"this is the second {wall.time:%H:%M} of that night, and it ran the first time only"
        ]
    minute, hour, day, month, weekday = five_fields(expression).split()
    shown = wall.time
    found = []
    if shown.minute not in expression.minutes:
        found.append(f"the minute {shown.minute} is not in {minute}")
    if shown.hour not in expression.hours:
        found.append(f"the hour {shown.hour} is not in {hour}")
    if shown.month not in expression.months:
        found.append(f"the month {shown.month} is not in {month}")
    elif not matches_day(expression, shown):
        name = _WEEKDAY_NAMES[shown.isoweekday() % 7]
        found.append(_by_day(expression, shown, (day, weekday), name))
    return found


def _by_day(expression: Expression, shown: datetime, fields: tuple[str, str], weekday: str) -> str:
    day = f"the day {shown.day} is not in {fields[0]}"
    week = f"the day of the week, {weekday}, is not in {fields[1]}"
    if expression.days_rule == "or":
        return f"{day}, and {week}"
    if fields[1] == "*":
        return day
    return week if fields[0] == "*" else f"{day}, or {week}"
