"""When outputs are looked at: soon, more often while they grow, and once more at the end."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from fakes import FakeClock, utc

from scheduler.process import output_files, output_trim
from scheduler.process.output_files import output_of
from scheduler.process.output_throttle import OutputThrottle
from scheduler.process.output_trim import Trimmed
from scheduler.run import Attempt, Run
from scheduler.runs import output_cap as cap_module
from scheduler.runs.output_cap import OutputCap

if TYPE_CHECKING:
    from pathlib import Path

K = 1024
NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)
linux = pytest.mark.skipif(sys.platform != "linux", reason="holes and leases are Linux's here")


@dataclass
class Scene:
    """Attempts that write to real files, on a clock that moves when it is told to."""

    state: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(utc(2027, 3, 1, 12)))
    looked: list[float] = field(default_factory=list)  # seconds since noon

    def __post_init__(self) -> None:
        self.output_cap = OutputCap(self.clock, self.state, 64 * K)

    def begin(self, run: int = 1) -> Path:
        """Let an attempt begin, with an empty file."""
        path = self.state / output_of(attempt(run))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self.output_cap.add(attempt(run))
        return path

    def pass_(self, seconds: float) -> None:
        """Let time pass, looking as the loop does."""
        until = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < until:
            wait = self.output_cap.next_look()
            wake = until if wait is None else self.clock.now() + timedelta(seconds=wait)
            asyncio.run(self.clock.wait(min(wake, until), asyncio.Event()))
            if self.output_cap.next_look() == 0:
                self.looked.append((self.clock.now() - NOON).total_seconds())
            self.output_cap.look()


def attempt(run: int) -> Attempt:
    return Attempt(Run(run, "job", NOON), 1)


def grow(path: Path, size: int) -> None:
    with path.open("ab") as job:
        job.write(b"x" * size)


def room(path: Path) -> int:
    return path.stat().st_blocks * 512


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_where_nothing_runs_nobody_looks(scene: Scene) -> None:
    assert scene.output_cap.next_look() is None
    scene.output_cap.look()


def test_without_a_bound_nobody_looks(tmp_path: Path) -> None:
    output_cap = OutputCap(FakeClock(utc(2027, 3, 1, 12)), tmp_path, None)
    output_cap.add(attempt(1))
    output_cap.end(attempt(1))
    assert output_cap.next_look() is None


def test_who_does_not_write_is_looked_at_ever_more_seldom(scene: Scene) -> None:
    scene.begin()
    scene.pass_(61)
    assert scene.looked == [1, 3, 7, 15, 30, 45, 60]


def test_who_writes_fast_is_looked_at_each_second(scene: Scene) -> None:
    path = scene.begin()
    for _ in range(5):
        grow(path, 32 * K)
        scene.pass_(1)
    assert scene.looked == [1, 2, 3, 4, 5]


def test_who_writes_slowly_is_looked_at_before_a_quarter_of_the_bound_is_written(
    scene: Scene,
) -> None:
    path = scene.begin()
    for _ in range(300):
        grow(path, 2 * K)
        scene.pass_(1)
    waits = [
        later - sooner for sooner, later in zip(scene.looked[4:], scene.looked[5:], strict=False)
    ]
    assert set(waits) == {8.0}  # 16 K at 2 K a second


@linux
def test_what_is_written_stays_within_the_bound(scene: Scene) -> None:
    path = scene.begin()
    for _ in range(20):
        grow(path, 48 * K)
        scene.pass_(1)
        assert room(path) <= 64 * K + 2 * path.stat().st_blksize


def test_the_end_is_looked_at_once_and_at_once(scene: Scene) -> None:
    path = scene.begin()
    scene.pass_(10)
    grow(path, 1000 * K)
    scene.output_cap.end(attempt(1))
    assert scene.output_cap.next_look() == 0
    scene.output_cap.look()
    assert room(path) <= 64 * K + 2 * path.stat().st_blksize or sys.platform != "linux"
    assert scene.output_cap.next_look() is None


@linux
def test_the_end_of_one_that_is_bounded_elsewhere_waits_until_that_is_over(scene: Scene) -> None:
    throttle = OutputThrottle(64 * K, print, print)
    throttle.close()  # so that it does only what is said here
    scene.output_cap = OutputCap(scene.clock, scene.state, 64 * K, throttle)
    path = scene.begin()
    grow(path, 1000 * K)
    throttle.under_way.add(path)
    scene.output_cap.end(attempt(1))
    scene.pass_(10)
    assert room(path) >= 1000 * K
    throttle.under_way.remove(path)
    scene.pass_(60)
    assert room(path) <= 64 * K + 2 * path.stat().st_blksize
    assert scene.output_cap.next_look() is None


@linux
def test_what_a_job_left_behind_is_looked_at_for_as_long_as_it_can_write(scene: Scene) -> None:
    path = scene.begin()
    with path.open("ab") as log, subprocess.Popen(["sleep", "60"], stdout=log) as child:
        scene.output_cap.end(attempt(1))
        scene.pass_(200)
        assert scene.looked[-2:] == [122, 182]
        child.kill()
    scene.pass_(60)
    assert scene.output_cap.next_look() is None


@linux
def test_what_takes_long_is_done_in_steps(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_trim, "HOLE_BYTES", 64 * K)
    monkeypatch.setattr(cap_module, "_LOOKS_TIME", 0)
    path = scene.begin()
    grow(path, 512 * K)
    scene.output_cap.end(attempt(1))
    rooms = []
    while scene.output_cap.next_look() == 0:
        scene.output_cap.look()
        rooms.append(room(path) // K)
    assert rooms == [448, 384, 320, 256, 192, 128, 64]
    assert scene.output_cap.next_look() is None


def test_a_file_that_is_gone_is_forgotten(scene: Scene) -> None:
    scene.begin().unlink()
    scene.pass_(2)
    assert scene.output_cap.next_look() is None
    scene.output_cap.end(attempt(1))
    assert scene.output_cap.next_look() is None


def test_what_the_disk_refuses_is_tried_again_and_let_go_of_at_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(output_trim, "trim", refused)
    scene.begin()
    scene.pass_(4)
    assert scene.looked == [1, 3]
    scene.output_cap.end(attempt(1))
    scene.output_cap.look()
    assert scene.output_cap.next_look() is None


@pytest.mark.parametrize(
    "number", [errno.EMFILE, errno.ENFILE, errno.EACCES, errno.EIO, errno.ENOMEM]
)
@pytest.mark.parametrize("call", ["os.open", "os.fstat", "os.lseek", "fcntl.fcntl"])
def test_no_call_that_the_system_refuses_ends_a_look_at_other_files(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    for run in (1, 2):
        grow(scene.begin(run), 1000 * K)
        scene.output_cap.end(attempt(run))
    with monkeypatch.context() as accident:
        accident.setattr(call, refused)
        scene.output_cap.look()
    assert scene.output_cap.next_look() is None
    assert len(list(output_files.there(scene.state / "outputs"))) == 2


def test_many_looks_share_a_wake_and_give_way_after_a_slice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in range(1, 11):
        scene.begin(run)
        scene.clock.advance(0.02)
    scene.pass_(0.8 + 0.25)
    assert scene.looked == [1, 1.25]

    def slow(*_: object) -> Trimmed:
        scene.clock.advance(cap_module._LOOKS_TIME)
        return Trimmed(0, is_done=True)

    monkeypatch.setattr(output_trim, "trim", slow)
    for run in range(1, 11):
        scene.output_cap.end(attempt(run))
    scene.output_cap.look()
    assert len(scene.output_cap._watched) == 9
    assert scene.output_cap.next_look() == 0
