"""The text of one field comes in, the values it names go out, or BadValue with what to write.

Lists, ranges, steps and names as in crontab(5); what cron itself would take for something else than
its writer meant is refused.
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from scheduler.errors import BadValue
from scheduler.schedule import field_hints
from scheduler.schedule.fields import (
    DAY_FIELD,
    HOUR_FIELD,
    MINUTE_FIELD,
    MONTH_FIELD,
    WEEKDAY_FIELD,
    Field,
    Pick,
    Values,
    folded,
    share,
)
from scheduler.text import shortened

if TYPE_CHECKING:
    from collections.abc import Callable


def read(field: Field, text: str) -> Values:
    """Return what `text` names in `field`; the object is shared by equal texts.

    Raises BadValue, whose offset counts from the start of `text`.
    """
    # A megabyte of commas is judged like any text, but not kept.
    return _read_once(field, text) if len(text) <= 200 else _read(field, text)


def is_field(field: Field, text: str) -> bool:
    """Say whether `text` names something in `field`."""
    try:
        read(field, text)
    except BadValue:
        return False
    return True


def _read(field: Field, text: str) -> Values:
    offset = 0
    items: list[Values] = []
    for item in text.split(","):
        try:
            items.append(_read_item(field, item))
        except BadValue as error:
            error.offset += offset
            raise
        offset += len(item) + 1
    return Values(
        plain=share(frozenset().union(*(item.plain for item in items))),
        nth=frozenset().union(*(item.nth for item in items)),
        last=any(item.last for item in items),
        picks=tuple(pick for item in items for pick in item.picks),
    )


_read_once = lru_cache(maxsize=8192)(_read)


# --- one item of the list ------------------------------------------------------------------------

_LONGEST_STEP = 9  # digits: what cron keeps of more is another number
_NUMBER_OR_NAME = "[0-9]+|[A-Za-z]+"
_STEP_GROUP = "(?:/([0-9]+))?"
_PLAIN_ITEM = re.compile(rf"(?:\*|({_NUMBER_OR_NAME})(?:-({_NUMBER_OR_NAME}))?){_STEP_GROUP}")
_RANDOM = re.compile(rf"({_NUMBER_OR_NAME})?~({_NUMBER_OR_NAME})?{_STEP_GROUP}")
_HASHED = re.compile(rf"[Hh](?:\(({_NUMBER_OR_NAME})-({_NUMBER_OR_NAME})\))?{_STEP_GROUP}")
_LAST_DAY_ITEM = re.compile("[Ll]")
_NTH = re.compile(rf"({_NUMBER_OR_NAME})#([0-9]+)")
_DAY_OF_WEEK = "|".join(("[0-9]+", *WEEKDAY_FIELD.names))
_LAST_OF = re.compile(rf"L({_DAY_OF_WEEK})|({_DAY_OF_WEEK})L", re.IGNORECASE | re.ASCII)


def _read_item(field: Field, item: str) -> Values:
    shapes = _ITEM_SHAPES[field]
    for shape, reader in shapes:
        if found := shape.fullmatch(item):
            return reader(field, found)
    raise _malformed(field, item, [shape for shape, _ in shapes])


def _plain(field: Field, found: re.Match[str]) -> Values:
    first, second, step_text = found.groups()
    step = _step(field, step_text) or 1
    if first is None:
        low, high = field.low, field.high
    elif second is None:
        low = _value(field, first) % 7 if field is WEEKDAY_FIELD else _value(field, first)
        high = field.high if step_text else low
    else:
        low, high = _ends(field, first, second, step)
    return Values(plain=folded(field, range(low, high + 1, step)))


def _random(field: Field, found: re.Match[str]) -> Values:
    first, second, step = found.groups()
    low, high = field.low, field.high
    if first and second:
        low, high = _ends(field, first, second, None)
    elif first:
        low = _value(field, first)
        high = field.top
    elif second:
        high = _value(field, second)
    return Values(picks=(Pick(field, low, high, _step(field, step), found.group()),))


def _hashed(field: Field, found: re.Match[str]) -> Values:
    first, second, step = found.groups()
    # Every month has a day 28: a job that is to run monthly does.
    low, high = field.low, 28 if field is DAY_FIELD else field.high
    if first:
        low, high = _ends(field, first, second, None)
    return Values(picks=(Pick(field, low, high, _step(field, step)),))


def _last_day(_field: Field, _found: re.Match[str]) -> Values:
    return Values(last=True)


def _nth(field: Field, found: re.Match[str]) -> Values:
    weekday = _value(field, found[1]) % 7
    if found[2].lstrip("0") not in {"1", "2", "3", "4", "5"}:
        raise BadValue(
            "out-of-range",
            f"{shortened(found.group())}: a month has a first to a fifth weekday of a kind",
            hint=f"write {found[1]}#1 to {found[1]}#5, or {found[1]}L for the last",
        )
    return Values(nth=frozenset({(weekday, int(found[2]))}))


def _last_of(field: Field, found: re.Match[str]) -> Values:
    return Values(nth=frozenset({(_value(field, found[1] or found[2]) % 7, -1)}))


_Shape = tuple[re.Pattern[str], "Callable[[Field, re.Match[str]], Values]"]
_ANYWHERE: tuple[_Shape, ...] = ((_HASHED, _hashed), (_PLAIN_ITEM, _plain), (_RANDOM, _random))
_ITEM_SHAPES: dict[Field, tuple[_Shape, ...]] = {
    MINUTE_FIELD: _ANYWHERE,
    HOUR_FIELD: _ANYWHERE,
    DAY_FIELD: ((_LAST_DAY_ITEM, _last_day), *_ANYWHERE),
    MONTH_FIELD: _ANYWHERE,
    WEEKDAY_FIELD: ((_NTH, _nth), (_LAST_OF, _last_of), *_ANYWHERE),
}


# --- values, ranges, steps -----------------------------------------------------------------------


def _value(field: Field, word: str) -> int:
    if not word[0].isdigit():
        return _named(field, word)
    digits = word.lstrip("0") or "0"
    # Measured by length first: a number is never wrapped, nor turned into one of 4,000 digits.
    if len(digits) > 2 or not field.low <= int(digits) <= field.top:
        raise BadValue(
            "out-of-range",
            f"{shortened(word)} is not {field.one}: those are {field.low}-{field.top}",
            hint=_over(field, digits),
        )
    return int(digits)


def _over(field: Field, digits: str) -> str:
    """Return the hint for a number just behind the last: 24 hours are over at 0."""
    if field in (MINUTE_FIELD, HOUR_FIELD) and digits == str(field.high + 1):
        return "write 0" if field is MINUTE_FIELD else "write 0: midnight is the start of a day"
    return "the first is 1" if digits == "0" else ""


def _named(field: Field, word: str) -> int:
    name = word.lower()
    if name in field.names:
        return field.low + field.names.index(name)
    raise BadValue(
        "bad-name", f"{shortened(word)} is not {field.one}", hint=_name_hint(field, name)
    )


def _name_hint(field: Field, name: str) -> str:
    if name in ("w", "lw"):
        return field_hints.NO_W
    if name == "l":
        return "write L in the day field, or satL for the last Saturday, in the weekday field"
    if name[:3] in field.names:
        return f"write {name[:3]}"
    owner = next(
        (other.name for other in (MONTH_FIELD, WEEKDAY_FIELD) if name[:3] in other.names), None
    )
    if owner:
        return f"it belongs in the {owner} field"
    if field.names:
        return f"write {field.names[0]} to {field.names[-1]}, or {field.low}-{field.top}"
    return f"write {field.low}-{field.high}"


def _ends(field: Field, first: str, second: str, step: int | None) -> tuple[int, int]:
    """Return both ends of a range; `step` is None where the range is one to choose from."""
    low, high = _value(field, first), _value(field, second)
    if field is WEEKDAY_FIELD and high == 0 < low:
        high = 7  # crontab(5) of cronie: a weekday range may end on Sunday
    if low <= high:
        return low, high
    shown = f"{first}-{second}"
    hint = "write the smaller one first" if step is None else _turned(field, first, high, step)
    raise BadValue("reversed-range", f"the range {shown} ends before it begins", hint=hint)


def _turned(field: Field, first: str, end: int, step: int) -> str:
    """Return the hint that writes a reversed range the way cron reads it."""
    start = _value(field, first)
    if start > field.high:  # `7-2` is Sunday to Tuesday
        return "write the Sunday as 0"
    if step > 1:
        count = (end - start) % field.size + 1
        values = [field.low + (start - field.low + i) % field.size for i in range(0, count, step)]
        return "write " + ",".join(_written(field, value, first) for value in values)
    # A weekday range may end on Sunday, so the second half begins on Monday.
    after = field.low + field.top - field.high
    halves = ((start, field.top), (after, end))
    return "write " + ",".join(_written_range(field, low, high, first) for low, high in halves)


def _written_range(field: Field, low: int, high: int, like: str) -> str:
    ends = (low,) if low == high else (low, high)
    return "-".join(_written(field, value, like) for value in ends)


def _written(field: Field, value: int, like: str) -> str:
    return str(value) if like[0].isdigit() else field.names[(value - field.low) % field.size]


def _step(field: Field, text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.lstrip("0")
    if not digits:
        raise BadValue("step-zero", "a step of 0 goes nowhere", hint="write a step of 1 or more")
    if len(digits) > _LONGEST_STEP:
        raise BadValue(
            "step-too-long",
            f"a step of {shortened(text)} is longer than the {field.size} values of the"
            f" {field.name} field",
            hint=f"write the {field.name} itself",
        )
    return int(digits)


# --- what is wrong


def _malformed(field: Field, item: str, shapes: list[re.Pattern[str]]) -> BadValue:
    if not item:
        return BadValue("empty-item", f"an empty item in the {field.name} field")
    if item == "?":
        return BadValue("question-mark", "? is not of this language", hint="write *")
    matches = [found.group() for shape in shapes if (found := shape.match(item))]
    good = max(matches, key=len, default="")
    rest = item[len(good) :]
    if good and (rest[0] != "/" or "/" in good):
        return BadValue(
            "junk-after-value",
            f"{shortened(rest)} makes no sense after {shortened(good)}",
            hint=field_hints.hint(field, item, partial(is_field, field)),
        )
    return BadValue(
        "not-a-number",
        f"{shortened(rest)} is not {'a step' if good else field.one}",
        hint=field_hints.hint(field, item, partial(is_field, field)),
    )
