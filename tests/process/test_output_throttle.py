"""Programs that write without end: whatever their number, their outputs stay within what is said."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from scheduler.process import file_writers
from scheduler.process.output_throttle import THROTTLE_OVER, OutputThrottle
from scheduler.process.procfs import Process, Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Person

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="holes, /proc and pidfd")

MOST = 1 << 20
ROOM = 32 * THROTTLE_OVER  # what no number of floods takes; each writes more than that
PR_SET_CHILD_SUBREAPER = 36
LONG = "while :; do sleep 1; done"


def flood(command: str = "exec yes") -> str:
    """A command that ends by itself, whoever forgets it, and never keeps a tested thread waiting."""
    return f"ulimit -f {(ROOM + 4 * THROTTLE_OVER) // 512}; exec nice -n 19 /bin/sh -c '{command}'"


@dataclass
class Scene:
    """Files and who writes them, with a throttle between."""

    folder: Path
    told: list[Path] = field(default_factory=list)
    broken: list[Exception] = field(default_factory=list)
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.throttle = OutputThrottle(MOST, self.told.append, self.broken.append)

    def begin(self, command: str, name: str = "1.1.log") -> tuple[Path, subprocess.Popen[bytes]]:
        path = self.folder / name
        with path.open("ab") as output:
            child = subprocess.Popen(["/bin/sh", "-c", command], stdout=output, process_group=0)
        self.children.append(child)
        return path, child


@contextmanager
def nobody_left() -> Iterator[None]:
    """Kill whoever was started meanwhile, also in sessions of their own: they come to this process."""
    before = descendants()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        while left := descendants() - before:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for pid in left:
                with suppress(ChildProcessError):  # its parent has still to die, or has waited
                    os.waitpid(pid, 0)
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def descendants() -> set[int]:
    return {process.pid for process, _ in Processes().descendants(os.getpid())}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with nobody_left():
        found = Scene(tmp_path)
        try:
            yield found
        finally:
            found.throttle.close()
    for child in found.children:
        child.wait()
    for path in tmp_path.glob("*.log"):
        path.unlink()  # of a test that fails pytest keeps the folder
    assert found.broken == []


def room(*paths: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in paths)


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def eventually(is_so: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until, "it never came to be"
        time.sleep(0.01)


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


# --- when something goes wrong on its thread -----------------------------------------------------


def wrong(error: type[BaseException]) -> NoReturn:
    raise error


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


# --- what an earlier daemon left -----------------------------------------------------------------


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


def test_a_number_that_has_gone_round_is_not_signalled(scene: Scene) -> None:
    _, child = scene.begin(LONG)
    process = Processes().find(child.pid)
    assert process is not None
    earlier = Process(process.pid, process.start - 1, leads_session=False)
    assert not scene.throttle._stopped.signal(earlier, signal.SIGKILL)
    assert scene.throttle._stopped.signal(process, signal.SIGSTOP)
    eventually(lambda: state(child.pid) == "T")


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
