"""Processes that an earlier daemon started: looked for, since their end is told to nobody."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import Act, FakeSpawner
from supervised import KILL, LEAVER, LONG, NOON, TERM, Scene, ended

from scheduler.run import Attempt, Reason, Run
from scheduler.runs.supervisor import _LOOK_AT_ADOPTED, Running

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    ended(scene)


def test_an_adopted_process_has_to_be_looked_for(scene: Scene) -> None:
    running = scene.start("job", Act(lasts=100), is_adopted=True)
    assert scene.supervisor.next_signal() == _LOOK_AT_ADOPTED
    scene.pass_(99)
    assert list(scene.supervisor.vanished()) == []
    scene.pass_(1)
    assert list(scene.supervisor.vanished()) == [running]
    assert (len(scene.supervisor), scene.supervisor.next_signal()) == (0, None)


def test_a_pid_that_is_another_process_now_is_no_adopted_one(scene: Scene) -> None:
    running = scene.start("job", LONG, is_adopted=True)
    scene.spawner._groups[running.pid].started += 1
    assert list(scene.supervisor.vanished()) == [running]


def test_an_adopted_process_has_its_timeout_too(scene: Scene) -> None:
    running = scene.start("job", LONG, timeout=10, is_adopted=True)
    assert scene.supervisor.next_signal() == 10
    scene.pass_(10)
    assert scene.told(running) == [(10, TERM)]
    assert scene.pass_(0) == [], "nobody tells of its end"
    assert list(scene.supervisor.vanished()) == [running]


@pytest.mark.parametrize(
    ("age", "is_adopted", "expected", "why"),
    [
        (4, True, 6, "what it ran before counts"),
        (10, True, 0, "its time is just over"),
        (86400, True, 0, "long over"),
        (0, True, 10, "it began just now"),
        (4, False, 10, "a child's time counts from here"),
    ],
)
def test_a_timeout_counts_from_the_start_whatever_the_clock_says(
    scene: Scene, age: float, is_adopted: bool, expected: float, why: str
) -> None:
    scene.start("job", LONG, timeout=10, age=age, is_adopted=is_adopted)
    assert scene.supervisor.next_signal() == expected, why


@pytest.mark.parametrize("act", [LONG, LEAVER])
def test_no_signal_reaches_another_process_of_that_number(scene: Scene, act: Act) -> None:
    running = scene.start("job", act, timeout=10, is_adopted=True)
    scene.spawner._groups[running.pid].started += 1
    scene.supervisor.terminate(running, Reason.REPLACED)
    scene.pass_(30)
    scene.supervisor.end_all()
    assert list(scene.supervisor.vanished()) == [running]
    scene.supervisor.end_all()
    assert (scene.told(running), len(scene.supervisor)) == ([], 0)


def test_what_an_adopted_process_left_behind_is_ended_with_it(scene: Scene) -> None:
    """No number goes round while a part of its group lives."""
    running = scene.start("job", LEAVER, timeout=30, is_adopted=True)
    scene.pass_(31)
    assert list(scene.supervisor.vanished()) == [running]
    assert len(scene.supervisor) == 1
    scene.pass_(10)
    assert scene.told(running) == [(30, TERM), (40, KILL)]


def hide(scene: Scene, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system not tell who has its number."""

    def hidden(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(FakeSpawner, "started_at", hidden)
    running.output = Path("output")
    scene.spawner.held = {Path("output")}


def test_where_its_number_is_hidden_whoever_has_its_output_open_stands_for_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process with that number does not: else it would count as the job for ever."""
    running = scene.start("job", LONG, is_adopted=True)
    hide(scene, running, monkeypatch)
    assert list(scene.supervisor.vanished()) == []
    scene.pass_(1)
    scene.spawner.held.clear()
    assert list(scene.supervisor.vanished()) == [running]
    scene.supervisor.end_all()
    assert scene.told(running) == []


def test_a_process_that_is_hidden_is_watched_by_its_output_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = scene.start("other", LONG, timeout=10)
    entry, attempt = other.entry, Attempt(Run(9, "job", NOON), 1)
    running = Running(entry, attempt, 0, NOON, NOON, adopted=0)
    hide(scene, running, monkeypatch)
    scene.supervisor.add(running)
    assert (scene.supervisor.find(9), list(scene.supervisor.vanished())) == (running, [])
    scene.supervisor.terminate(running, Reason.KILLED)
    scene.pass_(30)
    assert [pid for _, pid, _ in scene.spawner.signals] == [other.pid], "nobody else is signalled"
    scene.spawner.held.clear()
    assert list(scene.supervisor.vanished()) == [running]
    assert len(scene.supervisor) == 0


def test_a_stop_does_not_wait_for_who_is_hidden(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can end it, and the next daemon finds it by its output."""
    other = scene.start("other", LONG)
    running = Running(other.entry, Attempt(Run(9, "job", NOON), 1), 0, NOON, NOON, adopted=0)
    hide(scene, running, monkeypatch)
    scene.supervisor.add(running)
    assert len(scene.supervisor) == 2
    scene.supervisor.end_all()
    assert list(scene.supervisor.all()) == [other]
    assert scene.supervisor.find(9) is None


# --- what can't be told ---------------------------------------------------------------------------


def test_an_adopted_process_lives_until_the_system_tells_otherwise(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its job would be started beside it."""

    def untold(*_: object) -> int:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    running = scene.start("job", LONG, timeout=30, is_adopted=True)
    with monkeypatch.context() as accident:
        accident.setattr(FakeSpawner, "started_at", untold)
        assert list(scene.supervisor.vanished()) == []
        scene.pass_(30)
        assert scene.told(running) == [(30, TERM)]
        assert list(scene.supervisor.vanished()) == []
        assert scene.supervisor.knows(running.pid)
    scene.pass_(1)
    assert list(scene.supervisor.vanished()) == [running]
