"""A schedule comes in, an English sentence for someone who never saw a crontab goes out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from scheduler.entry import Every, Expression, Reboot
from scheduler.schedule import day_words
from scheduler.schedule.fields import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from scheduler.entry import Schedule

_MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}
_SPELT_OUT = 6  # more times of day than this are told by rule, not one by one


def explain(schedule: Schedule) -> str:
    """Return when it runs, in words, such as "at 07:30, Monday to Friday".

    Where both day fields are restricted it says "or" if either will do, and "and only" if both
    must match. Day rules come last.
    """
    rules = schedule.day_rules
    return _plain(schedule) + ("" if rules is None else day_words.of_rules(rules))


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
    return told[0].removeprefix("1 ") if len(told) == 1 else _joined(told)


def _counted(count: int, unit: str) -> str:
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


# --- the time of day -----------------------------------------------------------------------------


def _time(expression: Expression) -> str:
    minutes, hours = sorted(expression.minutes), sorted(expression.hours)
    if len(minutes) * len(hours) <= _SPELT_OUT:
        times = [f"{hour:02}:{minute:02}" for hour in hours for minute in minutes]
        return "at " + _joined(times)
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
        return " every day" if len(expression.hours) < 24 else ""
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
    return _joined(parts) + " of the month"


def _weekdays(expression: Expression, *, alone: bool = False) -> str:
    from_monday = ((weekday - 1) % 7 for weekday in expression.weekdays)
    parts = _ranges(from_monday, lambda number: _WEEKDAY_NAMES[(number + 1) % 7])
    parts += [
        f"the {_ORDINALS[n]} {_WEEKDAY_NAMES[weekday]} of the month"
        for weekday, n in sorted(expression.nth_weekdays, key=lambda nth: (nth[0], nth[1] % 9))
    ]
    if alone and len(parts) == 1 and " to " in parts[0]:
        return f", {parts[0]}"
    return f" on {_joined(parts)}"


def _months(expression: Expression) -> str:
    if len(expression.months) == 12:
        return ""
    parts = _ranges(expression.months, lambda month: _MONTH_NAMES[month - 1])
    if len(parts) == 1 and " to " in parts[0]:
        return f", from {parts[0]}"
    return f", in {_joined(parts)}"


# --- lists ---------------------------------------------------------------------------------------


def _numbers(values: Sequence[int]) -> str:
    step = _even_step(values)
    if step and step > 1 and len(values) > 5:
        return f"{values[0]}, {values[1]}, {values[2]} and so on to {values[-1]}"
    return _joined(_ranges(values, str))


def _ranges(values: Iterable[int], name: Callable[[int], str]) -> list[str]:
    """Return the names in order, three or more neighbours as "first to last"."""
    parts: list[str] = []
    for first, last in runs(values):
        if last - first > 1:
            parts.append(f"{name(first)} to {name(last)}")
        else:
            parts.extend(name(value) for value in range(first, last + 1))
    return parts


def _joined(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
