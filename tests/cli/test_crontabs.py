"""Which crontabs are meant when none is named: those of the running daemon, or the user's own."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from standin import STATUS, StandIn

from scheduler.journal.journal import Journal
from scheduler.status import Status
from scheduler.system import crontab_files, crontab_place
from scheduler.system.crontab_files import CrontabText
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Person

CRONTAB = "CRON_NAME=daemons 0 9 * * * echo\n"


@pytest.fixture
def daemon(person: Person) -> Iterator[StandIn]:
    """Someone whose own crontab has one job, and whose daemon was started with another file."""
    person.has("CRON_NAME=own " + person.line("0 9 * * *", "echo"))
    stand_in = StandIn()
    stand_in.status = STATUS | reads(person.file(CRONTAB), zone="Asia/Tokyo")
    with stand_in.listening(person.home / "run" / "control.sock"):
        yield stand_in


def reads(*files: str, **how: Any) -> dict[str, Any]:
    rows = [STATUS["files"][0] | {"file": file} for file in files]
    plain = {"named": True, "system_format": False, "zone": "Europe/Berlin"}
    return {"files": rows, "reads": plain | how}


def jobs(person: Person, command: str) -> set[str]:
    options = {"next": ("-n", "2"), "audit": ("--year", "2027"), "simulate": ("--from", "2027-03-28", "--until", "1d")}  # fmt: skip
    result = person.types(command, *options.get(command, ()), "--json")
    return {json.loads(line)["job"] for line in result.stdout.splitlines()}


def test_the_crontabs_of_the_running_daemon_are_read_in_its_zone(
    person: Person, daemon: StandIn
) -> None:
    result = person.types("list", "--json")
    row = json.loads(result.stdout)
    assert (row["job"], row["zone"], result.stderr) == ("daemons", "Asia/Tokyo", "")
    assert set(daemon.asked) == {Status()}


@pytest.mark.parametrize("command", ["list", "next", "simulate"])
def test_every_listing_is_of_them(person: Person, daemon: StandIn, command: str) -> None:
    assert jobs(person, command) == {"daemons"}
    assert daemon.asked


def test_why_and_check_are_about_them_too(person: Person, daemon: StandIn) -> None:
    assert "is still to come" in person.types("why", "daemons", "2999-01-01T00:00Z").stdout
    daemon.status = STATUS | reads(person.file("0 61 * * * x\n"))
    assert person.types("check").stdout.startswith(f"{person.home}/a.crontab:1:3: ")


def test_which_they_are_is_said_to_a_person(person: Person, daemon: StandIn) -> None:
    file = f"{person.home}/a.crontab"
    assert person.types("list").stderr == f"Crontabs of the running daemon (pid 4242): {file}\n"
    daemon.status = STATUS | reads(*(f"{file}{n}" for n in range(7)))
    assert f"{file}4 and 2 more\n" in person.types("list").stderr


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (1, "The daemon also runs 1 entry in its last good version: its line can't be read now\n"),
        (2, "The daemon also runs 2 entries in their last good version: their lines can't be read now\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["list", "next"])
def test_entries_that_only_the_daemon_still_has_are_told(
    person: Person, daemon: StandIn, command: str, kept: int, said: str
) -> None:
    daemon.status |= {"kept": kept}
    assert said in person.types(command).stderr
    assert person.types(command, "--json").stderr == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [("list", "There are no entries.\n"), ("next", "Nothing runs in that time.\n")],
)
def test_a_crontab_that_was_removed_is_an_empty_answer_in_words(
    person: Person, daemon: StandIn, command: str, said: str
) -> None:
    daemon.status = STATUS | reads(f"{person.home}/gone", named=False)
    result = person.types(command)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.endswith(said)


def test_a_file_that_is_named_is_the_one(person: Person, daemon: StandIn) -> None:
    other = person.file("CRON_NAME=other 0 9 * * * x\n", "b.crontab")
    result = person.types("list", "--json", other)
    assert json.loads(result.stdout)["job"] == "other"
    assert daemon.asked == []


def test_files_in_the_system_s_form_are_read_so(person: Person, daemon: StandIn) -> None:
    file = person.file("CRON_NAME=a 0 9 * * * www-data echo hi\n")
    daemon.status = STATUS | reads(file, system_format=True)
    assert json.loads(person.types("list", "--json").stdout)["user"] == "www-data"


def test_the_crontabs_of_a_system_daemon_are_read_each_in_its_form(
    person: Person, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = person.home / "crontabs"
    spool.mkdir()
    monkeypatch.setattr(crontab_place, "SPOOL", spool)
    monkeypatch.setattr(crontab_files, "read_users", lambda *_: CrontabText(b"0 9 * * * x\n" * 2))
    (spool / "www-data").touch()
    both = (str(spool / "www-data"), person.file("0 9 * * * www-data y\n"))
    daemon.status = STATUS | reads(*both, named=False, system=True, most_entries=1)
    result = person.types("list", "--json")
    found = [
        (each["user"], each["command"]) for each in map(json.loads, result.stdout.splitlines())
    ]
    assert found == [("www-data", "x"), ("www-data", "y")]
    assert "www-data's table has more than 1 entries" in result.stderr
    for words in (("list",), ("next", "-n", "2")):
        (header, *rows) = person.types(*words).stdout.splitlines()
        assert "USER" in header, words
        assert all("www-data" in row for row in rows), words
    coming = person.types("next", "-n", "2", "--json").stdout.splitlines()
    assert {json.loads(line)["user"] for line in coming} == {"www-data"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (STATUS | {"files": None, "reads": None}, "The running daemon (pid 4242) names no crontab"),
        (Refused("busy", "32 are connected"), "No word from the daemon: 32 are connected"),
        ({"version": "9"}, "No word from the daemon: the daemon's answer has no"),
    ],
)
def test_a_daemon_that_does_not_say_leaves_the_user_s_own(
    person: Person, daemon: StandIn, reply: Any, said: str
) -> None:
    daemon.replies[Status] = reply
    result = person.types("list")
    assert result.stdout.splitlines()[1].startswith("own ")
    assert result.stderr.startswith(said)
    assert f"; your own crontabs: {person.crontab.parent}" in result.stderr


def test_without_a_daemon_it_is_the_user_s_own_and_said_to_be(person: Person) -> None:
    person.has("CRON_NAME=own " + person.line("0 9 * * *", "echo"))
    result = person.types("list")
    assert result.stderr.startswith("No daemon runs; your own crontabs: ")
    assert result.stdout.splitlines()[1].startswith("own ")


def test_a_job_of_the_daemon_is_known(person: Person, daemon: StandIn) -> None:
    person.state.mkdir(exist_ok=True)
    Journal.open(person.state / "journal.db").close()
    assert person.types("history", "daemons").exit_code == 0
    result = person.types("history", "demons")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "There is no job 'demons'; did you mean daemons?" in result.stderr
    assert daemon.asked


MISNAMED = [
    # what was typed in place of a file, what is said of it, why
    (("daemons",), "daemons: missing there is no such file: this was taken for the name of a crontab, but is a job: meridian why daemons, meridian history daemons", "a job of the daemon"),
    (("past",), "but is a job: meridian why past,", "a job of the journal"),
    (("@daily",), 'but is a schedule: meridian explain "@daily"', "a schedule of one word"),
    (("30 7 * * 1-5",), 'but is a schedule: meridian explain "30 7 * * 1-5"', "of several"),
    (("30", "7", "*", "*", "1-5"), 'but is a schedule: meridian explain "30 7 * * 1-5"', "each a word"),
    (("nothing",), "nothing: missing there is no such file: this was taken for the name of a crontab\n", "neither"),
    (("/daemons",), "/daemons: missing there is no such file\n", "a path is one"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "said", "why"), MISNAMED)
@pytest.mark.parametrize("command", ["next", "list", "check"])
def test_a_word_that_is_no_file_is_told_for_what_it_was_taken(
    person: Person,
    daemon: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    words: tuple[str, ...],
    said: str,
    why: str,
) -> None:
    monkeypatch.chdir(person.home)
    person.state.mkdir(exist_ok=True)
    with closing(Journal.open(person.state / "journal.db")) as journal:
        journal.claim("past", datetime(2027, 3, 28, tzinfo=UTC), "UTC")
    result = person.types(command, *words)
    assert result.exit_code == 1
    assert said in result.output, why
    assert "Nothing runs" not in result.output
    assert daemon.warnings == []
