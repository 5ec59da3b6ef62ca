"""A job that empties its own output loses nothing, or is seen; and nothing waits for a copier."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from scheduler.entry import Entry, Reboot
from scheduler.journal.journal import Journal
from scheduler.process.launch import Launch
from scheduler.process.output_files import open_output, there
from scheduler.process.output_guard import Means, names_own_streams
from scheduler.process.spawner import RealSpawner
from scheduler.run import Attempt, Ending, Exited, Run, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Person

    from scheduler.process.reaper import Ended

START = datetime(2027, 3, 1, 12, tzinfo=UTC)
SOON = 30.0
HERE = Path(__file__).parent
FOLDERS = ["on the disk", "in memory"]


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.01)


class Stage:
    """A spawner whose jobs write under a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spawner = RealSpawner({"PATH": os.environ["PATH"]}, str(folder), "ada")
        self.number = 0

    def start(self, command: str, job: str = "job") -> tuple[int, Launch]:
        self.number += 1
        entry = Entry(job, Reboot(), "@reboot", ZoneInfo("UTC"), command)
        attempt = Attempt(Run(self.number, job, START), 1)
        launch = self.spawner.prepare(entry, attempt, self.folder / "out" / f"{self.number}.log")
        assert isinstance(launch, Launch)
        pid = self.spawner.start(launch)
        assert isinstance(pid, int)
        return pid, launch

    def end(self, pid: int) -> Ended:
        found: list[Ended] = []

        def has_ended() -> bool:
            found.extend(each for each in self.spawner.ended() if each.pid == pid)
            return bool(found)

        until(has_ended)
        return found[0]

    def run(self, command: str, job: str = "job") -> tuple[str, Ended, Means]:
        """What a job has written by the moment in which its end is told, and that."""
        pid, launch = self.start(command, job)
        ended = self.end(pid)
        text = launch.path.read_text() if launch.path.exists() else ""
        return text, ended, launch.means


@pytest.fixture(params=FOLDERS)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    if request.param == "on the disk":
        yield Stage(tmp_path)
        return
    with TemporaryDirectory(dir="/dev/shm") as folder:
        yield Stage(Path(folder))


# --- which commands get a pipe -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected", "why"),
    [
        ("echo w > /dev/stderr", True, "the shell opens it anew, and truncates"),
        ("echo w >/dev/stdout", True, "or the other one"),
        ("x | tee /dev/stderr", True, "a program does"),
        ("x | tee /dev/fd/2", True, "by the name behind it"),
        ("x --log=/dev/stdout", True, "in an option"),
        ("x >/proc/self/fd/1", True, "and by the name behind that"),
        ("x >/proc/$$/fd/1", True, "or this one"),
        ("echo w >&2", False, "a copy of the descriptor: nothing is opened"),
        ("x > /dev/null 2>&1", False, "another device"),
        ("x < /dev/stdin", False, "its input"),
        ("diff <(a) /dev/fd/63", False, "a pipe of the shell's"),
        ("x /dev/fd/10", False, "no stream of its own"),
        ("x /dev/stderr.log", True, "doubtful: a pipe does no harm"),
        ("x /dev/stdouts", False, "a file of another name"),
        ("x /srv/dev/stdoutlog", False, "of another folder"),
        ("x", False, "nothing of the kind"),
    ],
)
def test_a_command_that_names_its_own_streams_gets_a_pipe(
    command: str, expected: bool, why: str
) -> None:
    assert names_own_streams(command) == expected, why


# --- what is kept --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("echo a; echo w > /dev/stderr; echo b", "a\nw\nb\n"),
        ("echo a; echo w > /dev/stdout; echo b >&2", "a\nw\nb\n"),
        ("echo a; echo b | tee /dev/stderr | tr b c", "a\nb\nc\n"),
        ("echo a; echo b > /proc/self/fd/2", "a\nb\n"),
        ("seq 100000 | tee /dev/stderr | tail -n 1 | sed s/^/last/; : > /dev/stderr", None),
    ],
)
def test_what_it_wrote_is_there_when_its_end_is_told(
    command: str, expected: str | None, stage: Stage
) -> None:
    text, ended, means = stage.run(command)
    assert (ended.outcome, ended.emptied, means) == (Exited(0), False, Means.PIPE)
    if expected is None:
        assert text == "".join(f"{n}\n" for n in range(1, 100001)) + "last100000\n"
    else:
        assert sorted(text) == sorted(expected)


def test_a_job_whose_script_empties_its_output_is_seen_and_gets_a_pipe_from_then_on(
    stage: Stage,
) -> None:
    script = stage.folder / "script"
    script.write_text("echo a; echo b > /dev/stderr; echo c\n")
    command = f"sh {script}"
    seen = [stage.run(command) for _ in range(2)]
    assert [text for text, _, _ in seen] == ["b\nc\n", "a\nb\nc\n"]
    assert [ended.emptied for _, ended, _ in seen] == [True, False]
    assert [means for _, _, means in seen] == [Means.SENTINEL, Means.PIPE]
    assert stage.run(command, "another")[1].emptied, "which is that job's alone"


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("true", "nothing was written"),
        ("echo a; echo b >&2", "what there is was appended"),
        ("seq 100000", "much of it"),
        ("sleep 0.1 & echo a", "somebody still has it open"),
        ("sh -c 'rm -f out/*; echo a'", "it was removed by its job"),
    ],
)
def test_nobody_is_said_to_have_emptied_what_he_did_not(
    command: str, why: str, stage: Stage
) -> None:
    assert not stage.run(command)[1].emptied, why


def test_emptying_an_output_that_is_empty_loses_nothing_but_is_seen(stage: Stage) -> None:
    script = stage.folder / "script"
    script.write_text(": > /dev/stderr\n")
    assert stage.run(f"sh {script}")[1].emptied


@pytest.mark.parametrize("command", ["true", "echo a", "seq 100000"])
def test_the_sentinel_changes_nothing_and_leaves_nothing(command: str, stage: Stage) -> None:
    plain = stage.folder / "plain"
    with plain.open("wb") as file:
        subprocess.run(("sh", "-c", command), check=True, stdout=file)
    pid, launch = stage.start(command)
    stage.end(pid)
    os.sync()
    # Nobody reads it before: the sentinel of a file that somebody has open stays.
    until(lambda: launch.path.stat().st_blocks == plain.stat().st_blocks)
    assert launch.path.read_bytes() == plain.read_bytes()


def test_a_file_whose_sentinel_is_being_removed_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "7.1.log"
    path.write_text("of a journal that was thrown away")
    with path.open("r+b") as held:
        fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        os.close(open_output(path))
    assert path.read_bytes() == b""
    assert (tmp_path / "7.1.old.log").read_text() == "of a journal that was thrown away"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_sentinel_that_cannot_be_removed_keeps_no_other(stage: Stage) -> None:
    remover = stage.spawner.guard._remover
    remover.remove(Path("a name with \0, which no file can have"))
    until(lambda: not remover._is_served)
    pid, launch = stage.start("echo kept")
    if launch.means is Means.SENTINEL:
        assert blocks(launch.path) > 0
    stage.end(pid)
    until(lambda: blocks(launch.path) <= 8)


def blocks(path: Path) -> int:
    return path.stat().st_blocks


def test_an_output_that_is_there_is_never_emptied_nor_written_to(tmp_path: Path) -> None:
    path = tmp_path / "job" / "7.1.log"
    for text in (b"first", b"second", b"third"):
        descriptor = open_output(path)
        os.write(descriptor, text)
        os.close(descriptor)
    found = {each.path.name: each.path.read_bytes() for each in there(tmp_path)}
    assert found == {"7.1.log": b"third", "7.1.old.log": b"first", "7.1.old1.log": b"second"}


# --- copiers -------------------------------------------------------------------------------------


def test_killing_a_jobs_group_does_not_cut_off_what_it_wrote(stage: Stage) -> None:
    pid, launch = stage.start("seq 20000; echo x > /dev/stderr; kill -STOP $$")
    until(lambda: launch.path.exists() and launch.path.read_text().endswith("x\n"))
    assert stage.spawner.signal(pid, signal.SIGKILL)
    stage.end(pid)
    assert launch.path.read_text().count("\n") == 20001


def test_what_it_left_behind_does_not_delay_its_end_and_is_kept(stage: Stage) -> None:
    gate = stage.folder / "gate"
    os.mkfifo(gate)
    pid, launch = stage.start(
        f"echo a > /dev/stderr; (setsid sh -c 'read _ < {gate}; echo late' &); (sleep 1.5 &)"
    )
    stage.end(pid)
    assert launch.path.read_text() == "a\n"
    gate.write_text("go\n")
    until(lambda: launch.path.read_text() == "a\nlate\n")


@pytest.mark.slow
def test_it_is_copied_on_when_the_daemon_is_killed(tmp_path: Path) -> None:
    program = f"""
import os, sys, time
sys.path[:0] = {[str(HERE), str(HERE.parent / "support")]!r}
from pathlib import Path
from test_output_guard import Stage
stage = Stage(Path({str(tmp_path)!r}))
stage.start("echo a; sleep 1; echo b > /dev/stderr; echo c")
os.kill(os.getpid(), 9)
"""
    done = subprocess.run((sys.executable, "-c", program), check=False, timeout=SOON)
    assert done.returncode == -signal.SIGKILL
    until(lambda: (tmp_path / "out/1.log").read_text() == "a\nb\nc\n")


def test_a_full_disk_lets_the_job_go_on(tmp_path: Path) -> None:
    """RLIMIT_FSIZE of the copier stands for the end of the disk."""
    import resource  # noqa: PLC0415 (here alone)

    stage = Stage(tmp_path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        pid, launch = stage.start("seq 100000; echo done > /dev/stderr; exit 3")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert stage.end(pid).outcome == Exited(3)
    assert launch.path.stat().st_size == 10_000


@pytest.mark.slow
def test_no_copier_and_no_descriptor_is_left(stage: Stage) -> None:
    stage.run("echo a > /dev/stderr")
    before = _descriptors()
    for _ in range(5):
        stage.run("echo a > /dev/stderr")
    assert _descriptors() <= before, "fewer, where another test's are closed meanwhile"
    until(lambda: stage.spawner.ended() == [] and not _children())
    assert not stage.spawner.is_settling()


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _children() -> str:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()


# --- what is told of it --------------------------------------------------------------------------


def test_history_and_logs_say_that_an_attempt_emptied_its_output(person: Person) -> None:
    person.state.mkdir(mode=0o700)
    now = START
    with closing(Journal.open(person.state / "journal.db")) as journal:
        run = journal.claim("job", now, "UTC")
        assert run is not None
        attempt = journal.claim_attempt(run, 1, "outputs/job/1.1.log")
        assert attempt is not None
        journal.started(attempt, now, 7, 7)
        journal.ended(attempt, Ending(Exited(0), now, emptied=True))
        journal.finish(run, State.SUCCEEDED)
        assert journal.queries.emptiers() == {"job"}
    output = person.state / "outputs/job/1.1.log"
    output.parent.mkdir(parents=True)
    output.write_text("rest\n")
    words = ("--state", str(person.state))
    told = person.types("logs", "job", *words)
    assert told.stdout == "rest\n"
    assert "emptied its own output" in told.stderr
    assert "exit 0, emptied its output" in person.types("history", *words).output
    (row,) = person.types("history", "--json", *words).output.splitlines()
    assert json.loads(row)["attempts"][0]["output_emptied"]
