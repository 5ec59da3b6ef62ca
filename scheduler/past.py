"""What a daemon tells of runs that were: to those who are not shown its journal.

`codec` makes JSON of it and back, by the types alone. Instants are in UTC, in whole seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable  # noqa: TC003 (a field's type)
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 (the codec reads the types)
from typing import NamedTuple, Self

MOST_ON_A_PAGE = 50  # runs

_PAGE = re.compile(r"([0-9]{1,18})\.(-?[0-9]{1,18})\.([0-9]{1,18})")


class Page(NamedTuple):
    """Where a history goes on: with the runs that come before this one, which is the last told."""

    era: int
    second: int  # of its instant, since 1970
    run: int

    def __str__(self) -> str:
        return f"{self.era}.{self.second}.{self.run}"

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the page that `str` made this text of; ValueError for any other."""
        found = _PAGE.fullmatch(text)
        if found is None:
            raise ValueError(text)
        return cls(*map(int, found.groups()))


@dataclass(frozen=True, slots=True)
class History:
    """Tell of runs, the newest first: those of a job or of all, or the one of this number.

    They are those that the asker may know of; from `since` on and `before` its end, and `failed`
    ones alone. A history goes on with the `page` that the reply before has named.
    """

    job: str = ""
    run: int | None = None
    since: datetime | None = None
    before: datetime | None = None
    failed: bool = False
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """Hand over what an attempt of a run has written, as a file that is open to be read."""

    run: int
    attempt: int


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """A process of a run; what is None has not happened, or nobody could tell."""

    attempt: int
    started: datetime | None
    ended: datetime | None
    outcome: str | None
    took_s: float | None
    cpu_s: float | None
    memory_bytes: int | None
    pid: int | None
    limit: str | None
    emptied: bool
    left_behind: int
    output: str


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run, with all that there is to say of it; with `until` it stands for several instants."""

    run: int
    job: str
    user: str | None
    at: datetime
    zone: str
    state: str
    reason: str | None
    until: datetime | None
    due: datetime | None
    made_up: bool
    by_hand: bool
    reopened: datetime | None
    set_back: datetime | None
    again_from: datetime | None
    attempts: tuple[PastAttempt, ...]


@dataclass(frozen=True, slots=True)
class HistoryReply:
    """Runs, the newest first; where there may be more, `next_page` is what to ask for."""

    runs: tuple[PastRun, ...]
    next_page: str | None


@dataclass(frozen=True, slots=True)
class OutputReply:
    """Whose output comes with the reply: its file, open to be read (SCM_RIGHTS of unix(7))."""

    run: int
    job: str
    attempt: int


@dataclass(frozen=True, slots=True)
class OpenOutput:
    """The same before it is sent; `open` returns a descriptor that the caller closes; OSError."""

    reply: OutputReply
    open: Callable[[], int]
