"""A schedule comes in, an English sentence for someone who never saw a crontab goes out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from scheduler.entry import Every, Expression, Reboot
from scheduler.schedule import day_words, listed
from scheduler.schedule.fields import runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.entry import Schedule

_EVERY_DAY = " every day"
_SPELT_OUT = 6  # more times of day than this are told by rule, not one by one


def explain(schedule: Schedule) -> str:
    """Return when it runs, in words, such as "at 07:30, Monday to Friday".

    Where both day fields are restricted it says "or" if either will do, and "and only" if both
    must match. Day rules come last.
    """
    plain, rules = _plain(schedule), schedule.day_rules
    if rules is None:
        return plain
    if rules.only is None or not plain.endswith(_EVERY_DAY):
        return plain + day_words.of_rules(rules)
    return plain.removesuffix(_EVERY_DAY) + day_words.of_rules(rules).removeprefix(", only")


def _plain(schedule: Schedule) -> str:
    match schedule:
        case Every(minutes):
            return f"every {_interval(minutes)}, counted from the last scheduled time"
        case Reboot():
            return "once each time the machine starts"
        case Expression():
            return _time(schedule) + _days(schedule) + _months(schedule)


def _interval(minutes: int) -> str:
    if minutes < 120 and minutes != 60:
        return _counted(minutes, "minute").removeprefix("1 ")
    days, rest = divmod(minutes, 1440)
    hours, rest = divmod(rest, 60)
    parts = [(days, "day"), (hours, "hour"), (rest, "minute")]
    told = [_counted(count, unit) for count, unit in parts if count]
    return told[0].removeprefix("1 ") if len(told) == 1 else listed.joined(told)


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


# --- the time of day -----------------------------------------------------------------------------


def _time(expression: Expression) -> str:
    minutes, hours = sorted(expression.minutes), sorted(expression.hours)
    if len(minutes) * len(hours) <= _SPELT_OUT:
        times = [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes]
        return "at " + listed.joined(times)
    step = _round_step(minutes)
    if len(hours) == 24:
        return _every(step) if step else f"at {_minutes(minutes)} of every hour"
    hour_step = _even_step(hours)
    if hour_step and len(minutes) == 1:
        pace = "every hour" if hour_step == 1 else f"every {hour_step} hours"
        return f"{pace} from {hours[0]:02}:{minutes[0]:02} to {hours[-1]:02}:{minutes[0]:02}"
    if step and len(runs(hours)) == 1:
        return f"{_every(step)} from {hours[0]:02}:00 to {hours[-1]:02}:{minutes[-1]:02}"
    return f"{_every(step) if step else f'at {_minutes(minutes)}'} of {_hours(hours)}"


def _every(minutes: int) -> str:
    return "every minute" if minutes == 1 else f"every {minutes} minutes"


def _round_step(minutes: Sequence[int]) -> int | None:
    """Return n if these are the minutes of a true "every n minutes", which `*/7` is not."""
    step = 60 // len(minutes)
    return step if len(minutes) > 1 and list(minutes) == list(range(0, 60, step)) else None


def _even_step(values: Sequence[int]) -> int | None:
    gaps = {after - before for before, after in pairwise(values)}
    return gaps.pop() if len(gaps) == 1 and len(values) > 2 else None


def _minutes(minutes: Sequence[int]) -> str:
    return f"minute{'s' * (len(minutes) > 1)} {_numbers(minutes)}"


def _hours(hours: Sequence[int]) -> str:
    return f"hour{'s' * (len(hours) > 1)} {_numbers(hours)}"


# --- the days ------------------------------------------------------------------------------------


def _days(expression: Expression) -> str:
    both = expression.days_rule == "and"
    any_day = both and len(expression.days) == 31
    any_weekday = both and len(expression.weekdays) == 7
    if any_day and any_weekday:
        return _EVERY_DAY if len(expression.hours) < 24 else ""
    if any_day:
        return _weekdays(expression, alone=True)
    if any_weekday:
        return f" on {_month_days(expression)}"
    joint = ", and only" if both else " or"
    return f" on {_month_days(expression)}{joint}{_weekdays(expression)}"


def _month_days(expression: Expression) -> str:
    days = sorted(expression.days)
    parts = [f"day{'s' * (len(days) > 1)} {_numbers(days)}"] if days else []
    parts += ["the last day"] if expression.last_day else []
    return listed.joined(parts) + " of the month"


def _weekdays(expression: Expression, *, alone: bool = False) -> str:
    parts = listed.weekdays(expression.weekdays, expression.nth_weekdays)
    if alone and len(parts) == 1 and " to " in parts[0]:
        return f", {parts[0]}"
    return f" on {listed.joined(parts)}"


def _months(expression: Expression) -> str:
    if len(expression.months) == 12:
        return ""
    parts = listed.ranges(expression.months, lambda month: listed.MONTH_NAMES[month - 1])
    if len(parts) == 1 and " to " in parts[0]:
        return f", from {parts[0]}"
    return f", in {listed.joined(parts)}"


# --- lists ---------------------------------------------------------------------------------------


def _numbers(values: Sequence[int]) -> str:
    step = _even_step(values)
    if step and step > 1 and len(values) > 5:
        return f"{values[0]}, {values[1]}, {values[2]} and so on to {values[-1]}"
    return listed.joined(listed.ranges(values, str))
