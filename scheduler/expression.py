"""The text of a whole schedule comes in, a Schedule of a settled dialect goes out; and back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from scheduler import canonical, duration, items
from scheduler.errors import BadValue
from scheduler.fields import (
    FIELDS,
    Values,
    settle,
    shortened,
)
from scheduler.model import Every, Expression, Reboot, Schedule

_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_WORDS = re.compile(r"[^ \t]+")
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def parse(text: str, *, job: str = "", salt: str = "") -> Schedule:
    """Return the schedule that `text` names: five fields or a nickname; equal ones are shared.

    `H` is drawn from the job's name alone, `~` from the salt too. Raises BadValue, its offset in
    `text`, for what cron refuses and for what never does what its writer meant.
    """
    read = _read_once(text) if len(text) <= 200 else _read(text)
    return _settle(read, job, salt) if isinstance(read, _Draft) else read


def is_drawn(text: str) -> bool:
    """Say whether the schedule of this text may hang on the job's name; weekdays with an h may."""
    return "~" in text or "h" in text.lower()


def field_sets(expression: Expression) -> dict[str, object]:
    """Return the fields as sorted lists for JSON, and `days`, the rule that joins the day fields.

    `day` may end with "L", `weekday` (0-6 from Sunday) with texts such as "5#2" and "5L".
    """
    return {
        "minute": sorted(expression.minutes),
        "hour": sorted(expression.hours),
        "day": [*sorted(expression.days), *canonical.last_texts(expression)],
        "month": sorted(expression.months),
        "weekday": [*sorted(expression.weekdays), *canonical.nth_texts(expression)],
        "days": expression.days_rule,
    }


def to_text(schedule: Schedule) -> str:
    """Return one canonical text for all equal schedules; `parse` makes the same schedule of it."""
    match schedule:
        case Every(minutes):
            return f"@every {duration.to_text(minutes * 60)}"
        case Reboot():
            return "@reboot"
        case Expression():
            return canonical.five_fields(schedule)


@dataclass(frozen=True, slots=True)
class _Draft:
    """Five fields read, with picks that wait for the job's name."""

    values: tuple[Values, ...]
    days_rule: Literal["and", "or"]
    every_hour: bool
    elapsed: bool
    day_offset: int


def _read(text: str) -> Schedule | _Draft:
    words = [(found.group(), found.start()) for found in _WORDS.finditer(text)]
    if words and words[0][0].startswith("@"):
        return _nickname(words)
    _refuse_miscount(words)
    draft = _draft(words)
    return draft if any(field.picks for field in draft.values) else _settle(draft, "", "")


_read_once = lru_cache(maxsize=1024)(_read)


def _refuse_miscount(words: list[tuple[str, int]]) -> None:
    if len(words) < 5:
        raise BadValue(
            "too-few-fields",
            f"{len(words)} of the five fields",
            hint="write minute, hour, day, month and weekday, or a nickname such as @daily",
        )
    if len(words) == 6:
        raise BadValue(
            "seconds-field",
            "six fields: there are five, and the tick is a minute",
            offset=words[0][1],
            hint="leave out the seconds, the first field",
        )
    if len(words) > 6:
        raise BadValue("too-many-fields", f"{len(words)} fields of five", offset=words[5][1])


def _draft(words: list[tuple[str, int]]) -> _Draft:
    values: list[Values] = []
    for field, (word, offset) in zip(FIELDS, words, strict=True):
        try:
            values.append(items.read(field, word))
        except BadValue as error:
            error.offset += offset
            raise
    (minute, _), (hour, _), (day, day_offset), _, (weekday, _) = words
    return _Draft(
        tuple(values),
        days_rule="and" if day[0] == "*" or weekday[0] == "*" else "or",
        every_hour=hour == "*",
        elapsed=minute[0] == "*" or hour[0] == "*",
        day_offset=day_offset,
    )


def _settle(draft: _Draft, job: str, salt: str) -> Expression:
    minute, hour, day, month, weekday = draft.values
    months = settle(month, job=job, salt=salt)
    longest = max(_MONTH_LENGTHS[month - 1] for month in months)
    expression = _shared(
        settle(minute, job=job, salt=salt),
        settle(hour, job=job, salt=salt),
        settle(day, job=job, salt=salt, longest=longest),
        months,
        settle(weekday, job=job, salt=salt),
        draft.days_rule,
        day.last,
        weekday.nth,
        draft.every_hour,
        draft.elapsed,
    )
    if not _comes(expression):
        raise _never(expression, draft.day_offset)
    return expression


_shared = lru_cache(maxsize=4096)(Expression)
_shared_every = lru_cache(maxsize=4096)(Every)
_REBOOT = Reboot()


# --- nicknames -----------------------------------------------------------------------------------


def _nickname(words: list[tuple[str, int]]) -> Schedule | _Draft:
    (name, offset), *others = words
    lowered = name.lower()
    if lowered == "@every":
        return _every(others, offset)
    if others:
        raise BadValue(
            "too-many-fields", f"{shortened(name)} stands for all fields", offset=others[0][1]
        )
    if lowered == "@reboot":
        return _REBOOT
    if lowered in _NICKNAMES:
        return _read_once(_NICKNAMES[lowered])
    known = [*_NICKNAMES, "@reboot", "@every"]
    near = get_close_matches(lowered[:20], known, n=1)
    hint = f"write {near[0]}" if near else "known are " + ", ".join(known)
    raise BadValue("bad-nickname", f"{shortened(name)} is unknown", offset=offset, hint=hint)


def _every(words: list[tuple[str, int]], offset: int) -> Every:
    if not words:
        raise BadValue("too-few-fields", "@every how long?", offset=offset, hint="write @every 90m")
    if len(words) > 1:
        raise BadValue("too-many-fields", "@every takes one duration", offset=words[1][1])
    text, start = words[0]
    try:
        seconds = duration.parse(text)
    except BadValue as error:
        error.offset += start
        raise
    minutes, rest = divmod(seconds, 60)
    if rest or not minutes:
        raise BadValue(
            "not-whole-minutes",
            f"@every {text} is not one or more whole minutes: the tick is a minute",
            offset=start,
            hint=_every_hint(text, int(minutes)),
        )
    return _shared_every(int(minutes))


def _every_hint(text: str, minutes: int) -> str:
    if text.strip("0").isdigit():  # the bare number is seconds, which was hardly meant
        return f"write @every {text}m"
    return f"write @every {duration.to_text(max(minutes, 1) * 60)}"


# --- dates that never come -----------------------------------------------------------------------


def _comes(expression: Expression) -> bool:
    """Return whether any year has a day for it.

    No year needs to be looked at: over the 14 kinds of year each date falls on each weekday.
    """
    if expression.days_rule == "or":
        return True
    if expression.weekdays and min(expression.days, default=31) <= 28:
        return True
    lengths = {_MONTH_LENGTHS[month - 1] for month in expression.months}
    if 29 in lengths:
        lengths.add(28)
    return any(
        _is_nth(expression, day, length)
        for length in lengths
        for day in (*expression.days, *((length,) if expression.last_day else ()))
        if day <= length
    )


def _is_nth(expression: Expression, day: int, length: int) -> bool:
    ordinals = {n for _, n in expression.nth_weekdays}
    return bool(
        expression.weekdays
        or (day - 1) // 7 + 1 in ordinals
        or (day > length - 7 and -1 in ordinals)
    )


def _never(expression: Expression, offset: int) -> BadValue:
    if expression.weekdays:
        return BadValue(
            "never-fires",
            "this date never comes: none of its months has such a day",
            offset=offset,
            hint="write L for the last day of a month",
        )
    return BadValue(
        "never-fires",
        "these days never fall together, and both must: one of the day fields starts with *",
        offset=offset,
        hint="write the day field without a *, and either will do",
    )
