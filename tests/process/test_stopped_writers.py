"""Whoever is stopped for what they write goes on, whatever goes wrong; nobody else is signalled."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

import pytest
from throttled import LONG, MOST, Scene, eventually, state, throttled

from scheduler.process.procfs import Process, Processes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="holes, /proc and pidfd")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with throttled(tmp_path) as scene:
        yield scene


def wrong(error: type[BaseException]) -> NoReturn:
    raise error


def stopped(scene: Scene) -> tuple[Path, int]:
    """Let somebody be stopped, and be noted as such."""
    path, child = scene.begin(LONG)
    process = Processes().find(child.pid)
    assert process is not None
    os.kill(child.pid, signal.SIGSTOP)
    eventually(lambda: state(child.pid) == "T")
    scene.throttle._ask(
        lambda: scene.throttle._stopped._by_output.setdefault(path, []).append(process)
    )
    return path, child.pid


def test_who_cannot_be_told_to_go_on_for_want_of_descriptors_is_told_later(scene: Scene) -> None:
    refused = threading.Event()
    signalled = scene.throttle._stopped.signal

    def without_room(process: Process, number: signal.Signals) -> bool:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
        try:
            return signalled(process, number)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            scene.throttle._stopped.signal = signalled  # type: ignore[method-assign]  # there is room again
            refused.set()

    scene.throttle._stopped.signal = without_room  # type: ignore[method-assign]  # as in a full process
    _, pid = stopped(scene)
    eventually(refused.is_set)
    eventually(lambda: state(pid) != "T")
    assert len(scene.broken) == 1
    scene.broken.clear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nobody_stays_stopped_when_the_thread_dies(scene: Scene) -> None:
    scene.throttle._next = partial(wrong, SystemExit)  # type: ignore[method-assign]  # as a real one
    _, pid = stopped(scene)
    eventually(lambda: state(pid) != "T")


@contextmanager
def left_stopped(scene: Scene, size: int) -> Iterator[tuple[Path, int]]:
    """A writer that a daemon had stopped when it was killed; its output had become a hole."""
    path, child = scene.begin(LONG)
    os.truncate(path, size)
    os.kill(child.pid, signal.SIGSTOP)
    eventually(lambda: state(child.pid) == "T")
    yield path, child.pid


def test_the_next_daemon_lets_go_on_whom_a_killed_one_had_stopped(scene: Scene) -> None:
    with left_stopped(scene, 100 * MOST) as (path, pid):
        scene.throttle.add(path, pid)
        eventually(lambda: state(pid) != "T")
    assert scene.told == []


@pytest.mark.parametrize(("size", "is_inherited"), [(MOST // 2, True), (100 * MOST, False)])
def test_whom_somebody_else_has_stopped_stays_so(
    scene: Scene, size: int, is_inherited: bool
) -> None:
    with left_stopped(scene, size) as (path, pid):
        scene.throttle.add(path, pid if is_inherited else None)
        eventually(lambda: path in scene.throttle._outputs and not scene.throttle._due)
        assert state(pid) == "T"


def test_a_number_that_has_gone_round_is_not_signalled(scene: Scene) -> None:
    _, child = scene.begin(LONG)
    process = Processes().find(child.pid)
    assert process is not None
    earlier = Process(process.pid, process.start - 1, leads_session=False)
    assert not scene.throttle._stopped.signal(earlier, signal.SIGKILL)
    assert scene.throttle._stopped.signal(process, signal.SIGSTOP)
    eventually(lambda: state(child.pid) == "T")
