"""A question about what was in, the next page of its answer out: runs, the newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from scheduler.journal import run_decoding
from scheduler.journal.columns import number, whole
from scheduler.past import MOST_ON_A_PAGE, Page
from scheduler.run import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.journal.connection import Connection
    from scheduler.journal.rows import RunRow
    from scheduler.past import History

KEYS_LOOKED_AT = 1000  # runs that a page is chosen from
_FAR_OFF = 2**62  # seconds, or a number, that nothing comes to
_BEFORE_ALL = Page(_FAR_OFF, _FAR_OFF, _FAR_OFF)  # all runs come before it


class RunKey(NamedTuple):
    """Where a run stands in the history, and what it is chosen by; times are Unix seconds."""

    run: int
    era: int
    second: int  # of its instant
    state: str
    until: int | None
    user: str | None
    job: str

    @property
    def page(self) -> Page:
        """The page that begins behind it."""
        return Page(number(self.era), self.second, number(self.run, 1))


@dataclass(frozen=True, slots=True)
class ChosenRuns:
    """Which runs are asked for: of a user (None: of all), of a job (if any), of a time, failed."""

    user: str | None
    job: str
    since: int
    before: int
    failed: bool

    def takes(self, key: RunKey) -> bool:
        """Say whether this run is among them."""
        return (
            (self.user is None or key.user == self.user)
            and (not self.job or key.job == self.job)
            and (key.second if key.until is None else key.until) >= self.since
            and key.second < self.before
            and (not self.failed or key.state == State.FAILED)
        )

    @classmethod
    def of(cls, asked: History, user: str | None) -> Self:
        """Return what a request chooses."""
        since = -_FAR_OFF if asked.since is None else whole(asked.since)
        return cls(
            user,
            asked.job,
            since,
            _FAR_OFF if asked.before is None else whole(asked.before),
            asked.failed,
        )


class Pages:
    """The part of the journal that tells its history in pages.

    Owns: nothing but its way to the connection. Called by: the daemon, for those who ask at its
    socket. Invariant: it changes nothing, and a page costs no more than KEYS_LOOKED_AT keys and
    the rows that are on it. A user's page is chosen from their own runs alone: where
    the next one begins tells of no run of another's.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, asked: History, user: str | None) -> tuple[list[RunRow], Page | None]:
        """Return the runs on a page, and where the next one begins; None where there is none.

        They are those of this `user`, or of all (None). A page may be empty and have a next one.
        """
        keys, chosen = self._keys(asked, user), ChosenRuns.of(asked, user)
        found: list[int] = []
        for key in keys:
            if chosen.takes(key):
                found.append(key.run)
            if len(found) == MOST_ON_A_PAGE:
                return self._rows(found), key.page
        more = keys[-1].page if len(keys) == KEYS_LOOKED_AT else None
        return self._rows(found), more

    def _keys(self, asked: History, user: str | None) -> list[RunKey]:
        era, second, run = asked.page or _BEFORE_ALL
        values: dict[str, Any] = {
            "era": era,
            "second": second,
            "number": run,
            "most": KEYS_LOOKED_AT,
        }
        if user is not None:
            return self._connection.read(_keys, "keys_of_user", user=user, **values)
        if asked.job:
            return self._connection.read(_keys, "keys_of_job", job=asked.job, **values)
        return self._connection.read(_keys, "keys_of_all", **values)

    def _rows(self, numbers: list[int]) -> list[RunRow]:
        if not numbers:
            return []
        return self._connection.read(run_decoding.runs, "records", numbers=json.dumps(numbers))


def _keys(rows: Iterable[tuple[Any, ...]]) -> list[RunKey]:
    """Return keys that are only compared; what is shown of a run is read with all care."""
    return [_key(*row) for row in rows]


def _key(
    run: int, era: int, second: Any, state: str, until: Any, user: str | None, job: str
) -> RunKey:
    if not isinstance(second, int) or not isinstance(until, int | None):
        raise ValueError(f"run {run} is of no time")  # noqa: TRY004 (as all that decodes)
    return RunKey(run, era, second, state, until, user, job)
