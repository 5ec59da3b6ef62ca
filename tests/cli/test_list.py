"""list: what it prints of each entry, for people and for programs."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from commands import rows

from scheduler.journal.journal import Journal
from scheduler.pause import Paused
from scheduler.run import Reason, State
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from conftest import Person


GOOD = "CRON_TZ=Asia/Tokyo\n0 9 * * 1-5 echo open\n"
BAD = "0 61 * * * echo one\n0 9 * * * echo two\nCRON_RETRY=3\n0 10 * * * echo three\n"


def test_list_shows_an_entry_of_another_user_and_that_it_is_refused(person: Person) -> None:
    file = person.file("0 9 * * * nobody echo hi\n")
    result = person.types("list", "--system-format", "--json", file)
    (entry,) = rows(result)
    assert (entry["user"], entry["command"]) == ("nobody", "echo hi")
    assert "other-user" in result.stderr
    assert result.exit_code == 1


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
    assert (settings["alert"], settings["expect"]) == (None, None)


def test_list_shows_who_is_told_without_the_keys(person: Person) -> None:
    file = person.file("CRON_ALERT=desktop,slack://T0K/B/C,after,3\nCRON_EXPECT=2h\n@daily x\n")
    (entry,) = rows(person.types("list", "--json", file))
    assert entry["settings"]["alert"] == {
        "targets": ["desktop", "slack://*******"],
        "after": 3,
        "missed": False,
        "slow": False,
    }
    assert entry["settings"]["expect"] == 7200
    head, row = person.types("list", file).stdout.splitlines()
    assert "ALERTS" in head
    assert "desktop, slack://*******" in row


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


def test_list_gives_each_entry_its_own_next_run(person: Person) -> None:
    file = person.file(
        "CRON_TZ=UTC\n0 9 1 1 * a\n0 9 2 1 * b\n0 9 1 1 * c\nCRON_TZ=Asia/Tokyo 0 8 1 1 * d\n"
    )
    found = [line.split()[-3:-1] for line in person.types("list", file).stdout.splitlines()[1:]]
    first, second, third, fourth = (" ".join(words) for words in found)
    assert first == third
    assert len({first, second, fourth}) == 3


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


def test_list_for_programs_has_the_days_of_an_entry_as_they_are_written(person: Person) -> None:
    text = "CRON_EXCEPT=sat,12-24 CRON_FROM=2027-01-01 CRON_UNTIL=2090-12-31 CRON_EXCEPT_MOVE=next"
    file = person.file(f"{text} 0 9 * * * x\n0 9 * * * y\n")
    one, two = (entry["settings"] for entry in rows(person.types("list", "--json", file)))
    names = ("except", "only", "except_move", "from", "until")
    assert [one[name] for name in names] == ["sat,12-24", None, "next", "2027-01-01", "2090-12-31"]
    assert [two[name] for name in names] == [None] * 5
