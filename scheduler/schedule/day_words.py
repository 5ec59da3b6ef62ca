"""Day rules in, English sentences out: which days they leave, and why they take one away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.schedule import days

if TYPE_CHECKING:
    from datetime import date

    from scheduler.day_rules import DayRules, DaySet


def of_rules(rules: DayRules) -> str:
    """Return what is to be read behind a schedule's words: `, except on sat,sun`."""
    told = [] if rules.only is None else [f", on {rules.only.text} alone"]
    told += [] if rules.excepted is None else [f", except on {rules.excepted.text}"]
    told += [] if rules.since is None else [f", from {rules.since}"]
    told += [] if rules.until is None else [f", until {rules.until}"]
    told += (
        []
        if rules.move is None
        else [f"; what falls on such a day runs on the {rules.move} that is none"]
    )
    return "".join(told)


def why_not(rules: DayRules, day: date) -> str:
    """Return why nothing runs on a day that the schedule names; "" if something may."""
    if rules.since is not None and day < rules.since:
        return f"its first day is {rules.since} (CRON_FROM)"
    if rules.until is not None and day > rules.until:
        return f"its last day was {rules.until} (CRON_UNTIL)"
    if not days.is_excluded(rules, day):
        return ""
    if rules.excepted is not None and days.has(rules.excepted, day):
        why = f"is excepted (CRON_EXCEPT={_item(rules.excepted, day)})"
    else:
        only = "" if rules.only is None else rules.only.text
        why = f"is none of its days (CRON_ONLY={only})"
    goes = days.target(rules, day)
    moved = "" if goes is None else f", and its run is moved to {_shown(goes)} (CRON_EXCEPT_MOVE)"
    return f"{_shown(day)} {why}{moved}"


def _item(some: DaySet, day: date) -> str:
    """Return the calendar that has a day, or the whole value where it is something else's."""
    return next((each.source for each in some.calendars if each.has(day)), some.text)


def _shown(day: date) -> str:
    return f"{day:%A %Y-%m-%d}"
