"""Programs that write without end: whatever their number, their outputs stay within what is said."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from throttled import LONG, MOST, ROOM, Scene, eventually, nobody_left, room, state, throttled

from scheduler.process import file_writers
from scheduler.process.output_throttle import THROTTLE_OVER, OutputThrottle
from scheduler.process.procfs import Processes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="holes, /proc and pidfd")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with throttled(tmp_path) as scene:
        yield scene


def flood(command: str = "exec yes") -> str:
    """A command that ends by itself, whoever forgets it, and never keeps a tested thread waiting."""
    return f"ulimit -f {(ROOM + 4 * THROTTLE_OVER) // 512}; exec nice -n 19 /bin/sh -c '{command}'"


def write_within_their_room(paths: list[Path]) -> None:
    """See that they take no more than that until more has been written to each."""
    until = time.monotonic() + 100
    while any(path.stat().st_size < ROOM + THROTTLE_OVER for path in paths):
        assert room(*paths) < ROOM, "they grow without end"
        assert time.monotonic() < until, "somebody never goes on"
        time.sleep(0.01)


@pytest.mark.e2e
@pytest.mark.parametrize("number", [1, 2, 4])
def test_any_number_of_floods_is_bounded_and_each_of_them_goes_on(
    scene: Scene, number: int
) -> None:
    begun = [scene.begin(flood(), f"{n}.1.log") for n in range(number)]
    paths = [path for path, _ in begun]
    for path in paths:
        scene.throttle.add(path)
    write_within_their_room(paths)
    assert sorted(scene.told) == sorted(paths), "each is told of once"
    scene.throttle.close()
    assert "T" not in {state(child.pid) for _, child in begun}


@pytest.mark.e2e
@pytest.mark.parametrize("command", ["yes & wait", "yes | cat", "setsid yes & wait", "env -i yes"])
def test_a_flood_is_found_by_its_file_wherever_it_went(scene: Scene, command: str) -> None:
    path, _ = scene.begin(flood(command))
    scene.throttle.add(path)
    write_within_their_room([path])


@pytest.mark.e2e
def test_without_inotify_files_are_looked_at(scene: Scene) -> None:
    scene.throttle._changes.close()
    path, _ = scene.begin(flood())
    scene.throttle.add(path)
    write_within_their_room([path])


@pytest.mark.slow
def test_what_is_quiet_costs_nothing(scene: Scene) -> None:
    path, _ = scene.begin(LONG)
    scene.throttle.add(path)
    eventually(lambda: path in scene.throttle._outputs and not scene.throttle._due)
    eventually(is_undisturbed)
    with path.open("ab") as more:
        more.write(b"x" * (THROTTLE_OVER + 2 * MOST))
    eventually(lambda: room(path) < 2 * MOST)
    scene.throttle.drop(path)
    eventually(lambda: path not in scene.throttle._outputs and not scene.throttle._numbers)


def is_undisturbed() -> bool:
    """Say whether they sleep; a busy machine may let them get there later."""
    before = woken()
    time.sleep(0.6)  # more than twice what passes between two looks
    return woken() == before != []


def woken() -> list[str]:
    """How often the threads of all throttles have been woken."""
    numbers = [each.native_id for each in threading.enumerate() if each.name == "throttle"]
    texts = [Path(f"/proc/self/task/{number}/status").read_text() for number in numbers]
    return [line for text in texts for line in text.splitlines() if "ctxt_switches" in line]


def test_who_writes_much_and_not_too_much_is_never_stopped(scene: Scene) -> None:
    path, child = scene.begin("exec head -c 30000000 /dev/zero")
    scene.throttle.add(path)
    assert child.wait(60) == 0
    scene.throttle.close()
    assert scene.told == []


def wrong(error: type[BaseException]) -> NoReturn:
    raise error


@pytest.mark.slow
@pytest.mark.parametrize("step", ["_wait", "_hear", "_next", "_tell", "signal"])
@pytest.mark.parametrize("error", [RuntimeError, MemoryError, OSError])
def test_what_goes_wrong_once_costs_no_output_its_cap(
    scene: Scene, step: str, error: type[Exception]
) -> None:
    throttle = scene.throttle
    owner = throttle._stopped if step == "signal" else throttle
    right = getattr(owner, step)
    was_wrong = threading.Event()

    def first_wrong(*given: Any) -> Any:
        if was_wrong.is_set() or (step == "_hear" and not throttle._asked):
            return right(*given)
        was_wrong.set()
        raise error

    setattr(owner, step, first_wrong)
    throttle.add(Path("none.log"))  # by whose end the thread has met the step that goes wrong
    eventually(lambda: was_wrong.is_set() or not throttle._asked)
    path, child = scene.begin(LONG)
    throttle.add(path)
    os.truncate(path, THROTTLE_OVER)
    with path.open("ab") as more:
        more.write(b"x" * (THROTTLE_OVER + 2 * MOST))
    eventually(was_wrong.is_set)
    eventually(lambda: room(path) < 2 * MOST)
    eventually(lambda: not throttle._stopped)
    assert state(child.pid) != "T"
    assert [type(each) for each in scene.broken] in ([error], []), "told once, if it is a bug"
    assert error is not RuntimeError or scene.broken != []
    scene.broken.clear()


def test_what_the_loop_left_to_it_is_trimmed_before_it_ends(scene: Scene) -> None:
    path, _ = scene.begin(LONG)
    path.write_bytes(b"x" * THROTTLE_OVER)
    scene.throttle.add(path)
    eventually(lambda: path in scene.throttle._outputs and not scene.throttle._due)
    assert room(path) >= THROTTLE_OVER, "it is not throttled, and left to the loop"
    scene.throttle.close()
    assert room(path) < 2 * MOST


def test_it_leaves_no_pipe(tmp_path: Path) -> None:
    before = pipes()
    throttle = OutputThrottle(MOST, print, print)
    throttle.add(tmp_path / "1.1.log")
    assert len(pipes()) == len(before) + 1
    throttle.close()
    throttle.add(tmp_path / "2.1.log")
    throttle.close()
    assert pipes() == before


def pipes() -> set[str]:
    links = Path("/proc/self/fd").iterdir()
    return {found for each in links if "pipe:" in (found := os.path.realpath(each))}


def test_another_program_that_was_given_the_file_is_not_stopped(tmp_path: Path) -> None:
    """A job may hand its output to a service, over a socket: that is none of the job."""
    path, other = tmp_path / "1.1.log", tmp_path / "2.1.log"
    other.touch()
    with path.open("ab") as output:
        child = subprocess.Popen(["sleep", "60"], stdout=output, start_new_session=True)
    found = Processes()

    def writing(path: Path, leader: int | None, of: int) -> list[int]:
        return [each.pid for _, each in file_writers.writing(found, {path: leader}, of)]

    with child:
        assert writing(path, None, os.getpid()) == [child.pid], "it descends from the daemon"
        assert writing(path, None, child.pid) == [], "it is nobody's"
        assert writing(path, child.pid, child.pid) == [child.pid], "of an earlier daemon's job"
        assert writing(path, 0, child.pid) == [child.pid], "what copies for one"
        assert writing(other, 0, os.getpid()) == [], "it has another file"
        child.kill()


def test_a_file_that_is_gone_or_is_none_is_let_go(scene: Scene) -> None:
    (scene.folder / "fifo").parent.mkdir(exist_ok=True)
    os.mkfifo(scene.folder / "fifo")
    scene.throttle.add(scene.folder / "gone")
    scene.throttle.add(scene.folder / "fifo")
    path, _ = scene.begin(LONG)
    scene.throttle.add(path)
    eventually(lambda: {path, scene.folder / "fifo"} == scene.throttle._outputs.keys())
    scene.throttle.drop(scene.folder / "fifo")
    eventually(lambda: scene.throttle._outputs.keys() == {path})


@pytest.mark.e2e
def test_a_daemon_with_several_floods_keeps_its_disk_and_says_who_they_are(person: Person) -> None:
    text = "".join(f"CRON_NAME=flood{n} @reboot {flood()}\n" for n in range(3))
    words = ("run", person.file(text), "--max-output", "1M", "--grace", "0")
    folders = [person.state / f"outputs/flood{n}" for n in range(3)]
    with nobody_left(), person.starts(*words) as process:
        try:
            eventually(lambda: all(folder.exists() and any(folder.iterdir()) for folder in folders))
            paths = [path for folder in folders for path in folder.iterdir()]
            write_within_their_room(paths)
        finally:
            process.terminate()
            _, errors = process.communicate(timeout=60)
    said = [line for line in errors.decode().splitlines() if " output " in line]
    assert len(said) == 3, errors
    assert "it writes faster than --max-output can be kept to" in said[0]
    for path in paths:
        assert room(path) <= MOST + 2 * path.stat().st_blksize, "in the end it is bounded as any"


TELLING = """
import threading, time
from scheduler.system import state_files
from scheduler.cli import app

class Told(dict):
    def __delitem__(self, key):
        time.sleep(0.2)  # in which a thread that has ended is gone
        print([each.name for each in threading.enumerate()], flush=True)
        super().__delitem__(key)

state_files._kept = Told()
app()
"""


@pytest.mark.e2e
def test_a_daemon_trims_nothing_any_more_when_it_lets_go_of_its_folder(person: Person) -> None:
    """The number of its descriptor may be another file's by then."""
    words = [sys.executable, "-c", TELLING, "run", person.file("@reboot touch ran\n")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, cwd=person.home) as process:
        try:
            eventually(lambda: any((person.state / "outputs").glob("*/*.log")))
        finally:
            process.terminate()
            told = process.communicate(timeout=60)[0].decode().splitlines()
    assert process.returncode == 0
    assert told != []
    assert not [line for line in told if "throttle" in line]
