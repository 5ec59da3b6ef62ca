"""A schedule and its text in, what cron does with it that its writer may not have meant out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from scheduler.crontab.lint import LintWarning
from scheduler.entry import Expression
from scheduler.schedule import field_parser
from scheduler.schedule.dates import comes
from scheduler.schedule.describe import explain
from scheduler.schedule.fields import DAY_FIELD, FIELDS, WEEKDAY_FIELD, WORD, Field
from scheduler.schedule.posix_zone import which_way

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.entry import Schedule

_ITEM = re.compile(r"[^,]+")
_STEPPED = re.compile(r"(.*)/0*([0-9]+)")
_RANGE = re.compile(r".*?([0-9A-Za-z]+)[-~]([0-9A-Za-z]+)\)?")


def on_schedule(text: str, schedule: Schedule) -> list[LintWarning]:
    """Return the warnings about a schedule that is run as cron runs it; offsets are the text's."""
    if not isinstance(schedule, Expression) or text.startswith("@"):
        return []
    words = list(WORD.finditer(text))
    found = list(_long_steps(words, schedule)) if "/" in text else []
    if not comes(schedule):
        found.append(_never(schedule, words[FIELDS.index(DAY_FIELD)].start()))
    return found


def on_rule(rule: str, at: int) -> LintWarning:
    """Return the warning about a POSIX zone rule, whose sign is not the one people expect."""
    message, hint = which_way(rule)
    return LintWarning("zone-rule", message, at, hint)


def _long_steps(words: list[re.Match[str]], schedule: Expression) -> Iterator[LintWarning]:
    for field, word in zip(FIELDS, words, strict=True):
        count = word[0].count(",")
        for item in _ITEM.finditer(word[0]):
            stepped = _STEPPED.fullmatch(item[0])
            if stepped is None or int(stepped[2]) <= _values(field, stepped[1]):
                continue
            at = word.start() + item.start()
            if not count:
                yield LintWarning("long-step", *_alone(field, stepped, schedule, at))
            elif item.start() or field not in (DAY_FIELD, WEEKDAY_FIELD):
                yield LintWarning("long-step", *_beside(field, stepped, word[0], at))


def _values(field: Field, base: str) -> int:
    """Return how many values a step goes through: those of the range, or of the whole field."""
    ends = _RANGE.fullmatch(base)
    if ends is None:
        return field.size
    first, last = (min(field_parser.read(field, end).plain) for end in ends.groups())
    # A range that ends on Sunday, which is 0 here, goes to the end of the week.
    return (last - first) % field.size + 1


def _alone(
    field: Field, stepped: re.Match[str], schedule: Expression, at: int
) -> tuple[str, int, str]:
    does = f"it runs {explain(schedule)}" if comes(schedule) else "it never runs"
    return f"{_too_long(field, stepped)}: {does}", at, _instead(field, stepped)


def _instead(field: Field, stepped: re.Match[str]) -> str:
    if field.unit and int(stepped[2]) > field.size:
        hint = f"write @every {stepped[2]}{field.unit} for an interval"
        return f"{hint}, or */{field.size} to say just that" if stepped[1] == "*" else hint
    return f"write {f'*/{field.size}' if stepped[1] == '*' else _first(stepped[1])}"


def _first(base: str) -> str:
    """Return what a step that is too long leaves of a range, H and ~ still to be drawn."""
    return base if base[0] in "~Hh" or "~" in base else base.partition("-")[0]


def _beside(field: Field, stepped: re.Match[str], word: str, at: int) -> tuple[str, int, str]:
    left = ",".join(str(value) for value in field_parser.read(field, stepped[0]).plain)
    left = left or _first(stepped[1])
    message = f"{_too_long(field, stepped)}: it adds {left} alone"
    if field not in (DAY_FIELD, WEEKDAY_FIELD) or stepped[1] != "*":
        return message, at, f"write {left}"
    others = ",".join(item for item in word.split(",") if item != stepped[0])
    message += "; only a * at the start makes both day fields count"
    return message, at, f"write {stepped[0]},{others}"


def _too_long(field: Field, stepped: re.Match[str]) -> str:
    values = _values(field, stepped[1])
    return f"a step of {stepped[2]} is longer than the {values} {field.name}s it goes through"


def _never(schedule: Expression, at: int) -> LintWarning:
    if schedule.weekdays:
        message = "this date never comes, so it never runs: none of its months has such a day"
        return LintWarning("never-runs", message, at, "write L for the last day of a month")
    message = (
        "these days never fall together, so it never runs: both must match where one of the day"
        " fields starts with *"
    )
    hint = "write the day field without a *, and either will do"
    return LintWarning("never-runs", message, at, hint)
