"""Programs that write without end: whatever their number, their outputs stay within what is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.floods import OVER, Floods
from scheduler.proc import Process, Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Person

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="holes, /proc and pidfd")

MOST = 1 << 20
ROOM = 1 << 30  # what no number of floods comes near: it is written in a second
LONG = "while :; do sleep 1; done"


@dataclass
class Scene:
    """Files and who writes them, with `Floods` between."""

    folder: Path
    told: list[Path] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.floods = Floods(MOST, self.told.append)

    def begin(self, command: str, name: str = "1.1.log") -> tuple[Path, subprocess.Popen[bytes]]:
        path = self.folder / name
        with path.open("ab") as output:
            child = subprocess.Popen(["/bin/sh", "-c", command], stdout=output, process_group=0)
        self.children.append(child)
        return path, child

    def end(self) -> None:
        self.floods.close()
        for child in self.children:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    found = Scene(tmp_path)
    yield found
    found.end()


def room(*paths: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in paths)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def eventually(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.01)


def largest(paths: list[Path], written: int) -> int:
    """The most that these files take together until so many bytes have been written to each."""
    most = 0
    until = time.monotonic() + 100
    while any(path.stat().st_size < written for path in paths):
        most = max(most, room(*paths))
        assert most < ROOM, "they grow without end"
        assert time.monotonic() < until, "somebody never goes on"
        time.sleep(0.01)
    return most


@pytest.mark.e2e
@pytest.mark.parametrize("number", [1, 3, 6])
def test_any_number_of_floods_is_bounded_and_each_of_them_goes_on(
    scene: Scene, number: int
) -> None:
    begun = [scene.begin("exec yes", f"{n}.1.log") for n in range(number)]
    paths = [path for path, _ in begun]
    for path in paths:
        scene.floods.add(path)
    assert largest(paths, written=4 * OVER) < ROOM
    assert sorted(scene.told) == sorted(paths), "each is told of once"
    scene.floods.close()
    assert {state(child.pid) for _, child in begun} <= {"R", "S", "D"}


@pytest.mark.e2e
@pytest.mark.parametrize("command", ["yes & wait", "yes | cat", "setsid yes & wait", "env -i yes"])
def test_a_flood_is_found_by_its_file_wherever_it_went(scene: Scene, command: str) -> None:
    path, _ = scene.begin(command)
    scene.floods.add(path)
    assert largest([path], written=4 * OVER) < ROOM


@pytest.mark.e2e
def test_without_inotify_files_are_looked_at(scene: Scene) -> None:
    scene.floods._changes.close()
    path, _ = scene.begin("exec yes")
    scene.floods.add(path)
    assert largest([path], written=4 * OVER) < 2 * ROOM


def test_what_is_quiet_costs_nothing(scene: Scene) -> None:
    path, _ = scene.begin(LONG)
    scene.floods.add(path)
    eventually(lambda: path in scene.floods._watched and not scene.floods._due)
    time.sleep(0.1)  # until it waits
    before = woken()
    time.sleep(0.6)
    assert woken() == before != []
    with path.open("ab") as more:
        more.write(b"x" * (OVER + 2 * MOST))
    eventually(lambda: room(path) < 2 * MOST)
    scene.floods.drop(path)
    eventually(lambda: path not in scene.floods._watched and not scene.floods._numbers)


def woken() -> list[str]:
    """How often the threads of all floods have been woken."""
    numbers = [each.native_id for each in threading.enumerate() if each.name == "floods"]
    texts = [Path(f"/proc/self/task/{number}/status").read_text() for number in numbers]
    return [line for text in texts for line in text.splitlines() if "ctxt_switches" in line]


def test_who_writes_much_and_not_too_much_is_never_stopped(scene: Scene) -> None:
    path, child = scene.begin("exec head -c 30000000 /dev/zero")
    scene.floods.add(path)
    assert child.wait(60) == 0
    scene.floods.close()
    assert scene.told == []
    scene.children.clear()


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
        scene.floods.add(path, pid)
        eventually(lambda: state(pid) != "T")
    assert scene.told == []


@pytest.mark.parametrize(("size", "is_met"), [(MOST // 2, True), (100 * MOST, False)])
def test_whom_somebody_else_has_stopped_stays_so(scene: Scene, size: int, is_met: bool) -> None:
    with left_stopped(scene, size) as (path, pid):
        scene.floods.add(path, pid if is_met else None)
        eventually(lambda: path in scene.floods._watched and not scene.floods._due)
        assert state(pid) == "T"


def test_a_stranger_who_was_given_the_file_is_not_stopped(tmp_path: Path) -> None:
    """A job may hand its output to a service, over a socket: that is none of the job."""
    path, other = tmp_path / "1.1.log", tmp_path / "2.1.log"
    other.touch()
    with path.open("ab") as output:
        child = subprocess.Popen(["sleep", "60"], stdout=output, start_new_session=True)
    found = Processes()

    def writing(path: Path, leader: int | None, of: int) -> list[int]:
        return [each.pid for _, each in found.writing({path: leader}, of)]

    with child:
        assert writing(path, None, os.getpid()) == [child.pid], "it descends from the daemon"
        assert writing(path, None, child.pid) == [], "it is nobody's"
        assert writing(path, child.pid, child.pid) == [child.pid], "of an earlier daemon's job"
        assert writing(path, 0, child.pid) == [child.pid], "what copies for one"
        assert writing(other, 0, os.getpid()) == [], "it has another file"
        child.kill()


def test_a_number_that_has_gone_round_is_not_signalled(scene: Scene) -> None:
    _, child = scene.begin(LONG)
    process = Processes().find(child.pid)
    assert process is not None
    earlier = Process(process.pid, process.start - 1, leads_session=False)
    assert not scene.floods._signal(earlier, signal.SIGKILL)
    assert scene.floods._signal(process, signal.SIGSTOP)
    eventually(lambda: state(child.pid) == "T")


def test_a_file_that_is_gone_or_is_none_is_let_go(scene: Scene) -> None:
    (scene.folder / "fifo").parent.mkdir(exist_ok=True)
    os.mkfifo(scene.folder / "fifo")
    scene.floods.add(scene.folder / "gone")
    scene.floods.add(scene.folder / "fifo")
    path, _ = scene.begin(LONG)
    scene.floods.add(path)
    eventually(lambda: {path, scene.folder / "fifo"} == scene.floods._watched.keys())
    scene.floods.drop(scene.folder / "fifo")
    eventually(lambda: scene.floods._watched.keys() == {path})


@pytest.mark.e2e
def test_a_daemon_with_several_floods_keeps_its_disk_and_says_who_they_are(person: Person) -> None:
    text = "".join(f"CRON_NAME=flood{n} @reboot yes\n" for n in range(3))
    words = ("run", person.file(text), "--max-output", "1M", "--grace", "0")
    process = person.starts(*words)
    folders = [person.state / f"outputs/flood{n}" for n in range(3)]
    try:
        eventually(lambda: all(folder.exists() and any(folder.iterdir()) for folder in folders))
        paths = [path for folder in folders for path in folder.iterdir()]
        assert largest(paths, written=4 * OVER) < ROOM
    finally:
        process.terminate()
        _, errors = process.communicate(timeout=60)
    said = [line for line in errors.decode().splitlines() if " output " in line]
    assert len(said) == 3, errors
    assert "it writes faster than --max-output can be kept to" in said[0]
    for path in paths:
        assert room(path) <= MOST + 2 * path.stat().st_blksize, "in the end it is bounded as any"
