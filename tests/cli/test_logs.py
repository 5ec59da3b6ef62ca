"""logs of what is long, and logs of what goes on: `--follow`, through the eyes of a person."""

from __future__ import annotations

import errno
import os
import pty
import signal
import subprocess
import sys
from collections import deque
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.cli.commands.logs import SILENCE_TIMEOUT
from scheduler.journal.journal import Journal
from scheduler.process import output_trim
from scheduler.process.procfs import PROC, Processes
from scheduler.run import Attempt, Ending, Exited, Reason, Run, State
from scheduler.system import clock, state_lock
from scheduler.system.boot import boot_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Person
    from typer.testing import Result

NINE = datetime(2027, 3, 29, 7, 0, tzinfo=UTC)  # 09:00 in Berlin
SECOND = timedelta(seconds=1)
linux = pytest.mark.skipif(sys.platform != "linux", reason="holes are Linux's here")


@dataclass
class Scene:
    """A person who looks at a run, and what happens each time that the command rests."""

    person: Person
    journal: Journal
    run: Run
    script: deque[Callable[[], object]] = field(default_factory=deque)
    waits: list[float] = field(default_factory=list)
    held: ExitStack = field(default_factory=ExitStack)

    def rest(self, seconds: float) -> None:
        self.waits.append(seconds)
        assert len(self.waits) < 500, "nothing ends this"
        self.script.popleft()()
        if not self.script:
            self.script.append(lambda: None)

    def types(self, *words: str, script: tuple[Callable[[], object], ...] = ()) -> Result:
        self.script.extend(script or (lambda: None,))
        return self.person.types("logs", *words)

    def begin(
        self, number: int = 1, *, pid: int | None = None, start: int | None = None
    ) -> Attempt:
        attempt = self.journal.claim_attempt(self.run, number, f"outputs/report/1.{number}.log")
        assert attempt is not None
        self.write(number, b"")
        if pid is not None:
            self.journal.started(attempt, NINE, pid, start)
        return attempt

    def write(self, number: int, text: bytes) -> None:
        path = self.person.state / f"outputs/report/1.{number}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as job:
            job.write(text)

    def end(self, number: int, code: int, *, retry: bool = False, last: bytes = b"") -> None:
        self.write(number, last)
        self.journal.ended(Attempt(self.run, number), Ending(Exited(code), NINE + SECOND))
        if retry:
            self.journal.retry(self.run, NINE + 31 * SECOND)
        else:
            self.journal.finish(self.run, State.FAILED if code else State.SUCCEEDED)

    def has_daemon(self) -> None:
        """Let this process have the state folder, as a daemon does."""
        self.held.enter_context(state_lock.held(self.person.state))


@pytest.fixture
def scene(person: Person, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        run = journal.claim("report", NINE, "Europe/Berlin")
        assert run is not None
        scene = Scene(person, journal, run)
        monkeypatch.setattr(clock, "rest", scene.rest)
        with scene.held:
            yield scene


def own_start() -> int:
    process = Processes(PROC, boot_id()).find(os.getpid())
    assert process is not None
    return process.start


def a_dead_pid() -> int:
    child = subprocess.Popen(["true"])
    child.wait()
    return child.pid


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()


# --- what is not kept ----------------------------------------------------------------------------


@pytest.fixture
def long(scene: Scene) -> Scene:
    """A run that wrote 2 MB in lines of 10 bytes, of which 64 KB are kept."""
    scene.begin(1, pid=4242)
    scene.write(1, b"".join(b"%09d\n" % n for n in range(200_000)))
    output_trim.trim(scene.person.state / "outputs/report/1.1.log", 1 << 16)
    scene.end(1, 0)
    return scene


@linux
def test_a_pipe_gets_head_and_tail_and_standard_error_what_is_left_out(long: Scene) -> None:
    result = long.types("report")
    assert "… 1.9 MB left out …" in result.stderr
    assert b"left out" not in result.stdout_bytes
    assert b"\0" not in result.stdout_bytes
    lines = result.stdout_bytes.splitlines(keepends=True)
    assert (lines[0], lines[-1]) == (b"000000000\n", b"000199999\n")
    assert len(result.stdout_bytes) < 1 << 17
    assert lines.count(b"00000327\n") == 1  # what is left of a line
    assert max(map(len, lines)) == 10  # no line is made of two


@linux
def test_on_a_terminal_it_is_told_in_its_place(long: Scene) -> None:
    screen, terminal = pty.openpty()
    process = long.person.starts("logs", "report", stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(screen, 1 << 16):
            shown += piece
    except OSError:  # the terminal's other end is closed
        pass
    os.close(screen)
    assert process.wait(timeout=30) == 0
    head, tail = shown.split("… 1.9 MB left out …".encode())
    assert b"000000001\r\n" in head
    assert head.endswith((b"\r\n", b"m"))  # a line of its own, perhaps in colour
    assert tail.endswith(b"000199999\r\n")


# --- following -----------------------------------------------------------------------------------


def test_what_is_written_is_printed_until_the_end(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=os.getpid(), start=own_start())
    scene.write(1, b"first\n")
    result = scene.types(
        "report",
        "-f",
        script=(
            lambda: scene.write(1, b"second\n"),
            lambda: None,
            lambda: None,
            lambda: None,
            lambda: scene.end(1, 0, last=b"last"),
        ),
    )
    assert (result.stdout, result.exit_code) == ("first\nsecond\nlast", 0)
    assert "attempt 1: running" in result.stderr
    assert "attempt 1: exit 0" in result.stderr
    assert scene.waits == [0.2, 0.2, 0.4, 0.8, 1.0]


def test_a_run_that_is_over_is_printed_and_that_is_it(scene: Scene) -> None:
    scene.begin(pid=4242)
    scene.write(1, b"text")
    scene.end(1, 0)
    assert (scene.types("1", "-f").stdout, scene.waits) == ("text", [])


def test_an_attempt_that_has_not_begun_is_waited_for(scene: Scene) -> None:
    scene.has_daemon()
    attempt = scene.journal.claim_attempt(scene.run, 1, "outputs/report/1.1.log")
    assert attempt is not None
    result = scene.types(
        "report",
        "-f",
        script=(
            lambda: scene.write(1, b"text"),
            lambda: scene.journal.started(attempt, NINE, os.getpid(), own_start()),
            lambda: scene.end(1, 0),
        ),
    )
    assert (result.stdout, result.exit_code) == ("text", 0)


def test_further_attempts_are_told_and_followed(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=os.getpid(), start=own_start())
    scene.write(1, b"one\n")
    result = scene.types(
        "report",
        "-f",
        script=(
            lambda: scene.end(1, 1, retry=True),
            lambda: None,
            lambda: scene.begin(2, pid=os.getpid(), start=own_start()),
            lambda: scene.end(2, 0, last=b"two\n"),
        ),
    )
    assert (result.stdout, result.exit_code) == ("one\ntwo\n", 0)
    told = [line for line in result.stderr.splitlines() if "attempt" in line]
    assert [line.partition("attempt ")[2] for line in told] == [
        "1: running",
        "1: exit 1",
        "2 follows at 09:00:31",
        "2: running",
        "2: exit 0",
    ]


def test_of_one_attempt_that_was_asked_for_the_next_is_not_waited_for(scene: Scene) -> None:
    scene.begin(pid=4242)
    scene.write(1, b"one\n")
    scene.end(1, 1, retry=True)
    result = scene.types("report", "-f", "--attempt", "1")
    assert (result.stdout, result.exit_code, scene.waits) == ("one\n", 0, [])


def test_a_retry_that_does_not_come_is_told_with_its_reason(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=4242)
    scene.end(1, 1, retry=True)
    give_up = (lambda: scene.journal.finish(scene.run, State.FAILED, Reason.SUPERSEDED),)
    result = scene.types("report", "-f", script=give_up)
    assert "attempt 2 does not come: superseded" in result.stderr
    assert result.exit_code == 0


def test_without_a_daemon_nobody_waits_for_a_retry(scene: Scene) -> None:
    scene.begin(pid=4242)
    scene.end(1, 1, retry=True)
    result = scene.types("report", "-f")
    assert "no daemon runs that would start it" in result.stderr
    assert result.exit_code == 1


def test_a_process_that_has_a_dead_daemons_number_is_no_daemon(scene: Scene) -> None:
    (scene.person.state / "lock").write_text(f"{os.getpid()}\n")
    scene.begin(pid=4242)
    scene.end(1, 1, retry=True)
    result = scene.types("report", "-f")
    assert "no daemon runs that would start it" in result.stderr
    assert result.exit_code == 1


def test_without_a_daemon_a_living_job_is_followed_until_its_process_is_gone(scene: Scene) -> None:
    child = subprocess.Popen(["sleep", "60"])
    process = Processes(PROC, boot_id()).find(child.pid)
    assert process is not None
    scene.begin(pid=child.pid, start=process.start)
    result = scene.types(
        "report",
        "-f",
        script=(
            lambda: scene.write(1, b"alone"),
            lambda: None,
            lambda: end(child),
        ),
    )
    assert (result.stdout, result.exit_code) == ("alone", 1)
    assert "its process is gone, and no daemon has told of its end" in result.stderr


@pytest.mark.parametrize("has_daemon", [False, True])
def test_a_process_that_the_system_does_not_tell_of_lives(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, has_daemon: bool
) -> None:
    def untold(*_: object) -> None:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    if has_daemon:
        scene.has_daemon()
    scene.begin(pid=None if has_daemon else a_dead_pid(), start=1)
    monkeypatch.setattr(Processes, "find", untold)
    result = scene.types("report", "-f", script=(*[lambda: None] * 20, lambda: scene.end(1, 0)))
    assert result.exit_code == 0


def test_a_daemon_has_time_to_tell_of_an_end_that_it_looks_for(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=a_dead_pid(), start=1)
    result = scene.types("report", "-f", script=(*[lambda: None] * 20, lambda: scene.end(1, 0)))
    assert result.exit_code == 0


def test_but_not_for_ever(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=a_dead_pid(), start=1)
    result = scene.types("report", "-f")
    assert result.exit_code == 1
    assert SILENCE_TIMEOUT <= sum(scene.waits) <= SILENCE_TIMEOUT + 2


def test_another_process_of_that_number_is_not_the_jobs(scene: Scene) -> None:
    scene.begin(pid=os.getpid(), start=own_start() + 1)
    assert scene.types("report", "-f").exit_code == 1


def test_a_run_that_is_no_longer_kept_is_said_to_be_gone(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=os.getpid(), start=own_start())
    forget = (lambda: scene.journal.connection._sqlite.execute("DELETE FROM run"),)
    result = scene.types("report", "-f", script=forget)
    assert "does not keep run 1 any more" in result.stderr
    assert result.exit_code == 1


def test_an_output_that_its_job_empties_is_told(scene: Scene) -> None:
    scene.has_daemon()
    scene.begin(pid=os.getpid(), start=own_start())
    scene.write(1, b"half a line")
    path = scene.person.state / "outputs/report/1.1.log"
    result = scene.types(
        "report", "-f", script=(lambda: path.write_bytes(b"new\n"), lambda: scene.end(1, 0))
    )
    assert result.stdout == "half a line\nnew\n"
    assert "the job has emptied its output" in result.stderr


def test_ctrl_c_ends_it_with_130(scene: Scene) -> None:
    scene.begin(pid=os.getpid(), start=own_start())
    scene.write(1, b"so far\n")
    process = scene.person.starts("logs", "report", "--follow")
    assert process.stdout is not None
    assert process.stdout.readline() == b"so far\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in told
    assert Path(scene.person.state / "outputs/report/1.1.log").exists()
