"""What would be lost without a word: each is refused or warned about, with its place and a hint."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from scheduler.crontab import diagnostics, parser
from scheduler.entry import Crontab, Severity


def read(text: str | bytes, *, system: bool = False) -> Crontab:
    data = text.encode() if isinstance(text, str) else text
    return parser.parse(data, file="crontab", zone=ZoneInfo("UTC"), system=system, salt="here")


def codes(table: Crontab) -> list[tuple[int, int, str]]:
    return [(problem.line, problem.column, problem.code) for problem in table.problems]


REFUSED = [
    # lines, [(line, column, code)], the commands that still run, why
    ("0 5 * * * a\r0 6 * * * b\r", [(1, 12, "bare-cr")], [], "the line ends of an old Mac"),
    ("# jobs\r0 5 * * * a\r0 6 * * * b", [(1, 7, "bare-cr")], [], "all of it behind a comment"),
    ("A=1\r0 5 * * * a\r\n0 6 * * * b\n", [(1, 4, "bare-cr")], ["b"], "behind an assignment"),
    ("0 5 * * * a\r# why\n0 6 * * * b\n", [(1, 12, "bare-cr")], ["b"], "a comment behind it"),
    ("0 5 * * * a\rMAILTO=x\n", [(1, 12, "bare-cr")], [], "an assignment behind it"),
    ("CRON_TZ=Asia/Tokyo\r0 5 * * * a\n0 6 * * * b\n", [(1, 19, "bare-cr")], [], "a setting governs what follows"),
    ("0 5 * * * rsync -a /srv \\\n  --delete /mnt\n0 6 * * * b\n", [(1, 25, "cut-off"), (2, 3, "cut-off")], ["b"], "a command in two lines"),
    ("0 5 * * * a \\\nb \\\nc\n0 6 * * * d\n", [(1, 13, "cut-off"), (2, 1, "cut-off"), (3, 1, "cut-off")], ["d"], "in three"),
    ("0 5 * * * a \\\n--color=no\n", [(1, 13, "cut-off"), (2, 1, "cut-off")], [], "an option that looks like an assignment"),
    ("0 5 * * * a \\\n&& B=1 c\n", [(1, 13, "cut-off"), (2, 1, "cut-off")], [], "what only a shell goes on with"),
    ("0 5 * * * cat%a \\\nb\n", [(1, 17, "cut-off"), (2, 1, "cut-off")], [], "in its input"),
    ("1 5 cron.daily nice run-parts /etc/cron.daily\n", [(1, 1, "anacrontab")], [], "of an anacrontab"),
    ("7\t25\tcron.weekly\tx\n", [(1, 1, "anacrontab")], [], "a short one"),
    ("@monthly 45 cron.monthly nice run-parts x\n", [(1, 1, "anacrontab")], [], "with a nickname"),
    ("0 9 L jann * x\n", [(1, 7, "bad-name")], [], "not so a misspelt month"),
    ("1 5 backup /bin/backup -a b\n", [(1, 1, "anacrontab")], [], "by any name"),
    ('"0 5 * * *" a\n', [(1, 1, "quoted-schedule")], [], "a schedule in quotes"),
    ("'0 5 * * *' a\n", [(1, 1, "quoted-schedule")], [], "of either kind"),
    ('"0 5 * * * a"\n', [(1, 1, "quoted-schedule")], [], "with its command"),
    ('"@daily" a\n', [(1, 1, "quoted-schedule")], [], "a nickname"),
    ("\u201c0 5 * * *\u201d a\n", [(1, 1, "quoted-schedule")], [], "of a word processor"),
    ("`0 5 * * *` a\n", [(1, 1, "quoted-schedule")], [], "of a web page"),
    ("\u200b0 5 * * * a\n", [(1, 1, "hidden-character")], [], "a zero-width space in front"),
    ("\ufeff# c\n0 5 * * * a\n\ufeff0 6 * * * b\n", [(3, 1, "hidden-character")], ["a"], "a BOM in the middle"),
    ("0\u00a05 * * * a\n", [(1, 2, "hidden-character")], [], "a no-break space for a blank"),
    ("0 5 * * *\u00a0a b\n", [(1, 10, "hidden-character")], [], "behind the schedule"),
    (b"0 5 * * *\xa0a b\n", [(1, 10, "hidden-character")], [], "in Latin-1"),
    ("0 5 * *\u3000* a\n", [(1, 8, "hidden-character")], [], "a wide blank"),
    ("@daily\u00a0a b\n", [(1, 7, "hidden-character")], [], "behind a nickname"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "found", "commands", "why"), REFUSED)
def test_what_would_be_lost_without_a_word_is_refused(
    text: str | bytes, found: list[tuple[int, int, str]], commands: list[str], why: str
) -> None:
    table = read(text)
    assert codes(table) == found, why
    assert [entry.command for entry in table.entries] == commands, why
    for problem in table.problems:
        assert problem.severity is Severity.ERROR
        assert problem.hint
        shown = diagnostics.lines(problem)
        assert shown[0].startswith(f"crontab:{problem.line}:{problem.column}: {problem.code}")
        assert all(line.isprintable() for line in shown)


WARNED = [
    # line, column, code, the command, why
    ("0 5 * * * \u200ba b", 11, "hidden-character", "\u200ba b", "a zero-width space before the command"),
    ("0 5 * * * /bin/\u200bx", 16, "hidden-character", "/bin/\u200bx", "inside the program's name"),
    ("0 5 * * * a \u00a0b", 13, "hidden-character", "a \u00a0b", "a no-break space among blanks"),
    ("0 5 * * * a b\ufeff", 14, "hidden-character", "a b\ufeff", "at the end"),
    ("@daily \u200ea", 8, "hidden-character", "\u200ea", "a direction mark"),
    ("0 5 * * * echo \u201chi you\u201d", 16, "curly-quote", "echo \u201chi you\u201d", "quotes that are none"),
    ("0 5 * * * A=\u2018x\u2019 b", 13, "curly-quote", "A=\u2018x\u2019 b", "of one value"),
    ("0 5 * * * touch /srv \\", 22, "backslash", "touch /srv \\", "a backslash at the end of all"),
    ("0 5 * * * a \\\n# b", 13, "backslash", "a \\", "before a comment"),
    ("0 5 * * * a \\\nB=c", 13, "backslash", "a \\", "before an assignment"),
    ("0 5 * * * a \\\\\\", 15, "backslash", "a \\\\\\", "three of them"),
    ("0 5 * * * printf 'a\rb'", 20, "bare-cr", "printf 'a\rb'", "a CR that no line follows"),
    ("0 5 * * * grep '\\\\.' x", 17, "backslashes", "grep '\\\\.' x", "two, of which Debian's cron makes one"),
    ("0 5 * * * root /bin/x", 11, "user-column", "root /bin/x", "a user column"),
    ("0 5 * * * www-data php /srv/x.php", 11, "user-column", "www-data php /srv/x.php", "of a package's user"),
    ("0 5 * * * postgres cd / && x", 11, "user-column", "postgres cd / && x", "before a shell's word"),
    ("@daily alice /home/alice/bin/x", 8, "user-column", "alice /home/alice/bin/x", "of whom the program is"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "column", "code", "command", "why"), WARNED)
def test_what_its_writer_hardly_sees_runs_with_a_warning(
    text: str, column: int, code: str, command: str, why: str
) -> None:
    table = read(f"{text}\n")
    found = [problem for problem in table.problems if problem.line == 1]
    assert [(problem.column, problem.code) for problem in found][-1:] == [(column, code)], why
    assert {problem.severity for problem in found} == {Severity.WARNING}
    assert [entry.command for entry in table.entries] == [command], why


@pytest.mark.parametrize(
    ("line", "column", "code", "value"),
    [
        ("MAILTO=\u201croot\u201d", 8, "curly-quote", "\u201croot\u201d"),
        ("A=\u00abb\u00bb", 3, "curly-quote", "\u00abb\u00bb"),
        ("PATH=/bin:\u201c/x\u201d", 11, "curly-quote", "/bin:\u201c/x\u201d"),
        ("A=b\u200b", 4, "hidden-character", "b\u200b"),
        ("A=b\\", 4, "backslash", "b\\"),
    ],
)
def test_an_assignment_keeps_what_is_in_it_with_a_warning(
    line: str, column: int, code: str, value: str
) -> None:
    table = read(f"{line}\n0 5 * * * x\n")
    assert (1, column, code) in codes(table)
    assert [dict(entry.environment) for entry in table.entries] == [
        {line[: line.index("=")]: value}
    ]


def test_what_a_command_ends_with_is_no_part_of_a_setting_in_front() -> None:
    (problem,) = read("CRON_X=a 0 5 * * * b \\\n").problems
    assert (problem.column, problem.message[:42]) == (
        22,
        "the \\ at the end is part of the command: n",
    )


def test_in_the_system_form_an_anacrontab_is_known_too() -> None:
    text = "1 5 cron.daily nice run-parts x\n@weekly 25 cron.weekly x\n"
    assert [each.code for each in read(text, system=True).problems][:1] == ["anacrontab"]


def test_a_name_with_a_character_that_nobody_sees_is_pointed_out() -> None:
    table = read("\u200bPATH=/bin\n0 5 * * * x\n")
    assert codes(table) == [(1, 1, "hidden-character")]
    assert "zero width space (U+200B)" in table.problems[0].message


@pytest.mark.parametrize(
    "line",
    [
        "0 5 * * * echo 'a\u00a0b'",  # in quotes it is text
        "0 5 * * * notify '\U0001f468\u200d\U0001f469\u200d\U0001f467 home'",  # one emoji
        "0 5 * * * echo 'say \u201chi\u201d'",
        "0 5 * * * echo it\u2019s",  # an apostrophe as it should be
        "0 5 * * * echo a\\ b",
        "0 5 * * * echo a \\\\",  # a pair is no end: but Debian halves it
        "A=it\u2019s so",
        "A='\u201cso\u201d'",
        "0 5 * * * a\r",
        "0 5 * * * a\r\r",
        "0 5 1 jan * x",
        "@daily x",
        "0 5 * * * www-data-backup /x",
        "0 5 * * * alice /home/bob/x",
        "0 5 * * * nice /bin/x",
        "0 5 * * * postgres",
        "0 5 * * * list all",
        "# a comment \\\n0 6 * * * y",
        "# \u200b \u201c\\",
    ],
)
def test_what_is_well_meant_needs_no_warning(line: str) -> None:
    found = {problem.code for problem in read(f"{line}\n").problems}
    assert found <= {"backslashes"}


def test_in_the_system_form_a_number_behind_a_nickname_is_a_user() -> None:
    assert read("@daily 1000 x\n", system=True).entries[0].user == "1000"


def test_crlf_ends_a_line_as_it_always_has() -> None:
    table = read("A=1\r\n0 5 * * * a\r\n\r\n# c\r\n0 6 * * * b\r\n")
    assert table.problems == ()
    assert [entry.command for entry in table.entries] == ["a", "b"]


@pytest.mark.parametrize(
    "line",
    [
        b"\r" * 1_000_000 + b"x",
        b"0 5 * * * a" + b"\rb" * 500_000,
        b"0 5 * * * " + "\u00a0 ".encode() * 300_000,
        b'"' + b"0 " * 500_000,
        b"1 5 " + b"a " * 500_000,
        b"0 5 * * * " + b"\\" * 100_001,
        b"0 5 * * * " + b"'\\" * 60_000,
    ],
)
@pytest.mark.timeout(20)
def test_a_line_without_an_end_is_judged_in_no_time(line: bytes) -> None:
    for system in (False, True):
        assert len(read(line + b"\n0 6 * * * x\n", system=system).problems) >= 1
