"""Days and numbers in, the parts of an English list out; names of months and weekdays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.schedule.fields import runs

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ORDINALS = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", -1: "last"}


def weekdays(plain: Collection[int], nth: Collection[tuple[int, int]]) -> list[str]:
    """Return days of the week, 0 is Sunday, and such as (5, 2), the second Friday of the month."""
    from_monday = ((weekday - 1) % 7 for weekday in plain)
    return ranges(from_monday, lambda number: WEEKDAY_NAMES[(number + 1) % 7]) + [
        f"the {ORDINALS[n]} {WEEKDAY_NAMES[weekday]} of the month"
        for weekday, n in sorted(nth, key=lambda each: (each[0], each[1] % 9))
    ]


def ranges(values: Iterable[int], name: Callable[[int], str]) -> list[str]:
    """Return the names in order, three or more neighbours as "first to last"."""
    parts: list[str] = []
    for first, last in runs(values):
        if last - first > 1:
            parts.append(f"{name(first)} to {name(last)}")
        else:
            parts.extend(name(value) for value in range(first, last + 1))
    return parts


def joined(parts: Sequence[str]) -> str:
    """Return `a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
