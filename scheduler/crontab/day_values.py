"""The days that CRON_EXCEPT and CRON_ONLY name: a text in, a DaySet out; else a BadValue.

A calendar in it (a file, or the holidays of a country) has no dates yet: see `resolved`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from scheduler.day_rules import HOLIDAYS, Calendar, DayMove, DayRules, DaySet
from scheduler.entry import Expression
from scheduler.errors import BadValue
from scheduler.schedule import field_parser
from scheduler.schedule.days import is_month_day
from scheduler.schedule.fields import WEEKDAY_FIELD
from scheduler.suggestions import did_you_mean, nearest
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from scheduler.day_rules import MonthDay
    from scheduler.entry import Schedule

    Calendars = Callable[[str], Calendar]

HOLIDAYS_HINT = "such as holidays:DE-BY: ISO 3166's codes, or a market's"
FROM, UNTIL, EXCEPT = "CRON_FROM", "CRON_UNTIL", "CRON_EXCEPT"
ONLY, MOVE = "CRON_ONLY", "CRON_EXCEPT_MOVE"

_ISO_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MONTH_DAY = re.compile(r"([0-9]{2})-([0-9]{2})")
_DATES = re.compile(r"[0-9]+(?:-[0-9]+)+(?:\.\..*)?|[0-9.]+")
_SLASHED = re.compile(r"[0-9]{1,4}(?:/[0-9]{1,4}){1,2}")
_DAY_NAMES = r"(?:sun|mon|tue|wed|thu|fri|sat)"
_WEEKDAY = re.compile(rf"{_DAY_NAMES}(?:-{_DAY_NAMES}|#[0-9]|L)?", re.IGNORECASE)
_WORKDAY = re.compile(r"workday(?:#([0-9]{1,2})|(L))", re.IGNORECASE)
_MOST_WORKDAYS = 31
_FULL_NAMES = {
    name: name[:3]
    for name in ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
}
_DAY_FORMS = (
    "2027-12-24, 12-24, 12-24..01-02, sat, fri#2, holidays:DE-BY, or a file such as ./off.txt"
)


@dataclass(slots=True)
class _DayDraft:
    """What has been read of a list so far. `_read` owns it."""

    weekdays: set[int] = field(default_factory=set)
    nth_weekdays: set[tuple[int, int]] = field(default_factory=set)
    ranges: list[tuple[date, date]] = field(default_factory=list)
    yearly: list[tuple[MonthDay, MonthDay]] = field(default_factory=list)
    workdays: set[int] = field(default_factory=set)
    calendars: list[Calendar] = field(default_factory=list)


def day(text: str) -> date:
    """Return the date of `2027-03-28` (`bad-date`)."""
    try:
        if _ISO_DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise BadValue("bad-date", f"{shortened(text)} is not a date", hint="such as 2027-03-28")


def excepted(text: str) -> DaySet:
    """Return the days of a CRON_EXCEPT (`bad-date`, `bad-day`, `empty-item`)."""
    found = _read(text)
    if found.workdays:
        at = re.search("workday", text, re.IGNORECASE)
        hint = f"{ONLY}=workday#1, and {EXCEPT} says which days are none"
        message = "a working day is one that is not excepted"
        raise BadValue("bad-day", message, offset=at.start() if at else 0, hint=hint)
    return found


def only(text: str) -> DaySet:
    """Return the days of a CRON_ONLY, `workday#1` and `workdayL` among them."""
    return _read(text)


def dates(text: str) -> DaySet:
    """Return the date or the range of a line of a calendar file (`bad-date`)."""
    draft = _DayDraft()
    _add_dates(draft, text)
    return DaySet(text, ranges=tuple(draft.ranges), yearly=tuple(draft.yearly))


def resolved(some: DaySet, calendars: Calendars) -> DaySet:
    """Return the set with the dates of its calendars; BadValue, offset in its text, for a bad one.

    `calendars` finds one by what the crontab calls it.
    """
    found = []
    for each in some.calendars:
        try:
            found.append(calendars(each.source))
        except BadValue as bad:
            bad.offset += max(some.text.find(each.source), 0)
            raise
    return replace(some, calendars=tuple(found))


def no_calendars(source: str) -> Calendar:
    """Refuse every calendar: where there is no folder that a path could be relative to."""
    raise BadValue("no-calendar", f"{shortened(source)} can't be looked up here")


def rules(chosen: Mapping[str, Any]) -> DayRules | None:
    """Return what the values of these settings come to; None if they leave all days alone.

    Raises BadValue where they contradict each other.
    """
    since, until = chosen.get(FROM), chosen.get(UNTIL)
    excepted, only = chosen.get(EXCEPT), chosen.get(ONLY)
    if since is not None and until is not None and until < since:
        message = f"{UNTIL}={until} is before {FROM}={since}"
        raise BadValue("contradiction", message, hint="it would never run")
    if only is not None and only.workdays and excepted is None:
        message = f"{ONLY}={only.text} counts the days that {EXCEPT} leaves, and there is none"
        raise BadValue("contradiction", message, hint=f"such as {EXCEPT}=sat,sun,holidays:DE")
    move: DayMove | None = chosen.get(MOVE)
    if since is until is excepted is only is None:
        return None
    return _shared(DayRules(since, until, excepted, only, move))


@lru_cache(maxsize=4096)
def _shared(rules: DayRules) -> DayRules:
    return rules


@lru_cache(maxsize=8192)
def ruled(schedule: Schedule, rules: DayRules) -> Schedule:
    """Return the schedule with these day rules; equal ones are one shared object.

    Only what has a time of its own on the wall clock can be moved to another day.
    """
    if not isinstance(schedule, Expression):
        rules = replace(rules, move=None)
    return replace(schedule, day_rules=rules)


def _read(text: str) -> DaySet:
    draft = _DayDraft()
    for at, item in _items(text):
        try:
            _add(draft, item)
        except BadValue as bad:
            bad.offset += at
            raise
    return DaySet(
        text,
        frozenset(draft.weekdays),
        frozenset(draft.nth_weekdays),
        tuple(draft.ranges),
        tuple(draft.yearly),
        frozenset(draft.workdays),
        tuple(draft.calendars),
    )


def _items(text: str) -> list[tuple[int, str]]:
    found = []
    at = 0
    for piece in text.split(","):
        item = piece.strip()
        if not item:
            hint = "leave out the comma"
            raise BadValue("empty-item", "an item of the list is empty", offset=at, hint=hint)
        found.append((at + len(piece) - len(piece.lstrip()), item))
        at += len(piece) + 1
    return found


def _add(draft: _DayDraft, item: str) -> None:
    if item == HOLIDAYS:
        raise BadValue("unknown-holidays", f"{HOLIDAYS} names no country", hint=HOLIDAYS_HINT)
    if "://" in item:
        hint = "let a job download it, and name that file"
        raise BadValue("bad-day", f"{shortened(item)} is an address, and no file", hint=hint)
    if _SLASHED.fullmatch(item):
        hint = "2027-12-24, or 12-24 for every year's; a file of this name is ./" + item
        raise BadValue("bad-date", f"{shortened(item)} is no date that is read here", hint=hint)
    if item.startswith(HOLIDAYS) or "/" in item or _is_file(item):
        draft.calendars.append(Calendar(item))
    elif _WEEKDAY.fullmatch(item):
        values = field_parser.read(WEEKDAY_FIELD, item)
        draft.weekdays |= values.plain
        draft.nth_weekdays |= values.nth
    elif workday := _WORKDAY.fullmatch(item):
        draft.workdays.add(_number(workday))
    elif _DATES.fullmatch(item):
        _add_dates(draft, item)
    else:
        raise _no_day(item)


def _is_file(item: str) -> bool:
    """Say whether it has a name's ending, as no other form has."""
    return "." in item.replace("..", "") and not item[0].isdigit()


def _number(workday: re.Match[str]) -> int:
    if workday[2]:
        return -1
    if not 1 <= int(workday[1]) <= _MOST_WORKDAYS:
        raise BadValue("bad-day", f"no month has a {workday[0]}", hint="workday#1 is the first")
    return int(workday[1])


def _add_dates(draft: _DayDraft, item: str) -> None:
    first, dots, last = item.partition("..")
    if _MONTH_DAY.fullmatch(first):
        draft.yearly.append((_month_day(first), _month_day(last if dots else first)))
        return
    ends = day(first), _shifted(day, last, len(first) + 2) if dots else day(first)
    if ends[1] < ends[0]:
        raise BadValue("bad-date", f"{item} ends before it starts")
    draft.ranges.append(ends)


def _shifted(read: Callable[[str], date], text: str, at: int) -> date:
    try:
        return read(text)
    except BadValue as bad:
        bad.offset += at
        raise


def _month_day(text: str) -> MonthDay:
    found = _MONTH_DAY.fullmatch(text)
    if found is None or not is_month_day(int(found[1]), int(found[2])):
        message = f"{shortened(text)} is no day of a year"
        raise BadValue("bad-date", message, hint="month and day, such as 12-24")
    return int(found[1]), int(found[2])


def _no_day(item: str) -> BadValue:
    known = (*_FULL_NAMES, *_FULL_NAMES.values(), "workday#1", "workdayL", HOLIDAYS)
    near = [_FULL_NAMES.get(each, each) for each in nearest(item.lower(), known)]
    hint = did_you_mean(near) or _DAY_FORMS
    if item.lower() in ("workday", "workdays"):
        hint = "write workday#1 for the first one of a month, workdayL for the last"
    if " " in item or "\t" in item:
        hint = "a comma stands between two days"
    return BadValue("bad-day", f"{shortened(item)} is no day", hint=hint)
