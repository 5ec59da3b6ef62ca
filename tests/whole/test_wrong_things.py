"""What has no business in a file's place: no command hangs on it, follows it, or ends in a trace.

Each place of the state and the configuration, each thing that a job or a mistake may put there, each
command; and the daemon itself.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from scheduler.journal.journal import Journal
from scheduler.run import Ending, Exited, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from conftest import Person

NINE = datetime(2027, 3, 29, 7, 0, tzinfo=UTC)
SECRET = b"precious\n"
ELSEWHERE = ("1.1.log", "report/1.1.log")  # in a folder that a link leads to
OUTPUT = "state/outputs/report/1.1.log"


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail if a block takes longer, also inside a call of the system."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError("it hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# --- the things ----------------------------------------------------------------------------------


def home_of(path: Path) -> Path:
    return next(each for each in path.parents if each.name.startswith("test_"))


def link(path: Path) -> None:
    path.symlink_to(home_of(path) / "precious")


def dangling_link(path: Path) -> None:
    path.symlink_to(home_of(path) / "nowhere")


def link_to_folder(path: Path) -> None:
    path.symlink_to(home_of(path) / "elsewhere")


def huge_file(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def unix_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))  # an absolute one is too long


def device(path: Path) -> None:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))  # /dev/zero, which has no end


THINGS = (
    *(os.mkfifo, link, dangling_link, link_to_folder, os.mkdir, huge_file, unix_socket),
    pytest.param(device, marks=pytest.mark.privileged),
)
READING = ("logs report", "history 1", "status", "why report")
WRITING = ("edit", "install {file}", "remove --yes")
ASKING = ("status", "status --check", "trigger report", "pause report", "reload", "list")
PLANNING = ("check", "list", "next -n 3", "simulate --until 2h", "audit")
USED_BY = {
    "crontab": (*PLANNING, "why report", *WRITING),
    **dict.fromkeys((OUTPUT, "state/outputs/report", "state/outputs"), READING),
    "state/versions": WRITING,
    "state/lock": (*ASKING, "logs report --follow"),
    **dict.fromkeys(("run/control.sock", "run/control.lock"), (*ASKING, "install {file}")),
    **dict.fromkeys(
        ("state/journal.db", "state/journal.db-wal", "state/journal.db-shm"),
        ("status --check", *READING, *PLANNING, "install {file}"),
    ),
}


@pytest.fixture
def there(person: Person, monkeypatch: pytest.MonkeyPatch) -> Person:
    """A person whose daemon has run a job, and who edits with something that adds a line."""
    person.has("CRON_NAME=report\n" + person.line("0 9 * * *", "true"))
    (person.home / "precious").write_bytes(SECRET)
    (person.home / "precious").chmod(0o640)
    for name in ELSEWHERE:
        (person.home / "elsewhere" / name).parent.mkdir(parents=True, exist_ok=True)
        (person.home / "elsewhere" / name).write_bytes(SECRET)
    for folder in (person.home / "run", person.state):
        folder.mkdir(mode=0o700)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        run = journal.claim("report", NINE, "Europe/Berlin")
        assert run is not None
        attempt = journal.claim_attempt(run, 1, OUTPUT.removeprefix("state/"))
        assert attempt is not None
        journal.started(attempt, NINE, 4242, None)
        journal.ended(attempt, Ending(Exited(0), NINE))
        journal.finish(run, State.SUCCEEDED)
        journal.daemon_state.set_last_tick(NINE)
    (person.home / OUTPUT).parent.mkdir(parents=True)
    (person.home / OUTPUT).write_text("written\n")
    editor = person.home / "editor"
    editor.write_text('#!/bin/sh\necho "# more" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.chdir(person.home)
    return person


def put(person: Person, place: str, thing: Callable[[Path], None]) -> Path:
    """Put a thing in a place, whatever is there."""
    path = person.crontab if place == "crontab" else person.home / place
    if path.exists():
        path.rename(person.home / "was there")
    thing(path)
    return path


def is_untouched(person: Person) -> bool:
    """Say whether nothing has happened to what a link leads to."""
    file = person.home / "precious"
    is_same = file.read_bytes() == SECRET and file.stat().st_mode & 0o777 == 0o640
    elsewhere = person.home / "elsewhere"
    found = {str(each.relative_to(elsewhere)) for each in elsewhere.rglob("*") if each.is_file()}
    return is_same and found == {*ELSEWHERE} and not (person.home / "nowhere").exists()


@pytest.mark.slow
@pytest.mark.parametrize("place", USED_BY)
@pytest.mark.parametrize("thing", THINGS)
def test_no_command_hangs_follows_or_falls(
    there: Person, thing: Callable[[Path], None], place: str
) -> None:
    """A crontab alone may be a link: many keep theirs with their other files."""
    file = there.file("CRON_NAME=report\n" + there.line("0 9 * * *", "true"), "new.crontab")
    put(there, place, thing)
    for words in USED_BY[place]:
        with within(20):
            result = there.types(*words.format(file=file).split())
        told = result.stdout + result.stderr
        assert result.exit_code in {0, 1, 2, 3}, (words, told)
        assert result.exit_code == 0 or told.strip(), words
        assert "Traceback" not in told, words
        if place != "crontab":
            assert SECRET.decode().strip() not in told, words
            assert is_untouched(there), words


# --- the daemon ----------------------------------------------------------------------------------

NEW_OUTPUT = "state/outputs/report/2.1.log"
IS_UP, HAS_RUN = r" crontabs  ", r"report.*(succeeded|is in its place)|succeeded.*report"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("place", "until"),
    [
        ("crontab", IS_UP),
        (NEW_OUTPUT, IS_UP),
        ("state/outputs/report", HAS_RUN),
        ("state/outputs", HAS_RUN),
        ("state/lock", HAS_RUN),
        ("run/control.sock", HAS_RUN),
        ("run/control.lock", HAS_RUN),
        ("state/journal.db", IS_UP),
        ("state/journal.db-wal", IS_UP),
        ("state/journal.db-shm", IS_UP),
        ("state/high-water", HAS_RUN),
        ("state/endings", HAS_RUN),
    ],
)
@pytest.mark.parametrize("thing", THINGS)
def test_no_daemon_hangs_follows_or_falls(
    there: Person, thing: Callable[[Path], None], place: str, until: str
) -> None:
    """It goes on without what can be done without, and else ends, and says what to move away."""
    there.has(f"CRON_NAME=report\n{there.line('@reboot', 'true')}")
    put(there, place, thing)
    log = there.home / "log"
    with log.open("wb") as stream:
        daemon = there.starts("run", "--log-format", "human", stdout=stream, stderr=stream)
    try:
        with within(40):
            while daemon.poll() is None and not re.search(until, log.read_text()):
                time.sleep(0.05)
            is_up = daemon.poll() is None
            daemon.terminate()
            status = daemon.wait()
    finally:
        daemon.kill()
        daemon.wait()
    told = log.read_text()
    assert "Traceback" not in told
    assert is_untouched(there)
    assert status == (0 if is_up else 1), told
    assert is_up or "move it away" in told
