"""What stands in front of a schedule, and what hides one: blanks, and names that can't be there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.crontab import lint_front, parser

if TYPE_CHECKING:
    from scheduler.entry import Crontab

ERROR, WARNING = "error", "warning"


def read(line: str) -> Crontab:
    text = f"{line}\n* * * * * below\n".encode()
    return parser.parse(text, file="f", zone=ZoneInfo("UTC"))


VALUES = [
    # line alone, how many targets the entry below has, reason
    ("CRON_ALERT=@fifo @zero @open @huge @loop @many @esc", 7, "names of files, no nicknames"),
    ("CRON_ALERT=@ops @weekends missed", 2, "one that is near a nickname, no command follows"),
    ("CRON_ALERT=@ops @dayly @team", 2 + 1, "nor is a name the command"),
    ("CRON_ALERT=@team @daily", 2, "a nickname at the end"),
    ('CRON_ALERT="@ops @daily @team"', 3, "in quotes"),
    ("CRON_ALERT=desktop after 3 missed slow mail", 2, "options"),
    ("CRON_ALERT=| a b c d e f g", 1, "words of a command"),
    ('CRON_ALERT="| tell 30 2 * * * x"', 1, "a schedule in quotes"),
]


@pytest.mark.parametrize(("line", "targets", "reason"), VALUES)
def test_a_value_of_many_words_is_a_value(line: str, targets: int, reason: str) -> None:
    table = read(line)
    assert table.problems == (), reason
    (entry,) = table.entries
    assert entry.settings.alert is not None
    assert len(entry.settings.alert.targets) == targets, reason


def test_exit_codes_with_blanks_are_no_schedule() -> None:
    (entry,) = read("CRON_SUCCESS=0 1 2 3 4 5 6 7").entries
    assert entry.settings.success == frozenset(range(8))


OWN_LINE, QUOTES = "on a line of its own", "in quotes"
# Errors refuse their line alone; a warned line is an assignment, as it is to cron.
HIDDEN = [
    # line, severity, code, column, a part of the hint, reason
    ("CRON_ALERT=desktop after 3 0 * * * * sync", ERROR, "blank-in-value", 20, 'CRON_ALERT="desktop after 3"', "not at 00:03"),
    ("CRON_ALERT=desktop missed 30 2 * * * x", ERROR, "blank-in-value", 20, 'CRON_ALERT="desktop missed"', "no seconds"),
    ("CRON_EXCEPT=sat, sun 0 * * * * x", ERROR, "blank-in-value", 18, 'CRON_EXCEPT="sat, sun"', "a list goes on behind a comma"),
    ("CRON_EXCEPT=sat, holidays:DE 0 5 * * * x", ERROR, "blank-in-value", 18, QUOTES, "no calendar has such a name"),
    ("CRON_NAME=nightly backup 30 2 * * * x", ERROR, "blank-in-value", 19, QUOTES, "a name of two words"),
    ("CRON_ALERT_TEXT=try 3 0 5 * * * x", ERROR, "blank-in-value", 21, 'CRON_ALERT_TEXT="try 3"', "numbers of a text"),
    ("CRON_RETRIES=1 CRON_ALERT=desktop, slow @daily x", ERROR, "blank-in-value", 36, 'CRON_ALERT="desktop, slow"', "the second setting, a nickname"),
    ("CRON_ALERT=slack://a/b/c after 3 0 5 * * * x", ERROR, "blank-in-value", 26, 'CRON_ALERT="slack://***** after 3"', "a secret is not told"),
    ("CRON_X=two words: 0 5 * * * x", WARNING, "looks-like-entry", 12, QUOTES, "an unknown one is a variable"),
    ("CRON_ALERT=desktop, | tell 30 2 * * * x", WARNING, "looks-like-entry", 21, 'CRON_ALERT="desktop, | tell"', "all of it may be the command"),
    ("CRON_ALERT_TEXT=hello {job} 0 1 * * * x", WARNING, "looks-like-entry", 23, QUOTES, "all of it may be the text"),
    ("CRON_ALERT=@ops @team @daily @x", WARNING, "looks-like-entry", 17, QUOTES, "a file that is called as a nickname"),
    ("CRON_RETRIES=1 MAILTO=a@b.org 0 5 * * * echo x", ERROR, "not-in-front", 16, "CRON_ALERT=mail:a@b.org in front", "what can stand there"),
    ('CRON_NAME=j MAILTO="" * * * * * x', ERROR, "not-in-front", 13, f"put MAILTO {OWN_LINE}", "no address"),
    ("CRON_RETRIES=1 A=b @daily x", ERROR, "not-in-front", 16, f"'A' {OWN_LINE}", "any variable"),
    ("MAILTO=a@b.org 0 5 * * * echo x", WARNING, "looks-like-entry", 8, "CRON_ALERT=mail:a@b.org in front", "not: put commas"),
    ("MAILTO=a@b.org, c 0 5 * * * x", WARNING, "looks-like-entry", 8, "CRON_ALERT=mail:a@b.org,mail:c in", "several"),
    ("MAILFROM=a@b.org @daily x", WARNING, "looks-like-entry", 10, f"put MAILFROM {OWN_LINE}", "a sender"),
    ("CONTENT_TYPE=text/html; charset=utf-8 0 5 * * * x", WARNING, "looks-like-entry", 14, OWN_LINE, "a type"),
    ("A=b c d 0 5 * * * x", WARNING, "looks-like-entry", 3, OWN_LINE, "behind several words"),
    ('MAILTO="a@b.org" 0 5 * * * x', ERROR, "after-quote", 18, "CRON_ALERT=mail:a@b.org in front", "a quoted one"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("line", "severity", "code", "column", "hint", "reason"), HIDDEN, ids=[row[0] for row in HIDDEN]
)
def test_a_job_that_something_in_front_hides_is_told_of(
    line: str, severity: str, code: str, column: int, hint: str, reason: str
) -> None:
    table = read(line)
    (found,) = (each for each in table.problems if each.code != "nobody-hears")
    assert (found.line, found.column, found.code) == (1, column, code), reason
    assert found.severity.value == severity, reason
    assert hint in found.hint, (reason, found.hint)
    assert [entry.command for entry in table.entries] == ["below"], "the line below is not refused"


OTHERS = [
    # line, code, hint, reason
    ("CRON_RETRIES=1 0 0 5 * * * x", "seconds-field", "write 0 5 * * *", "seconds of another scheduler"),
    ("CRON_ALERT=desktop @dayly x", "bad-nickname", "write @daily", "a misspelt nickname and a command"),
    ("CRON_RETRIES=1 @nightly x", "bad-nickname", "write @daily", "one that no cron knows"),
    ("CRON_RETRIES=1 0 25 * * * echo 0 5 * * * x", "out-of-range", "", "the schedule in a command is none"),
    ("CRON_ALERT = desktop slow 0 5 * * * x", "bad-alert", "no blanks round =", "an assignment's blanks"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "hint", "reason"), OTHERS)
def test_a_mistake_of_another_kind_keeps_its_own_words(
    line: str, code: str, hint: str, reason: str
) -> None:
    (found,) = read(line).problems
    assert found.code == code, reason
    assert hint in found.hint, reason


NICKNAMES = [
    # line, command, whether it is warned about, reason
    ("CRON_ALERT=@ops @daily @x", "@x", True, "no program is called so"),
    ("CRON_ALERT=@ops @daily missed", "missed", True, "a word of the setting"),
    ("CRON_ALERT=@ops @daily /usr/bin/x", "/usr/bin/x", False, "a job as any"),
    ("CRON_ALERT=@daily @daily x", "x", False, "a name in front of the nickname"),
]


@pytest.mark.parametrize(("line", "command", "is_warned", "reason"), NICKNAMES)
def test_a_name_that_is_a_nickname_begins_the_schedule(
    line: str, command: str, is_warned: bool, reason: str
) -> None:
    table = read(line)
    assert table.entries[0].command == command, reason
    assert [each.code for each in table.problems] == ["looks-like-value"] * is_warned
    assert all("in quotes" in each.hint for each in table.problems)


WORDS = st.lists(
    st.sampled_from(
        ["*", "0", "5", "1-5", "mon", "@daily", "@ops", "x", "desktop", "after", "3", "|", "A=b", "s,"]
    ),
    max_size=12,
).map(" ".join)  # fmt: skip


@given(st.sampled_from(["A", "MAILTO", "SHELL", "PATH", "CONTENT_TYPE"]), WORDS)
def test_what_cron_takes_for_an_assignment_is_one(name: str, value: str) -> None:
    (entry,) = read(f"{name}={value}").entries
    assert entry.environment == ((name, value),)


@given(st.sampled_from(["CRON_ALERT", "CRON_EXCEPT", "CRON_X", "CRON_SUCCESS"]), WORDS)
def test_a_line_of_settings_is_an_entry_an_assignment_or_refused(name: str, words: str) -> None:
    table = read(f"{name}={words}")
    jobs = [entry for entry in table.entries if entry.line == 1]
    assert len(jobs) + (1 in table.refused) <= 1
    assert (1 in table.refused) <= any(each.line == 1 for each in table.problems)


@pytest.mark.parametrize(
    ("name", "value", "are_codes"),
    [
        ("CRON_SUCCESS", "0 3", True),
        ("CRON_SUCCESS", "0 1000", False),  # no exit code is that large
        ("CRON_RETRIES", "3", False),  # no list of codes
    ],
)
def test_numbers_behind_a_setting_of_exit_codes_are_codes(
    name: str, value: str, are_codes: bool
) -> None:
    assert lint_front._are_codes(name, value) is are_codes
