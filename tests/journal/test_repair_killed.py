"""A repair that is killed, at whichever step: the next daemon knows as much."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakeSpawner
from lost_journal import (
    Scene,
    has_a_log,
    has_lost_old_rows,
    is_text,
    known,
    next_daemon,
)

from scheduler.journal.daemon_state import DaemonState
from scheduler.journal.journal import Journal
from scheduler.journal.salvage import Salvage
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.slow  # many processes that are killed


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


class Killed(BaseException):
    """The daemon is killed."""


@dataclass
class Killer:
    """Kills at the nth step that a repair takes, before it is taken."""

    patch: pytest.MonkeyPatch
    number: int = 0
    steps: int = 0
    left_open: list[Callable[[], object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("rename", "remove"):
            self._count(state_files, name)
        for name in ("count_from", "restore", "close"):
            self._count(Journal, name)
        for name in ("set_last_tick", "set_booted"):
            self._count(DaemonState, name)
        self._count(Salvage, "take_over")
        self._count(FakeSpawner, "survivors")

    def _count(self, owner: object, name: str) -> None:
        real = getattr(owner, name)

        def step(*words: Any, **named: Any) -> Any:
            self.steps += 1
            if self.steps == self.number:
                if name == "close":
                    self.left_open.append(partial(real, *words))
                raise Killed
            return real(*words, **named)

        self.patch.setattr(owner, name, step)


def steps(scene: Scene, act: Callable[[], object], number: int = 0) -> int:
    """Do it, killed at this step; returns how many steps there were."""
    with pytest.MonkeyPatch.context() as patch:
        killer = Killer(patch, number)
        try:
            act()
        except Killed:
            assert killer.steps >= number > 0
            for close in killer.left_open:  # the system does when a process ends
                close()
    scene.repair._last = None  # the next daemon knows of none
    return killer.steps


def parts(path: Path) -> list[Path]:
    return [path, path.with_name(f"{path.name}-wal")]


def scene_of(folder: Path, damage: Callable[[Path], None]) -> Scene:
    folder.mkdir()
    scene = Scene(folder)
    scene.lives()
    scene.starts("long", 4003)
    has_a_log(scene)
    damage(scene.path)
    return scene


@pytest.mark.parametrize("damage", [is_text, has_lost_old_rows])
def test_wherever_a_repair_is_killed_the_next_daemon_knows_as_much(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    scene = scene_of(tmp_path / "0", damage)
    total = steps(scene, lambda: next_daemon(scene))
    told = known(scene.path)
    assert ("last" in str(told)) == (damage is has_lost_old_rows)
    assert "long" in str(told) or damage is has_lost_old_rows  # which its journal did not know
    for number in range(1, total + 1):
        scene = scene_of(tmp_path / str(number), damage)
        before = [path.read_bytes() for path in parts(scene.path)]
        steps(scene, partial(next_daemon, scene), number)
        next_daemon(scene)
        (aside,) = scene.aside()
        assert known(scene.path) == told, number
        kept = [path.read_bytes() for path in parts(aside)]
        assert kept == before or damage is has_lost_old_rows  # whose log SQLite has written into it
        left = [path.name for path in scene.state.iterdir() if ".damaged-" not in path.name]
        assert sorted(left) == ["journal.db", "outputs"], number


def test_wherever_it_is_killed_when_there_was_no_journal_the_next_one_knows_that(
    tmp_path: Path,
) -> None:
    def gone(number: int) -> Scene:
        scene = scene_of(tmp_path / str(number), lambda path: path.unlink())
        assert scene.path.with_name("journal.db-wal").exists()
        return scene

    scene = gone(0)
    total = steps(scene, scene.repair.begin)
    told = known(scene.path)
    assert "long" in str(told)
    for number in range(1, total + 1):
        scene = gone(number)
        steps(scene, scene.repair.begin, number)
        scene.repair.begin()
        assert known(scene.path) == told, number
