"""Notifications are shown, never run; something always takes them or says why not, in time."""

import os
import pty
import select
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notification_words import HARMLESS, HOSTILE, NOWHERE

from scheduler.errors import NotifyError
from scheduler.system import desktop as module
from scheduler.system.desktop import OSASCRIPT, TEXT_LIMIT, TITLE_LIMIT, notify


@pytest.fixture
def mac(tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Installs an `osascript` with the given shell text; returns an environment that finds it."""

    def install(shell: str) -> dict[str, str]:
        program = tmp_path / "bin" / "osascript"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{shell}\n")
        program.chmod(0o755)
        return {"PATH": f"{program.parent}:/usr/bin:/bin", "DIR": str(tmp_path)}

    return install


RECORD = """printf '%s\\0' "$@" > "$DIR/argv" """


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """Both ends of a pseudo-terminal: what a person sees, what programs write to."""
    person, device = pty.openpty()
    try:
        yield person, device
    finally:
        os.close(person)
        os.close(device)


def seen(person: int) -> str:
    ready, _, _ = select.select([person], [], [], 5)
    assert ready, "the terminal shows nothing"
    return os.read(person, 65536).decode().replace("\r", "")


@pytest.mark.parametrize(("raw", "shown", "why"), HARMLESS, ids=[row[2] for row in HARMLESS])
def test_what_commands_a_terminal_is_dropped(raw: str, shown: str, why: str) -> None:
    assert module._plain(raw) == shown, why


@given(st.text(st.characters()))
def test_whatever_is_left_is_printable_and_encodable(text: str) -> None:
    left = module._plain(text)
    left.encode()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in left if c not in "\n\t")


@pytest.mark.parametrize("title", ["", "  ", "\0", "\x1b\x07", "\u202e"])
def test_a_title_nobody_could_see_is_refused(title: str) -> None:
    with pytest.raises(NotifyError, match="needs a title"):
        notify(title, "text", environ={}, terminal=NOWHERE)


@pytest.mark.parametrize(("words", "why"), HOSTILE, ids=[row[1] for row in HOSTILE])
def test_osascript_gets_title_and_text_as_arguments_unchanged(
    words: str, why: str, mac: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    environ = mac(RECORD)
    assert notify(words, words, environ=environ, platform="darwin") == "osascript"
    argv = (tmp_path / "argv").read_bytes().decode().split("\0")[:-1]
    assert argv == [*OSASCRIPT, words, words], why


def test_the_script_is_fixed_and_ends_its_own_options() -> None:
    assert OSASCRIPT[-1] == "--"
    assert [word for word in OSASCRIPT[::2] if word != "--"] == ["-e", "-e", "-e"]


def test_long_words_are_cut(mac: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    notify("t" * 10**6, "x" * 10**6, environ=mac(RECORD), platform="darwin")
    *_, title, text, _ = (tmp_path / "argv").read_bytes().decode().split("\0")
    assert (len(title), len(text)) == (TITLE_LIMIT, TEXT_LIMIT)
    assert title.endswith("…")
    assert text.endswith("…")


def test_a_title_is_one_line(mac: Callable[[str], dict[str, str]], tmp_path: Path) -> None:
    notify(" Take\na\t break ", "now", environ=mac(RECORD), platform="darwin")
    *_, title, _, _ = (tmp_path / "argv").read_bytes().decode().split("\0")
    assert title == "Take a break"


def test_a_failing_osascript_leaves_it_to_the_terminal(
    mac: Callable[[str], dict[str, str]], terminal: tuple[int, int]
) -> None:
    person, device = terminal
    environ = mac("echo 'not allowed' >&2; exit 3")
    way = notify(
        "Take a break", environ=environ, platform="darwin", terminal=Path(os.ttyname(device))
    )
    assert way == "terminal"
    assert "Take a break" in seen(person)


@pytest.mark.parametrize(
    ("shell", "complaint"),
    [
        ("echo 'not allowed' >&2; exit 3", r"osascript ended with 3 \(not allowed\)"),
        ("exit 3", r"osascript ended with 3;"),
        ("kill -9 $$", r"osascript ended with -9"),
    ],
)
def test_what_osascript_said_is_in_the_error(
    shell: str, complaint: str, mac: Callable[[str], dict[str, str]]
) -> None:
    with pytest.raises(NotifyError, match=complaint):
        notify("Title", environ=mac(shell), platform="darwin", terminal=NOWHERE)


def test_an_osascript_that_cannot_be_started_is_said(
    mac: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    environ = mac("")
    (tmp_path / "bin" / "osascript").write_text("#!/nonexistent/interpreter\n")
    with pytest.raises(NotifyError, match="could not be started"):
        notify("Title", environ=environ, platform="darwin", terminal=NOWHERE)


def test_a_mac_without_osascript_on_its_path_is_said() -> None:
    with pytest.raises(NotifyError, match=r"osascript is not on PATH.*no terminal"):
        notify("Title", environ={"PATH": "/nonexistent"}, platform="darwin", terminal=NOWHERE)


@pytest.mark.slow
def test_a_hanging_osascript_is_killed_with_all_it_started(
    mac: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "alive")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    environ = mac('exec 3> "$DIR/alive"; echo up >&3; sleep 600 & wait')
    with pytest.raises(NotifyError, match=r"osascript did not end within 1 s"):
        notify("Title", environ=environ, platform="darwin", timeout=1, terminal=NOWHERE)
    os.set_blocking(alive, True)
    with os.fdopen(alive) as pipe:  # its end comes when the last process that holds it has ended
        assert pipe.read() == "up\n"


def test_the_terminal_shows_title_and_text_and_rings(terminal: tuple[int, int]) -> None:
    person, device = terminal
    where = Path(os.ttyname(device))
    assert notify("Take a break", "one\ntwo", environ={}, terminal=where) == "terminal"
    assert seen(person) == "\n\aTake a break\n  one\n  two\n"


def test_no_escape_sequence_reaches_the_terminal(terminal: tuple[int, int]) -> None:
    person, device = terminal
    where = Path(os.ttyname(device))
    notify("\x1b[2Jtitle", "\x1b]52;c;cm0=\x07\x9bA", environ={}, terminal=where)
    assert seen(person) == "\n\a[2Jtitle\n  ]52;c;cm0=A\n"


def test_a_stopped_terminal_is_given_up_in_time(terminal: tuple[int, int]) -> None:
    _, device = terminal
    termios.tcflow(device, termios.TCOOFF)  # what Ctrl-S does
    with pytest.raises(NotifyError, match=r"the terminal took nothing for 0.2 s"):
        notify("Title", environ={}, timeout=0.2, terminal=Path(os.ttyname(device)))
    termios.tcflow(device, termios.TCOON)


def test_a_full_device_is_said() -> None:
    with pytest.raises(NotifyError, match=r"the terminal takes nothing .No space left"):
        notify("Title", environ={}, terminal=Path("/dev/full"))


ALONE = (
    "import fcntl, termios\n"
    "from scheduler.system.desktop import notify\n"
    "{before}\n"
    "from pathlib import Path\n"
    "devices = Path({devices!r})\n"
    "print(notify('Take a break', environ={{}}, platform='linux', devices=devices))"
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


def test_without_any_way_it_fails_and_says_each_reason() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALONE.format(before="", devices=NONE)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode != 0
    assert (
        "NotifyError: Nothing showed the notification: there is no D-Bus session bus "
        "(DBUS_SESSION_BUS_ADDRESS is not set); there is no terminal to write to. "
        "Run it inside a desktop session or from a terminal."
    ) in done.stderr


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


def is_silent(person: int) -> bool:
    return not select.select([person], [], [], 0)[0]


def test_a_job_writes_to_the_terminals_its_user_used_last(
    logins: Callable[[int], list[int]], tmp_path: Path
) -> None:
    persons = logins(module.MOST_LOGINS + 1)
    assert as_a_job(tmp_path).stdout == "terminal\n"
    assert [seen(person) for person in persons[:-1]] == ["\n\aTake a break\n"] * module.MOST_LOGINS
    assert is_silent(persons[-1])


def test_one_terminal_that_takes_nothing_does_not_keep_it_from_the_others(
    logins: Callable[[int], list[int]], tmp_path: Path
) -> None:
    stopped, person = logins(2)
    (tmp_path / "pts" / "9").write_text("a file is no terminal")
    device = os.open(os.path.realpath(tmp_path / "pts" / "0"), os.O_RDWR | os.O_NOCTTY)
    termios.tcflow(device, termios.TCOOFF)
    assert module._tell_logins(b"words", 0.4, tmp_path)
    assert seen(person) == "words"
    (tmp_path / "pts" / "1").unlink()
    assert not module._tell_logins(b"words", 0.4, tmp_path)
    assert is_silent(stopped)
    os.close(device)


def test_terminals_of_others_are_left_alone_and_roots_consoles_are_nobodys(
    logins: Callable[[int], list[int]], tmp_path: Path
) -> None:
    logins(1)
    (tmp_path / "tty1").symlink_to(os.path.realpath(tmp_path / "pts" / "0"))
    me = os.geteuid()
    assert module._logins(tmp_path, me + 1) == []
    assert len(module._logins(tmp_path, me)) == (2 if me else 1)


def test_a_machine_without_jeepney_says_so() -> None:
    code = "import sys; sys.modules['jeepney'] = None\n" + ALONE.format(before="", devices=NONE)
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        start_new_session=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "the jeepney library, which speaks D-Bus, is not installed" in done.stderr
