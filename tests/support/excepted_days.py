"""What the calendars of crontabs that were read came to."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from scheduler.entry import Severity
from scheduler.schedule import days

if TYPE_CHECKING:
    from scheduler.system.crontab_loader import Loaded


def excepted(found: Loaded, year: int) -> set[str]:
    """The days of a year that the first entry leaves out."""
    rules = found.entries[0].schedule.day_rules
    assert rules is not None
    every_day = (date(year, 1, 1) + n * timedelta(days=1) for n in range(366))
    return {f"{day:%m-%d}" for day in every_day if days.is_excluded(rules, day)}


def error_of(found: Loaded) -> str:
    """The one error that refuses all entries."""
    assert found.entries == ()
    (problem,) = (each for each in found.problems if each.severity is Severity.ERROR)
    return f"{problem.line}:{problem.column}: {problem.code} {problem.message} ({problem.hint})"
