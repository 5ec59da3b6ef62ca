"""check: every problem of a crontab, for people and for programs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from commands import rows

from scheduler.cli import alert_targets
from scheduler.cli.doctor import mail_way
from scheduler.crontab import parser

if TYPE_CHECKING:
    from conftest import Person


GOOD = "CRON_TZ=Asia/Tokyo\n0 9 * * 1-5 echo open\n"
BAD = "0 61 * * * echo one\n0 9 * * * echo two\nCRON_RETRY=3\n0 10 * * * echo three\n"


def test_check_of_a_good_file_says_how_much_it_is(person: Person) -> None:
    result = person.types("check", person.file(GOOD))
    assert (result.stdout, result.exit_code) == ("1 entry, no problems\n", 0)


def test_check_says_every_problem_with_line_caret_and_hint(person: Person) -> None:
    file = person.file(BAD)
    result = person.types("check", file)
    lines = result.stdout.splitlines()
    assert re.fullmatch(rf"{re.escape(file)}:1:3: [a-z-]+ .*61.*", lines[0])
    assert lines[1:3] == ["    0 61 * * * echo one", "      ^"]
    assert any(line.startswith(f"{file}:3:1: ") and line.endswith("(warning)") for line in lines)
    assert lines[-1] == "2 entries, 2 problems (1 error, 1 warning)"
    assert result.exit_code == 1


def test_warnings_alone_leave_the_status_zero(person: Person) -> None:
    result = person.types("check", person.file("MAILTO=/dev/null\n0 9 * * * x\n"))
    assert "(warning)" in result.stdout
    assert result.exit_code == 0


def test_check_for_programs_has_one_object_a_problem(person: Person) -> None:
    file = person.file(BAD)
    result = person.types("check", "--json", file)
    error, warning = rows(result)
    assert list(error) == ["file", "line", "column", "severity", "code", "message", "hint"]
    assert (error["file"], error["line"], error["column"]) == (file, 1, 3)
    assert (error["severity"], warning["severity"]) == ("error", "warning")
    assert result.exit_code == 1


def test_check_reads_standard_input(person: Person) -> None:
    result = person.types("check", "-", stdin="0 61 * * * x\n")
    assert result.stdout.startswith("-:1:3: ")


def test_check_without_a_file_reads_ones_own(person: Person) -> None:
    person.has(person.line("0 61 * * *", "x"))
    assert person.types("check").stdout.startswith(f"{person.crontab}:1:3: ")


def test_where_there_is_no_crontab_yet_it_says_how_to_begin_one(person: Person) -> None:
    result = person.types("check")
    assert result.exit_code == 1
    assert "meridian edit begins one" in result.stderr
    assert result.stdout == ""


def test_a_file_that_cannot_be_read_does_not_hide_the_others(person: Person) -> None:
    result = person.types("check", "/nonexistent", person.file(BAD))
    assert result.stdout.startswith("/nonexistent: missing there is no such file\n")
    assert "2 entries, 3 problems" in result.stdout


def test_check_refuses_an_entry_of_another_user_as_the_daemon_does(person: Person) -> None:
    file = person.file("0 9 * * * nobody echo hi\n")
    result = person.types("check", "--system-format", file)
    assert result.stdout.splitlines()[0].startswith(f"{file}:1:11: other-user ")
    assert "no entries, 1 problem (1 error)" in result.stdout
    assert result.exit_code == 1


def test_nothing_of_a_crontab_steers_the_terminal(person: Person) -> None:
    file = person.file(b"0 9 * * * echo \x1b]0;owned\x07 \xff\n0 61 * * * \x1b[2J\n")
    for command in ("check", "list", "next"):
        result = person.types(command, file)
        assert "\x1b" not in result.output
        assert "\x07" not in result.output


# --- who is alerted ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "install", "edit"])
def test_a_target_that_reaches_nobody_is_a_warning_where_it_stands(
    person: Person, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    person.has_addresses("open", "desktop\n", mode=0o644)
    person.has_addresses("mixed", "mail:a@example.org\nnosuch://s3cret\n")
    daily = person.line("@daily", "true")
    alerts = (
        f"CRON_ALERT=@nope after 3\n#CRON_ALERT=@nope\n{daily}CRON_ALERT=@open\n{daily}"
        f'CRON_ALERT=slak://T0ken/x {daily}CRON_ALERT="desktop, @mixed, json://h/x"\n{daily}'
    )
    file = person.file(alerts)
    monkeypatch.setenv("EDITOR", f"cp {file}")
    where = file if command == "install" else str(person.crontab)
    if command == "check":
        person.has(alerts)
    result = person.types(command, *([file] if command == "install" else []))
    assert result.exit_code == 0, result.output
    for said in (
        f"{where}:1:12: no-address @nope reaches nobody: ",
        f"{where}:4:12: no-address @open reaches nobody: ",
        f"{where}:6:12: bad-address slak://… is no address that Apprise knows (warning)",
        f"{where}:7:22: bad-address nosuch://… of @mixed is no address that Apprise knows (warning)",
    ):
        assert said in result.stdout, result.stdout
    assert "hint: chmod 600 " in result.stdout
    assert "4 entries, 4 problems (4 warnings)" in result.stdout
    assert "s3cret" not in result.output


def test_without_apprise_an_address_for_it_is_a_warning(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_targets, "has_apprise", lambda: False)
    file = person.file("CRON_ALERT=json://h/x\n@daily one\n")
    lines = person.types("check", file).stdout.splitlines()
    assert lines[0].startswith(f"{file}:1:12: missing-extra json://… reaches nobody: ")
    assert lines[3].startswith("    hint: make install EXTRAS=alerts")


@pytest.mark.parametrize(("user", "looked_at"), [(None, True), ("nobody", False), ("gone", False)])
def test_a_file_of_addresses_of_another_user_is_not_looked_at(
    user: str | None, looked_at: bool
) -> None:
    """Who tells of their jobs is that user, by files of their own."""
    text = b'CRON_ALERT="@team json://h/x mail"\n@daily true\n'
    (entry,) = parser.parse(text, file="a", zone=ZoneInfo("UTC")).entries
    entry = replace(entry, user=user)
    assert list(alert_targets.pushed(entry)) == [*(["@team"] if looked_at else []), "json://h/x"]
    assert mail_way.needs_mail(entry) is looked_at
