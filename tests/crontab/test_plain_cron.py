"""What Debian's cron makes of a table, as its own crontab -n and its source (3.0pl1-162) say."""

from __future__ import annotations

import pytest

from scheduler.crontab import plain_cron
from scheduler.entry import Problem, Severity

JOB = "* * * * * c\n"
FINE, REFUSED, OTHERWISE = "", plain_cron.CRON_REFUSES, plain_cron.CRON_READS_OTHERWISE

ROWS = [
    (JOB, FINE, "a job"),
    ("\t* *\t* * *   c\n", FINE, "blanks of either kind"),
    ("\n \t\n# x\n\t #\n", FINE, "no lines of jobs"),
    ("@reboot c\n@annually c\n@midnight c\n@hourly\tc\n", FINE, "nicknames"),
    ("@every 1m b\n", REFUSED, "a nickname of Meridian's"),
    ("@Daily c\n", REFUSED, "nicknames are in small letters"),
    ("CRON_NICE=\n", REFUSED, "no value"),
    ("FOO = \n", REFUSED, "only a blank"),
    ("A=\r\n", REFUSED, "only a CR"),
    ('A=""\n', FINE, "an empty value in quotes"),
    ("A=  b  \nA\t=\tb\nA=b=c\nA=#c\n=b\n\"A B\"=c\nA=b'c\nA='b' \n", FINE, "variables"),
    ("A='b' c\n", REFUSED, "more behind a quote"),
    ("A='b\n", REFUSED, "an open quote"),
    ("A B=c\n", REFUSED, "a blank in a name"),
    ("CRON_NAME=z * * * * * c\n", OTHERWISE, "settings in front: all of it is a value"),
    ('CRON_NAME="z" * * * * * c\n', REFUSED, "with quotes it is nothing"),
    ("CRON_NAME=z @every 5m c\n", OTHERWISE, "in front of a nickname"),
    ("CRON_NAME=z\nCRON_RETRIES=3\n", FINE, "settings that jobs get as variables"),
    ("CRON_TZ=Asia/Tokyo\n", OTHERWISE, "the zone of the jobs below"),
    ('CRON_TZ=""\n', FINE, "no zone"),
    ("CRON_EXCEPT=holidays:DE\n", OTHERWISE, "their days"),
    ("H * * * * c\n", REFUSED, "a hash"),
    ("~ * * * * c\n", REFUSED, "a random minute"),
    ("0~5 * * * * c\n", OTHERWISE, "one of a range, to cron its first"),
    ("* * L * * c\n", REFUSED, "the last day"),
    ("* * * * 5L c\n", REFUSED, "the last Friday"),
    ("* * * * 1#2 c\n", OTHERWISE, "the second Monday, to cron each"),
    ("* * * * *#2 c\n", OTHERWISE, "what is behind an item is skipped"),
    ("* * * * fri-sun c\n", OTHERWISE, "a range that ends before it begins"),
    ("* * * * 5-7,Mon-tue c\n", FINE, "names and numbers"),
    ("0 0 1 jan-3/2 * c\n", FINE, "a name and a number"),
    ("5/10 * * * * c\n", REFUSED, "a step behind a number"),
    ("*/70,1-5/2 * * * * c\n", FINE, "steps"),
    ("*/0 * * * * c\n", REFUSED, "a step of 0"),
    ("*/5x * * * * c\n", REFUSED, "a step that is no number"),
    ("1, * * * * c\n", REFUSED, "an empty item"),
    ("60 * * * * c\n", REFUSED, "no minute"),
    ("70-5 * * * * c\n", REFUSED, "no minute in a range"),
    ("0 0 * SUN * c\n", REFUSED, "no month"),
    ("0 0 * * mon/2 c\n", REFUSED, "a step behind a name"),
    ("000005 * * * * c\n", FINE, "zeros in front"),
    ("-* * * * * c\n", REFUSED, "SUSE's dash"),
    ("0 0 ? * * c\n", REFUSED, "a question mark"),
    ("foo bar\n", REFUSED, "nothing that is known"),
    ("* * * * * -q c\n", OTHERWISE, "OpenBSD's options go to the shell"),
    (f"* * * * * {'x' * 998}\n", FINE, "the longest command"),
    (f"* * * * * {'x' * 999}\n", REFUSED, "a longer one"),
    (f"A={'x' * 1100}\n", OTHERWISE, "a long variable is cut off"),
    ("* * * * * c\r\n", OTHERWISE, "a CR is a part of the command"),
    ("* * * * * a\\\\b\n", OTHERWISE, "one backslash of two"),
    ("* * * * * a\\b%\\\\\n", FINE, "two in its input stay"),
    ("\r\n", REFUSED, "a CR alone is a line"),
    ("\ufeff* * * * * c\n", REFUSED, "a byte order mark"),
    ("* * * * * c", REFUSED, "no newline at the end"),
    ("# x", FINE, "a comment needs none"),
    ("\n" * 10_001 + JOB, REFUSED, "too many lines"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "code"), [pytest.param(*row[:2], id=row[2]) for row in ROWS])
def test_what_plain_cron_makes_of_a_table(text: str, code: str) -> None:
    found = plain_cron.doubts(text.encode(), file="crontab", system=False)
    assert [each.code for each in found] == [code] * bool(code)


def test_a_doubt_says_where_and_what_to_do() -> None:
    (found,) = plain_cron.doubts(f"{JOB}0 H * * * c\n".encode(), file="crontab", system=False)
    assert (found.line, found.column, found.hint) == (2, 3, "write it out")
    assert found.message == "Debian's cron throws the whole table away: 'H' is no hour to it"


def test_in_the_system_form_a_user_stands_before_the_command() -> None:
    text = b"* * * * * root -q c\n* * * * * root c\n"
    found = plain_cron.doubts(text, file="crontab", system=True)
    assert [(each.line, each.code) for each in found] == [(1, OTHERWISE)]


def test_no_bytes_make_it_fail() -> None:
    for text in (b"\xff\xfe* * * * * c\n", b"@\n", b"=\n", b"'\n", b'"=', b"\0\n", b"* * * * *\n"):
        plain_cron.doubts(text, file="crontab", system=True)


def test_of_a_user_that_is_not_there_it_is_told_as_of_a_line_that_cron_refuses() -> None:
    ours = Problem(
        "crontab", 3, 11, Severity.WARNING, "bad-user", "there is no user bob", "make it"
    )
    found = plain_cron.of_unknown_user(ours)
    assert (found.line, found.column, found.hint) == (3, 11, "make it")
    assert (found.severity, found.code) == (Severity.ERROR, plain_cron.CRON_REFUSES)
