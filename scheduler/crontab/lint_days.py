"""Day rules in, what their writer should be told about them out; nothing is refused here."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from scheduler.crontab.day_values import EXCEPT, MOVE, ONLY, UNTIL
from scheduler.crontab.lint import LintWarning
from scheduler.day_rules import HOLIDAYS
from scheduler.entry import Expression, Reboot
from scheduler.schedule import days
from scheduler.schedule.upcoming import first_instants
from scheduler.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date, datetime

    from scheduler.day_rules import Calendar, DayMove, DayRules
    from scheduler.entry import Entry, Schedule

_DAYLESS_YEARS = 8
_DAYLESS = timedelta(days=366 * _DAYLESS_YEARS)
_ENOUGH = 0.6  # of one year's holidays are some of the next; Easter and the moon take no more away


def on_move(schedule: Schedule, move: DayMove | None, at: int) -> list[LintWarning]:
    """Return the warning about a CRON_EXCEPT_MOVE that moves nothing of this schedule."""
    if move is None:
        return []
    if not isinstance(schedule, Expression):
        message = f"{MOVE} moves only what has a time of day: the runs of such a day are left out"
        return [LintWarning("moves-nothing", message, at, f"write {MOVE}= in front of it")]
    rules = schedule.day_rules
    if rules is None or (rules.excepted is None and rules.only is None):
        message = f"{MOVE}={move} moves nothing: no day is taken away"
        return [LintWarning("moves-nothing", message, at, f"write {EXCEPT}=sat,sun, or {ONLY}")]
    return []


def on_entries(entries: Iterable[Entry], now: datetime) -> Iterator[tuple[Entry, LintWarning]]:
    """Yield what is to be said of entries whose days are over, or never come.

    And of those that go by a calendar that is out of date: it has no date to come, or a country's
    holidays of the next two years are not all known.
    """
    ruled = [(each, rules) for each in entries if (rules := each.schedule.day_rules) is not None]
    firsts = first_instants([entry for entry, _ in ruled], now, None)
    told: set[Calendar] = set()
    for (entry, rules), first in zip(ruled, firsts, strict=True):
        today = now.astimezone(entry.zone).date()
        is_far = first is None or first > now + _DAYLESS
        if isinstance(entry.schedule, Reboot):
            is_far = not _is_ever_open(rules, today)
        if is_far:
            yield entry, _without_days(rules, today)
        for calendar in _calendars(rules):
            if calendar not in told and (warning := _out_of_date(calendar, today)) is not None:
                told.add(calendar)
                yield entry, warning


def _is_ever_open(rules: DayRules, today: date) -> bool:
    ahead = range(_DAYLESS.days)
    return any(days.is_open(rules, today + n * timedelta(days=1)) for n in ahead)


def _without_days(rules: DayRules, today: date) -> LintWarning:
    if rules.until is not None and rules.until < today:
        message = f"it runs no more: its last day was {rules.until} ({UNTIL})"
        return LintWarning("over", message, 0, "take the line out, or move the date")
    message = f"it has no day to run on in {_DAYLESS_YEARS} years"
    names = ((EXCEPT, rules.excepted), (ONLY, rules.only))
    those = " and ".join(f"{name}={some.text}" for name, some in names if some is not None)
    return LintWarning("no-day-left", f"{message}: {those}" if those else message, 0)


def _calendars(rules: DayRules) -> Iterator[Calendar]:
    for some in (rules.excepted, rules.only):
        if some is not None:
            yield from some.calendars


def _out_of_date(calendar: Calendar, today: date) -> LintWarning | None:
    source = calendar.source
    if not calendar.has_after(today):
        message = f"{source} has no date after {today}"
        return LintWarning("old-calendar", message, 0, "is it out of date?")
    known = calendar.dates_in(today.year)
    for year in (today.year + 1, today.year + 2) if source.startswith(HOLIDAYS) else ():
        if (number := calendar.dates_in(year)) < known * _ENOUGH:
            message = f"{source} has {counted(number, 'date')} in {year}, and {known} this year"
            hint = "a later version of the library holidays may know the others"
            return LintWarning("old-calendar", message, 0, hint)
    return None
