"""The command line as a whole: help, exit statuses, pipes, terminals."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import COMMANDS
from rich.cells import cell_len
from rich.text import Text

from scheduler.cli import state_folder

if TYPE_CHECKING:
    from conftest import Person

FULL = Path("/dev/full")


def test_these_are_the_commands() -> None:
    reading = {"check", "list", "next", "explain", "history", "logs"}
    assert set(COMMANDS) >= reading | {"run", "edit", "install", "remove", "notify"}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_has_help_with_an_example_that_it_understands(
    person: Person, name: str
) -> None:
    result = person.types(name, "--help")
    assert result.exit_code == 0
    found = re.search(r"Example:  (?:EDITOR=\w+ )?meridian (.+)", result.stdout)
    assert found, result.stdout
    command, *words = shlex.split(found[1])
    assert command == name
    with COMMANDS[name].make_context(name, words):
        pass


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_says_what_it_does_and_what_its_options_are_for(name: str) -> None:
    assert COMMANDS[name].help
    assert all(parameter.help for parameter in COMMANDS[name].params)


def test_without_a_command_it_shows_them(person: Person) -> None:
    result = person.types()
    assert "check" in result.output
    assert result.exit_code == 2


def test_the_version_is_the_projects(person: Person) -> None:
    assert re.fullmatch(r"meridian \d+\.\d+\.\d+\n", person.types("--version").stdout)


@pytest.mark.parametrize(
    "words", [("chekc",), ("check", "--bogus"), ("history", "-n", "0"), ("logs",), ("explain",)]
)
def test_wrong_usage_is_status_two(person: Person, words: tuple[str, ...]) -> None:
    result = person.types(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--max-output", "lots", "write 512K, 10M, or none"),
        ("--max-output", "0", "write 512K, 10M, or none"),
        ("--keep-for", "soon", "write it as in 90s, 10m, 2h, 1d or 1h30m"),
        ("--keep-for", "9999d", "3650 days"),
        ("--keep-for", "90", "90s or 90d?"),
        ("--keep-runs", "0", "1"),
    ],
)
def test_what_is_kept_is_said_in_sizes_times_and_numbers(
    person: Person, option: str, value: str, said: str
) -> None:
    result = person.types("run", option, value)
    assert result.exit_code == 2
    assert option in result.stderr
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert not person.state.exists()


def test_python_m_scheduler_is_meridian(person: Person) -> None:
    process = person.starts("--help")
    out, _ = process.communicate(timeout=30)
    assert b"Usage: meridian" in out
    assert process.returncode == 0


def test_a_reader_who_goes_away_is_no_accident(person: Person) -> None:
    file = person.file("* * * * * x\n")
    process = person.starts("next", "--json", "-n", "100000", file)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(timeout=30)


def test_ctrl_c_is_status_130_and_no_traceback(person: Person) -> None:
    file = person.file("* * * * * x\n")
    process = person.starts("next", "--json", "-n", "100000000", file)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize(
    ("closed", "words"),
    [
        ("<&-", ("check", "-")),  # as if there were nothing to read
        (">&-", ("list", "a.crontab")),
        ("2>&-", ("list", "a.crontab")),
        ("<&- >&- 2>&-", ("run", "a.crontab")),  # its job ends it
    ],
)
def test_a_stream_that_came_closed_is_no_accident(
    person: Person, closed: str, words: tuple[str, ...]
) -> None:
    person.file("* * * * * kill $PPID\n")
    meridian = (sys.executable, "-m", "scheduler", *words)
    done = subprocess.run(
        ("sh", "-c", f'exec "$@" {closed}', "sh", *meridian),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=person.home,
        timeout=30,
        check=False,
    )
    assert (done.returncode, b"Traceback" in done.stderr) == (0, False)


@pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
@pytest.mark.parametrize("words", [("list", "a.crontab"), ("check", "-"), ("--help",)])
def test_a_full_disk_behind_the_output_is_one_line(person: Person, words: tuple[str, ...]) -> None:
    person.file("* * * * * x\n")
    with FULL.open("wb") as full:
        process = person.starts(*words, stdout=full, stdin=subprocess.DEVNULL, cwd=person.home)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, b"can't write: No space left on device\n")


def test_the_daemon_does_not_move_into_a_folder_that_others_can_write(person: Person) -> None:
    person.state.mkdir()
    person.state.chmod(0o1777)
    process = person.starts("run", person.file("@daily x\n"), "--state", str(person.state))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert b"others can write the state folder" in err
    assert list(person.state.iterdir()) == []
    assert person.state.stat().st_mode & 0o7777 == 0o1777


def test_a_user_whom_the_system_does_not_know_has_a_number_for_a_name() -> None:
    assert state_folder.account(4_000_000_000) == ("4000000000", "/")
    assert state_folder.account(0)[0] == "root"


def on_a_terminal(person: Person, *words: str) -> str:
    screen, terminal = os.openpty()
    process = person.starts(*words, stdout=terminal, stdin=subprocess.DEVNULL)
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(screen, 4096):
            shown += piece
    except OSError:  # Linux's way to say that nobody writes any more
        pass
    os.close(screen)
    process.communicate(timeout=30)
    return shown.decode()


@pytest.mark.e2e
@pytest.mark.parametrize("is_typed_to", [True, False])
def test_a_daemon_at_a_keyboard_says_how_it_is_ended(person: Person, *, is_typed_to: bool) -> None:
    keyboard, terminal = os.openpty()
    stdin = terminal if is_typed_to else subprocess.DEVNULL
    daemon = person.starts("run", person.file("0 0 1 1 * x\n"), stdin=stdin)
    os.close(terminal)
    assert daemon.stderr is not None
    first = daemon.stderr.readline().decode()
    daemon.send_signal(signal.SIGINT)
    daemon.communicate(timeout=30)
    os.close(keyboard)
    assert first.endswith(f"state in {person.state}{'; Ctrl-C ends it' if is_typed_to else ''}\n")


def test_colour_is_for_terminals_and_only_where_it_is_wanted(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = person.file("0 61 * * * x\n")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in on_a_terminal(person, "check", file)
    assert "\x1b[" not in person.types("check", file).output
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in on_a_terminal(person, "check", file)


def test_a_table_fits_the_terminal_and_is_whole_in_a_pipe(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = "echo " + "long " * 40 + "end"
    file = person.file(f"0 9 * * * {command}\n")
    monkeypatch.setenv("COLUMNS", "80")
    assert command in person.types("list", file).stdout
    shown = on_a_terminal(person, "list", file).replace("\r\n", "\n")
    lines = Text.from_ansi(shown).plain.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(line.endswith("…") for line in lines)


LONG = "nightly-backup-of-the-main-cluster-to-the-offsite-store"
HARD = f"""\
CRON_NAME={LONG} 30 2 * * * backup {"--to /srv/backup " * 9}
CRON_TZ=America/Argentina/ComodRivadavia CRON_NAME=ba 0 9 * * 1-5 echo こんにちは世界、{"とても長い" * 9}
CRON_TZ=Europe/Berlin CRON_NAME=x 0,15,30,45 8-18/2 1-15 jan,mar,may,jul mon-fri rsync 🚀🚀🚀
CRON_NAME=yearly 30 2 28 3 * echo new
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "width"),
    [
        *((("list",), width) for width in (60, 80, 100, 200)),
        (("next", "-n", "300"), 80),
        (("next", "--from", "2027-03-28", "-n", "9"), 60),
        (("simulate", "--from", "2027-03-28", "--until", "2027-03-29"), 60),
        (("simulate", "--from", "2027-03-01", "--until", "2027-04-01"), 80),
        (("audit", "--year", "2027"), 80),
        (("check",), 60),
    ],
)
def test_on_no_screen_a_line_is_too_long_or_a_name_or_time_is_cut(
    person: Person, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    shown = on_a_terminal(person, *words, person.file(HARD)).replace("\r\n", "\n")
    lines = Text.from_ansi(shown).plain.splitlines()
    assert [line for line in lines if cell_len(line.rstrip()) > width] == []
    text = "\n".join(lines)
    assert len(lines) > (300 if "300" in words else 1) or words[0] == "check"
    for piece in ("night", "America"):  # wherever it begins it goes on to its end
        whole = {"night": LONG, "America": "America/Argentina/ComodRivadavia"}[piece]
        assert text.count(piece) == text.count(whole)
    assert not re.search(r"\d…|\d\d:\n", text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_letters_is_no_accident(
    person: Person, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    process = person.starts("list", person.file("0 9 * * * echo 日本\n"))
    out, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")
    assert b"\\u65e5" in out


def test_notify_says_which_way_it_went(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    title = '"; do shell script "id'
    shown = ""
    screen, terminal = os.openpty()
    process = person.starts(
        "notify", title, "text", stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    try:
        while piece := os.read(screen, 4096):
            shown += piece.decode()
    except OSError:
        pass
    os.close(screen)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert title in shown
    assert "shown on the terminal" in shown


def test_notify_refuses_an_empty_title(person: Person) -> None:
    result = person.types("notify", "")
    assert result.exit_code == 1
    assert "needs a title" in result.stderr


@pytest.mark.parametrize("grace", ["inf", "nan", "-1", "1e300"])
def test_a_grace_time_is_one_that_ends(person: Person, grace: str) -> None:
    result = person.types("run", person.file(""), "--grace", grace)
    assert result.exit_code == 2
    assert "--grace" in result.output
