"""What is taken of a damaged journal: every column, by an index, whole or not at all."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from lost_journal import (
    DAY,
    NOON,
    NOW,
    Scene,
    has_lost_old_rows,
)

from scheduler.journal import sql
from scheduler.journal.high_water import HighWater
from scheduler.journal.journal import Journal
from scheduler.journal.salvage import (
    NEWEST,
    RECENT,
    TAKE_OPEN,
    TAKE_REST,
    RunsTaken,
    Salvage,
    Taken,
)

if TYPE_CHECKING:
    from pathlib import Path


TAKEN = (*TAKE_OPEN, *RECENT, *NEWEST, *(take for take, _ in TAKE_REST.values()))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_every_column_of_what_is_taken_is_taken(scene: Scene) -> None:
    with closing(Journal.open(scene.path)) as journal:
        for name in TAKEN:
            statement = sql.statements()[name]
            found = re.search(r"INSERT INTO (\w+) \(([^)]*)\)", statement)
            assert found is not None
            table, columns = found.groups()
            rows = journal.connection._sqlite.execute(
                f"SELECT name FROM pragma_table_info('{table}')"
            )
            assert {column.strip() for column in columns.split(",")} == {n for (n,) in rows}, name


def test_of_a_large_journal_only_what_is_needed_is_read(scene: Scene) -> None:
    scene.lives()
    with closing(Journal.open(scene.state / "other.db")) as journal:
        connection = journal.connection._sqlite
        connection.execute("ATTACH ? AS old", [str(scene.path)])
        for name in TAKEN:
            values: dict[str, Any] = {"since": 1}
            plan = connection.execute(f"EXPLAIN QUERY PLAN {sql.statements()[name]}", values)
            steps = [step for *_, step in plan]
            assert not re.search(r"SCAN (run|attempt)\b(?!.*INDEX)", ";".join(steps)), name


def test_half_a_takeover_is_none(scene: Scene) -> None:
    scene.lives()
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as connection:
        connection.execute("UPDATE attempt SET outcome = 'exit none' WHERE run = 4002")
    with closing(Journal.open(scene.state / "other.db")) as journal:
        taken = Salvage(journal).take_over(scene.path, since=NOW - DAY, known=HighWater())
        assert taken == Taken(lost=frozenset())
        assert (journal.daemon_state.last_tick(), journal.queries.history()) == (None, [])
        assert [pause.note for pause in journal.daemon_state.pauses()] == [
            "holiday"
        ]  # they make sense alone
    with closing(Journal.open(scene.state / "third.db")) as journal:
        assert (
            Salvage(journal).take_over(intact(scene), since=NOW - DAY, known=HighWater()).runs
            is RunsTaken.ALL
        )
        assert journal.daemon_state.last_tick() == NOON


def intact(scene: Scene) -> Path:
    other = Scene(scene.state / "intact")
    other.state.mkdir()
    other.lives()
    return other.path


@pytest.mark.parametrize("known", [HighWater(), HighWater(commits=10**6)], ids=["all", "behind"])
def test_what_somebody_is_to_hear_is_taken_and_may_be_a_repeat_if_more_was_done(
    scene: Scene, known: HighWater
) -> None:
    """Also what was told of each job, or it would be told anew."""
    scene.lives()
    for has_damage in (False, True):
        if has_damage:
            has_lost_old_rows(scene.path)
        with closing(Journal.open(scene.state / f"other-{has_damage}.db")) as journal:
            taken = Salvage(journal).take_over(scene.path, since=NOW - DAY, known=known)
            assert taken.runs is (RunsTaken.OVER if known.commits else RunsTaken.ALL)
            (row,) = journal.outbox.notices()
            assert (row.notice.facts.job, row.repeated) == ("retried", bool(known.commits))
            assert journal.outbox.state_of("retried") == "announced"


def test_a_notice_that_is_damaged_is_not_taken(scene: Scene) -> None:
    scene.lives()
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as connection:
        connection.execute("UPDATE notice SET target = '|tall'")
    with closing(Journal.open(scene.state / "other.db")) as journal:
        taken = Salvage(journal).take_over(scene.path, since=NOW - DAY, known=HighWater())
        assert (taken, journal.outbox.notices()) == (Taken(RunsTaken.ALL, frozenset({"notice"})), [])  # fmt: skip
