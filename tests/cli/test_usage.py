"""Help pages and wrong usage: in plain words, at any width, and never in a library's."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from commands import COMMANDS, GROUP
from rich.cells import cell_len

from scheduler.cli import Commands
from scheduler.cli.option_parser import parser_of

if TYPE_CHECKING:
    from conftest import Person

LIBRARY = re.compile(
    r"<\w|list\[|<=|>=|\bx\b|INTEGER|FLOAT|range|Input should|Value error|Invalid value|"
    r"Got unexpected|No such|requires an argument|argument\(s\)|│|╭"
)


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("name", ["", *sorted(COMMANDS)])
def test_a_help_page_fits_its_screen_and_is_in_our_words(
    person: Person, monkeypatch: pytest.MonkeyPatch, name: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    page = person.types(*name.split(), "--help").stdout
    assert all(cell_len(line) <= min(width, 100) for line in page.splitlines()), page
    assert not LIBRARY.search(page), page
    assert page.startswith("Usage: meridian")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_an_example_is_one_line_that_can_be_pasted(
    person: Person, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert person.types(name, "--help").stdout.splitlines()[-1].startswith("Example:  ")


def test_no_paragraph_of_a_help_page_is_ragged(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of prose ends where its next word has no room, and not before."""
    monkeypatch.setenv("COLUMNS", "80")
    for name in COMMANDS:
        prose = person.types(name, "--help").stdout.split("\n\n")[1:]
        for paragraph in [each for each in prose if not each.startswith((" ", "Arg", "Opt"))]:
            lines = paragraph.splitlines()
            for line, after in pairwise(lines):
                assert cell_len(line) + 1 + cell_len(after.split()[0]) > 80, paragraph


def test_every_command_stands_in_one_group_of_the_help_page(person: Person) -> None:
    grouped = [name for names in Commands.groups.values() for name in names]
    assert sorted(grouped) == sorted(COMMANDS)
    page = person.types("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", page, re.MULTILINE), name


def test_what_a_command_does_fits_beside_its_name(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    commands = person.types("--help").stdout.split("\nOptions:")[0]
    assert not re.search(r"^   +", commands, re.MULTILINE), commands


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("history", "-n", "abc"), "meridian history: -n takes a whole number from 1 to 1000000000, not 'abc'"),
        (("history", "-n", "0"), "meridian history: -n takes a whole number from 1 to 1000000000, not '0'"),
        (("history", "-n", "1.5"), "meridian history: -n takes a whole number from 1 to 1000000000, not '1.5'"),
        (("history", "-n"), "meridian history: -n needs a value: -n N"),
        (("next", "-n", "9" * 30), f"meridian next: -n takes a whole number from 0 to 1000000000, not '{'9' * 30}'"),
        (("run", "--keep-runs", "0"), "meridian run: --keep-runs takes a whole number from 1 to 1000000000, not '0'"),
        (("run", "--max-running", "x"), "meridian run: --max-running takes a whole number from 1 to 1000000000, not 'x'"),
        (("run", "--grace", "soon"), "meridian run: --grace: 'soon' is not a duration; write it as in 90s, 10m, 2h, 1d or 1h30m"),
        (("run", "--grace", "nan"), "meridian run: --grace: 'nan' is not a duration; write it as in 90s, 10m, 2h, 1d or 1h30m"),
        (("run", "--grace", "-1"), "meridian run: --grace: '-1' is not a duration; write it as in 90s, 10m, 2h, 1d or 1h30m"),
        (("run", "--grace", "400d"), "meridian run: --grace: 400d is over a year; who wants to wait for the last job sends SIGUSR1"),
        (("run", "--log-format", "xml"), "meridian run: --log-format takes auto, human, systemd or json, not 'xml'"),
        (("audit", "--year", "12"), "meridian audit: --year takes a whole number from 1970 to 2100, not '12'"),
        (("notify", "a", "--timeout", "-1"), "meridian notify: --timeout takes a number from 0.1 to 600, not '-1'"),
        (("check", "--jsn"), "meridian check: there is no option --jsn; did you mean --json?"),
        (("check", "--json=1"), "meridian check: --json takes no value"),
        (("reload", "a", "b"), "meridian reload: too many arguments: 'a b'"),
        (("simulate", "--from", "now"), "meridian simulate: --until is missing: what happens before T"),
        (("trigger",), "meridian trigger: JOB is missing: the job's name"),
        (("chekc",), "meridian: there is no command 'chekc'; did you mean check?"),
        (("zzz",), "meridian: there is no command 'zzz'; meridian --help lists them"),
        (("--bogus",), "meridian: there is no option --bogus"),
        (("check", "--\x1b[31m"), r"meridian check: there is no option --\x1b[31m"),
    ],
)  # fmt: skip
def test_wrong_usage_is_told_with_what_to_do(
    person: Person, words: tuple[str, ...], said: str
) -> None:
    result = person.types(*words)
    first, last = result.stderr.splitlines()
    assert first == said
    assert last == f"See {said.split(':', maxsplit=1)[0]} --help"
    assert (result.exit_code, result.stdout) == (2, "")
    assert not person.state.exists()


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_number_that_is_typed_has_limits(name: str) -> None:
    for each in COMMANDS[name].params:
        assert each.type.name not in {"integer", "float"}, "the library's own have none"
        read = parser_of(each)
        if read is not None and not read.choices:
            least, most = map(float, re.findall(r"[\d.]+", read.what))
            assert [
                read(f"{bound:g}" if bound % 1 else f"{bound:.0f}") for bound in (least, most)
            ] == [least, most]
            for beyond in (least - 1, most + 1):
                with pytest.raises(ValueError, match="is not a"):
                    read(f"{beyond:.0f}")


# No number that anybody means; what Python would make of some of them is another matter.
NO_NUMBERS = ["9" * 23, "9" * 5000, "-1", "-0.1", "1e400", "1e-400", "nan", "inf", "-inf", "0x10", "１２", "³", "٣", "1,000", "1_000", " 5", "5.", "1.2.3", "", "\udce9", "1\n2", "a;b"]  # fmt: skip
# What an option takes by its metavar: those that are numbers, or have some in them.
NUMBERS = {"N", "Y", "SECONDS", "DURATION", "SIZE", "T", "A..B", "A=B"}
OTHERS = {*"ADDRESS DIR FILE JOB NAME STATE TEXT URL USER ZONE".split(), None}  # None: no word
TAKING = [
    (name, option)
    for name, command in sorted(COMMANDS.items())
    for option in command.params
    if option.param_type_name == "option" and option.metavar in NUMBERS
]


def call(name: str, option: Any, text: str) -> list[str]:
    """A command with this option, and with whatever else it needs."""
    words = [name, option.opts[0], text]
    for each in COMMANDS[name].params:
        if each.required and each is not option:
            value = {"--from": "2027-01-01", "--until": "2027-01-02"}.get(each.opts[0], "x")
            words += [each.opts[0], value] if each.param_type_name == "option" else [value]
    return words


@pytest.mark.parametrize(("name", "option"), TAKING, ids=[f"{n} {o.opts[0]}" for n, o in TAKING])
def test_every_option_refuses_what_is_no_number_in_a_sentence(
    person: Person, name: str, option: Any
) -> None:
    for text in NO_NUMBERS:
        result = person.types(*call(name, option, text))
        *_, said, last = result.stderr.splitlines()
        assert said.startswith(f"meridian {name}: {option.opts[0]}"), said
        assert len(said) < 250
        assert last == f"See meridian {name} --help"
        assert (result.exit_code, result.stdout) == (2, ""), text


def test_every_option_is_known_to_take_numbers_or_none() -> None:
    """A new kind of value is put in one of the two, and so among the tests above."""
    found = {each.metavar for one in COMMANDS.values() for each in one.params if each.param_type_name == "option"}  # fmt: skip
    assert found - {None} == (NUMBERS | OTHERS) - {None}


@pytest.mark.parametrize("name", ["history", "logs", "why", "retry", "kill"])
def test_a_run_of_any_number_is_one_that_there_is_not(person: Person, name: str) -> None:
    person.has("")
    for run in ("0", "9" * 18, "9" * 19, "9" * 23, "9" * 5000, "１２", "٣", "\udce9"):
        result = person.types(name, run)
        assert result.exit_code in (1, 2), run
        assert result.stdout == ""
        assert len(result.stderr.splitlines()[-1]) < 250


@pytest.mark.parametrize("url", ["hc-ping.com/s3cret", "file:///s3cret", "https://h:x/s3cret"])
def test_an_address_that_is_none_is_wrong_usage_and_no_word_of_it_is_shown(
    person: Person, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERIDIAN_PING", url)
    for words in (["--ping", url], []):
        result = person.types("run", *words, str(person.home / "none"))
        assert result.exit_code == 2
        assert "--ping or MERIDIAN_PING: " in result.stderr
        assert "is not a URL; http://… or https://…" in result.stderr
        assert "s3cret" not in result.stderr


@pytest.mark.parametrize("grace", ["10s", "10", "1m30s", "0"])
def test_a_grace_is_a_duration_like_all_others(person: Person, grace: str) -> None:
    """It is read before the files are, of which there is none."""
    process = person.starts("run", "--grace", grace, str(person.home / "none"))
    _, err = process.communicate(timeout=30)
    assert b"there is no such file" in err


def test_each_command_has_a_file_of_its_name() -> None:
    """Nobody imports it before: else `meridian --help` would be the first to miss one."""
    for name in GROUP.list_commands(None):
        (command,) = import_module(f"scheduler.cli.commands.{name}").app.registered_commands
        assert name == (command.name or command.callback.__name__)


def test_a_command_imports_no_other() -> None:
    """What each needs is tens of milliseconds, which a prompt or a loop of `status` would pay."""
    script = "import sys, scheduler.cli; print(*(n for n in sys.modules if '.commands.' in n))"
    done = subprocess.run(
        (sys.executable, "-c", script), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
