"""What the commands that ask the journal do where there is none, or none that they can read."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from fakes import utc

from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Person

EVERY = "CRON_NAME=often @every 10h echo\n"
DAILY = "CRON_NAME=daily 30 2 * * * echo\n"
LONG_AGO = utc(2027, 1, 1)
SPAN = ("--from", "2027-03-01T00:00Z", "--until", "2027-03-02T00:00Z")


def is_damaged(person: Person) -> str:
    person.state.mkdir()
    (person.state / "journal.db").write_bytes(b"no database at all\n" * 500)
    return "is damaged"


def has_a_damaged_page(person: Person) -> str:
    """The file can be opened, and what it holds can't be read."""
    person.state.mkdir()
    path = person.state / "journal.db"
    with closing(Journal.open(path)) as journal:
        journal.daemon_state.set_anchor("often", 600, LONG_AGO)
    pages = bytearray(path.read_bytes())
    pages[4096:] = b"\xff" * (len(pages) - 4096)
    path.write_bytes(pages)
    return "is damaged"


def is_newer(person: Person) -> str:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")):
        pass
    with closing(sqlite3.connect(person.state / "journal.db")) as connection:
        connection.execute("CREATE TABLE more (a)")
        connection.execute("PRAGMA user_version = 99")
    return "was written by a newer Meridian: it has version 99"


unreadable = pytest.mark.parametrize("make", [is_damaged, has_a_damaged_page, is_newer])


@unreadable
@pytest.mark.parametrize("command", [("next", *SPAN), ("list",)])
def test_what_only_counts_intervals_from_it_goes_on_and_says_so(
    person: Person, make: Callable[[Person], str], command: tuple[str, ...]
) -> None:
    why = make(person)
    result = person.types(*command, person.file(EVERY))
    assert why in result.stderr
    assert "; @every jobs are counted as if they began anew" in result.stderr
    assert "often" in result.stdout
    assert result.exit_code == 0


@unreadable
def test_next_does_not_take_such_a_job_for_new(
    person: Person, make: Callable[[Person], str]
) -> None:
    make(person)
    shown = person.types("next", *SPAN, "--json", person.file(EVERY)).stdout.splitlines()
    found: list[dict[str, Any]] = [json.loads(line) for line in shown]
    assert [(row["at"], row["note"]) for row in found] == [
        ("2027-03-01T10:00:00Z", "nobody can tell from where it counts"),
        ("2027-03-01T20:00:00Z", "nobody can tell from where it counts"),
    ]


@unreadable
def test_what_needs_no_journal_does_not_mind(person: Person, make: Callable[[Person], str]) -> None:
    make(person)
    result = person.types("explain", "@every 10h")
    assert (result.stderr, result.exit_code) == ("", 0)


@unreadable
@pytest.mark.parametrize(
    ("command", "unknown"),
    [
        (("list",), "; when jobs ran last is not known"),
        (("next", *SPAN), "; which jobs are paused is not known"),
    ],
)
def test_a_listing_says_what_is_not_known_without_it(
    person: Person, make: Callable[[Person], str], command: tuple[str, ...], unknown: str
) -> None:
    why = make(person)
    result = person.types(*command, person.file(DAILY))
    assert why in result.stderr
    assert unknown in result.stderr
    assert len(result.stdout.splitlines()) == 2
    assert result.exit_code == 0


@unreadable
@pytest.mark.parametrize("command", [("next", *SPAN), ("list",), ("list", "--json")])
def test_its_trouble_is_told_once(
    person: Person, make: Callable[[Person], str], command: tuple[str, ...]
) -> None:
    why = make(person)
    result = person.types(*command, person.file(EVERY + DAILY))
    (line,) = [line for line in result.stderr.splitlines() if "journal.db" in line]
    assert line.startswith("warning: the journal ")
    assert why in line


@unreadable
def test_a_saved_crontab_is_saved(person: Person, make: Callable[[Person], str]) -> None:
    why = make(person)
    result = person.types("install", "-", stdin=person.line("CRON_NAME=often @every 10h", "echo"))
    assert why in result.stderr
    assert result.exit_code == 0
    assert "often" in person.crontab.read_text()


@unreadable
def test_simulate_says_that_it_knows_nothing_of_the_jobs(
    person: Person, make: Callable[[Person], str]
) -> None:
    why = make(person)
    result = person.types("simulate", *SPAN, person.file(DAILY))
    assert why in result.stderr
    assert "; every job is taken for new" in result.stderr
    assert "1 run, no retries: 1 succeeded" in result.stdout
    assert result.exit_code == 0


@unreadable
@pytest.mark.parametrize("command", [("why", "often", "12:00"), ("history",), ("logs", "often")])
def test_what_is_about_the_past_is_refused(
    person: Person, make: Callable[[Person], str], command: tuple[str, ...]
) -> None:
    why = make(person)
    person.has(person.line("CRON_NAME=often @every 10h", "echo"))
    result = person.types(*command)
    assert why in result.stderr
    assert (result.stdout, result.exit_code) == ("", 1)


@pytest.mark.parametrize(
    ("command", "status", "said", "reason"),
    [
        (("next", *SPAN), 0, "", "nothing is wrong"),
        (("list",), 0, "", "nor here"),
        (("simulate", *SPAN), 0, "", "nor here"),
        (("why", "often", "12:00"), 0, "", "the rules answer"),
        (("history",), 1, "nothing has run yet", "there is nothing to tell"),
        (("logs", "often"), 1, "nothing has run yet", "nor to show"),
    ],
)
def test_before_the_first_run_there_is_no_journal(
    person: Person, command: tuple[str, ...], status: int, said: str, reason: str
) -> None:
    person.has(person.line("CRON_NAME=often @every 10h", "echo"))
    result = person.types(*command)
    assert result.exit_code == status, reason
    assert said in result.stderr
    assert said or not {"warning", "journal"} & set(result.stderr.split()), reason
    assert not person.state.exists()


def test_where_the_journal_lost_its_runs_it_says_which_file_may_have_them(person: Person) -> None:
    """A day and a minute that nobody denies: they were in a journal that was moved aside."""
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        journal.daemon_state.set_last_tick(utc(2026, 3, 2))
    aside = person.state / "journal.db.damaged-20270302T000000Z"
    commands = (("why", "daily", "2026-03-01 02:30", person.file(DAILY)), ("history",))
    for command in commands:
        assert "damaged" not in person.types(*command).output
    aside.touch()
    for command in commands:
        said = person.types(*command).output
        assert f"A damaged journal was moved aside, and may have it: {aside}" in said
