"""Schedules as tests ask about them: parsed, and when they are due."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.entry import Expression
from scheduler.schedule.dates import comes as comes_at_all
from scheduler.schedule.dst import is_due
from scheduler.schedule.expression import parse

MINUTE = timedelta(minutes=1)


UTC_ZONE = ZoneInfo("UTC")


def expression(text: str) -> Expression:
    schedule = parse(text)
    assert isinstance(schedule, Expression)
    return schedule


def comes(text: str) -> bool:
    """Say whether there is such a date at all: the drawing does not know."""
    return comes_at_all(expression(text))


def due(asked: Expression, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    minutes = [start + n * MINUTE for n in range((end - start) // MINUTE)]
    return [minute for minute in minutes if is_due(asked, zone, minute)]
