"""A question about what was in, the next page of its answer out: runs, the newest first."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scheduler.journal import run_decoding
from scheduler.journal.columns import maybe, number, text, whole, whole_instant
from scheduler.past import MOST_ON_A_PAGE, Page
from scheduler.run import State

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scheduler.journal.connection import Connection
    from scheduler.journal.rows import RunRow
    from scheduler.past import History

KEYS_LOOKED_AT = 1000  # runs that a page is chosen from
_BEFORE_ALL = Page(2**62, 2**62, 2**62)  # no run comes after it


@dataclass(frozen=True, slots=True)
class RunKey:
    """Where a run stands in the history, and what it is chosen by."""

    page: Page
    state: State
    instant: datetime
    until: datetime | None
    user: str | None

    def is_asked_for(self, asked: History) -> bool:
        """Say whether it is of the time and the state that are asked for."""
        return (
            (asked.since is None or (self.until or self.instant) >= asked.since)
            and (asked.before is None or self.instant < asked.before)
            and (not asked.failed or self.state is State.FAILED)
        )


class Pages:
    """The part of the journal that tells its history in pages.

    Owns: nothing but its way to the connection. Called by: the daemon, for those who ask at its
    socket. Invariant: it changes nothing, and a page costs no more than KEYS_LOOKED_AT keys and
    the rows that are on it.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of(self, asked: History, user: str | None) -> tuple[list[RunRow], Page | None]:
        """Return the runs on a page, and where the next one begins; None where there is none.

        They are those of this `user`, or of all (None). A page may be empty and have a next one.
        """
        keys = self._keys(asked, user)
        found: list[int] = []
        for key in keys:
            if (user is None or key.user == user) and key.is_asked_for(asked):
                found.append(key.page.run)
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
        if asked.job:
            return self._connection.read(_keys, "keys_of_job", job=asked.job, **values)
        if user is None:
            return self._connection.read(_keys, "keys_of_all", **values)
        return self._connection.read(_keys, "keys_of_user", user=user, **values)

    def _rows(self, numbers: list[int]) -> list[RunRow]:
        if not numbers:
            return []
        return self._connection.read(run_decoding.runs, "records", numbers=json.dumps(numbers))


def _keys(rows: Iterable[tuple[Any, ...]]) -> list[RunKey]:
    return [_key(*row) for row in rows]


def _key(
    run: object, era: object, instant: object, state: Any, until: object, user: object
) -> RunKey:
    at = whole_instant(instant)
    page = Page(number(era), whole(at), number(run, 1))
    return RunKey(page, State(state), at, maybe(whole_instant, until), maybe(text, user))
