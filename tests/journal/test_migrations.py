"""Versions of the journal's file: each older one is brought up to date, or refused in words."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal import migrations as real
from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    journal = Journal.open(path)
    yield journal
    journal.close()


@pytest.fixture
def migrations(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    for number, script in real.scripts().items():
        (folder / f"{number:04}_real.sql").write_text(script)
    return folder


def pragma(journal: Journal, name: str) -> object:
    return journal.connection._sqlite.execute(f"PRAGMA {name}").fetchone()[0]


def tables(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    connection.close()
    return names


def test_an_upgrade_keeps_the_rows(path: Path, migrations: Path) -> None:
    old = Journal.open(path, migrations=migrations)
    run = old.claim("backup", NOON, "UTC")
    old.close()
    (migrations / "9001_jolt.sql").write_text(
        "-- Two statements; the first has a semicolon in this comment.\n"
        "CREATE TABLE jolt (at INTEGER PRIMARY KEY, size REAL NOT NULL);\n"
        "CREATE TRIGGER no_jolt BEFORE DELETE ON jolt BEGIN\n"
        "    SELECT raise(ABORT, 'kept');\n"
        "END;\n"
        "INSERT INTO jolt SELECT instant, 0 FROM run\n"
    )
    (migrations / "notes.txt").write_text("not a migration")
    new = Journal.open(path, migrations=migrations)
    assert pragma(new, "user_version") == 9001
    assert [row.run for row in new.queries.history()] == [run]
    new.close()
    assert {"jolt", "no_jolt", "run"} <= tables(path)


def test_an_upgrade_remembers_the_names_that_may_be_derived(path: Path, migrations: Path) -> None:
    for script in migrations.glob("*.sql"):
        if int(script.name[:4]) > 3:
            script.unlink()
    old = Journal.open(path, migrations=migrations)
    for job in ("echo-hunter2-0a1b2c", "backup"):
        values = (job, NOON.timestamp())
        old.connection._sqlite.execute(
            "INSERT INTO run (job, instant, zone, state) VALUES (?, ?, 'UTC', 'scheduled')", values
        )
    old.connection._sqlite.execute("INSERT INTO boot VALUES ('echo-hunter2-0a1b2c-2', 'b')")
    old.close()
    new = Journal.open(path)
    assert new.daemon_state.old_names() == ["echo-hunter2-0a1b2c", "echo-hunter2-0a1b2c-2"]
    new.daemon_state.rename("echo-hunter2-0a1b2c", "echo-0a1b2c")
    assert {row.run.job for row in new.queries.history()} == {"backup", "echo-0a1b2c"}
    assert new.daemon_state.old_names() == ["echo-hunter2-0a1b2c-2"]
    new.close()


BEFORE_ERAS = f"""
INSERT INTO run (job, instant, zone, state) VALUES
    ('backup', {NOON.timestamp():.0f}, 'UTC', 'succeeded'),
    ('backup', {NOON.timestamp() + 60:.0f}, 'UTC', 'failed'),
    ('backup', {NOON.timestamp() + 120:.0f}, 'UTC', 'running');
INSERT INTO attempt (run, attempt, started, ended, outcome, pid, output) VALUES
    (1, 1, 100, 103.5, 'exit 0', 7, 'x'), (2, 1, 100, 40, 'exit 1', 7, 'x'),
    (2, 2, 100, 900, 'lost', 7, 'x'), (3, 1, 100, NULL, NULL, 7, 'x');
DELETE FROM run WHERE number = 3;
"""


def test_runs_of_before_there_were_eras_are_of_the_first_one(path: Path) -> None:
    """Their numbers go on where they were, and they took what their ends and starts say."""
    connection = sqlite3.connect(path)
    for number in (1, 2, 3):
        connection.executescript(real.scripts()[number])
    connection.executescript(f"PRAGMA foreign_keys = ON;{BEFORE_ERAS}PRAGMA user_version = 3;")
    connection.close()
    journal = Journal.open(path)
    first, second = journal.queries.history()
    assert [row.run.era for row in (first, second)] == [0, 0]
    assert [each.took for each in first.attempts + second.attempts] == [3.5, 0.0, None]
    assert journal.claim("backup", NOON, "UTC") is None
    claimed = journal.claim("backup", NOON + 5 * MINUTE, "UTC")
    assert claimed is not None
    assert claimed.number > 3
    assert journal.connection._sqlite.execute("PRAGMA foreign_key_check").fetchall() == []
    journal.old_runs.forget(second.run.number)
    assert journal.connection._sqlite.execute("SELECT count(*) FROM attempt").fetchone() == (1,)
    journal.close()


def test_a_journal_of_an_older_version_is_known_before_it_is_opened(path: Path) -> None:
    """Bringing a large one up to date takes a while, of which the log speaks."""
    assert not Journal.is_older(path)
    path.write_text("no journal")
    assert not Journal.is_older(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"{real.scripts()[1]}PRAGMA user_version = 1;")
    assert Journal.is_older(path)
    Journal.open(path).close()
    assert not Journal.is_older(path)


def test_a_migration_is_applied_once(path: Path, migrations: Path) -> None:
    (migrations / "9001_mark.sql").write_text("INSERT INTO boot VALUES ('marked', 'once', 0);")
    for _ in range(3):
        Journal.open(path, migrations=migrations).close()
    journal = Journal.open(path, migrations=migrations)
    assert journal.daemon_state.booted("marked", "once")
    journal.close()


def test_a_migration_that_another_process_applied_meanwhile_is_left_out(journal: Journal) -> None:
    real.migrate(journal.connection, 1, "not even sql")
    assert pragma(journal, "user_version") == max(real.scripts())


def test_a_migration_that_fails_leaves_the_old_version(path: Path, migrations: Path) -> None:
    old = Journal.open(path, migrations=migrations)
    run = old.claim("backup", NOON, "UTC")
    old.close()
    bad = migrations / "9001_bad.sql"
    bad.write_text("CREATE TABLE half (a);\nDELETE FROM run;\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(JournalError, match="no such table: nowhere"):
        Journal.open(path, migrations=migrations)
    bad.unlink()
    assert "half" not in tables(path)
    journal = Journal.open(path, migrations=migrations)
    assert pragma(journal, "user_version") == max(real.scripts())
    assert [row.run for row in journal.queries.history()] == [run]
    journal.close()


def test_the_migrations_before_a_failed_one_stay(path: Path, migrations: Path) -> None:
    (migrations / "9001_good.sql").write_text("CREATE TABLE good (a);")
    (migrations / "9002_bad.sql").write_text("CREATE TABLE bad (a); nonsense;")
    with pytest.raises(JournalError, match="nonsense"):
        Journal.open(path, migrations=migrations)
    assert "good" in tables(path)
    assert "bad" not in tables(path)


@pytest.mark.parametrize("readonly", [False, True])
def test_a_newer_version_is_refused_with_both_numbers_and_left_as_it_is(
    path: Path, *, readonly: bool
) -> None:
    newest = max(real.scripts())
    journal = Journal.open(path)
    journal.connection._sqlite.execute("CREATE TABLE more (a)")
    journal.connection._sqlite.execute(f"PRAGMA user_version = {newest + 6}")
    journal.close()
    before = path.read_bytes()
    words = rf"newer.* version {newest + 6},.* up to {newest}; install that one again,"
    with pytest.raises(JournalError, match=words):
        Journal.open(path, readonly=readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("version", [0, 1 << 20, max(real.scripts()) + 1])
def test_a_version_that_nobody_wrote_is_damage(path: Path, version: int) -> None:
    """The tables are those of this version: a newer one has others, an empty one none."""
    journal = Journal.open(path)
    journal.connection._sqlite.execute(f"PRAGMA user_version = {version}")
    journal.close()
    with pytest.raises(JournalDamaged, match=f"it has version {version}, and tables of another"):
        Journal.open(path)


@pytest.mark.parametrize("version", range(1, max(real.scripts())))
def test_a_version_that_is_too_low_is_damage_or_brought_up_to_date(
    path: Path, version: int
) -> None:
    """What an older Meridian had not, and is there already, can't be made again."""
    journal = Journal.open(path)
    run = journal.claim("backup", NOON, "UTC")
    journal.connection._sqlite.execute(f"PRAGMA user_version = {version}")
    journal.close()
    with suppress(JournalDamaged), closing(Journal.open(path)) as again:
        assert pragma(again, "user_version") == max(real.scripts())
        assert [row.run for row in again.queries.history()] == [run]


def test_a_header_that_forbids_writing_is_damage(path: Path) -> None:
    """SQLite says that the file is read-only, and the system says that it is not."""
    Journal.open(path).close()
    with path.open("r+b") as file:
        file.seek(18)  # sqlite.org/fileformat.html: the version that may write it
        file.write(b"\x03")
    with (
        closing(Journal.open(path)) as journal,
        pytest.raises(JournalDamaged, match="nobody may write it"),
    ):
        journal.integrity.examine()


def test_a_reader_of_an_older_version_hears_who_will_upgrade_it(
    path: Path, migrations: Path
) -> None:
    Journal.open(path, migrations=migrations).close()
    (migrations / "9001_more.sql").write_text("CREATE TABLE more (a);")
    with pytest.raises(JournalError, match=r"version \d+ .* version 9001: the daemon"):
        Journal.open(path, readonly=True, migrations=migrations)


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def test_no_descriptor_stays_open_after_a_refusal(path: Path) -> None:
    path.write_bytes(b"no journal" * 1000)
    before = descriptors()
    for _ in range(20):
        with pytest.raises(JournalError):
            Journal.open(path)
    assert descriptors() == before
