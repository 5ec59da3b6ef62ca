"""A settled expression comes in, the five fields of text that parse back to it go out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from scheduler.schedule.fields import (
    DAY_FIELD,
    HOUR_FIELD,
    MINUTE_FIELD,
    MONTH_FIELD,
    WEEKDAY_FIELD,
    Field,
    runs,
)

if TYPE_CHECKING:
    from scheduler.entry import Expression


def five_fields(expression: Expression) -> str:
    """Return the one text that stands for all equal expressions, readable by plain cron if it can.

    Where the rules hang on a leading `*`, the text leads with one, as in `*/60,7`.
    """
    minute, hour = _pair(
        (MINUTE_FIELD, expression.minutes),
        (HOUR_FIELD, expression.hours),
        starred=expression.elapsed,
    )
    day, weekday = _pair(
        (DAY_FIELD, expression.days),
        (WEEKDAY_FIELD, expression.weekdays),
        starred=expression.days_rule == "and",
    )
    month = _starred(MONTH_FIELD, expression.months) or _listed(expression.months)
    day = ",".join(filter(None, (day, *last_texts(expression))))
    weekday = ",".join(filter(None, (weekday, *nth_texts(expression))))
    return f"{minute} {hour} {day} {month} {weekday}"


def _pair(
    first: tuple[Field, frozenset[int]], second: tuple[Field, frozenset[int]], *, starred: bool
) -> list[str]:
    """Return the texts of two fields, at least one of which begins with `*`, or neither."""
    texts: list[str | None] = [None, None]
    if starred:
        texts = [_starred(*first), _starred(*second)]
        if texts == [None, None]:
            texts[0] = _starred(*first, force=True)
        if texts == [None, None]:
            texts[1] = _starred(*second, force=True)
    return [
        text or _listed(values) for text, (_, values) in zip(texts, (first, second), strict=True)
    ]


def _starred(field: Field, values: frozenset[int], *, force: bool = False) -> str | None:
    """Return the values as `*` or `*/n`, or None where that takes force (`*/60,7`) or can't be."""
    every = (range(field.low, field.high + 1, step) for step in range(1, field.size + 1))
    steps = next((values_of for values_of in every if values.issuperset(values_of)), None)
    if steps is None:
        return None
    rest = values.difference(steps)
    if not force and (rest or len(values) == 1):
        return None
    head = "*" if steps.step == 1 else f"*/{steps.step}"
    return f"{head},{_listed(rest)}" if rest else head


def _listed(values: frozenset[int]) -> str:
    ordered = sorted(values)
    gaps = {after - before for before, after in pairwise(ordered)}
    if len(ordered) > 2 and len(gaps) == 1 and gaps != {1}:
        return f"{ordered[0]}-{ordered[-1]}/{gaps.pop()}"
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs(values))


def last_texts(expression: Expression) -> list[str]:
    """Return the day field's items that are not numbers."""
    return ["L"] if expression.last_day else []


def nth_texts(expression: Expression) -> list[str]:
    """Return the weekday field's items that are not plain weekdays, in the order of the week."""
    ordered = sorted(expression.nth_weekdays, key=lambda nth: (nth[0], nth[1] % 9))  # -1 comes last
    return [f"{weekday}L" if n < 0 else f"{weekday}#{n}" for weekday, n in ordered]
