"""The journal's file: who may read it, versions of it, and what happens when it can't be used."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.errors import JournalDamaged, JournalError
from scheduler.journal import connection
from scheduler.journal import migrations as real
from scheduler.journal.journal import Journal
from scheduler.run import Reason, Run, State
from scheduler.system import state_files

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


# --- how it is opened ---------------------------------------------------------------------------


def test_the_file_is_its_users_alone(journal: Journal, path: Path) -> None:
    journal.daemon_state.set_last_tick(NOON)
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["journal.db", "journal.db-shm", "journal.db-wal"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    Journal.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_commits_are_on_disk_and_readers_never_wait(journal: Journal) -> None:
    assert pragma(journal, "journal_mode") == "wal"
    assert pragma(journal, "synchronous") == 2  # FULL
    assert pragma(journal, "foreign_keys") == 1
    assert pragma(journal, "busy_timeout") == 500


def test_what_was_written_is_there_when_it_is_opened_again(path: Path) -> None:
    first = Journal.open(path)
    run = first.claim("backup", NOON, "UTC")
    first.close()
    second = Journal.open(path)
    assert [row.run for row in second.unfinished()] == [run]
    second.close()


def test_what_was_claimed_is_there_after_a_kill(path: Path) -> None:
    writer = (
        "import os, signal, sys, pathlib, datetime\n"
        "from scheduler.journal.journal import Journal\n"
        "journal = Journal.open(pathlib.Path(sys.argv[1]))\n"
        "noon = datetime.datetime(2027, 3, 1, 12, tzinfo=datetime.UTC)\n"
        "run = journal.claim('backup', noon, 'UTC')\n"
        "journal.claim_attempt(run, 1, 'output/1.1')\n"
        "journal.connection.do('begin')\n"
        "journal.claim('never committed', noon, 'UTC')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", writer, str(path)], check=False, timeout=30)
    assert killed.returncode == -9
    journal = Journal.open(path)
    (row,) = journal.unfinished()
    journal.close()
    assert (row.run, row.state) == (Run(1, "backup", NOON), State.RUNNING)
    assert [attempt.number for attempt in row.attempts] == [1]


def test_a_file_that_was_taken_away_or_replaced_is_in_place_no_more(
    journal: Journal, path: Path
) -> None:
    assert journal.is_in_place()
    path.rename(path.with_name("elsewhere"))
    assert not journal.is_in_place()
    path.touch()
    assert not journal.is_in_place()


def test_a_journal_in_memory_may_be_closed_by_any_thread() -> None:
    """Garbage is collected in whichever thread runs just then: the log's, for one."""
    journal = Journal.in_memory()
    with ThreadPoolExecutor() as pool:
        pool.submit(journal.close).result()  # raises what close raises


def test_a_journal_in_memory_is_always_in_place() -> None:
    with closing(Journal.in_memory()) as journal:
        assert journal.is_in_place()


@pytest.mark.parametrize("name", ["a b?c#d%41.db", "日本.db", "q'uo\"te.db"])
def test_any_path_is_opened_as_it_is_written(tmp_path: Path, name: str) -> None:
    Journal.open(tmp_path / name).close()
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("missing/journal.db", "No such file or directory"),
        (".", "a folder is in the place of"),
        ("file/journal.db", "Not a directory"),
    ],
)
def test_a_place_that_holds_no_file_is_refused_with_its_reason(
    tmp_path: Path, place: str, why: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match=why) as refused:
        Journal.open(tmp_path / place)
    assert (refused.value.__cause__ is None) == (place == ".")


@pytest.mark.parametrize("readonly", [False, True])
def test_a_journal_in_another_folder_than_the_one_that_is_open_is_none_of_ours(
    tmp_path: Path, *, readonly: bool
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    Journal.open(state / "journal.db").close()
    with state_files.kept(state, os.open(state, os.O_RDONLY)):
        Journal.open(state / "journal.db", readonly=readonly).close()
        state.rename(tmp_path / "aside")
        state.mkdir()
        (state / "journal.db").touch()
        with pytest.raises(JournalError, match="another folder is in the place of"):
            Journal.open(state / "journal.db", readonly=readonly)
    assert (state / "journal.db").read_bytes() == b""


@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_that_is_no_journal_is_called_damaged(path: Path, *, readonly: bool) -> None:
    path.write_bytes(b"30 7 * * * report --daily\n" * 100)
    with pytest.raises(JournalError, match=r"damaged .*moves it aside"):
        Journal.open(path, readonly=readonly)


def test_a_damaged_page_is_told_when_it_is_met(path: Path) -> None:
    journal = Journal.open(path)
    with journal.transaction():
        for minute in range(500):
            journal.claim("backup", NOON + minute * MINUTE, "UTC")
    journal.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(JournalError, match="damaged"):
        scribbled(path)


def scribbled(path: Path) -> None:
    journal = Journal.open(path)
    try:
        journal.queries.history()
    finally:
        journal.close()


# --- reading beside a writer ------------------------------------------------------------------


def test_a_reader_without_a_journal_hears_that_nothing_has_run(path: Path) -> None:
    with pytest.raises(JournalError, match="nothing has run yet"):
        Journal.open(path, readonly=True)
    assert not path.exists()


def test_a_reader_of_an_empty_file_hears_that_nothing_has_run(path: Path) -> None:
    path.touch()
    with pytest.raises(JournalError, match="nothing has run yet"):
        Journal.open(path, readonly=True)


def test_a_reader_sees_what_is_committed_while_a_writer_is_at_work(
    journal: Journal, path: Path
) -> None:
    run = journal.claim("backup", NOON, "UTC")
    reader = Journal.open(path, readonly=True)
    with journal.transaction():
        journal.claim("report", NOON, "UTC")
        assert [row.run for row in reader.queries.history()] == [run]
    assert [row.run.job for row in reader.queries.history()] == ["backup", "report"]
    reader.close()


def test_a_reader_reads_when_no_daemon_runs(path: Path) -> None:
    writer = Journal.open(path)
    writer.claim("backup", NOON, "UTC")
    writer.close()
    reader = Journal.open(path, readonly=True)
    assert len(reader.queries.history("backup")) == 1
    reader.close()


def test_a_reader_can_not_write(journal: Journal, path: Path) -> None:
    run = journal.claim("backup", NOON, "UTC")
    assert run is not None
    reader = Journal.open(path, readonly=True)
    for write in (
        lambda: reader.claim("report", NOON, "UTC"),
        lambda: reader.claim_attempt(run, 1, "output/1.1"),
        lambda: reader.daemon_state.set_last_tick(NOON),
    ):
        with pytest.raises(JournalError, match="readonly"):
            write()
    reader.close()


# --- when the database can't ------------------------------------------------------------------


def test_two_writers_claim_a_key_once(journal: Journal, path: Path) -> None:
    other = Journal.open(path)
    claims = [writer.claim("backup", NOON, "UTC") for writer in (journal, other, journal)]
    assert claims == [Run(1, "backup", NOON), None, None]
    other.close()


def test_a_lock_is_waited_for_once_and_again_when_it_was_let_go(
    path: Path, journal: Journal
) -> None:
    """A daemon that waited each time would be deaf for as long as the lock lasts."""
    journal.connection._sqlite.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="database is locked"), journal.transaction():
        pass
    assert pragma(journal, "busy_timeout") == 0
    other.execute("ROLLBACK")
    other.close()
    with journal.transaction():
        journal.daemon_state.set_last_tick(NOON)
    assert pragma(journal, "busy_timeout") == connection.LOCK_WAIT * 1000


def test_a_lock_that_is_not_let_go_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LOCK_WAIT", 0.0)
    journal, other = Journal.open(path), Journal.open(path)
    with other.transaction():
        with pytest.raises(JournalError, match="database is locked") as refused:
            journal.claim("backup", NOON, "UTC")
        assert isinstance(refused.value.__cause__, sqlite3.OperationalError)
    assert journal.claim("backup", NOON, "UTC") is not None  # and it works again after
    journal.close()
    other.close()


def fill(journal: Journal) -> None:
    with journal.transaction():
        for minute in range(1, 10_000):
            journal.skip("backup", NOON + minute * MINUTE, "UTC", Reason.MISSED)


def test_a_full_disk_undoes_the_transaction_and_is_told(journal: Journal) -> None:
    first = journal.claim("backup", NOON, "UTC")
    journal.connection._sqlite.execute(f"PRAGMA max_page_count = {pragma(journal, 'page_count')}")
    with pytest.raises(JournalError, match="disk is full"):
        fill(journal)
    assert [row.run for row in journal.queries.history()] == [first]
    journal.connection._sqlite.execute("PRAGMA max_page_count = 100000")
    assert journal.claim("backup", NOON + MINUTE, "UTC") is not None


def test_an_error_that_comes_while_rows_are_read_is_told(journal: Journal) -> None:
    for minute in range(50):
        journal.claim("backup", NOON + minute * MINUTE, "UTC")
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return steps == last

    last = 0
    journal.connection._sqlite.set_progress_handler(step, 1)
    journal.queries.history()
    last, steps = steps - 10, 0  # interrupted near the end: the first rows are already out
    with pytest.raises(JournalError, match="interrupted"):
        journal.queries.history()


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = Journal.open(path)
    journal.close()
    with pytest.raises(JournalError, match="closed"):
        journal.daemon_state.last_tick()


# --- versions ---------------------------------------------------------------------------------


def test_a_commit_that_is_not_synced_is_there_for_whoever_comes_next(path: Path) -> None:
    """And the commits after it are synced again."""
    journal = Journal.open(path)
    with journal.transaction(synced=False):
        journal.daemon_state.set_last_tick(NOON)
        assert pragma(journal, "synchronous") == 1
    assert pragma(journal, "synchronous") == 2
    with suppress(RuntimeError), journal.transaction(synced=False):
        journal.daemon_state.set_last_tick(NOON + MINUTE)
        raise RuntimeError
    assert pragma(journal, "synchronous") == 2
    other = Journal.open(path)
    assert other.daemon_state.last_tick() == NOON
    other.close()
    journal.close()


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
