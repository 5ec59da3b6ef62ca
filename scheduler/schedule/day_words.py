"""Day rules in, English sentences out: which days they leave, and why they take one away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scheduler.day_rules import HOLIDAYS, DaySet
from scheduler.schedule import days, listed, periods

if TYPE_CHECKING:
    from datetime import date, tzinfo

    from scheduler.day_rules import DayRules, MonthDay, Period


def of_rules(rules: DayRules) -> str:
    """Return what is to be read behind a schedule's words: `, except on Saturday and Sunday`."""
    told = [] if rules.only is None else [f", only on {listed.joined(_parts(rules.only))}"]
    told += [] if rules.excepted is None else [_of_excepted(rules.excepted, rules.only)]
    told += [] if rules.period is None else [_of_period(rules.period)]
    told += [] if rules.since is None else [f", from {rules.since}"]
    told += [] if rules.until is None else [f", until {rules.until}"]
    told += (
        []
        if rules.move is None
        else [f"; what falls on such a day runs on the {rules.move} that is none"]
    )
    return "".join(told)


def _of_period(period: Period) -> str:
    if period.months:
        often = "once a month" if period.months == 1 else "once a year"
    else:
        often = "each day" if period.days == 1 else f"once in {period.days} days"
    return f", {often} from {period.first} on"


def _of_excepted(excepted: DaySet, only: DaySet | None) -> str:
    parts = _parts(excepted)
    if only is None or only != DaySet(only.text, workdays=only.workdays):
        return f", except on {listed.joined(parts)}"
    verb = "is" if len(parts) == 1 and parts[0] in listed.WEEKDAY_NAMES else "are"
    return f" ({listed.joined(parts)} {verb} none)"


def _parts(some: DaySet) -> list[str]:
    counted = [
        f"the {_ordinal(n)} working day of the month"
        for n in sorted(some.workdays, key=lambda each: (each < 0, each))
    ]
    return [
        *listed.weekdays(some.weekdays, some.nth_weekdays),
        *counted,
        *(" to ".join(dict.fromkeys(map(str, ends))) for ends in some.ranges),
        *(" to ".join(dict.fromkeys(map(_of_year, ends))) for ends in some.yearly),
        *(_of_calendar(each.source) for each in some.calendars),
    ]


def _ordinal(number: int) -> str:
    if number in listed.ORDINALS:
        return listed.ORDINALS[number]
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def _of_year(day: MonthDay) -> str:
    return f"{day[1]} {listed.MONTH_NAMES[day[0] - 1]}"


def _of_calendar(source: str) -> str:
    code = source.removeprefix(HOLIDAYS)
    return f"the days in {source}" if code == source else f"holidays of {code}"


def why_not(rules: DayRules, day: date, zone: tzinfo) -> str:
    """Return why nothing runs on a day that the schedule names; "" if something may.

    In a zone that left a date out, when it went over the date line, no run can be moved to that.
    """
    if rules.since is not None and day < rules.since:
        return f"its first day is {rules.since} (CRON_FROM)"
    if rules.until is not None and day > rules.until:
        return f"its last day was {rules.until} (CRON_UNTIL)"
    if rules.period is not None and not periods.has(rules.period, day):
        return f"it is due{_of_period(rules.period)}, by its last run (its stamp of anacron's)"
    if not days.is_excluded(rules, day):
        return ""
    if rules.excepted is not None and days.has(rules.excepted, day):
        why = f"is excepted (CRON_EXCEPT={_item(rules.excepted, day)})"
    else:
        only = "" if rules.only is None else rules.only.text
        why = f"is none of its days (CRON_ONLY={only})"
    goes = days.target(rules, day)
    moved = "" if goes is None else f", and its run is moved to {_shown(goes)} (CRON_EXCEPT_MOVE)"
    if goes is not None and not _is_in(zone, goes):
        moved += f", a date that {zone} never had: it is not run"
    return f"{_shown(day)} {why}{moved}"


def _is_in(zone: tzinfo, day: date) -> bool:
    """Say whether the clocks of a zone ever showed a date."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=zone)
    try:
        return noon.astimezone(UTC).astimezone(zone).date() == day
    except OverflowError:  # where the calendar ends
        return True


def _item(some: DaySet, day: date) -> str:
    """Return the calendar that has a day, or the whole value where it is something else's."""
    return next((each.source for each in some.calendars if each.has(day)), some.text)


def _shown(day: date) -> str:
    return f"{day:%A %Y-%m-%d}"
