"""How far a journal had come, as a file beside it tells: what is an older one, and what is not."""

from __future__ import annotations

import os
import shutil
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import JournalDamaged
from scheduler.journal import high_water
from scheduler.journal.files_in_place import InPlace
from scheduler.journal.high_water import HighWater
from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
UNIX = int(NOON.timestamp())


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    return tmp_path / high_water.HIGH_WATER_NAME


# --- the record ----------------------------------------------------------------------------------

COUNTS = st.integers(0, high_water.MOST_NUMBERED)
MINUTES = st.integers(0, high_water.LATEST)


@given(st.builds(HighWater, COUNTS, COUNTS, MINUTES))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, told: HighWater) -> None:
    path = tmp_path_factory.getbasetemp() / high_water.HIGH_WATER_NAME
    high_water.write(path, told)
    assert high_water.read(path) == told
    assert path.stat().st_mode & 0o777 == 0o600


@given(st.integers(0, 94), st.integers(1, 255))
def test_a_record_with_any_byte_changed_is_none(
    tmp_path_factory: pytest.TempPathFactory, at: int, by: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "changed"
    high_water.write(path, HighWater(12, 3, UNIX))
    text = bytearray(path.read_bytes())
    text[at % len(text)] ^= by
    path.write_bytes(text)
    assert high_water.read(path) == HighWater()


@pytest.mark.parametrize(
    "told", [HighWater(10**17, 3, UNIX), HighWater(12, 10**17, UNIX), HighWater(12, 3, 10**15)]
)
def test_a_record_of_what_can_not_be_is_none(beside: Path, told: HighWater) -> None:
    high_water.write(beside, told)
    assert high_water.read(beside) == HighWater()


def is_short(path: Path) -> None:
    os.truncate(path, 20)


def is_longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def is_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def is_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def is_a_link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


@pytest.mark.parametrize("damage", [is_short, is_longer, is_a_folder, is_a_fifo, is_a_link])
def test_what_is_no_record_says_nothing_and_stops_nobody(
    beside: Path, damage: Callable[[Path], None]
) -> None:
    high_water.write(beside, HighWater(12, 3, UNIX))
    damage(beside)
    assert high_water.read(beside) == HighWater()
    high_water.write(beside, HighWater(13, 3, UNIX))


@pytest.mark.parametrize(
    ("reached", "is_behind"),
    [
        (HighWater(12, 3), False),
        (HighWater(13, 3), False),  # the file waits for no disk
        (HighWater(12, 4), False),
        (HighWater(11, 3), True),  # a commit is lost
        (HighWater(12, 2), True),  # an output has a number that was given to no run
        (HighWater(11, 4), True),
        (HighWater(12, 3, UNIX - 60), False),  # a minute in which nothing was due
    ],
)
def test_what_is_behind(reached: HighWater, is_behind: bool) -> None:
    assert reached.is_behind(HighWater(12, 3, UNIX)) == is_behind


# --- what a journal tells ------------------------------------------------------------------------


def journal_at(beside: Path) -> Journal:
    journal = Journal.open(beside.with_name("journal.db"))
    journal.tell(beside)
    return journal


def test_each_commit_that_is_on_the_disk_is_told(beside: Path) -> None:
    with closing(journal_at(beside)) as journal:
        first = high_water.read(beside)
        with journal.transaction():
            journal.claim("a", NOON, "UTC")
            journal.daemon_state.set_last_tick(NOON)
        assert high_water.read(beside) == HighWater(first.commits + 1, 1, UNIX)
        with journal.transaction(synced=False):
            journal.daemon_state.set_last_tick(NOON + MINUTE)
        assert high_water.read(beside) == HighWater(first.commits + 1, 1, UNIX + 60)
    assert Journal.reached_at(beside.with_name("journal.db")) == HighWater(first.commits + 1, 1)


def test_what_is_rolled_back_is_not_told(beside: Path) -> None:
    with closing(journal_at(beside)) as journal:
        before = high_water.read(beside)
        with suppress(ZeroDivisionError), journal.transaction():
            journal.claim("a", NOON, "UTC")
            journal.daemon_state.set_last_tick(NOON)
            raise ZeroDivisionError
        with journal.transaction():
            pass
        assert high_water.read(beside) == HighWater(before.commits + 1)


def test_an_idle_minute_that_a_loss_of_power_took_counts_as_handled(beside: Path) -> None:
    """Else a job that is new by then would make up for an instant of before it was there."""
    with closing(journal_at(beside)) as journal, journal.transaction():
        journal.daemon_state.set_last_tick(NOON)
    told = high_water.read(beside)
    high_water.write(beside, HighWater(told.commits, told.run, UNIX + 600))
    with closing(journal_at(beside)) as journal:
        assert journal.daemon_state.last_tick() == NOON + 10 * MINUTE
    high_water.write(beside, HighWater(told.commits - 1, told.run, UNIX + 1200))
    with closing(journal_at(beside)) as journal:
        assert (
            journal.daemon_state.last_tick() == NOON + 10 * MINUTE
        )  # it tells of an older journal


def test_a_new_database_by_itself_is_no_empty_one(beside: Path) -> None:
    with closing(journal_at(beside)):
        copy = beside.with_name("copy.db")
        shutil.copy(beside.with_name("journal.db"), copy)
        Journal.open(copy, readonly=True).close()  # it has its tables


# --- files in their place ------------------------------------------------------------------------


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    text = path.read_bytes()
    path.unlink()
    path.write_bytes(text)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5000)


@pytest.mark.parametrize("damage", [removed, replaced, emptied, cut])
def test_a_log_that_is_not_what_was_written_is_a_damage_for_good(
    beside: Path, damage: Callable[[Path], None]
) -> None:
    with closing(Journal.open(beside.with_name("journal.db"))) as journal:
        for n in range(30):
            journal.claim("a", NOON + n * MINUTE, "UTC")
        with journal.transaction():
            pass
        assert journal.is_in_place()
        damage(beside.with_name("journal.db-wal"))
        for _ in range(2):
            with pytest.raises(JournalDamaged, match=r"journal\.db-wal was deleted, replaced or"):
                journal.is_in_place()
        assert journal.is_lost


def test_it_is_seen_before_a_commit_hides_it(beside: Path) -> None:
    with closing(Journal.open(beside.with_name("journal.db"))) as journal:
        with journal.transaction():
            journal.claim("a", NOON, "UTC")
        assert journal.is_in_place()
        emptied(beside.with_name("journal.db-wal"))
        with journal.transaction():
            journal.claim("a", NOON + MINUTE, "UTC")
        assert journal.is_lost


@pytest.mark.parametrize("damage", [removed, replaced])
def test_so_is_the_index_to_the_log(beside: Path, damage: Callable[[Path], None]) -> None:
    with closing(Journal.open(beside.with_name("journal.db"))) as journal:
        damage(beside.with_name("journal.db-shm"))
        with pytest.raises(JournalDamaged, match=r"journal\.db-shm was deleted"):
            journal.is_in_place()


def test_a_checkpoint_that_empties_the_log_is_none(beside: Path) -> None:
    """Somebody has looked after the database: sqlite3 journal.db 'PRAGMA wal_checkpoint(...)'."""
    path = beside.with_name("journal.db")
    with closing(Journal.open(path)) as journal, closing(Journal.open(path)) as other:
        with journal.transaction():
            journal.claim("a", NOON, "UTC")
        assert journal.is_in_place()
        other.connection._sqlite.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert beside.with_name("journal.db-wal").stat().st_size == 0
        assert journal.is_in_place()
        with journal.transaction():
            journal.claim("a", NOON + MINUTE, "UTC")
        assert journal.is_in_place()


def test_what_is_cut_behind_all_that_is_in_use_is_no_loss(beside: Path) -> None:
    """A log is used again from its beginning, and keeps its length."""
    with closing(Journal.open(beside.with_name("journal.db"))) as journal:
        with journal.transaction():
            journal.claim("a", NOON, "UTC")
        cut(beside.with_name("journal.db-wal"))
        assert journal.is_in_place()


def test_files_that_are_not_there_yet_are_not_lost(tmp_path: Path) -> None:
    (tmp_path / "j").touch()
    files = InPlace(tmp_path / "j", lambda: 0)
    assert files.look() is None
    (tmp_path / "j-wal").touch()
    assert files.look() is None
    (tmp_path / "j-wal").unlink()
    assert files.look() == tmp_path / "j-wal"
    assert not files.has_lost_database()
