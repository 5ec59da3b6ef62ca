"""The five fields and their values: what a text leaves open comes in, sets of numbers go out.

Their ranges and names are those of crontab(5): Sunday is 0, and 7 is another way to write it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One of the five fields: the values that it takes, their names, its step in `@every`."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    unit: str = ""

    @property
    def one(self) -> str:
        """The field with its article: `an hour`."""
        return f"an {self.name}" if self.name[0] == "h" else f"a {self.name}"

    @property
    def size(self) -> int:
        """How many different values there are."""
        return self.high - self.low + 1

    @property
    def top(self) -> int:
        """The largest number that may be written: 7 is one more Sunday."""
        return 7 if self is WEEKDAY_FIELD else self.high


_SHORT_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SHORT_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

MINUTE_FIELD = Field("minute", 0, 59, unit="m")
HOUR_FIELD = Field("hour", 0, 23, unit="h")
DAY_FIELD = Field("day", 1, 31, unit="d")
MONTH_FIELD = Field("month", 1, 12, names=_SHORT_MONTHS)
WEEKDAY_FIELD = Field("weekday", 0, 6, names=_SHORT_WEEKDAYS, unit="d")
# A word of a schedule; cron knows no blanks but these.
WORD = re.compile(r"[^ \t]+")

FIELDS = (MINUTE_FIELD, HOUR_FIELD, DAY_FIELD, MONTH_FIELD, WEEKDAY_FIELD)


@dataclass(frozen=True, slots=True)
class Pick:
    """A choice left to a hash: one value of low to high, or each `step`-th from a hashed start.

    `~` is hashed with the salt and its own text; `H` (`text` is "") with the job alone, so that
    it moves for nothing but a new name.
    """

    field: Field
    low: int
    high: int
    step: int | None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Values:
    """What a field's text names, as far as it can be known without the job's name."""

    plain: frozenset[int] = frozenset()
    nth: frozenset[tuple[int, int]] = frozenset()
    last: bool = False
    picks: tuple[Pick, ...] = ()


def settle(values: Values, key: Sequence[str], *, longest: Sequence[int] = ()) -> frozenset[int]:
    """Return the values with every pick made; `key` is the job, the salt, and what else moves it.

    `longest` are the last days that there are, best first: every year, and in leap years.
    """
    if not values.picks:
        return values.plain
    chosen = [_chosen(pick, key, longest) for pick in values.picks]
    return share(values.plain.union(*chosen))


@lru_cache(maxsize=8192)
def share(values: frozenset[int]) -> frozenset[int]:
    """Return one object for all equal sets, so that a large crontab stays small."""
    return values


def runs(values: Iterable[int]) -> list[tuple[int, int]]:
    """Return the sorted values as (first, last) of each unbroken run."""
    found: list[tuple[int, int]] = []
    for value in sorted(values):
        if found and found[-1][1] == value - 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return found


def folded(field: Field, values: range) -> frozenset[int]:
    """Return the values as a set, 7 having become the Sunday that it is."""
    return frozenset(value % 7 for value in values) if field is WEEKDAY_FIELD else frozenset(values)


def _chosen(pick: Pick, key: Sequence[str], longest: Sequence[int]) -> frozenset[int]:
    # Of the days that come every year if it may, so that no machine draws one that never comes.
    last = next((last for last in longest if pick.low <= last), pick.high)
    high = min(pick.high, last)
    span = high - pick.low + 1
    # OpenBSD's rule for `~/s`: a start below the step, and never beyond the range.
    choices = span if pick.step is None else min(pick.step, span)
    start = pick.low + _hash(pick, key) % choices
    return folded(pick.field, range(start, high + 1, pick.step or span))


def _hash(pick: Pick, key: Sequence[str]) -> int:
    job, salt, *more = key
    name = pick.field.name
    parts = ("~", salt, job, name, pick.text) if pick.text else ("H", job, name)
    # Python's own hash() differs in every process; this one outlives the machine.
    raw = "\0".join((*parts, *more)).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(raw, digest_size=8).digest(), "big")
