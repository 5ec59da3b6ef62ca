"""The text of a whole schedule comes in, a Schedule of a settled dialect goes out; and back.

Five fields or a nickname as in crontab(5) of cronie, and `~` as in OpenBSD's. Meridian adds `L`,
`#`, `H` and `@every`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from scheduler.entry import Every, Expression, Reboot, Schedule
from scheduler.errors import BadValue
from scheduler.schedule import canonical, duration, field_parser, nicknames, sixth_field
from scheduler.schedule.dates import comes, longest
from scheduler.schedule.fields import FIELDS, WORD, Values, settle
from scheduler.text import shortened

_DRAWS = 50  # of picks that fall on no date at all: then there are no others


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
    elapsed: bool


def _read(text: str) -> Schedule | _Draft:
    words = [(found.group(), found.start()) for found in WORD.finditer(text)]
    if words and words[0][0].startswith("@"):
        return _nickname(words)
    _refuse_miscount(text, words)
    draft = _draft(words)
    return draft if any(field.picks for field in draft.values) else _settle(draft, "", "")


_read_once = lru_cache(maxsize=1024)(_read)


def _refuse_miscount(text: str, words: list[tuple[str, int]]) -> None:
    if len(words) < 5:
        raise BadValue(
            "too-few-fields",
            f"{len(words)} of the five fields",
            hint="write minute, hour, day, month and weekday, or a nickname such as @daily",
        )
    if len(words) == 6:
        raise sixth_field.refuse(text)
    if len(words) > 6:
        raise BadValue("too-many-fields", f"{len(words)} fields of five", offset=words[5][1])


def _draft(words: list[tuple[str, int]]) -> _Draft:
    values: list[Values] = []
    for field, (word, offset) in zip(FIELDS, words, strict=True):
        try:
            values.append(field_parser.read(field, word))
        except BadValue as error:
            error.offset += offset
            raise
    (minute, _), (hour, _), (day, _), _, (weekday, _) = words
    return _Draft(
        tuple(values),
        days_rule="and" if day[0] == "*" or weekday[0] == "*" else "or",
        elapsed=minute[0] == "*" or hour[0] == "*",
    )


def _settle(draft: _Draft, job: str, salt: str) -> Expression:
    """Make the picks; anew where they fall on no date, so that this does not hang on the salt."""
    drawn = _drawn(draft, (job, salt))
    if any(field.picks for field in draft.values):
        for number in range(1, _DRAWS):
            if comes(drawn):
                break
            drawn = _drawn(draft, (job, salt, str(number)))
    return drawn


def _drawn(draft: _Draft, key: tuple[str, ...]) -> Expression:
    minute, hour, day, month, weekday = draft.values
    months = settle(month, key)
    return _shared(
        settle(minute, key),
        settle(hour, key),
        settle(day, key, longest=longest(months) if day.picks else ()),
        months,
        settle(weekday, key),
        draft.days_rule,
        day.last,
        weekday.nth,
        draft.elapsed,
    )


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
    if lowered in nicknames.FIELDS_OF:
        return _read_once(nicknames.FIELDS_OF[lowered])
    hint = nicknames.hint(name)
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
