"""alerts: who was told of what, for a person and a program, with no secret of a target."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from commands import rows

from scheduler.journal.journal import Journal
from scheduler.journal.rows import NoticeState
from scheduler.notice import Facts, Kind, Notice, Recipient
from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from conftest import Person

NINE = datetime(2027, 3, 29, 7, 0, tzinfo=UTC)  # 09:00 in Berlin
HOUR = timedelta(hours=1)
SLACK = "slack://TokenA/TokenB/TokenC/#ops"


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RealClock, "now", lambda _: NINE + HOUR)


@pytest.fixture
def past(person: Person) -> Person:
    """Somebody of whose alerts one was sent, one given up, one failed once, one is new."""
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        for target, kind, detail in (
            ("mail:ops@example.com", Kind.FAILURE, ""),
            (SLACK, Kind.RECOVERY, ""),
            ("ping:https://hc.example/uuid-1234", Kind.PING, "start"),
            ("|tell --loud", Kind.MISSED, ""),
        ):
            facts = Facts("backup", "cp -a", "crontab", 3, "UTC", run=7, detail=detail)
            journal.outbox.add(Notice(target, kind, NINE, facts))
        for number, state, error in ((1, NoticeState.SENT, ""), (2, NoticeState.FAILED, "refused")):
            journal.outbox.take(Recipient("mail:ops@example.com" if number == 1 else SLACK))
            journal.outbox.end(journal.outbox.of_delivery(number), state, NINE, error)
        journal.outbox.take(Recipient("ping:https://hc.example/uuid-1234"))
        (ping,) = journal.outbox.of_delivery(3)
        journal.outbox.wait(ping, NINE + HOUR, "no answer", delivery=3, tried=True, unsure=True)
    return person


def test_a_person_reads_who_was_told_of_what(past: Person) -> None:
    result = past.types("alerts")
    assert result.exit_code == 0
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == "WHEN JOB ALERT STATE TRIES TO REASON"
    assert lines[1].startswith("Mon 2027-03-29 09:00 backup failure sent 1 mail:ops@example.com")
    assert lines[2].startswith("Mon 2027-03-29 09:00 backup recovery failed 1 slack://")
    assert lines[2].endswith(" refused")
    assert lines[3].endswith("no answer; perhaps sent twice; next try Mon 2027-03-29 10:00")  # fmt: skip
    assert lines[4].endswith("missed waiting |tell --loud")


def test_a_program_reads_all_of_it_but_the_secrets(past: Person) -> None:
    found = rows(past.types("alerts", "--json"))
    assert [row["state"] for row in found] == ["sent", "failed", "waiting", "waiting"]
    assert found[2] == {
        "alert": 3,
        "at": "2027-03-29T07:00:00Z",
        "job": "backup",
        "run": 7,
        "kind": "ping",
        "detail": "start",
        "channel": "ping",
        "target": found[2]["target"],
        "user": None,
        "state": "waiting",
        "tries": 1,
        "due": "2027-03-29T08:00:00Z",
        "done": None,
        "error": "no answer",
        "note": "",
        "perhaps_twice": True,
        "delivery": 3,
    }
    for secret in ("TokenA", "TokenB", "uuid-1234"):
        assert secret not in past.types("alerts", "--json").stdout + past.types("alerts").stdout


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ((), [1, 2, 3, 4]),
        (("--failed",), [2]),
        (("--waiting",), [3, 4]),
        (("-n", "2"), [3, 4]),
        (("--waiting", "-n", "1"), [4]),
    ],
)
def test_some_of_them_are_chosen(past: Person, words: tuple[str, ...], numbers: list[int]) -> None:
    assert [row["alert"] for row in rows(past.types("alerts", "--json", *words))] == numbers


def test_two_choices_at_once_are_wrong_usage(past: Person) -> None:
    result = past.types("alerts", "--failed", "--waiting")
    assert result.exit_code == 2
    assert "exclude each other" in result.stderr


def test_nothing_is_said_to_be_nothing(person: Person) -> None:
    person.state.mkdir()
    Journal.open(person.state / "journal.db").close()
    assert "No alert is known." in person.types("alerts").stderr
    assert "No alert was given up." in person.types("alerts", "--failed").stderr
    assert "No alert waits." in person.types("alerts", "--waiting").stderr
    assert rows(person.types("alerts", "--json")) == []


def test_what_there_is_to_say_of_one_that_was_sent_is_no_error(person: Person) -> None:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        facts = Facts("job", "", "", 1, "UTC", detail="start")
        journal.outbox.add(Notice("ping:https://x/key", Kind.PING, NINE, facts))
        journal.outbox.take(Recipient("ping:https://x/key"))
        journal.outbox.end(journal.outbox.of_delivery(1), NoticeState.SENT, NINE, "no starts")
    (found,) = rows(person.types("alerts", "--json"))
    assert (found["state"], found["error"], found["note"]) == ("sent", "", "no starts")
    assert "no starts" in person.types("alerts").stdout
    assert "No alert was given up." in person.types("alerts", "--failed").stderr


def test_whose_target_it_is_stands_beside_it(person: Person) -> None:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        facts = Facts("bob.job", "", "", 1, "UTC")
        journal.outbox.add(Notice("@team", Kind.FAILURE, NINE, facts, user="bob"))
    assert "@team of bob" in person.types("alerts").stdout
    (found,) = rows(person.types("alerts", "--json"))
    assert (found["target"], found["user"]) == ("@team", "bob")


def test_a_name_from_a_crontab_steers_no_terminal(person: Person) -> None:
    person.state.mkdir()
    with closing(Journal.open(person.state / "journal.db")) as journal:
        facts = Facts("job", "", "", 1, "UTC", detail="\x1b[2J")
        journal.outbox.add(Notice("|tell \x1b[31m", Kind.FAILURE, NINE, facts))
        journal.outbox.take(Recipient("|tell \x1b[31m"))
        journal.outbox.end(journal.outbox.of_delivery(1), NoticeState.FAILED, NINE, "\x1b[2J")
    assert "\x1b" not in person.types("alerts").stdout
