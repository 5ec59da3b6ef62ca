"""The statements: a sentence each, executed where their file says, and what each costs."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from journalled import MINUTE, NOON, attempted, claimed, finished

from scheduler.journal import migrations, sql
from scheduler.journal.columns import whole
from scheduler.run import (
    State,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.journal.journal import Journal


def test_each_statement_has_a_sentence_and_is_one_statement() -> None:
    for name, statement in sql.statements().items():
        assert re.match(r"-- \S.*[.]\n", statement), name
        assert len([part for part in migrations.statements(statement) if part.strip()]) == 1, name


FILES = [file for file in files("scheduler.journal.sql").iterdir() if file.name.endswith(".sql")]


def test_each_statement_of_the_files_is_found_and_no_name_stands_for_two() -> None:
    text = "".join(file.read_text() for file in FILES)
    assert text.count("-- name:") == len(sql.statements())
    assert text.count(";\n") == len(sql.statements())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_statement_is_executed_by_the_module_whose_name_its_file_has(file: Path) -> None:
    folder = files("scheduler.journal")
    names = {"database": ["database.py", "connection.py", "migrations/__init__.py"]}
    module = file.name.removesuffix(".sql")
    parts = names.get(module, [f"{module}.py"])
    source = "".join(folder.joinpath(name).read_text() for name in parts)
    assert [
        name for name, _ in sql.STATEMENT.findall(file.read_text()) if f'"{name}"' not in source
    ] == []


def test_the_migrations_count_from_one_without_a_gap_and_none_has_anothers_number() -> None:
    scripts = [
        file.name
        for file in files("scheduler.journal.migrations").iterdir()
        if file.name[0].isdigit()
    ]
    assert sorted(int(name[:4]) for name in scripts) == list(range(1, len(scripts) + 1))
    assert list(migrations.scripts()) == list(range(1, len(scripts) + 1))


@pytest.mark.parametrize("text", [*sql.statements().values(), *migrations.scripts().values()])
def test_no_sql_reads_a_clock(text: str) -> None:
    code = re.sub(r"--.*", "", text).lower()
    assert not re.search(
        r"current_|strftime|julianday|unixepoch|'now'|\b(date|time|datetime) ?\(", code
    )


WALKS = {  # the statements that read a table or an index from one end, and why that is no walk
    "unfinished": "SCAN run USING INDEX run_open",  # as long as there are open runs
    "jobs": "SCAN run USING INDEX run_open",  # likewise
    "retrying": "SCAN run USING INDEX run_open",  # likewise
    "history": "SCAN run USING INDEX sqlite_autoindex_run_1",  # from its end, to a limit
    "drop_open": "SCAN run USING INDEX run_open",  # as long as there are open runs
    "numbers_given": "SCAN sqlite_sequence",  # one row
    "count_at_all": "SCAN sqlite_sequence",  # likewise
    "count_from": "SCAN sqlite_sequence",  # likewise
    "jumps": "SCAN jump",  # likewise
    "leaps": "SCAN jump",  # as for jumps_over, when the clock was set back
    "eras": "SCAN era",  # one each time that the clock was far out
    "jumps_over": "SCAN jump",  # of which pruning leaves a few thousand; after a jump alone
    "forget_jumps": "SCAN jump",  # from both ends, to a limit
    "backlogs": "SCAN backlog",  # a row a job that has something to make up for
    "pauses": "SCAN pause",  # a row a job that is paused
    "everything": "SCAN run",  # at the start after a loss alone
    "emptiers": "SCAN attempt USING INDEX attempt_emptied",  # those attempts alone, at the start
    "old_names": "SCAN old_name",  # empty but after an upgrade
    "rewind_anchors": "SCAN anchor",  # one an @every job; after a jump alone
    "change_nothing": "SCAN tick",  # one row
    "sending": "SCAN notice USING INDEX notice_sending",  # what senders have: some thousands at most
    "alert_jobs": "SCAN alert_state",  # a row a job of which something was told, now and then
    "shift_notices": "SCAN notice USING INDEX notice_waiting",  # when the clock was set back
    "notices": "SCAN notice",  # from its end, to a limit
    "count_tried": "SCAN notice USING INDEX notice_waiting",  # as long as there are some that wait
    "repeat_notices": "SCAN notice",  # after a loss alone
    "every_notice": "SCAN notice",  # likewise
    "seal_anchors": "SCAN anchor",  # likewise
}
QUERIES = [name for name in sql.statements() if name not in {"begin", "commit", "rollback", "version", "sync_seldom", "sync_always", "attach", "detach"} and not name.startswith(("take_", "lost_", "check_")) and not name.endswith("_old")]  # fmt: skip


def plan(journal: Journal, name: str) -> list[str]:
    """The steps in which SQLite answers."""
    statement = sql.statements()[name]
    values = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    rows = journal.connection._sqlite.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    return [step for *_, step in rows]


@pytest.mark.parametrize("name", QUERIES)
def test_no_statement_walks_through_a_table(journal: Journal, name: str) -> None:
    tables = "|".join(name for (name,) in journal.connection._sqlite.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))  # fmt: skip
    walks = {step for step in plan(journal, name) if re.match(rf"SCAN ({tables})\b", step)}
    assert walks == ({WALKS[name]} if name in WALKS else set())


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("taken", "INDEX run_over (job=? AND era=? AND instant>? AND instant<?)"),
        ("at", "INDEX run_over (job=? AND era=? AND instant<?)"),
        ("eras_of", "COVERING INDEX run_over (job=? AND era>?)"),  # a step an era
        ("next_job", "COVERING INDEX run_over (job>?)"),  # one step to the next job's first run
        ("nth_newest", "COVERING INDEX run_over (job=?)"),  # a thousand steps, and no row is read
        ("newest", "COVERING INDEX run_over (job=?)"),
        ("before", "INDEX run_over (job=? AND era=? AND instant<?)"),
        ("knows", "PRIMARY KEY (run=? AND attempt=?)"),
    ],
)
def test_each_way_through_the_runs_has_its_index(journal: Journal, name: str, index: str) -> None:
    assert any(index in step for step in plan(journal, name))


@pytest.mark.parametrize("name", ["history_of_job", "latest", "last_instant"])
def test_what_is_newest_is_found_from_the_end(journal: Journal, name: str) -> None:
    steps = plan(journal, name)
    assert "MERGE (UNION ALL)" in steps  # both halves in order: neither is read to its end
    assert any("INDEX run_open (job=?" in step for step in steps)
    assert any("INDEX run_over (job=?" in step for step in steps)


@pytest.mark.parametrize("name", ["failing", "jobs", "retrying"])
def test_what_is_asked_of_every_job_does_not_cost_by_its_runs(journal: Journal, name: str) -> None:
    def steps() -> int:
        ticks = 0

        def count() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        journal.connection._sqlite.set_progress_handler(count, 1)
        journal.connection.rows(
            name, **({"now": whole(NOON + 300 * MINUTE)} if name == "failing" else {})
        )
        journal.connection._sqlite.set_progress_handler(None, 1)
        return ticks

    jobs = ["a", "b", "c"]
    for job in jobs:
        finished(journal, job, NOON)
    early = steps()
    with journal.transaction():
        for job in jobs:
            for minute in range(1, 300):
                finished(journal, job, NOON + minute * MINUTE)
    assert steps() == early  # of the database's own machine


def test_the_cost_of_claiming_does_not_grow_with_the_table(journal: Journal) -> None:
    def steps(minute: int) -> int:
        ticks = 0

        def count() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        journal.connection._sqlite.set_progress_handler(count, 1)
        run = claimed(journal, "backup", NOON + minute * MINUTE)
        attempted(journal, run)
        journal.connection._sqlite.set_progress_handler(None, 1)
        journal.finish(run, State.SUCCEEDED)
        return ticks

    steps(0)
    early = steps(1)
    with journal.transaction():
        for minute in range(2, 3000):
            finished(journal, "backup", NOON + minute * MINUTE)
    assert steps(3000) == early  # of the database's own machine
