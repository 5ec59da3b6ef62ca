"""Terminals show a notification to whoever sits there, and to nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pseudo_terminals import is_silent, seen

from scheduler.errors import NotifyError
from scheduler.system import desktop_terminal
from scheduler.system.desktop_terminal import MOST_LOGINS
from scheduler.system.notification import Notification, safe
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def shown(title: str, text: str, device: Path, timeout: float = 10.0) -> None:
    words = safe(Notification(title, text))
    desktop_terminal.show(words, TimeLimit(timeout), device, Path("/nonexistent"))


def test_the_terminal_shows_title_and_text_and_rings(terminal: tuple[int, int]) -> None:
    person, device = terminal
    where = Path(os.ttyname(device))
    shown("Take a break", "one\ntwo", where)
    assert seen(person) == "\n\aTake a break\n  one\n  two\n"


def test_a_long_line_is_broken_at_a_blank(terminal: tuple[int, int]) -> None:
    person, device = terminal
    shown("word " * 20, f"{'word ' * 20}{'x' * 90}", Path(os.ttyname(device)))
    lines = seen(person).splitlines()
    assert [len(line) for line in lines[1:]] == [75, 24, 76, 26, 92], lines


def test_no_escape_sequence_reaches_the_terminal(terminal: tuple[int, int]) -> None:
    person, device = terminal
    where = Path(os.ttyname(device))
    shown("\x1b[2Jtitle", "\x1b]52;c;cm0=\x07\x9bA", where)
    assert seen(person) == "\n\a[2Jtitle\n  ]52;c;cm0=A\n"


def test_a_stopped_terminal_is_given_up_in_time(terminal: tuple[int, int]) -> None:
    _, device = terminal
    termios.tcflow(device, termios.TCOOFF)  # what Ctrl-S does
    with pytest.raises(NotifyError, match=r"the terminal took nothing for 0.2 s"):
        shown("Title", "", Path(os.ttyname(device)), 0.2)
    termios.tcflow(device, termios.TCOON)


def test_a_full_device_is_said() -> None:
    with pytest.raises(NotifyError, match=r"the terminal takes nothing .No space left"):
        shown("Title", "", Path("/dev/full"))


ALONE = (
    "import fcntl, termios\n"
    "from pathlib import Path\n"
    "from scheduler.system import desktop_terminal\n"
    "from scheduler.system.notification import Notification\n"
    "from scheduler.system.time_limit import TimeLimit\n"
    "{before}\n"
    "words = Notification('Take a break')\n"
    "desktop_terminal.show(words, TimeLimit(10), None, Path({devices!r}))\n"
    "print('terminal')"
)

NONE = "/nonexistent"


@pytest.mark.parametrize(
    ("before", "stderr"),
    [
        ("fcntl.ioctl(0, termios.TIOCSCTTY, 0)", "elsewhere"),
        ("", "the terminal"),
    ],
    ids=["its controlling terminal", "its stderr, where that is a terminal"],
)
def test_a_program_writes_to(before: str, stderr: str, terminal: tuple[int, int]) -> None:
    person, device = terminal
    done = subprocess.run(
        [sys.executable, "-c", ALONE.format(before=before, devices=NONE)],
        stdin=device,
        stdout=subprocess.PIPE,
        stderr=device if stderr == "the terminal" else subprocess.DEVNULL,
        start_new_session=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout == "terminal\n"
    assert seen(person) == "\n\aTake a break\n"


@pytest.fixture
def logins(tmp_path: Path) -> Iterator[Callable[[int], list[int]]]:
    """A /dev with so many terminals of this user, the first used last; what the person sees."""
    opened: list[int] = []

    def make(count: int) -> list[int]:
        (tmp_path / "pts").mkdir()
        persons = []
        for number in range(count):
            person, device = pty.openpty()
            opened.extend((person, device))
            persons.append(person)
            os.utime(os.ttyname(device), (2_000_000_000 - number, 0))
            (tmp_path / "pts" / str(number)).symlink_to(os.ttyname(device))
        return persons

    yield make
    for descriptor in opened:
        os.close(descriptor)


def as_a_job(devices: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ALONE.format(before="", devices=str(devices))],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_job_writes_to_the_terminals_its_user_used_last(
    logins: Callable[[int], list[int]], tmp_path: Path
) -> None:
    persons = logins(MOST_LOGINS + 1)
    assert as_a_job(tmp_path).stdout == "terminal\n"
    assert [seen(person) for person in persons[:-1]] == ["\n\aTake a break\n"] * MOST_LOGINS
    assert is_silent(persons[-1])


def test_one_terminal_that_takes_nothing_does_not_keep_it_from_the_others(
    logins: Callable[[int], list[int]], tmp_path: Path
) -> None:
    stopped, person = logins(2)
    (tmp_path / "pts" / "9").write_text("a file is no terminal")
    device = os.open(os.path.realpath(tmp_path / "pts" / "0"), os.O_RDWR | os.O_NOCTTY)
    termios.tcflow(device, termios.TCOOFF)
    assert desktop_terminal.tell_logins(b"words", TimeLimit(0.4), tmp_path)
    assert seen(person) == "words"
    (tmp_path / "pts" / "1").unlink()
    assert not desktop_terminal.tell_logins(b"words", TimeLimit(0.4), tmp_path)
    assert is_silent(stopped)
    os.close(device)


def test_terminals_of_others_are_left_alone_and_roots_consoles_are_nobodys(
    logins: Callable[[int], list[int]], tmp_path: Path
) -> None:
    logins(1)
    (tmp_path / "tty1").symlink_to(os.path.realpath(tmp_path / "pts" / "0"))
    me = os.geteuid()
    assert desktop_terminal.logins(tmp_path, me + 1) == []
    assert len(desktop_terminal.logins(tmp_path, me)) == (2 if me else 1)
