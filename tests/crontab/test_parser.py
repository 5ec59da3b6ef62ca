"""What a crontab's lines mean: assignments, settings, job lines, `%`, names, and bad lines."""

from __future__ import annotations

import string
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
import writing
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scheduler.crontab import diagnostics, lexer, lint, parser
from scheduler.crontab.table_rules import TableRules
from scheduler.crontab.unique_names import unique
from scheduler.entry import Crontab, Entry, Expression, Overlap, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

BERLIN = ZoneInfo("Europe/Berlin")
TOKYO = ZoneInfo("Asia/Tokyo")
CRONTABS = Path(__file__).parent.parent.parent / "crontabs"


def read(text: str | bytes, *, system: bool = False) -> Crontab:
    data = text.encode() if isinstance(text, str) else text
    return parser.parse(data, file="crontab", zone=BERLIN, system=system, salt="here")


def one(text: str | bytes, *, system: bool = False) -> Entry:
    table = read(text, system=system)
    assert [problem.message for problem in table.problems if problem.severity == "error"] == []
    (entry,) = table.entries
    return entry


def codes(table: Crontab) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.code) for problem in table.problems]


def variables(line: str) -> dict[str, str]:
    return dict(one(f"{line}\n0 9 * * * x\n").environment)


# --- bytes and lines -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "commands", "reason"),
    [
        (b"", [], "an empty file is a crontab"),
        (b"\n\n \t\n", [], "blank lines"),
        (b"0 9 * * * a\n0 9 * * * b\n", ["a", "b"], "two lines"),
        (b"0 9 * * * a", ["a"], "a missing last newline, which cronie drops"),
        (b"\xef\xbb\xbf0 9 * * * a\n", ["a"], "a BOM"),
        (b"\xef\xbb\xbf", [], "nothing but a BOM"),
        (b"0 9 * * * a\r\n\r\n0 9 * * * b\r\n", ["a", "b"], "CRLF, empty lines too"),
        (
            b"\t 0\t9  *\t* * \t a b\t c\n",
            ["a b\t c"],
            "blanks are spaces and tabs, any number of them",
        ),
        (b"0 9 * * * a  \n", ["a  "], "blanks at the end are the shell's"),
        (b"# a\n   # b\n\t#c\n0 9 * * * echo # d\n", ["echo # d"], "comments fill their line"),
        (
            b"0 9 * * * 'a\x0bb\xe2\x80\xa8c\x0cd\xc2\x85e'\n",
            ["'a\x0bb\u2028c\x0cd\x85e'"],
            "only a newline ends a line",
        ),
        ("0 9 * * * écho 日本".encode(), ["écho 日本"], "UTF-8"),
        (b"0 9 * * * echo caf\xe9\n", ["echo caf\udce9"], "Latin-1 keeps its bytes"),
    ],
)
def test_bytes_become_lines(data: bytes, commands: list[str], reason: str) -> None:
    table = read(data)
    assert [entry.command for entry in table.entries] == commands, reason
    assert table.problems == ()


def test_undecodable_bytes_reach_the_shell_as_they_were() -> None:
    entry = one(b"0 9 * * * echo \xff\xfe\xed\xa0\x80\n")
    assert entry.command.encode("utf-8", "surrogateescape") == b"echo \xff\xfe\xed\xa0\x80"


@pytest.mark.parametrize(
    ("data", "column", "refused", "reason"),
    [
        (b"0 9 * * * a\x000 9 * * * b\n", 12, {1}, "the rest is no line of its own"),
        (b"# a\x000 9 * * * b\n", 4, set[int](), "not in a comment either"),
        (b"\x00\n", 1, {1}, "nor alone"),
        (b"A=b\x000 9 * * * b\n", 4, set[int](), "nor in an assignment"),
        (
            b"CRON_TZ=Asia/\x00Tokyo\n0 9 * * * b\n",
            14,
            {2},
            "a broken zone still refuses what it governs",
        ),
        (
            b"CRON_TZ=Asia/Tokyo 0 9 * * * a\x00\n",
            31,
            {1},
            "but not when it stood before one schedule",
        ),
    ],
)
def test_a_nul_is_an_error_at_its_line(
    data: bytes, column: int, refused: set[int], reason: str
) -> None:
    table = read(data + b"0 1 * * * CRON\nCRON_TZ=\n0 9 * * * good\n")
    assert codes(table) == [(1, column, "nul")], reason
    assert refused <= table.refused, reason
    assert table.entries[-1].command == "good"


MEGABYTE = 1024 * 1024


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "code", "reason"),
    [
        (b"#" + b"x" * MEGABYTE, None, "a comment may be long"),
        (b" " * MEGABYTE, None, "so may nothing"),
        (b"0 9 * * * " + b"x" * MEGABYTE, "too-long", "the kernel takes 128 KiB in one argument"),
        (b"0 9 * * * " + b"\xc3\xa9" * 70_000, "too-long", "of bytes, not of characters"),
        (b"A=" + b"x" * MEGABYTE, "too-long", "or in one variable"),
        (b"0," * 1_200 + b"0 9 * * * x", "too-long", "no schedule is that long"),
        (b"0 9 * * * cat%" + b"x" * MEGABYTE, None, "input has no such limit"),
        (b"0 9 * * * " + b" " * MEGABYTE, "missing-command", "blanks are no command"),
        (b"x" * MEGABYTE, "too-few-fields", "one word"),
        (b"x " * (MEGABYTE // 2), "too-long", "many words"),
        (b"0 9 * * " + b"1," * (MEGABYTE // 2) + b" x", "too-long", "a list of half a million"),
        (b'A="' + b"x" * MEGABYTE, "open-quote", "a quote that never ends"),
        (
            b"CRON_X=a " * (MEGABYTE // 9) + b"0 9 * * * x",
            "too-long",
            "settings in front of settings",
        ),
        (b"CRON_TZ=" + b"x" * MEGABYTE, "unknown-zone", "a long zone"),
        (b"\xff" * MEGABYTE, "too-few-fields", "nothing that is text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.timeout(10)
def test_a_line_of_a_megabyte_is_right_or_a_clear_error(
    line: bytes, code: str | None, reason: str
) -> None:
    table = read(b"0 9 * * * before\n" + line + b"\n0 9 * * * after\n")
    assert {problem.line for problem in table.problems} <= {2}
    found = {problem.code for problem in table.problems}
    assert code in found if code else not found, (reason, found)
    assert [entry.command for entry in table.entries][:1] == ["before"]
    assert all(
        len(problem.text) < 11_000 and len(problem.message) < 300 for problem in table.problems
    )


# --- assignments ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "name", "value", "reason"),
    [
        ("FOO=bar", "FOO", "bar", "plain"),
        (" \tFOO \t=\t bar \t", "FOO", "bar", "blanks round name and value are dropped"),
        ("FOO=", "FOO", "", "an empty value, which Debian refuses"),
        ("USER=app", "USER", "app", "Debian's cron passes it on"),
        ("FOO= ", "FOO", "", "likewise"),
        ('FOO=""', "FOO", "", "in so many words"),
        ('FOO="bar"', "FOO", "bar", "double quotes"),
        ("FOO='bar'", "FOO", "bar", "single quotes"),
        ("FOO='  bar  '  ", "FOO", "  bar  ", "quotes keep blanks"),
        ("FOO='say \"hi\"'", "FOO", 'say "hi"', "one kind inside the other"),
        ("FOO=it's", "FOO", "it's", "a quote inside is a character"),
        ('FOO=a"b"', "FOO", 'a"b"', "and so are two"),
        ('"FOO"=bar', "FOO", "bar", "the name may be quoted"),
        ("'FOO' = 'bar'", "FOO", "bar", "and both"),
        ("'my name'=bar", "my name", "bar", "with a blank in it"),
        ("FOO=a=b", "FOO", "a=b", "the first = counts"),
        ("FOO=bar # no comment", "FOO", "bar # no comment", "there are no comments behind a value"),
        ("FOO=a\\nb\\", "FOO", "a\\nb\\", "backslashes stay"),
        ("FOO=100%", "FOO", "100%", "% means nothing here"),
        ("FOO=a\r", "FOO", "a", "CRLF"),
        ("FOO=größer", "FOO", "größer", "UTF-8"),
        ("1=a", "1", "a", "any name will do"),
        ("FOO-BAR.x=a", "FOO-BAR.x", "a", "likewise"),
        ("CRON_X=a b c", "CRON_X", "a b c", "unknown settings are variables"),
    ],
)
def test_an_assignment_sets_a_variable(line: str, name: str, value: str, reason: str) -> None:
    assert variables(line) == {name: value}, reason


@pytest.mark.parametrize(
    ("line", "column", "code", "reason"),
    [
        ('FOO="bar', 5, "open-quote", "not closed"),
        ("FOO='bar\"", 5, "open-quote", "closed by the other kind"),
        ("FOO = 'a' b", 11, "after-quote", "cron takes no more"),
        ('FOO="a"b', 8, "after-quote", "not even at once"),
        ("=bar", 1, "missing-name", "no name"),
        ("''=bar", 1, "missing-name", "an empty one"),
        (
            '"FOO=bar',
            1,
            "too-few-fields",
            "a name whose quote is open is no name, so no assignment",
        ),
        ("export FOO=bar", 1, "too-few-fields", "shell, not crontab"),
    ],
)
def test_a_bad_assignment_is_refused_alone(line: str, column: int, code: str, reason: str) -> None:
    table = read(f"{line}\n0 9 * * * x\n")
    assert codes(table) == [(1, column, code)], reason
    assert [entry.environment for entry in table.entries] == [()]


def test_assignments_count_for_the_entries_below_until_set_again() -> None:
    table = read("0 1 * * * a\nA=1\n0 1 * * * b\nB=2\nA=3\n0 1 * * * c\n")
    assert [entry.environment for entry in table.entries] == [
        (),
        (("A", "1"),),
        (("A", "3"), ("B", "2")),
    ]


@pytest.mark.parametrize(
    "name", ["LOGNAME", "CRON_JOB", "CRON_RUN", "CRON_ATTEMPT", "CRON_SCHEDULED"]
)
def test_what_cron_itself_sets_is_ignored_with_a_warning(name: str) -> None:
    table = read(f"{name}=me\n0 9 * * * x\n")
    assert codes(table) == [(1, 1, "ignored")]
    assert table.entries[0].environment == ()


@pytest.mark.parametrize(
    ("line", "found", "reason"),
    [
        ("RANDOM_DELAY=45", [], "cronie's own acts"),
        ("RANDOM_DELAY=soon", [(1, 14, "bad-number")], "and loads with a bad value, as in cronie"),
        ("RANDOM_DELAY=1441", [(1, 14, "bad-number")], "more than a day"),
        ("START_HOURS_RANGE=3-22", [], "anacron's acts"),
        ("START_HOURS_RANGE=22-6", [], "over midnight"),
        ("START_HOURS_RANGE=3", [(1, 19, "bad-hours")], "no range"),
        ("START_HOURS_RANGE=3-25", [(1, 19, "bad-hours")], "no such hour"),
        ("PATH=$PATH:/opt/bin", [(1, 6, "not-expanded")], "a shell would"),
        ('PATH="/opt/bin:${HOME}/bin"', [(1, 16, "not-expanded")], "in quotes too"),
        ("PRICE=5$", [], "no variable"),
        ("FOO=bar 0 9 * * * cmd", [(1, 5, "looks-like-entry")], "cron reads it as an assignment"),
        ("FOO=@daily cmd", [(1, 5, "looks-like-entry")], "likewise"),
        ("FOO=one two three four five six", [], "words are words"),
        ("FOO=Asia/Tokyo 0 9 * * * cmd", [(1, 5, "looks-like-entry")], "behind a word"),
        ("TZ=Asia/Tokyo 0 9 * * * cmd", [(1, 4, "looks-like-entry")], "the zone's is CRON_TZ"),
        ("TZ=Asia/Tokyo", [(1, 1, "tz")], "it moves no schedule"),
        ("TZ=", [], "the machine's zone"),
        ("CRON_RETIRES=5", [(1, 1, "unknown-setting")], "misspelt"),
        ("CRON_MAX_DELAY=5", [(1, 1, "unknown-setting")], "cut short"),
        ("CRON_TIMEZONE=Asia/Tokyo", [(1, 1, "unknown-setting")], "another name of CRON_TZ"),
        ("CRON_COLOUR=red", [], "somebody's own"),
        ("CRON_SECRET=abc", [], "somebody's own"),
        ("CRON_LOG=/x", [], "somebody's own"),
        ("CRON_USER=me", [], "somebody's own"),
        ("CRON_HOME=/x", [], "somebody's own"),
        ("CRON_DIR=/x", [], "somebody's own"),
        ("CRON_HOST=x", [], "somebody's own"),
        ("CRON_ENV=x", [], "somebody's own"),
        ("SHELL=/bin/bash", [], "a shell"),
        ("SHELL=/bin/bash -l", [(1, 16, "no-shell")], "no program's path"),
        ("SHELL=", [(1, 7, "no-shell")], "no shell at all"),
        ("SHELL=/bin/bash # mine", [(1, 16, "comment-in-value")], "cron has no such comments"),
        ("A=b # mine", [(1, 4, "comment-in-value")], "whatever the name"),
        ("COLOUR=#fff", [], "no comment"),
        ("HOME=~/x", [(1, 6, "not-expanded")], "a shell would"),
        ("PATH=~/bin:/bin", [(1, 6, "not-expanded")], "first in a list"),
        ("PATH=/bin:~/bin", [(1, 11, "not-expanded")], "or later"),
        ("FILES=a~", [], "no home"),
        ("A=$(date)", [(1, 3, "not-expanded")], "a command"),
        ("A=x`date`", [(1, 4, "not-expanded")], "of the older kind"),
        ("A=a`b", [], "no command"),
    ],
)
def test_a_doubtful_variable_loads_with_a_warning(
    line: str, found: list[tuple[int, int, str]], reason: str
) -> None:
    table = read(f"{line}\n0 9 * * * x\n")
    assert codes(table) == found, reason
    assert all(problem.severity is Severity.WARNING for problem in table.problems)
    name, _, value = line.partition("=")
    assert table.entries[0].environment == ((name, value.strip('"')),)


@pytest.mark.parametrize(
    "line", ["A='$(date) $HOME'", "A='b # c'", 'A="b # c"', "CRON_TZ=Asia/Tokyo\nTZ=Asia/Tokyo"]
)
def test_a_variable_that_is_meant_as_it_stands_is_no_doubtful_one(line: str) -> None:
    assert read(f"{line}\n0 9 * * * x\n").problems == ()


def test_a_zone_in_the_wrong_variable_is_told_the_right_one() -> None:
    (problem,) = read("TZ=Asia/Tokyo 0 9 * * * x\n").problems
    assert problem.hint == "write CRON_TZ=Asia/Tokyo in front of the schedule"


def test_a_comment_behind_a_setting_is_said_to_be_part_of_it() -> None:
    (problem,) = read("CRON_TZ=Europe/Berlin # home\n").problems
    assert (problem.code, problem.column) == ("unknown-zone", 9)
    assert "a # behind a value is part of it" in problem.hint


@pytest.mark.parametrize(
    ("text", "minutes", "hours", "reason"),
    [
        ("RANDOM_DELAY=45\nSTART_HOURS_RANGE=3-22", 45, (3, 22), "good ones"),
        ("RANDOM_DELAY=45\nRANDOM_DELAY=soon", 45, None, "a bad one has no effect"),
        ("START_HOURS_RANGE=3-22\nSTART_HOURS_RANGE=3", 0, (3, 22), "nor has this"),
        ("RANDOM_DELAY=45\nRANDOM_DELAY=", 0, None, "an empty one is the default again"),
        ("RANDOM_DELAY=45\nRANDOM_DELAY=5", 5, None, "the last good one holds"),
    ],
)
def test_the_last_good_value_of_a_variable_that_acts_is_in_force(
    text: str, minutes: int, hours: tuple[int, int] | None, reason: str
) -> None:
    (entry,) = read(f"{text}\n0 9 * * * x\n").entries
    chosen = (entry.settings.random_delay, entry.settings.start_hours)
    assert chosen == (60.0 * minutes, hours), reason


def test_equal_environments_settings_and_zones_are_one_object() -> None:
    text = "B=2\nA=1\nCRON_TZ=Asia/Tokyo\nCRON_RETRIES=9\n0 9 * * * x\n"
    first, second = read(text).entries[0], read(f"A=0\n{text}B=2\nA=1\n0 9 * * * y\n").entries[1]
    assert first.environment is second.environment
    assert first.settings is second.settings
    assert first.zone is second.zone
    assert first.schedule is second.schedule


def test_equal_schedules_of_a_file_are_one_object_however_many_stand_between() -> None:
    between = "".join(f"{n % 60} {n // 60 % 24} {n // 1440 + 1} * * x\n" for n in range(5000))
    table = read(f"7 7 7 7 * x\n{between}7 7 7 7 * x\n")
    assert table.entries[0].schedule is table.entries[-1].schedule


@pytest.mark.parametrize("drawn", ["H H * * *", "h 9 * * *", "~ * * * *", "0 0~23 * * thu"])
def test_each_line_makes_its_own_draw(drawn: str) -> None:
    table = read("".join(f"{drawn} x {n}\n" for n in range(30)))
    assert len({entry.schedule for entry in table.entries}) > 5


# --- settings and their two scopes ---------------------------------------------------------------


def test_a_setting_on_its_own_line_holds_until_set_again() -> None:
    table = read(
        "0 9 * * * a\nCRON_TZ=Asia/Tokyo\nCRON_RETRIES=0\n0 9 * * * b\nCRON_RETRIES=1\n"
        "0 9 * * * c\nCRON_TZ=\nCRON_RETRIES=\n0 9 * * * d\n"
    )
    found = [(e.command, e.zone.key, e.settings.retry.retries) for e in table.entries]
    berlin, tokyo = "Europe/Berlin", "Asia/Tokyo"
    assert found == [("a", berlin, 3), ("b", tokyo, 0), ("c", tokyo, 1), ("d", berlin, 3)]


def test_a_setting_in_front_of_a_schedule_holds_for_that_entry() -> None:
    table = read("CRON_TZ=Asia/Tokyo 0 9 * * * a\n0 9 * * * b\n")
    found = [(entry.command, entry.zone.key) for entry in table.entries]
    assert found == [("a", "Asia/Tokyo"), ("b", "Europe/Berlin")]


@pytest.mark.parametrize(
    ("line", "command", "retries", "environment", "reason"),
    [
        ("CRON_RETRIES=7 0 9 * * * a", "a", 7, (), "one setting"),
        ("  CRON_RETRIES=7\tCRON_SUCCESS=0,1   0 9 * * * a", "a", 7, (), "several, blanks between"),
        ('CRON_RETRIES="7" @daily a', "a", 7, (), "a quoted value, a nickname"),
        ("CRON_RETRIES='7' @every 90m a b", "a b", 7, (), "an interval"),
        ("CRON_RETRIES= 0 9 * * * a", "a", 3, (), "an empty value: the default"),
        (
            "CRON_X=y 0 9 * * * a",
            "a",
            5,
            (("CRON_X", "y"),),
            "an unknown one is the entry's variable",
        ),
        (
            "CRON_X='y z' CRON_RETRIES=7 0 9 * * * a",
            "a",
            7,
            (("CRON_X", "y z"),),
            "quotes keep blanks",
        ),
        ("CRON_RETRIES=7 H(0-9)/3 ~ L jan-MAR fri#2 a", "a", 7, (), "fields of every kind"),
        (
            "CRON_RETRIES=7 0 9 * * * CRON_RETRIES=8 a",
            "CRON_RETRIES=8 a",
            7,
            (),
            "behind the schedule is the shell's",
        ),
    ],
)
def test_prefixes_are_settings_of_one_entry(
    line: str, command: str, retries: int, environment: tuple[tuple[str, str], ...], reason: str
) -> None:
    table = read(f"CRON_RETRIES=5\n{line}\n0 9 * * * below\n")
    first, below = table.entries
    assert (first.command, first.settings.retry.retries, first.environment) == (
        command,
        retries,
        environment,
    ), reason
    assert (below.settings.retry.retries, below.environment) == (5, ())


@pytest.mark.parametrize(
    ("line", "value", "reason"),
    [
        ("CRON_X=cmd with args", "cmd with args", "no schedule follows"),
        (
            "CRON_X=cmd one two three four five six",
            "cmd one two three four five six",
            "words are no fields",
        ),
        (
            "CRON_X=notify 5 times when all else fails",
            "notify 5 times when all else fails",
            "nor is one number among them",
        ),
        ("CRON_X=cmd 0 9 * * *", "cmd 0 9 * * *", "no command follows"),
        ("CRON_X=cmd @daily", "cmd @daily", "likewise"),
        ("CRON_X = y 0 9 * * * a", "y 0 9 * * * a", "blanks round = are an assignment's"),
        ('CRON_X="y 0 9 * * * a"', "y 0 9 * * * a", "in quotes it is all the value"),
    ],
)
def test_what_no_schedule_follows_is_an_assignment(line: str, value: str, reason: str) -> None:
    table = read(f"{line}\n0 9 * * * x\n")
    assert table.entries[0].environment == (("CRON_X", value),), reason


@pytest.mark.parametrize("field", ["mon-fry", "1x", "25,", "*/0", "noon"])
def test_a_misspelt_field_does_not_turn_a_prefix_into_an_assignment(field: str) -> None:
    table = read(f"CRON_TZ=Asia/Tokyo 0 {field} * * * a\n0 9 * * * b\n")
    assert [(problem.line, problem.column >= 22) for problem in table.problems] == [(1, True)]
    assert table.refused == {1}
    assert [entry.zone for entry in table.entries] == [BERLIN]


def test_a_bad_setting_refuses_what_it_governs_and_is_reported_once() -> None:
    table = read(
        "0 1 * * * a\nCRON_TZ=Europe/Berln\n0 1 * * * b\n0 2 * * * c\n"
        "CRON_TZ=Asia/Tokyo 0 3 * * * d\nCRON_TZ=UTC\n0 4 * * * e\n"
    )
    assert codes(table) == [(2, 9, "unknown-zone")]
    assert table.refused == {3, 4}
    assert [(entry.command, entry.zone.key) for entry in table.entries] == [
        ("a", "Europe/Berlin"),
        ("d", "Asia/Tokyo"),
        ("e", "UTC"),
    ]


@pytest.mark.parametrize(
    ("text", "column", "code"),
    [
        ("CRON_TIMEOUT=soon", 14, "bad-duration"),
        ('CRON_TIMEOUT = "soon"', 17, "bad-duration"),
        ("CRON_RETRY_ON=1, lost", 18, "bad-codes"),
        ("CRON_PING=hc-ping.com", 11, "bad-url"),
        ('CRON_TZ="UTC', 9, "open-quote"),
        ("CRON_TZ='UTC' x", 15, "after-quote"),
    ],
)
def test_a_bad_setting_that_governs_nothing_is_still_reported(
    text: str, column: int, code: str
) -> None:
    table = read(f"{text}\n")
    assert codes(table) == [(1, column, code)]
    table = read(f"{text}\n0 9 * * * x\n")
    assert codes(table) == [(1, column, code)]
    assert table.refused == {2}


def test_a_bad_prefix_refuses_its_entry_alone_and_every_fault_is_named() -> None:
    table = read("CRON_TZ=Mars CRON_RETRIES=x 0 25 * * * a\n0 9 * * * b\n")
    assert codes(table) == [(1, 9, "unknown-zone"), (1, 27, "bad-number"), (1, 31, "out-of-range")]
    assert table.refused == {1}
    assert [entry.command for entry in table.entries] == ["b"]


def test_a_settings_line_that_looks_like_an_entry_says_how_to_write_one() -> None:
    (problem,) = read("CRON_TZ = Asia/Tokyo 0 9 * * * x\n").problems
    assert (problem.code, "no blanks round =" in problem.hint) == ("unknown-zone", True)


# --- job lines -----------------------------------------------------------------------------------


def expression(text: str) -> Expression:
    schedule = one(f"{text} x\n").schedule
    assert isinstance(schedule, Expression)
    return schedule


@pytest.mark.parametrize(
    ("fields", "rule", "reason"),
    [
        ("0 0 13 * 5", "or", "both are set: either will do"),
        ("0 0 13 * *", "and", "one is a star"),
        ("0 0 * * 5", "and", "the other is"),
        ("0 0 */2 * 1", "and", "*/2 starts with a star"),
        ("0 0 13 * */2", "and", "on either side"),
        ("0 0 1-31 * 1", "or", "all days, and yet no star"),
    ],
)
def test_the_day_fields_are_joined_by_their_text(fields: str, rule: str, reason: str) -> None:
    assert expression(fields).days_rule == rule, reason


def test_blanks_in_a_schedule_are_one_blank() -> None:
    assert one("17 *\t* *  *\troot\n").schedule_text == "17 * * * *"


@pytest.mark.parametrize(
    ("line", "schedule", "user", "command", "reason"),
    [
        ("17 *\t* * *\troot    cd / && x", "17 * * * *", "root", "cd / && x", "five fields"),
        ("@daily www-data /bin/x -a", "@daily", "www-data", "/bin/x -a", "a nickname"),
        ("@every 90m root x", "@every 90m", "root", "x", "an interval"),
        ("-*/5 * * * * root x", "*/5 * * * *", "root", "x", "a dash: not logged"),
        ("CRON_RETRIES=1 -@hourly root x", "@hourly", "root", "x", "behind a setting"),
        ("0 9 * * * CORP\\svc x", "0 9 * * *", "CORP\\svc", "x", "a name of a Windows domain"),
        ("0 9 * * * svc-1.x_y$ x", "0 9 * * *", "svc-1.x_y$", "x", "an account of a machine"),
        ("0 9 * * * svc@corp.lan x", "0 9 * * *", "svc@corp.lan", "x", "with its domain behind it"),
        ("0 9 * * * größer x", "0 9 * * *", "größer", "x", "in any letters"),
        ("0 9 * * * $USER x", None, None, None, "a variable"),
        ("0 9 * * * \\ls -l", None, None, None, "a command"),
        ("0 9 * * * a$b x", None, None, None, "no name"),
        ("0 9 * * * [ -x /y ]", None, None, None, "a command"),
        ("0 9 * * * . /etc/profile", None, None, None, "and this"),
        ("0 9 * * * : x", None, None, None, "and this"),
        ("0 9 * * * ~/bin/x -a", None, None, None, "and this"),
        ("0 9 * * * -x y", None, None, None, "and this"),
        ("0 9 * * * A=b x", None, None, None, "and this"),
        ("0 0 9 * * 1-5 root x", None, None, None, "seconds: no user is called so"),
        ("0 0 9 * * ? root x", None, None, None, "likewise"),
        ("0 0 9 * * MON-FRI root x", None, None, None, "likewise"),
        ("* * * * * * root x", None, None, None, "likewise"),
        ("0 9 * * * /bin/x -a", None, None, None, "a command in its place"),
        ("0 9 * * * root", None, None, None, "no command"),
        ("0 9 * * *", None, None, None, "no user either"),
        ("@daily", None, None, None, "likewise"),
    ],
)
def test_the_system_form_has_a_user(
    line: str, schedule: str | None, user: str | None, command: str | None, reason: str
) -> None:
    table = read(line, system=True)
    if schedule is None:
        assert table.entries == (), reason
        assert table.refused == {1}, reason
        return
    (entry,) = table.entries
    assert (entry.schedule_text, entry.user, entry.command) == (schedule, user, command), reason


@pytest.mark.parametrize(
    ("line", "column", "code", "reason"),
    [
        ("0 9 * *", 1, "too-few-fields", "four fields"),
        ("hello", 1, "too-few-fields", "one word"),
        ("0 9 * * *", 10, "missing-command", "no command"),
        ("0 9 * * *   ", 13, "missing-command", "nor one in blanks"),
        ("0 9 * * * %in", 11, "missing-command", "nor before the input"),
        ("@daily", 7, "missing-command", "a nickname alone"),
        ("@every 90m", 11, "missing-command", "an interval alone"),
        ("@every", 7, "missing-command", "not even that"),
        ("@dialy x", 1, "bad-nickname", "misspelt"),
        ("0 30 7 * * 1-5 x", 1, "seconds-field", "six fields"),
        ("* * * * * * x", 1, "too-many-fields", "likewise"),
        ("0 0  1 1 * 2027 x", 12, "too-many-fields", "a year at the end"),
        ("30  5 *  *   * * x", 7, "too-many-fields", "one * too many"),
        ("0 9 * * * *.sh", 11, "too-many-fields", "cron takes no such command either"),
        ("@hourly * * * * * x", 9, "too-many-fields", "a nickname stands for all fields"),
        ("@daily MON x", 8, "too-many-fields", "with any other"),
        ("@daily 5 x", 8, "too-many-fields", "or a number"),
        ("@every 1h 30m x", 11, "too-many-fields", "a duration in two words"),
        ("0 0 7 * * mon-fri x", 1, "seconds-field", "names"),
        ("-0 9 * * * x", 1, "dash", "a dash is for the system form"),
        ("  0   25  * * * x", 7, "out-of-range", "the hour"),
        ("0 9 * * fri,mno x", 13, "bad-name", "inside a list"),
        ("CRON_RETRIES=1 0 9 * 13 * x", 22, "out-of-range", "behind a setting"),
    ],
)
def test_a_bad_job_line_says_where(line: str, column: int, code: str, reason: str) -> None:
    table = read(f"0 1 * * * before\n{line}\n0 1 * * * after\n")
    assert codes(table) == [(2, column, code)], reason
    assert table.refused == {2}
    assert [entry.command for entry in table.entries] == ["before", "after"]


@pytest.mark.parametrize(
    ("line", "column", "code", "message"),
    [
        ("*/90 * * * * x", 1, "long-step", "it runs at minute 0 of every hour"),
        ("  0   */48  * * * x", 7, "long-step", "it runs at 00:00 every day"),
        ("CRON_RETRIES=1 0 0 31 2 * x", 20, "never-runs", "so it never runs"),
    ],
)
def test_what_cron_runs_in_its_own_way_runs_here_with_a_warning(
    line: str, column: int, code: str, message: str
) -> None:
    table = read(f"{line}\n{line}\n")
    assert codes(table) == [(1, column, code), (2, column, code)]
    assert message in table.problems[0].message
    assert {problem.severity for problem in table.problems} == {Severity.WARNING}
    assert len(table.entries) == 2


@pytest.mark.parametrize("schedule", ["0 9 * * *", "@daily", "@every 90m"])
@pytest.mark.parametrize("command", ["apt-get update", "[ -x /y ]", "feb-end", "7z a", "-"])
def test_a_command_may_look_a_little_like_a_field(schedule: str, command: str) -> None:
    assert one(f"{schedule} {command}\n").command == command


@pytest.mark.parametrize("user", ["svc-app", "web-app", "amy,bob", "1000", "mon", "CORP\\svc"])
def test_a_user_may_look_like_a_field(user: str) -> None:
    assert one(f"0 9 * * * {user} x\n", system=True).user == user


@pytest.mark.parametrize(
    ("action", "flags", "command", "reason"),
    [
        ("-n x", "n", "x", "mail on failure"),
        ("-q x", "q", "x", "no log"),
        ("-s x", "s", "x", "one at a time: that is how it is"),
        ("-n -q -s x", "nqs", "x", "all three"),
        ("-sn  x -q", "ns", "x -q", "together; behind the command they are its own"),
        ("-x y", "", "-x y", "another option is part of the command"),
        ("-n", "", "-n", "nothing follows"),
    ],
)
def test_flags_stand_before_the_command(action: str, flags: str, command: str, reason: str) -> None:
    table = read(f"0 9 * * * {action}\n")
    (entry,) = table.entries
    given = (
        ("n", entry.flags.mail_on_failure),
        ("q", entry.flags.quiet),
        ("s", entry.flags.single),
    )
    assert ("".join(letter for letter, yes in given if yes), entry.command) == (flags, command), (
        reason
    )
    assert table.problems == ()


def test_roots_own_table_may_ask_the_log_for_silence_as_in_cronie() -> None:
    table = parser.parse(
        b"-*/15 * * * * x\n", file="root", zone=BERLIN, rules=TableRules(is_roots=True)
    )
    assert table.problems == ()
    assert [(entry.schedule_text, entry.flags.no_log) for entry in table.entries] == [
        ("*/15 * * * *", True)
    ]
    assert [problem.code for problem in read("-*/15 * * * * x\n").problems] == ["dash"]


@pytest.mark.parametrize(
    ("line", "is_quiet"),
    [
        ("-0 9 * * * root x", True),  # cronie's, in the system form
        ("0 9 * * * root -q x", True),  # OpenBSD's
        ("0 9 * * * root -s x", False),
    ],
)
def test_an_entry_may_ask_the_log_for_silence(line: str, is_quiet: bool) -> None:
    (entry,) = read(f"{line}\n", system=True).entries
    assert entry.flags.is_quiet == is_quiet


@pytest.mark.parametrize("overlap", ["allow", "queue", "replace"])
def test_a_single_instance_that_may_overlap_is_a_contradiction(overlap: str) -> None:
    table = read(f"CRON_OVERLAP={overlap} 0 9 * * * -s x\nCRON_OVERLAP=skip 0 9 * * * -s y\n")
    assert [problem.code for problem in table.problems] == ["contradiction"]
    assert [entry.settings.overlap for entry in table.entries] == [Overlap.SKIP]


def test_a_user_column_in_a_user_crontab_is_pointed_out() -> None:
    assert codes(read("0 9 * * * root /bin/x\n0 9 * * * www /bin/x\n")) == [(1, 11, "user-column")]


# --- the percent sign ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command", "stdin", "reason"),
    [
        ("cat", "cat", None, "none: no input"),
        ("cat%", "cat", "", "an empty input"),
        ("cat%a", "cat", "a\n", "a newline is added"),
        ("cat%a%", "cat", "a\n", "but not a second one"),
        ("cat%a%b", "cat", "a\nb\n", "later ones are newlines"),
        ("cat%%", "cat", "\n", "an empty line"),
        ("cat % a ", "cat ", " a \n", "blanks stay"),
        (r"echo \%", "echo %", None, "escaped"),
        (r"echo '50\%'", "echo '50%'", None, "quotes don't matter"),
        (r"echo a\%b%c\%d%e", "echo a%b", "c%d\ne\n", "in both parts"),
        (r"echo \\%a", r"echo \\", "a\n", "a pair of backslashes escapes nothing"),
        (r"echo \\\%a", r"echo \\%a", None, "three do"),
        (r"echo \n\\", r"echo \n\\", None, "other backslashes stay"),
        (r"cat%a\nb\\c", "cat", "a\\nb\\\\c\n", "in the input too"),
        (r"cat%a\\%b", "cat", "a\\%b\n", "where a backslash before a % always escapes it"),
        ("cat%a\\", "cat", "a\\\n", "a backslash at the end"),
        ("echo a\\", "echo a\\", None, "of either part"),
        (r"date +\%Y-\%m", "date +%Y-%m", None, "as it should be written"),
    ],
)
def test_percent_signs(text: str, command: str, stdin: str | None, reason: str) -> None:
    table = read(f"0 9 * * * {text}\n")
    (entry,) = table.entries
    assert (entry.command, entry.stdin) == (command, stdin), reason
    assert {problem.code for problem in table.problems} <= {"backslash", "backslashes"}


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("date +%Y", 17),
        ("x > log-$(date +%F)", 27),
        ("printf '%s' a", 19),
        ("mysql -e \"like '%a'\"", 27),
    ],
)
def test_a_percent_sign_that_was_meant_for_the_command_is_pointed_out(
    text: str, column: int
) -> None:
    (problem,) = read(f"0 9 * * * {text}\n").problems
    assert (problem.column, problem.code, problem.hint) == (
        column,
        "percent",
        "write \\% for a percent sign",
    )


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "slug", "reason"),
    [
        ("report --daily", "report", "the program's name"),
        ("cd / && run-parts --report /etc/cron.hourly", "run-parts", "and nothing else"),
        ("Report.SH ALL", "report-sh", "lower case"),
        ("a-program-with-a-name-that-goes-on", "a-program-with-a-name-th", "cut"),
        ("écho 日本", "job", "plain letters only"),
        ("mysqldump -phunter2 db", "mysqldump", "a secret is in no name"),
    ],
)
def test_a_name_is_its_program_s_and_a_hash(command: str, slug: str, reason: str) -> None:
    name = one(f"0 9 * * * {command}\n").job
    assert name[:-7] == slug, reason
    assert set(name[-6:]) <= set(string.hexdigits.lower())


def test_a_name_does_not_change_with_other_lines_or_blanks_or_the_machine_s_zone() -> None:
    line = "0 9 * * * report --daily"
    table = parser.parse(b"A=1\n0 1 * * * x\n0  9 *\t* * report --daily", file="other", zone=TOKYO)
    assert one(line).job == table.entries[1].job


@pytest.mark.parametrize(
    "other",
    [
        "1 9 * * * cat",
        "0 9 * * * cat ",
        "0 9 * * * cat%",
        "0 9 * * * cat%a",
        "CRON_TZ=Europe/Berlin 0 9 * * * cat",
    ],
)
def test_names_differ_with_schedule_command_input_and_explicit_zone(other: str) -> None:
    assert one(other).job != one("0 9 * * * cat").job


def test_equal_lines_are_numbered_in_their_order() -> None:
    first, second, third = (entry.job for entry in read("0 9 * * * x\n" * 3).entries)
    assert (second, third) == (f"{first}-2", f"{first}-3")


def test_a_chosen_name_is_used() -> None:
    assert one("CRON_NAME=nightly 0 9 * * * x").job == "nightly"
    assert one("CRON_NAME=nightly\n0 9 * * * x").job == "nightly"


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("CRON_NAME=a\n0 1 * * * x\n0 2 * * * y\n", (3, 1), "one line, two entries"),
        ("CRON_NAME=a 0 1 * * * x\n\nCRON_NAME=A 0 2 * * * y\n", (3, 13), "case does not count"),
    ],
)
def test_a_name_is_used_once(text: str, place: tuple[int, int], reason: str) -> None:
    table = read(text)
    assert codes(table) == [(*place, "duplicate-name")], reason
    assert "in front of the schedule" in table.problems[0].hint
    assert table.refused == {3}
    assert [entry.command for entry in table.entries] == ["x"]


def test_a_refused_entry_leaves_its_name_to_the_next() -> None:
    assert one("CRON_NAME=a 0 9 * * * y").job == "a"
    table = read("CRON_NAME=a 0 25 * * * x\nCRON_NAME=a 0 9 * * * y\n")
    assert [entry.job for entry in table.entries] == ["a"]


def test_names_are_unique_over_files() -> None:
    tables = [
        parser.parse(text, file=file, zone=BERLIN)
        for file, text in (
            ("one", b"0 9 * * * x\n0 9 * * * x\nCRON_NAME=a 0 9 * * * y\n"),
            ("two", b"0 9 * * * x\n\nCRON_NAME=A 0 9 * * * z\nCRON_NAME=b 0 9 * * * z\n"),
        )
    ]
    one_, two = unique(tables)
    assert one_ == tables[0]
    first = tables[0].entries[0].job
    assert [entry.job for entry in two.entries] == [f"{first}-3", "b"]
    assert codes(two) == [(3, 1, "duplicate-name")]
    assert "line 3 of one" in two.problems[0].message
    assert two.refused == {3}


def test_numbers_go_on_over_files() -> None:
    tables = [parser.parse(b"0 9 * * * x\n" * 2, file=file, zone=BERLIN) for file in "abc"]
    first = tables[0].entries[0].job
    found = [entry.job for table in unique(tables) for entry in table.entries]
    assert found == [first, *(f"{first}-{number}" for number in range(2, 7))]


def test_h_follows_the_name_and_nothing_else() -> None:
    text = "CRON_NAME=a H H * * * x\n"
    assert (
        one(text).schedule
        == parser.parse(f"A=1\n{text}".encode(), file="f", zone=TOKYO).entries[0].schedule
    )


# --- problems ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said", "refused", "reason"),
    [
        ("CRON_TZ=Mars\n", "", [], "nothing below"),
        ("CRON_TZ=Mars\n@daily x\n", "so 1 entry below is refused: line 2", [2], "one"),
        (
            "CRON_TZ=Mars\n@daily x\n\n@daily y\nCRON_TZ=\n@daily z\n",
            "so 2 entries below are refused: lines 2 and 4",
            [2, 4],
            "until it is set again",
        ),
        (
            "CRON_TZ=Mars\n" + "@daily x\n" * 9,
            "so 9 entries below are refused: lines 2, 3, 4, 5, 6 and 4 more",
            [*range(2, 11)],
            "many",
        ),
        ("CRON_TZ=Mars @daily x\n@daily y\n", "so its entry is refused", [1], "in front of one"),
        ("CRON_NAME=my job\n@daily x\n", "so 1 entry below is refused: line 2", [2], "a name"),
        ("CRON_POOL=/x\n@daily x\n", "so 1 entry below is refused: line 2", [2], "a folder"),
        ("CRON_ALERT=x\n@daily x\n", "so 1 entry below is refused: line 2", [2], "nobody"),
        ("CRON_TZ='Mars\n@daily x\n", "so 1 entry below is refused: line 2", [2], "a quote"),
        ("CRON_TZ=\0\n@daily x\n", "so 1 entry below is refused: line 2", [2], "a NUL"),
    ],
)
def test_a_bad_setting_says_what_it_takes_with_it(
    text: str, said: str, refused: list[int], reason: str
) -> None:
    table = read(text)
    problem = table.problems[0]
    assert problem.message.partition("; ")[2] == said, reason
    assert list(problem.refuses) == refused
    assert table.refused == {*refused}


def test_every_bad_setting_in_force_says_so() -> None:
    table = read("CRON_TZ=Mars\nCRON_RETRIES=x\n0 25 * * * x\n@daily y\n")
    assert [problem.refuses for problem in table.problems] == [(4,), (4,), ()]


def test_each_refused_line_has_its_reason() -> None:
    table = read("CRON_TZ=Mars\n@daily x\n0 25 * * * y\nCRON_TZ=\nCRON_RETRIES=x @daily z\n")
    assert lint.refusals(table) == {
        2: "unknown-zone on line 1",
        3: "out-of-range",
        5: "bad-number",
    }


def test_a_variable_of_one_s_own_needs_another_name() -> None:
    (problem,) = read("CRON_NAME=my job\n@daily x\n").problems
    assert problem.hint.endswith("; a variable of your own needs another name")


def test_every_problem_of_a_file_is_named_in_the_order_of_its_lines() -> None:
    table = read("0 25 * * * a\nFOO='\nMAILTO=-x\nCRON_TZ=Mars\n0 9 * *\n")
    assert [problem.line for problem in table.problems] == [1, 2, 3, 4, 5]
    assert table.refused == {1, 5}


def test_a_caret_stands_under_the_fault() -> None:
    (problem,) = read("\t0  25 * * * caf\u00e9\n").problems
    assert diagnostics.lines(problem)[1:3] == ("     0  25 * * * café", "        ^")


@pytest.mark.parametrize(
    "line",
    [
        "0 9 * * * mysqldump -phunter2 db > x-$(date +%F)",
        "0 9 * * * PGPASSWORD='hunter2' psql -c \"x%y\"",
        "0 9 * * * curl -u me:hunter2 -H 'X-Api-Key: hunter2' +%d",
    ],
)
def test_a_caret_stands_under_the_fault_behind_a_secret(line: str) -> None:
    (problem,) = read(f"{line}\n").problems
    _, shown, caret, _ = diagnostics.lines(problem)
    assert shown[len(caret) - 1] == "%"
    assert "hunter2" not in shown
    assert len(shown) == len(line) + 4


def test_secret_values_are_not_in_the_text_of_a_problem() -> None:
    table = read(
        "DB_PASSWORD=hunter$TWO\nCRON_API_TOKEN='abc d' CRON_X=y 0 25 * * * x\nAPI_KEY='abc\n"
    )
    assert table.problems
    shown = "\n".join(line for problem in table.problems for line in diagnostics.lines(problem))
    assert "hunter" not in shown
    assert "abc" not in shown
    assert "CRON_X=y 0 25 * * * x" in shown


@pytest.mark.parametrize(
    "line",
    [
        "CRON_RETRIES=x DB_PASSWORD=hunter2 1 * * * * a",  # a bad setting hides what follows it
        "0 25 * * * PGPASSWORD='hunter2 x' psql",  # in a command
        "CRON_RETRIES=DB_PASSWORD=hunter2",  # as a value
        "CRON_ALERT='desktop hunter2x' 0 9 * * * mysql -phunter2x",  # where another place tells of it
    ],
)
def test_a_secret_is_hidden_wherever_it_stands(line: str) -> None:
    table = read(line + "\n")
    assert table.problems
    assert "hunter" not in "\n".join(text for p in table.problems for text in diagnostics.lines(p))


# --- anything at all -----------------------------------------------------------------------------

PIECES = st.sampled_from(
    [b"0 9 * * * ", b"\n", b"\r\n", b"@daily ", b"@every ", b"CRON_TZ=", b"CRON_RETRIES=", b"CRON_X=", b"UTC ",
     b"=", b'"', b"'", b"%", b"\\", b"#", b"\0", b"\xff", b" ", b"\t", b"-", b"*/5", b"root ", b"\xef\xbb\xbf", b"H ~ L * 5#2 "]
)  # fmt: skip
FILES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.one_of(PIECES, st.binary(max_size=4)), max_size=30).map(b"".join),
)


@given(FILES, st.booleans())
@settings(max_examples=400)
@example(b"CRON_TZ=\xff 0 9 * * * \xfe", False)
@example(b"@\x01 0", False)
def test_no_bytes_make_it_fail(data: bytes, system: bool) -> None:
    table = read(data, system=system)
    text = list(lexer.split(table.text))
    for problem in table.problems:
        assert 1 <= problem.line <= len(text)
        assert 1 <= problem.column <= len(text[problem.line - 1]) + 1
        assert problem.message.isprintable()
        "\n".join(diagnostics.lines(problem)).encode()
    assert table.refused.isdisjoint(entry.line for entry in table.entries)
    assert all(1 <= number <= len(text) for number in table.refused)
    assert unique([table]) == (table,)


# --- and back ------------------------------------------------------------------------------------

TEXT = st.text(st.sampled_from("ab \t'\"%\\$#=é日@*-\udcff"), max_size=8)
WORD = st.text(st.sampled_from("abZ09_.,'\"%\\$é/"), min_size=1, max_size=6)
SCHEDULES = st.sampled_from(
    [
        "0 9 * * *",
        "*/5  8-18 * * mon-fri",
        "@daily",
        "@reboot",
        "@every 90m",
        "H H(1-5) L * *",
        "~ 2~5 * * fri#2",
    ]
)
COMMANDS = st.builds("{}{}".format, st.sampled_from(["x", "-n x", "-sq x", "-x", "echo "]), TEXT)
PREFIXES = st.lists(
    st.one_of(
        st.sampled_from(
            ["CRON_TZ=Asia/Tokyo", "CRON_TZ=", "CRON_RETRIES=0", "CRON_RETRY_ON=1-3,signal", "CRON_TIMEOUT=1h30m",
             "CRON_RETRY_JITTER=0.25", "CRON_KILL_AFTER=0", "CRON_SUCCESS=0,9"]
        ),
        st.builds("CRON_X={}".format, WORD),
        st.builds("CRON_Y='{}'".format, TEXT.map(lambda text: text.replace("'", ""))),
    ),
    max_size=3,
)  # fmt: skip


def job_line(prefixes: Sequence[str], schedule: str, user: str, command: str, dash: str) -> str:
    return " ".join([*prefixes, dash + schedule, user, command])


SYSTEM_JOBS = st.builds(
    job_line,
    PREFIXES,
    SCHEDULES,
    st.sampled_from(["root", "www-data"]),
    COMMANDS,
    st.sampled_from(["", "-"]),
)
ASSIGNMENTS = st.one_of(
    st.builds("{}={}".format, st.sampled_from(["A", "'B c'", '"it\'s"', "CRON_X", "CRON_Z"]), TEXT),
    st.builds('A="{}"'.format, TEXT.map(lambda text: text.replace('"', ""))),
    PREFIXES.filter(lambda prefixes: len(prefixes) == 1).map(lambda prefixes: prefixes[0]),
    st.sampled_from(["CRON_NAME=night", "CRON_NAME=", "CRON_OVERLAP=queue", "CRON_OVERLAP="]),
)


@given(st.lists(st.one_of(SYSTEM_JOBS, ASSIGNMENTS), max_size=8).map("\n".join))
@settings(max_examples=400)
@example("0 9 * * * root cat%a\\")
@example("0 9 * * * root cat%a%%")
@example("CRON_X=a'\"b @daily root x\n@daily root x\n@daily root x")
@example("CRON_X=a'\" b\n@daily root x")
@example("A=\\ \nB=c\n0 9 * * * root x")
@example("0 9 * * * root x\\\nA=c\n'B c'=\n0 9 * * * root x")
@example("A=\n0 9 * * * root x\\\nA=\n'B c'=\n0 9 * * * root x")
def test_written_entries_read_as_the_same(text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    entries = read(data, system=True).entries
    again = read(writing.write(entries).encode("utf-8", "surrogateescape"), system=True)
    assert [by_zone_name(each) for each in again.entries] == [by_zone_name(e) for e in entries]
    assert [problem for problem in again.problems if problem.severity is Severity.ERROR] == []


def by_zone_name(entry: Entry) -> tuple[Entry, str]:
    return replace(entry, zone=BERLIN), entry.zone.key


def test_entries_of_the_user_form_are_written_without_a_user() -> None:
    entries = read("A=b c\n0 9 * * * echo 50\\%%in\nCRON_RETRIES=1 @daily x\n").entries
    assert writing.write(entries).splitlines() == [
        'A="b c"',
        f"CRON_TZ=Europe/Berlin CRON_NAME={entries[0].job} 0 9 * * * echo 50\\%%in%",
        f"CRON_TZ=Europe/Berlin CRON_NAME={entries[1].job} CRON_RETRIES=1 @daily x",
    ]


# --- the files that come along -------------------------------------------------------------------

INVALID = sorted((CRONTABS / "invalid").glob("*.crontab"))
VALID = sorted(CRONTABS.glob("*.crontab"))


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_an_invalid_crontab_says_what_its_first_comment_expects(path: Path) -> None:
    data = path.read_bytes()
    expected = data.split(b"\n")[0].decode().removeprefix("# ")
    table = parser.parse(data, file=path.name, zone=BERLIN, system="system" in path.stem)
    assert [f"{problem.code} {problem.message}" for problem in table.problems] == [expected]
    assert table.problems[0].severity is Severity.ERROR


def test_there_are_invalid_crontabs() -> None:
    assert len(INVALID) >= 20


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_a_crontab_that_comes_along_has_no_problem(path: Path) -> None:
    table = parser.parse(path.read_bytes(), file=path.name, zone=BERLIN)
    assert table.problems == ()
    assert table.entries
