"""A command of CRON_ALERT: what it gets, how long it has, and what its end means."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from notices import delivery, notice, wrote

from scheduler.alerts import command as channel
from scheduler.alerts.channel import Place
from scheduler.notice import Kind, Result

if TYPE_CHECKING:
    from scheduler.notice import Delivery


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, tmp_path, {"PATH": os.defpath, "LANG": "C"})


def result(place: Place, command: str, *more: Delivery) -> Result:
    found = list(channel.send([delivery(notice(f"|{command}")), *more], place))
    assert len(found) == 1 + len(more)
    return found[0]


def printed(place: Place, command: str, told: Delivery | None = None) -> str:
    """What a command writes into a file."""
    target = f"|{{ {command}; }} > {place.state}/out"
    one = replace(told or delivery(notice(target)), target=target)
    [found] = channel.send([one], place)
    assert found == Result(1)
    return (place.state / "out").read_text()


def test_the_facts_are_variables(place: Place) -> None:
    wrote(place.state, b"disk full\n")
    found = dict(
        line.split("=", 1)
        for line in printed(place, "env -0 | tr '\\n\\0' '~\\n'").splitlines()
        if line.startswith("MERIDIAN_")
    )
    host, subject, text, user = (
        found.pop(f"MERIDIAN_{name}") for name in ("HOST", "SUBJECT", "TEXT", "USER")
    )
    assert (bool(host), bool(user)) == (True, True)
    assert "backup" in subject
    assert "disk full" in text
    assert found == {
        "MERIDIAN_KIND": "failure",
        "MERIDIAN_JOB": "backup",
        "MERIDIAN_RUN": "7",
        "MERIDIAN_OUTCOME": "exit 3",
        "MERIDIAN_REASON": "no attempts left",
        "MERIDIAN_SCHEDULED": "2027-03-01T03:30:00+01:00",
        "MERIDIAN_AT": "2027-03-01T03:30:00+01:00",
        "MERIDIAN_ATTEMPTS": "1",
        "MERIDIAN_COUNT": "1",
        "MERIDIAN_SINCE": "",
        "MERIDIAN_COMMAND": "/usr/local/bin/backup --all",
        "MERIDIAN_FILE": "/home/ada/.config/meridian/crontab",
        "MERIDIAN_LINE": "12",
        "MERIDIAN_OUTPUT": f"{place.state}/outputs/backup/7.1.log",
        "MERIDIAN_NOTICES": "1",
        "MERIDIAN_REPEAT": "",
    }


def test_all_of_it_is_json_on_standard_input(place: Place) -> None:
    both = delivery(
        notice("|x"),
        notice("|x", Kind.SLOW, job="other", run=None, took=61.5, usual=10.0, attempts=()),
        is_repeat=True,
    )
    told: dict[str, Any] = json.loads(printed(place, "cat", both))
    first, second = told.pop("notices")
    assert set(told) == {"subject", "text", "host", "user", "repeat"}
    assert told["repeat"] is True
    assert first == {
        "kind": "failure",
        "at": "2027-03-01T02:30:00Z",
        "job": "backup",
        "run": 7,
        "scheduled": "2027-03-01T02:30:00Z",
        "outcome": "exit 3",
        "reason": "no attempts left",
        "command": "/usr/local/bin/backup --all",
        "file": "/home/ada/.config/meridian/crontab",
        "line": 12,
        "zone": "Europe/Berlin",
        "count": 1,
        "of": 0,
        "since": None,
        "took": None,
        "usual": None,
        "attempts": [
            {
                "number": 1,
                "outcome": "exit 3",
                "started": "2027-03-01T02:30:00Z",
                "ended": "2027-03-01T02:30:00Z",
                "took": 0.25,
                "output": f"{place.state}/outputs/backup/7.1.log",
            }
        ],
    }
    assert (second["kind"], second["job"], second["run"]) == ("slow", "other", None)
    assert (second["took"], second["usual"], second["attempts"]) == (61.5, 10.0, [])
    assert printed(place, 'printf "$MERIDIAN_NOTICES $MERIDIAN_REPEAT"', both) == "2 1"


def test_it_runs_in_the_home_by_the_systems_shell(place: Place) -> None:
    place = Place(place.state, place.config, {**place.environ, "SHELL": "/bin/false"})
    assert printed(place, "pwd -P") == f"{Path.home().resolve()}\n"
    assert printed(place, 'printf %s "$HOME"') == str(Path.home())


def test_what_stands_in_a_fact_is_never_run(place: Place) -> None:
    hostile = delivery(
        notice(
            "|x",
            job="$(touch pwned)",
            outcome="`touch pwned`",
            reason="\0; touch pwned",
            command='"; touch pwned',
        )
    )
    found = printed(place, 'printf "%s" "$MERIDIAN_JOB$MERIDIAN_OUTCOME$MERIDIAN_REASON"', hostile)
    assert found == "$(touch pwned)`touch pwned`; touch pwned"
    assert not (Path.home() / "pwned").exists()


def test_a_byte_that_is_no_letter_goes_through(place: Place) -> None:
    odd = delivery(notice("|x", command="echo \udcff"))
    target = f'|printf %s "$MERIDIAN_COMMAND" > {place.state}/out'
    assert [*channel.send([replace(odd, target=target)], place)] == [Result(1)]
    assert (place.state / "out").read_bytes() == b"echo \xff"


def test_a_long_text_fits_into_a_variable(place: Place) -> None:
    wrote(place.state, b"x" * 5_000_000)
    long = delivery(notice("|x", command="y" * 1_000_000))
    assert printed(place, 'printf %s "${#MERIDIAN_COMMAND}"', long) == "30000"


@pytest.mark.parametrize(
    ("command", "error", "permanent"),
    [
        ("true", "", False),
        ("exit 75", "the command ended with exit 75", False),
        ("echo no route >&2; exit 1", "the command ended with exit 1: no route", False),
        ("exit 64", "the command ended with exit 64", True),
        ("exit 77", "the command ended with exit 77", True),
        ("exit 78", "the command ended with exit 78", True),
        (
            "echo token=s3cr3tvalue; exit 1",
            "the command ended with exit 1: token=***********",
            False,
        ),
        ("printf 'a\\033[31mb\\nc'; exit 1", "the command ended with exit 1: a\\x1b[31mb c", False),
    ],
)
def test_what_its_end_means(place: Place, command: str, error: str, permanent: bool) -> None:
    assert result(place, command) == Result(1, error, permanent=permanent)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("kill -9 $$", "the command was ended by signal 9"),
        ("sh -c 'kill $$'; exit $?", "the command ended with exit 143"),
    ],
)
def test_one_that_a_signal_ends_may_have_told(place: Place, command: str, error: str) -> None:
    found = result(place, command)
    assert (found.error.startswith(error), found.permanent, found.is_unsure) == (True, False, True)


def test_what_the_shell_cannot_run_is_given_up(place: Place) -> None:
    found = result(place, "/nonexistent/tell s3cret")
    assert found.error.startswith("the command ended with exit 127: ")
    assert found.permanent
    script = place.state / "plain"
    script.write_text("echo")
    assert result(place, str(script)).permanent


def test_one_that_fails_keeps_no_other_from_being_run(place: Place) -> None:
    good = delivery(notice("|true"), number=2)
    found = list(channel.send([delivery(notice("|false")), good], place))
    assert [bool(each.error) for each in found] == [True, False]


def test_a_command_that_hangs_is_ended_with_all_it_started(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "COMMAND_SECONDS", 0.5)
    pids = place.state / "pids"
    found = result(place, f"trap '' TERM; sleep 99 & echo $! $$ > {pids}; echo waiting; wait")
    assert found == Result(1, "the command did not end within 0.5 s: waiting", is_unsure=True)
    for pid in map(int, pids.read_text().split()):
        end = time.monotonic() + 5
        while not _is_gone(pid):
            assert time.monotonic() < end
            time.sleep(0.02)


def _is_gone(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_what_goes_on_in_the_background_is_not_waited_for(place: Place) -> None:
    pid = place.state / "pid"
    begin = time.monotonic()
    assert result(place, f"sleep 60 & echo $! > {pid}") == Result(1)
    assert time.monotonic() - begin < 10
    os.kill(int(pid.read_text()), signal.SIGKILL)  # it lives


def test_a_command_may_write_for_ever_and_read_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "COMMAND_SECONDS", 0.5)
    found = result(place, "yes token=s3cr3tvalue")
    assert len(found.error) < 400
    assert "s3cr3t" not in found.error
