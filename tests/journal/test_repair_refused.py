"""A repair that the system refuses, whole or in part: what is said of it, and what stays."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from fakes import FakeSpawner
from lost_journal import (
    Scene,
    is_text,
)

from scheduler.errors import JournalDamaged, MeridianError
from scheduler.system import state_files

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.run import Attempt


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_one_that_can_not_be_written_to_its_end_takes_no_place(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log would have to go with it: another reader stands for a disk without room here."""
    others: list[sqlite3.Connection] = []

    def reads(*_: object) -> dict[Attempt, int]:
        others.append(sqlite3.connect(scene.path.with_name("journal.db.half")))
        others[0].execute("SELECT * FROM run").fetchall()
        return {}

    is_text(scene.path)
    monkeypatch.setattr(FakeSpawner, "survivors", reads)
    with pytest.raises(MeridianError, match="can't be written to its end"):
        scene.renews()
    others[0].close()
    assert scene.path.read_text().startswith("30 7")


def test_where_it_can_not_be_moved_nothing_is_begun(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, target: Path) -> None:
        if ".damaged-" in target.name:
            raise OSError(30, "Read-only file system")
        real(path, target)

    real = state_files.rename
    is_text(scene.path)
    with monkeypatch.context() as accident:
        accident.setattr(state_files, "rename", refused)
        with pytest.raises(MeridianError, match="can't be begun anew: Read-only"):
            scene.renews()
    assert scene.path.read_text().startswith("30 7")
    scene.repair.begin()
    assert [path.name for path in scene.state.iterdir()] == ["journal.db"]


def test_outputs_that_can_not_be_read_are_not_none(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(24, "Too many open files")

    scene.starts("long", 7)
    with monkeypatch.context() as accident:
        accident.setattr("os.scandir", refused)
        with pytest.raises(MeridianError, match="can't be begun anew: Too many open files"):
            scene.repair.begin()
    assert not scene.path.exists()


@pytest.mark.parametrize("part", [".half", ".half-wal", ".new", ".new-shm"])
def test_a_folder_in_the_place_of_a_new_journal_is_named(scene: Scene, part: str) -> None:
    scene.lives()
    folder = scene.state / f"journal.db{part}"
    folder.mkdir()
    with pytest.raises(MeridianError, match=f"a folder is in the place of {folder}; move it away"):
        scene.repair.begin()
    folder.rmdir()
    scene.repair.begin()


@pytest.mark.parametrize("name", ["high-water", "endings"])
def test_a_file_beside_the_journal_that_can_not_be_written_is_told_once(
    scene: Scene, name: str
) -> None:
    scene.lives()
    (scene.state / name).mkdir()
    lives = iter([JournalDamaged("it is damaged"), None])

    def live() -> None:
        if damage := next(lives):
            raise damage

    scene.repair.keep(live)
    (told,) = [line for line in scene.lines if '"unwritable"' in line]
    assert f'"file": "{scene.state / name}", "why": "a folder is in its place"' in told


def test_files_that_can_be_written_are_not_told_of(scene: Scene) -> None:
    scene.repair.keep(lambda: None)
    assert scene.lines == []
