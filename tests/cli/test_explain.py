"""explain: a schedule in words, and what is no schedule."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from commands import rows

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Person


@pytest.mark.parametrize("words", [("30 7 * * 1-5",), ("30", "7", "*", "*", "1-5")])
def test_explain_takes_one_argument_or_five(person: Person, words: tuple[str, ...]) -> None:
    result = person.types("explain", *words, "--tz", "Asia/Tokyo")
    assert "07:30" in result.stdout
    assert "zone Asia/Tokyo" in result.stdout
    assert len(re.findall(r"\d{4}-\d\d-\d\d 07:30", result.stdout)) == 5


def test_explain_for_programs(person: Person) -> None:
    (row,) = rows(person.types("explain", "--json", "0 0 1,15 * fri"))
    assert list(row) == ["expression", "words", "zone", "fields", "next"]
    assert row["zone"] == "Europe/Berlin"
    assert row["fields"]["days"] == "or"
    assert len(row["next"]) == 5


def test_explain_of_no_schedule_shows_where_it_is_wrong(person: Person) -> None:
    result = person.types("explain", "30 25 * * *")
    assert result.exit_code == 1
    assert "    30 25 * * *\n       ^\n" in result.stderr
    assert result.stdout == ""


def test_explain_says_what_cron_makes_of_a_step_that_is_too_long(person: Person) -> None:
    result = person.types("explain", "*/90 * * * *")
    assert result.exit_code == 0
    assert "long-step a step of 90 is longer than the 60 minutes it goes through" in result.stderr
    assert "at minute 0 of every hour" in result.stdout


def test_explain_of_an_unknown_zone_suggests_one(person: Person) -> None:
    result = person.types("explain", "0 0 * * *", "--tz", "Europe/Berln")
    assert result.exit_code == 2
    assert "Europe/Berlin" in result.stderr


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("H * * * *", True),
        ("0 0,H(5-9) * * *", True),
        ("~ 0 * * *", True),
        ("0 0 * * thu", False),
        ("@every 10h", False),
    ],
)
def test_explain_owns_up_where_each_job_gets_its_own(
    person: Person, text: str, drawn: bool
) -> None:
    assert ("drawn for each job" in person.types("explain", text).stderr) == drawn


def test_explain_of_reboot_has_no_times(person: Person) -> None:
    assert "NEXT" not in person.types("explain", "@reboot").stdout


def test_explain_takes_the_settings_in_front_of_a_schedule(person: Person) -> None:
    result = person.types("explain", "CRON_TZ=Asia/Tokyo CRON_RETRIES=1 0 9 * * *")
    assert result.stdout.startswith("at 09:00 every day\nzone Asia/Tokyo\n")


def test_explain_of_a_whole_line_says_its_command_apart(person: Person) -> None:
    result = person.types("explain", "30 7 * * 1-5 curl -u me:hunter2 x")
    assert result.stdout.startswith("at 07:30, Monday to Friday\ncommand curl -u me:******* x\n")
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("30 7 * *", "too-few-fields 4 of the five fields"),
        ("", "too-few-fields"),
        ("# 30 7 * * *", "hint: write 30 7 * * *"),
        ("MAILTO=me", "too-few-fields"),
        ("TZ=Asia/Tokyo 0 9 * * *", "hint: write CRON_TZ=Asia/Tokyo in front of the schedule"),
        ("CRON_TZ=Mars 0 9 * * *", "expression:9: unknown-zone there is no time zone 'Mars'"),
        ("0 30 7 * * 1-5", "expression:1: seconds-field"),
        ("*/ 5 * * * *", "expression:3: blank-in-field a blank stands inside a field"),
        ("0 0 12 * * ? 2027", "expression:1: too-many-fields seven fields"),
        ("@minutely", "hint: write * * * * *"),
    ],
)
def test_explain_of_what_is_no_schedule_says_why(person: Person, text: str, said: str) -> None:
    result = person.types("explain", text)
    assert said in result.stderr
    assert (result.stdout, result.exit_code) == ("", 1)


def test_explain_knows_a_star_that_the_shell_has_expanded(
    person: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").touch()
    result = person.types("explain", "*/5", "notes.txt", "notes.txt", "notes.txt", "notes.txt")
    assert "expression:5: file-names the shell has put names of files, such as" in result.stderr
    assert 'hint: quote the schedule: meridian explain "*/5 * * * *"' in result.stderr
    assert result.exit_code == 1


def test_days_off_are_told_with_the_runs_that_they_leave(person: Person) -> None:
    line = "CRON_TZ=UTC CRON_EXCEPT=sat,sun CRON_EXCEPT_MOVE=next CRON_FROM=2027-05-01 0 9 1 5 * x"
    shown = person.types("explain", line).stdout.splitlines()
    assert " ".join(shown[:2]).startswith(
        "at 09:00 on day 1 of the month, in May, except on Saturday and Sunday, from 2027-05-01;"
        " what falls"
    )
    assert any("2027-05-03 09:00" in each and "moved from Sat 2027-05-01" in each for each in shown)


IN_WORDS = [
    # settings and schedule, words, reason
    ("CRON_ONLY=workday#1 CRON_EXCEPT=sat,sun,holidays:DE-BY 0 9 * * *", "at 09:00 on the first working day of the month (Saturday, Sunday and holidays of DE-BY are none)", "the first working day"),
    ("CRON_ONLY=workday#12,workdayL CRON_EXCEPT=sun 0 9 * * *", "at 09:00 on the 12th working day of the month and the last working day of the month (Sunday is none)", "another, and the last"),
    ("CRON_ONLY=mon-fri 0 9 * 5 *", "at 09:00 every day, in May, only on Monday to Friday", "in a month"),
    ("CRON_ONLY=fri#2,friL 0 9 * * *", "at 09:00 on the second Friday of the month and the last Friday of the month", "some Fridays"),
    ("CRON_ONLY=friL,workday#1 CRON_EXCEPT=sat 0 9 * * *", "at 09:00 on the last Friday of the month and the first working day of the month, except on Saturday", "it is taken from both"),
    ("CRON_EXCEPT=2027-12-24..2027-12-31,2027-05-01 0 9 * * 1-5", "at 09:00, Monday to Friday, except on 2027-12-24 to 2027-12-31 and 2027-05-01", "dates"),
    ("CRON_EXCEPT=12-24,12-30..01-06 * * * * *", "every minute, except on 24 December and 30 December to 6 January", "of every year"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "words", "reason"), IN_WORDS, ids=[row[2] for row in IN_WORDS])
def test_days_are_put_into_words(person: Person, line: str, words: str, reason: str) -> None:
    row = json.loads(person.types("explain", f"{line} x", "--json").stdout)
    assert row["words"] == words, reason
