"""audit: what it prints about a year's clock changes, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from commands import rows

from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from conftest import Person

NIGHT = "CRON_NAME=night\n30 2 * * * x\nCRON_NAME=noon\n0 12 * * * x\n"
WORLD = NIGHT + "CRON_TZ=Asia/Tokyo\nCRON_NAME=tokyo\n30 2 * * * x\nCRON_NAME=up\n@reboot x\n"


def test_audit_says_change_by_change_what_happens_to_which_entry(person: Person) -> None:
    result = person.types("audit", "--year", "2027", person.file(WORLD))
    assert result.stdout == (
        "Europe/Berlin: Sun 2027-03-28 02:00-03:00 is skipped\n"
        "JOB    SCHEDULE    WHAT HAPPENS\n"
        "night  30 2 * * *  02:30 runs at 03:00 instead\n"
        "\n"
        "Europe/Berlin: Sun 2027-10-31 02:00-03:00 comes twice\n"
        "JOB    SCHEDULE    WHAT HAPPENS\n"
        "night  30 2 * * *  02:30 runs the first time only (at 00:30 UTC)\n"
        "\n"
        "1 of 4 entries is touched by clock changes in 2027; 1 of 2 zones changes its clock\n"
    )
    assert (result.stderr, result.exit_code) == ("", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 12 * * * x\n", "0 of 1 entry is touched by clock changes in 2027; 1 of 1 zone changes its clock\n"),
        ("CRON_TZ=UTC\n0 2 * * * x\n0 3 * * * y\n", "0 of 2 entries are touched by clock changes in 2027; 0 of 1 zone changes its clock\n"),
        ("# nothing\n", "no entries\n"),
    ],
)  # fmt: skip
def test_where_nothing_is_touched_it_says_so(person: Person, text: str, expected: str) -> None:
    result = person.types("audit", "--year", "2027", person.file(text))
    assert (result.stdout, result.exit_code) == (expected, 0)


def test_several_entries_and_zones_are_counted(person: Person) -> None:
    text = "30 2 * * * x\n31 2 * * * y\nCRON_TZ=America/New_York\n30 2 * * * z\n"
    result = person.types("audit", "--year", "2027", person.file(text))
    assert result.stdout.splitlines()[-1] == (
        "3 of 3 entries are touched by clock changes in 2027; 2 of 2 zones change their clocks"
    )


def test_audit_for_programs_has_one_object_a_finding(person: Person) -> None:
    file = person.file(WORLD)
    result = person.types("audit", "--json", "--year", "2027", file)
    spring, autumn = rows(result)
    assert spring == {
        "file": file,
        "line": 2,
        "job": "night",
        "zone": "Europe/Berlin",
        "change": "2027-03-28T01:00:00Z",
        "kind": "forward",
        "shift_minutes": 60,
        "from": "2027-03-28T02:00:00",
        "to": "2027-03-28T03:00:00",
        "runs": ["2027-03-28T01:00:00Z"],
        "skipped": ["2027-03-28T02:30:00"],
        "text": "Sun 2027-03-28 02:00-03:00 is skipped: 02:30 runs at 03:00 instead",
    }
    assert list(autumn) == list(spring)
    assert (autumn["kind"], autumn["shift_minutes"]) == ("back", -60)
    assert (autumn["runs"], autumn["skipped"]) == (
        ["2027-10-31T00:30:00Z"],
        ["2027-10-31T02:30:00"],
    )
    assert result.exit_code == 0


def test_audit_and_next_agree_on_the_night_of_the_change(person: Person) -> None:
    file = person.file("30 2 * * * x\n*/30 2 * * * y\n15 * * * * z\n0 2,3 * * * w\n")
    for night in (("2027-03-28 01:59", "2027-03-28 03:01"), ("2027-10-31T00:00Z", "2027-10-31T02:00Z")):  # fmt: skip
        since, until = night
        coming = rows(person.types("next", "--json", "--from", since, "--until", until, file))
        moved = {(row["job"], row["at"]) for row in coming if row["note"]}
        found = rows(person.types("audit", "--json", "--year", "2027", file))
        told = {(row["job"], at) for row in found for at in row["runs"]}
        assert moved
        assert moved <= told


def test_without_a_year_it_is_this_one(person: Person) -> None:
    before, result, after = (
        RealClock().now(),
        person.types("audit", person.file("* * * * * x\n")),
        RealClock().now(),
    )
    assert any(f"clock changes in {at.year}" in result.stdout for at in (before, after))


@pytest.mark.parametrize("year", ["1969", "2101", "soon", "-1"])
def test_a_year_out_of_reach_is_wrong_usage(person: Person, year: str) -> None:
    result = person.types("audit", "--year", year, person.file(NIGHT))
    assert result.exit_code == 2
    assert "--year" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("year", ["1970", "2100"])
def test_the_first_and_the_last_year_are_within_reach(person: Person, year: str) -> None:
    result = person.types("audit", "--year", year, person.file(NIGHT))
    assert f"clock changes in {year}" in result.stdout


def test_audit_reads_standard_input_and_the_user_column(person: Person) -> None:
    words = ("audit", "--json", "--year", "2027", "--system-format", "-")
    found = rows(person.types(*words, stdin="30 2 * * * www-data x\n"))
    assert [(row["file"], row["line"]) for row in found] == [("-", 1), ("-", 1)]


def test_audit_without_a_file_reads_ones_own(person: Person) -> None:
    person.has(person.line("30 2 * * *", "x"))
    (spring, _) = rows(person.types("audit", "--json", "--year", "2027"))
    assert spring["file"] == str(person.crontab)


def test_audit_shows_the_good_and_says_what_is_refused(person: Person) -> None:
    file = person.file("0 61 * * * x\n30 2 * * * y\n")
    result = person.types("audit", "--json", "--year", "2027", file)
    assert len(rows(result)) == 2
    assert result.stderr.startswith(f"{file}:1:3: ")
    assert result.exit_code == 1


def test_nothing_of_a_crontab_steers_the_terminal(person: Person) -> None:
    file = person.file(b"CRON_NAME=a\x1b[2J\n30 2 * * * echo \x1b]0;owned\x07\n")
    result = person.types("audit", "--year", "2027", file)
    assert "\x1b" not in result.output
    assert "\x07" not in result.output
