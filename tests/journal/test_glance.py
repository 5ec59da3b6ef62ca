"""A glance at a journal's file answers as the open journal does, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from journalled import LATER, MINUTE, NOON, attempted, claimed, finished

from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal.glance import Glance
from scheduler.journal.journal import Journal
from scheduler.run import Ending, Exited, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal.open(path)
    yield journal
    journal.close()


def fails(journal: Journal) -> None:
    run = claimed(journal)
    journal.ended(attempted(journal, run), Ending(Exited(1), NOON + MINUTE))
    journal.finish(run, State.FAILED)


def waits_for_a_retry(journal: Journal) -> None:
    run = claimed(journal, "sync")
    journal.ended(attempted(journal, run), Ending(Exited(1), NOON + MINUTE))
    journal.retry(run, LATER)


def succeeds(journal: Journal) -> None:
    finished(journal, "backup", NOON + MINUTE)


def handles_a_minute(journal: Journal) -> None:
    journal.daemon_state.set_last_tick(NOON)


def nothing(journal: Journal) -> None:
    assert journal.queries.is_unused()


CASES: list[tuple[tuple[Callable[[Journal], None], ...], bool, bool]] = [
    ((nothing,), False, False),
    ((succeeds,), False, False),
    ((handles_a_minute,), False, False),
    ((fails,), True, False),
    ((fails, succeeds), False, False),  # the newest counts
    ((waits_for_a_retry,), False, True),  # which is not over, and so has not failed
    ((fails, waits_for_a_retry, handles_a_minute), True, True),
]


@pytest.mark.parametrize(("steps", "failing", "retrying"), CASES)
def test_a_glance_answers_as_the_journal_does(
    journal: Journal,
    path: Path,
    steps: tuple[Callable[[Journal], None], ...],
    failing: bool,
    retrying: bool,
) -> None:
    for step in steps:
        step(journal)
    before = journal.connection.rows("commits")
    with Glance.at(path) as glance:
        assert glance.failing(LATER) == journal.glance.failing(LATER)
        assert bool(glance.failing(LATER)) == failing
        assert glance.retrying() == journal.glance.retrying()
        assert bool(glance.retrying()) == retrying
        assert glance.last_tick() == journal.daemon_state.last_tick()
    assert journal.connection.rows("commits") == before


def test_a_run_by_hand_that_is_ahead_by_a_second_is_failing_at_once(
    journal: Journal, path: Path
) -> None:
    fails(journal)
    with Glance.at(path) as glance:
        assert glance.failing(NOON - MINUTE / 60)
        assert not glance.failing(NOON - MINUTE)


def test_a_journal_that_is_missing_empty_or_damaged_is_refused(path: Path) -> None:
    with pytest.raises(JournalError, match="nothing has run yet"), Glance.at(path):
        pass
    path.touch()
    with pytest.raises(JournalError, match="is empty"), Glance.at(path):
        pass
    path.write_bytes(b"SQLite format 3\0" + b"x" * 4096)
    with pytest.raises(JournalDamaged), Glance.at(path):
        pass
