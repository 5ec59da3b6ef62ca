"""The journal's file: who may read it, versions of it, and what happens when it can't be used."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.errors import JournalError
from scheduler.journal import connection
from scheduler.journal.files_in_place import InPlace
from scheduler.journal.journal import Journal
from scheduler.run import Reason, Run, State
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


def pragma(journal: Journal, name: str) -> object:
    return journal.connection._sqlite.execute(f"PRAGMA {name}").fetchone()[0]


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
    assert pragma(journal, "fullfsync") == 1  # on a Mac else only in the drive's own memory
    assert pragma(journal, "foreign_keys") == 1
    assert pragma(journal, "busy_timeout") == 500


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


def test_a_database_that_is_gone_before_it_was_seen_is_lost(tmp_path: Path) -> None:
    """SQLite has made it, and has it open still: what is committed would be in no folder."""
    assert InPlace(tmp_path / "journal.db", lambda: None).has_lost_database()
