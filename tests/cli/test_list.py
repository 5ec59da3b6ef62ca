"""check, list, next and explain: what they print, for people and for programs."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from scheduler.journal.journal import Journal
from scheduler.run import Paused, Reason, State
from scheduler.schedule.tick import minute_of
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Person
    from typer.testing import Result

GOOD = "CRON_TZ=Asia/Tokyo\n0 9 * * 1-5 echo open\n"
BAD = "0 61 * * * echo one\n0 9 * * * echo two\nCRON_RETRY=3\n0 10 * * * echo three\n"


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# --- check ---------------------------------------------------------------------------------------


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
    result = person.types("check", person.file("MAILTO=me\n0 9 * * * x\n"))
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
    assert result.stdout.splitlines()[0].startswith(f"{file}:1:11: not-supported-yet ")
    assert "no entries, 1 problem (1 error)" in result.stdout
    assert result.exit_code == 1


def test_list_shows_an_entry_of_another_user_and_that_it_is_refused(person: Person) -> None:
    file = person.file("0 9 * * * nobody echo hi\n")
    result = person.types("list", "--system-format", "--json", file)
    (entry,) = rows(result)
    assert (entry["user"], entry["command"]) == ("nobody", "echo hi")
    assert "not-supported-yet" in result.stderr
    assert result.exit_code == 1


def test_no_run_is_shown_of_an_entry_that_is_refused(person: Person) -> None:
    file = person.file("CRON_NAME=theirs 0 9 * * * nobody echo hi\nCRON_NAME=x @daily me x\n")
    listed = person.types("list", "--system-format", file)
    (row,) = (line for line in listed.stdout.splitlines() if "theirs" in line)
    assert "refused" in row
    coming = person.types("next", "--system-format", file)
    assert "theirs" not in coming.stdout
    for result in (listed, coming):
        assert "running as another user (nobody) is not supported yet" in result.stderr
        assert result.exit_code == 1


def test_next_says_which_entries_a_bad_setting_refuses(person: Person) -> None:
    result = person.types("next", person.file("CRON_TZ=Mars\n@daily x\nCRON_TZ=\n@daily y\n"))
    assert "there is no time zone 'Mars'; so 1 entry below is refused: line 2" in result.stderr


def test_nothing_of_a_crontab_steers_the_terminal(person: Person) -> None:
    file = person.file(b"0 9 * * * echo \x1b]0;owned\x07 \xff\n0 61 * * * \x1b[2J\n")
    for command in ("check", "list", "next"):
        result = person.types(command, file)
        assert "\x1b" not in result.output
        assert "\x07" not in result.output


# --- list ----------------------------------------------------------------------------------------


def test_list_shows_job_schedule_zone_command_and_next_run(person: Person) -> None:
    header, entry = person.types("list", person.file(GOOD)).stdout.splitlines()
    assert header.split("  ")[0] == "JOB"
    assert re.search(
        r"0 9 \* \* 1-5 +Asia/Tokyo +\w{3} \d{4}-\d\d-\d\d 0[12]:00 +echo open$", entry
    )


def test_list_for_programs_has_every_part_of_an_entry(person: Person) -> None:
    text = "API_KEY=hush\nLANG=C\nCRON_NAME=open\nCRON_TZ=Asia/Tokyo\nCRON_TIMEOUT=1h\nCRON_POOL=db:2\n"
    text += "CRON_CPU=10m\nCRON_NICE=-5\n"
    file = person.file(f"{text}0 9 * * 1-5 cat%one%two\n")
    (entry,) = rows(person.types("list", "--json", file))
    fields = entry.pop("fields")
    settings = entry.pop("settings")
    assert datetime.fromisoformat(entry.pop("next")) > datetime(2026, 1, 1, tzinfo=UTC)
    assert entry == {
        "last": None,
        "paused": False,
        "file": file,
        "line": 9,
        "job": "open",
        "schedule": "0 9 * * 1-5",
        "zone": "Asia/Tokyo",
        "user": None,
        "command": "cat",
        "stdin": "one\ntwo\n",
        "environment": {"API_KEY": "***", "LANG": "C"},
    }
    assert list(fields) == ["minute", "hour", "day", "month", "weekday", "days"]
    assert (fields["hour"], fields["weekday"], fields["days"]) == ([9], [1, 2, 3, 4, 5], "and")
    assert (settings["timeout"], settings["retries"], settings["overlap"]) == (3600, 3, "skip")
    assert (settings["catchup"], settings["within"], settings["spread"]) == ("auto", 10800, 0)
    assert settings["catchup_limit"] == 10_000
    assert (settings["random_delay"], settings["start_hours"]) == (0, None)
    assert (settings["pool"], settings["pool_limit"]) == ("db", 2)
    assert (settings["memory"], settings["cpu"], settings["nice"]) == (None, 600, -5)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """It is noon in Berlin, on a Monday."""
    at = datetime(2027, 3, 29, 10, 0, tzinfo=UTC)
    monkeypatch.setattr(RealClock, "now", lambda _: at)
    return at


def test_list_shows_when_each_job_ran_last_and_how_that_went(
    person: Person, noon: datetime
) -> None:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        for job, hours, state in (("ok", 5, State.SUCCEEDED), ("bad", 4, State.FAILED), ("bad", 9, State.SUCCEEDED), ("ok", -9, State.FAILED)):  # fmt: skip
            run = journal.claim(job, noon - timedelta(hours=hours), "UTC")
            assert run is not None
            journal.finish(run, state)
        since = noon - timedelta(hours=3)
        journal.skip("missed", since, "UTC", Reason.MISSED, until=since + timedelta(hours=1))
    file = person.file(
        "".join(f"CRON_NAME={job} 0 9 * * * x\n" for job in ("ok", "bad", "missed", "new"))
    )
    shown = [re.split("  +", line)[3:] for line in person.types("list", file).stdout.splitlines()]
    following = "Tue 2027-03-30 09:00"
    assert shown == [
        ["NEXT, HERE", "LAST, HERE", "RESULT", "COMMAND"],
        [following, "Mon 2027-03-29 07:00", "succeeded", "x"],  # not that of a wrong clock
        [following, "Mon 2027-03-29 08:00", "failed", "x"],
        [following, "Mon 2027-03-29 10:00", "skipped", "x"],  # the last of a stretch
        [following, "x"],
    ]
    found = rows(person.types("list", "--json", file))
    assert [row["next"] for row in found] == ["2027-03-30T07:00:00Z"] * 4
    assert found[2]["last"] == {"run": 5, "at": "2027-03-29T08:00:00Z", "state": "skipped", "reason": "missed"}  # fmt: skip
    assert found[3]["last"] is None


def test_what_a_pause_leaves_out_is_told(person: Person, noon: datetime) -> None:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        for job, until in (
            ("for-good", None),
            ("a-day", timedelta(days=1)),
            ("over", -timedelta(1)),
        ):
            end = None if until is None else noon + until
            journal.daemon_state.pause(Paused(job, noon - timedelta(days=2), end))
    names = ("for-good", "a-day", "over")
    file = person.file("".join(f"CRON_NAME={job} 0 13 * * * x\n" for job in names))
    shown = [re.split("  +", line)[3] for line in person.types("list", file).stdout.splitlines()]
    assert shown == ["NEXT, HERE", "paused", "paused", "Mon 2027-03-29 13:00"]
    assert [row["paused"] for row in rows(person.types("list", "--json", file))] == [
        True,
        True,
        False,
    ]
    coming = rows(person.types("next", "--json", "-n", "6", file))
    assert [(row["job"], row["note"]) for row in coming] == [
        ("for-good", "paused"), ("a-day", "paused"), ("over", ""),
        ("for-good", "paused"), ("a-day", ""), ("over", ""),
    ]  # fmt: skip


def test_list_has_no_next_run_of_what_is_refused_or_waits_for_a_boot(person: Person) -> None:
    file = person.file("@reboot root x\n0 9 * * * nobody x\n0 0 31 2 * root x\n")
    found = rows(person.types("list", "--json", "--system-format", file))
    assert [row["next"] for row in found] == [None] * len(found)


def test_a_secret_of_a_command_is_in_no_table_but_programs_get_the_command(person: Person) -> None:
    file = person.file("0 9 * * * PGPASSWORD=hunter2 pg_dump\n")
    for words in (("list", file), ("next", file), ("next", "--json", file)):
        assert "hunter" not in person.types(*words).output
    assert "PGPASSWORD=******* pg_dump" in person.types("list", file).stdout
    (entry,) = rows(person.types("list", "--json", file))
    assert entry["command"] == "PGPASSWORD=hunter2 pg_dump"


@pytest.mark.parametrize("schedule", ["@reboot", "@every 90m"])
def test_a_schedule_without_fields_has_null(person: Person, schedule: str) -> None:
    (entry,) = rows(person.types("list", "--json", person.file(f"{schedule} x\n")))
    assert entry["fields"] is None


def test_list_shows_the_good_and_says_what_is_refused(person: Person) -> None:
    file = person.file(BAD)
    result = person.types("list", "--json", file)
    assert [entry["command"] for entry in rows(result)] == ["echo two", "echo three"]
    assert result.stderr.startswith(f"{file}:1:3: ")
    assert result.exit_code == 1


def test_many_refused_lines_are_counted(person: Person) -> None:
    result = person.types("list", person.file("0 61 * * * x\n" * 9))
    assert "and 4 more; meridian check shows them all" in result.stderr


# --- next ----------------------------------------------------------------------------------------

SPRING = ("--from", "2027-03-27 12:00", "--until", "2027-03-30")


def test_next_merges_entries_in_the_order_of_time(person: Person) -> None:
    file = person.file("CRON_NAME=a\n0 6,18 * * * x\nCRON_NAME=b\n0 12 * * * y\n")
    found = rows(person.types("next", "--json", "--from", "2027-01-01", "-n", "4", file))
    assert [(row["at"], row["job"]) for row in found] == [
        ("2027-01-01T05:00:00Z", "a"),
        ("2027-01-01T11:00:00Z", "b"),
        ("2027-01-01T17:00:00Z", "a"),
        ("2027-01-02T05:00:00Z", "a"),
    ]


def test_next_has_the_runs_of_one_instant_in_the_order_of_the_file(person: Person) -> None:
    """Though entries of one schedule and zone are searched together."""
    lines = ["0 9 * * * a", "@every 1h b", "0 9 * * * c", "0 6,9 * * * d", "0 9 * * * e"]
    file = person.file("CRON_TZ=UTC\n" + "".join(f"CRON_NAME={x[-1]} {x}\n" for x in lines))
    at_eight = ("--from", "2027-06-01T08:00Z", "--until", "2027-06-01T09:01Z")
    found = [row["job"] for row in rows(person.types("next", *at_eight, "--json", file))]
    assert found == ["a", "b", "c", "d", "e"]


def test_after_the_clock_was_set_back_nothing_is_announced_that_has_been(person: Person) -> None:
    """What the daemon waits out `next` and `list` do not promise."""
    file = person.file("CRON_NAME=job * * * * * x\n")
    person.state.mkdir(exist_ok=True)
    now = RealClock().now()
    handled = minute_of(now) + timedelta(minutes=40)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        journal.daemon_state.set_last_tick(handled)
    (first,) = rows(person.types("next", "--json", "-n", "1", file))
    assert first["at"] == f"{handled + timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    listed = person.types("list", file).stdout.splitlines()[1]
    here = (handled + timedelta(minutes=1)).astimezone(ZoneInfo("Europe/Berlin"))
    assert f"{here:%H:%M}" in listed
    past = rows(person.types("next", "--json", "--from", "2027-01-01", "-n", "1", file))
    assert [row["at"] for row in past] == ["2026-12-31T23:00:00Z"]


def test_list_gives_each_entry_its_own_next_run(person: Person) -> None:
    file = person.file(
        "CRON_TZ=UTC\n0 9 1 1 * a\n0 9 2 1 * b\n0 9 1 1 * c\nCRON_TZ=Asia/Tokyo 0 8 1 1 * d\n"
    )
    found = [line.split()[-3:-1] for line in person.types("list", file).stdout.splitlines()[1:]]
    first, second, third, fourth = (" ".join(words) for words in found)
    assert first == third
    assert len({first, second, fourth}) == 3


def test_next_for_programs_has_both_times_and_says_what_a_clock_change_did(person: Person) -> None:
    file = person.file("CRON_NAME=night\n30 2 * * * x\n")
    found = rows(person.types("next", "--json", *SPRING, file))
    assert [row["local"] for row in found] == [
        "2027-03-28T03:00:00+02:00",
        "2027-03-29T02:30:00+02:00",
    ]
    first = found[0]
    assert first.pop("note")
    assert first == {
        "at": "2027-03-28T01:00:00Z",
        "local": "2027-03-28T03:00:00+02:00",
        "zone": "Europe/Berlin",
        "job": "night",
        "file": file,
        "line": 2,
    }
    assert found[1]["note"] == ""


def test_next_says_when_a_spread_run_starts(person: Person) -> None:
    file = person.file("CRON_SPREAD=1h\nCRON_NAME=a 30 2 * * * x\nCRON_NAME=b @every 1h x\n")
    spring = person.types("next", file, "--from", "2027-03-28", "-n", "3", "--json")
    autumn = person.types("next", file, "--from", "2027-10-31", "-n", "3", "--json")
    again = person.types("next", file, "--from", "2027-03-28", "-n", "3", "--json")
    assert again.stdout == spring.stdout
    notes = {row["job"]: row["note"] for row in rows(spring)}
    assert re.fullmatch(
        r"the clock goes forward: stands for 02:30; starts at 03:\d\d:\d\d, spread", notes["a"]
    )
    assert re.fullmatch(r"counted from .*; starts at \d\d:\d\d:\d\d, spread", notes["b"])
    late = {row["job"]: row["note"] for row in rows(autumn)}
    assert re.fullmatch(r"starts at 0[23]:\d\d:\d\d, spread", late["a"])


def test_next_shows_each_run_in_its_zone_and_in_ones_own(person: Person) -> None:
    words = ("next", "--from", "2027-01-04", "-n", "1", person.file(GOOD))
    _, run = person.types(*words).stdout.splitlines()
    assert run.startswith("Mon 2027-01-04 09:00  Asia/Tokyo  Mon 2027-01-04 01:00")


def test_from_is_inside_and_until_is_not(person: Person) -> None:
    file = person.file("0 * * * * x\n")
    found = rows(
        person.types("next", "--json", "--from", "2027-01-01 09:00", "--until", "11:00", file)
    )
    assert [row["local"][11:16] for row in found] == ["09:00", "10:00"]


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), 10),  # as many as a person wants to see
        (("-n", "25"), 25),
        (("--until", "2027-01-01 00:01", "-n", "9" * 9), 1),  # as many as there are
        (("-n", "0"), 0),
        (("--until", "2027-01-01 01:00"), 60),  # all of a time that was asked for
        (("--until", "2027-01-01 01:00", "-n", "7"), 7),
    ],
)
def test_how_many_runs_next_shows(person: Person, options: tuple[str, ...], count: int) -> None:
    file = person.file("* * * * * x\n")
    words = ("next", "--json", "--from", "2027-01-01", *options, file)
    assert len(rows(person.types(*words))) == count


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ("2027-03-28T01:00:00Z", "2027-03-28T01:00:00Z"),
        ("2027-03-28 03:00 +0200", "2027-03-28T01:00:00Z"),
        ("28 March 2027 3am", None),  # one form of many
        ("2027-03-28 02:30", "2027-03-28T01:30:00Z"),  # in the gap: an hour on
        ("2027-10-31 02:30", "2027-10-31T00:30:00Z"),  # twice: the first
        ("2027-01-01 09:00 JST", None),  # whose JST?
        ("2027-01-01 09:00 EST", None),  # and whose EST?
        ("the day after", None),
        ("2027-13-01", None),
        ("9" * 30, None),
        ("0001-01-01", None),  # the calendar ends there: nothing can be worked out
        ("9999-12-30T12:00:00Z", "9999-12-30T12:00:00Z"),
        ("9999-12-31T23:59-12:00", None),
        ("", None),
    ],
)
def test_times_are_read_as_people_type_them(person: Person, typed: str, at: str | None) -> None:
    file = person.file("* * * * * x\n")
    result = person.types("next", "--json", "-n", "1", "--from", typed, file)
    if at is None:
        assert result.exit_code == 2
        assert re.search("--from: '.*' is no time", result.stderr)
    else:
        assert rows(result)[0]["at"] == at


@pytest.mark.parametrize(
    ("options", "echo"),
    [
        (("--from", "2027-01-04 09:00"), "From Mon 2027-01-04 09:00 Europe/Berlin\n"),
        (
            ("--from", "2027-01-04T09:00Z", "--until", "1d"),
            "From Mon 2027-01-04 10:00 until Tue 2027-01-05 10:00 Europe/Berlin\n",
        ),
        (
            ("--from", "2027-01-04 09:00", "--until", "mon 9:30:10"),
            "From Mon 2027-01-04 09:00 until Mon 2027-01-04 09:30:10 Europe/Berlin\n",
        ),
        ((), ""),
    ],
)
def test_a_time_that_was_typed_is_echoed_with_its_zone(
    person: Person, options: tuple[str, ...], echo: str
) -> None:
    file = person.file("* * * * * x\n")
    assert person.types("next", *options, file).stderr == echo
    assert person.types("next", *options, file, "--json").stderr == ""


def test_a_time_that_no_clock_shows_or_twice_is_told(person: Person) -> None:
    file = person.file("* * * * * x\n")
    spring = person.types("next", "--from", "2027-03-28 02:30", "--json", file).stderr
    assert spring.startswith("warning: no clock of Europe/Berlin shows 02:30")
    autumn = person.types("next", "--from", "2027-10-31 02:30", "--json", file).stderr
    assert autumn.startswith("warning: clocks of Europe/Berlin show 02:30 of 2027-10-31 twice")


def test_an_interval_counts_from_where_the_journal_says(person: Person) -> None:
    file = person.file("CRON_NAME=a\n@every 90m x\n")
    words = ("next", "--json", "--from", "2027-01-01T12:00Z", "-n", "2", file)
    fresh = rows(person.types(*words))
    assert [row["at"] for row in fresh] == ["2027-01-01T13:30:00Z", "2027-01-01T15:00:00Z"]
    assert "first start" in fresh[0]["note"]
    person.state.mkdir()
    journal = Journal.open(person.state / "journal.db")
    journal.daemon_state.set_anchor("a", 90, datetime(2027, 1, 1, 10, 10, tzinfo=UTC))
    journal.close()
    known = rows(person.types(*words))
    assert [row["at"] for row in known] == ["2027-01-01T13:10:00Z", "2027-01-01T14:40:00Z"]
    assert known[0]["note"] == ""
    on_time = person.types("next", "--json", "--from", "2027-01-01T13:10Z", "-n", "1", file)
    assert rows(on_time)[0]["at"] == "2027-01-01T13:10:00Z"


def test_list_and_edit_count_an_interval_from_the_journal_too(person: Person) -> None:
    text = "CRON_NAME=a\n" + person.line("@every 1d", "x")
    person.state.mkdir()
    journal = Journal.open(person.state / "journal.db")
    journal.daemon_state.set_anchor("a", 1440, datetime(2020, 1, 1, 10, 10, tzinfo=UTC))
    journal.close()
    assert re.search(r"  a\n", person.types("install", "-", stdin=text).stdout)
    for words in (("list",), ("list", "--state", str(person.state)), ("install", "-")):
        shown = person.types(*words, stdin=text).stdout
        assert re.search(r"\d{4}-\d\d-\d\d 1[12]:10\b", shown), words


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        ("0 0 29 2 *", "9996-02-28T23:00:00Z"),
        ("@every 3650d", "9990-05-22T22:00:00Z"),
        ("30 23 * * *", "9999-12-30T22:30:00Z"),
    ],
)
def test_a_listing_ends_with_the_calendar(person: Person, schedule: str, last: str) -> None:
    """But for its last day, which zones east of UTC can't show."""
    words = ("next", "--json", "--from", "9980-05-25", "-n", "10000")
    found = rows(person.types(*words, person.file(f"{schedule} x\n")))
    assert found[-1]["at"] == last
    late = person.types("next", "--from", "9999-12-30 23:45", person.file(f"{schedule} x\n"))
    assert "Nothing runs in that time." in late.stderr


def test_what_runs_at_boot_is_mentioned_beside(person: Person) -> None:
    result = person.types("next", person.file("CRON_NAME=up\n@reboot x\n"))
    assert "At the next boot: up" in result.stderr
    assert "Nothing runs" in result.stderr
    assert result.exit_code == 0


# --- explain -------------------------------------------------------------------------------------


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
