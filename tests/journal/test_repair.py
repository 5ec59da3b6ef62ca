"""A damaged journal: moved aside, begun anew, and nothing of it done twice."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from lost_journal import (
    BOOT,
    DAY,
    MINUTE,
    NOON,
    PAGE,
    TOTAL,
    Scene,
    has_a_log,
    has_lost_old_rows,
    is_text,
    known,
    next_daemon,
    read_all,
)

from scheduler.errors import JournalDamaged, MeridianError
from scheduler.journal.journal import Journal
from scheduler.run import Exited, Run, State

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# --- damages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [*TOTAL, has_lost_old_rows])
def test_each_of_these_is_called_a_damage_by_whoever_reads_it(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.lives()
    damage(scene.path)
    with pytest.raises(JournalDamaged, match="the daemon moves it aside"):
        read_all(scene.path)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET outcome = 'exit none' WHERE outcome IS NOT NULL",
        "UPDATE attempt SET outcome = CAST(x'ff' AS TEXT) WHERE outcome IS NOT NULL",
        "UPDATE run SET reason = 'none'",
    ],
)
def test_what_nobody_wrote_is_a_damage_too(scene: Scene, statement: str) -> None:
    scene.lives()
    with closing(sqlite3.connect(scene.path, isolation_level=None)) as connection:
        connection.execute(statement)
    with closing(Journal.open(scene.path)) as journal, pytest.raises(JournalDamaged):
        journal.unfinished()


# --- what comes of it ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [*TOTAL, has_lost_old_rows])
def test_the_damaged_file_is_kept_as_it_is_and_a_new_one_is_whole(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.lives()
    damage(scene.path)
    before = scene.path.read_bytes()
    with closing(scene.renews()) as journal:
        (row,) = journal.connection._sqlite.execute("PRAGMA integrity_check").fetchall()
        assert row == ("ok",)
        assert journal.claim("any", NOON + DAY, "UTC") is not None
    (aside,) = scene.aside()
    assert aside.name == "journal.db.damaged-20270301T120030Z"
    assert aside.read_bytes() == before
    assert scene.path.stat().st_mode & 0o777 == 0o600


def test_what_a_daemon_needs_is_taken_over_where_it_can_be_read(scene: Scene) -> None:
    scene.lives()
    has_lost_old_rows(scene.path)
    with closing(scene.renews()) as journal:
        assert journal.daemon_state.last_tick() == NOON
        (left,) = journal.unfinished()
        assert (left.run.number, left.run.job, left.due) == (4002, "retried", NOON + 10 * MINUTE)
        assert [each.outcome for each in left.attempts] == [Exited(1)]
        assert journal.daemon_state.anchor("every", 90) == NOON - MINUTE
        assert (
            journal.daemon_state.booted("reboot", BOOT),
            journal.daemon_state.booted("other", BOOT),
        ) == (True, False)
        assert journal.old_runs.reckoning() == NOON
        assert [pause.note for pause in journal.daemon_state.pauses()] == ["holiday"]
        assert len(journal.queries.jumps()) == 1
        assert journal.claim("new", NOON, "UTC") is None  # it has run
        assert [row.run.job for row in journal.queries.history()] == ["retried", "new"]
        run = journal.claim("any", NOON, "UTC")
        assert run is not None
        assert run.number > 4002
    assert '"taken_over": 1' in scene.lines[-1]


@pytest.mark.parametrize("damage", TOTAL)
def test_otherwise_everything_up_to_now_counts_as_done(
    scene: Scene, damage: Callable[[Path], None]
) -> None:
    scene.lives()
    for name in ("outputs/old/4000.1.log", "outputs/new/4001.2.log"):
        (scene.state / name).parent.mkdir(parents=True, exist_ok=True)
        (scene.state / name).touch()
    damage(scene.path)
    with closing(scene.renews()) as journal:
        assert journal.daemon_state.last_tick() == NOON  # the minute that it is
        assert journal.daemon_state.booted("reboot", BOOT)
        assert journal.daemon_state.booted("any other", BOOT)
        assert not journal.daemon_state.booted("reboot", "the next boot")
        run = journal.claim("any", NOON + MINUTE, "UTC")
        assert run is not None
        assert run.number == 4002  # so that no output is overwritten
    assert '"taken_over": 0' in scene.lines[-1]
    assert '"level": "error"' in scene.lines[-1]


def test_jobs_that_still_run_are_found_by_their_environment_and_keep_their_numbers(
    scene: Scene,
) -> None:
    pid = scene.starts("long", 7)
    scene.starts("other", 8, has_output=False)  # that of another daemon's state
    is_text(scene.path)
    with closing(scene.renews()) as journal:
        (left,) = journal.unfinished()
        assert (left.run, left.state) == (Run(7, "long", NOON), State.RUNNING)
        (attempt,) = left.attempts
        assert (attempt.pid, attempt.pid_started) == (pid, scene.spawner.started_at(pid))
        assert attempt.output == "outputs/long/7.1.log"
        assert journal.claim("long", NOON, "UTC") is None


def test_a_second_damage_soon_after_is_the_disks(scene: Scene) -> None:
    is_text(scene.path)
    scene.renews().close()
    scene.clock.advance(599)
    with pytest.raises(MeridianError, match="look at the disk"):
        scene.renews()
    scene.clock.advance(2)
    scene.renews().close()
    assert len(scene.aside()) == 2


@pytest.mark.parametrize("place", ["run", "run_open"])
def test_a_run_whose_name_is_damaged_in_one_place_is_not_taken_for_another_jobs(
    scene: Scene, place: str
) -> None:
    """What lives of it would be started beside itself; nobody can tell which name is right."""
    scene.lives()
    with closing(sqlite3.connect(scene.path)) as connection:
        ((page,),) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'run_open'"
        ).fetchall()
    data = scene.path.read_bytes()
    index = data.index(b"retried", (page - 1) * PAGE, page * PAGE)
    (row,) = [
        match.start() for match in re.finditer(rb"retried.{4,8}Europe/Berlin", data, re.DOTALL)
    ]
    at = row if place == "run" else index
    scene.path.write_bytes(data[:at] + b"s" + data[at + 1 :])
    with closing(scene.renews()) as journal:
        assert journal.unfinished() == []
        assert journal.daemon_state.last_tick() == NOON
    assert '"taken_over": 0' in scene.lines[-1]


def test_what_was_taken_over_and_is_damaged_is_not_taken_over_again(scene: Scene) -> None:
    """It may have brought its damage along."""
    scene.lives()
    has_lost_old_rows(scene.path)
    scene.renews().close()
    scene.renews().close()
    told = [line for line in scene.lines if '"renewed"' in line]
    assert ['"taken_over": 1' in line for line in told] == [True, False]
    with pytest.raises(MeridianError, match="look at the disk"):
        scene.renews()


def test_no_damaged_journal_is_overwritten_by_another(scene: Scene) -> None:
    is_text(scene.path)
    scene.renews().close()
    scene.repair._last = None
    scene.renews().close()
    assert [path.name for path in scene.aside()] == [
        "journal.db.damaged-20270301T120030Z",
        "journal.db.damaged-20270301T120030Z.1",
    ]


def test_what_belongs_to_the_database_goes_with_it(scene: Scene) -> None:
    is_text(scene.path)
    for part in ("-wal", "-shm"):
        scene.path.with_name(f"journal.db{part}").write_text(part)
    scene.renews().close()
    aside = scene.state / "journal.db.damaged-20270301T120030Z-wal"
    assert aside.exists()
    assert not scene.path.with_name("journal.db-wal").exists()


def test_one_that_was_moved_before_is_no_first_start(scene: Scene) -> None:
    """Without an output, and with no new one: a journal was here all the same."""
    scene.path.with_name("journal.db.damaged-20270228T120000Z").touch()
    next_daemon(scene)
    with closing(Journal.open(scene.path)) as journal:
        assert journal.daemon_state.last_tick() == NOON
        assert journal.daemon_state.booted("any", BOOT)


def test_what_belongs_to_no_journal_is_given_to_none(scene: Scene) -> None:
    """SQLite would take an old log for that of the new journal."""
    scene.lives()
    scene.starts("long", 7)
    has_a_log(scene)
    scene.path.unlink()
    next_daemon(scene)
    assert known(scene.path)[3] == NOON
    assert scene.aside() == []
    assert len(list(scene.state.glob("journal.db.damaged-*-wal"))) == 1


@pytest.mark.parametrize("is_there", [False, True], ids=["deleted", "emptied"])
def test_a_journal_that_is_gone_from_its_outputs_is_begun_likewise(
    scene: Scene, is_there: bool
) -> None:
    pid = scene.starts("long", 7)
    if is_there:
        scene.path.touch()
    scene.repair.begin()
    with closing(Journal.open(scene.path)) as journal:
        assert journal.daemon_state.last_tick() == NOON
        assert journal.daemon_state.booted("any", BOOT)
        assert [left.attempts[0].pid for left in journal.unfinished()] == [pid]
    assert '"level": "error"' in scene.lines[-1]
    assert scene.aside() == []


@pytest.mark.parametrize("has_journal", [False, True])
def test_a_first_daemon_begins_as_ever(scene: Scene, has_journal: bool) -> None:
    if has_journal:
        scene.lives()
        scene.starts("long", 7)
    else:
        (scene.state / "outputs").mkdir()
    before = scene.path.read_bytes() if has_journal else None
    scene.repair.begin()
    assert (scene.path.read_bytes() if has_journal else None) == before
    assert scene.path.exists() == has_journal
    assert scene.lines == []
