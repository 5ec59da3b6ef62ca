"""The real daemon as a process, on the real clock: one run of it, and many facts.

It takes until the second minute after its start. Everything that a job can do to the loop happens
in its first minute, the crontab is saved before each of the next two, and at the end it is killed
and started again.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from real_daemon import (
    MINUTE,
    Process,
    by_rename,
    clear_of_the_minute,
    is_alive,
    meridian,
    moment,
    running,
    until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

DEMO = Path(__file__).parent.parent.parent / "crontabs" / "demo.crontab"
BINARY = bytes([0, 255, 128, 27, 10])

FIRST = r"""
CRON_RETRIES=0
CRON_NAME=simple    * * * * *  echo hello
CRON_NAME=flood     * * * * *  yes | head -c 50000000
CRON_NAME=slow      * * * * *  sleep 65
CRON_NAME=binary    * * * * *  printf '\000\377\200\033\n'
CRON_NAME=killed    * * * * *  kill -9 $$
CRON_NAME=daemon    * * * * *  sleep 300 >/dev/null & echo $!
CRON_NAME=retried CRON_RETRIES=1 CRON_RETRY_DELAY=1s  * * * * *  test $CRON_ATTEMPT -ge 2
CRON_TIMEOUT=1
CRON_KILL_AFTER=1
CRON_NAME=stubborn  * * * * *  trap '' TERM; while :; do sleep 1; done
CRON_NAME=family    * * * * *  (trap '' TERM; exec sleep 300) & echo $!; wait
CRON_TIMEOUT=
SHELL=/no/such/shell
CRON_NAME=shell     * * * * *  echo $HOME
SHELL=/bin/sh
HOME=/no/such/home
CRON_NAME=home      * * * * *  echo hello
"""
SECOND = "CRON_NAME=second  * * * * *  true\n" + FIRST
THIRD = """
CRON_RETRIES=0
CRON_NAME=simple    * 25 * * *  echo hello
CRON_NAME=slow      * * * * *  sleep 65
CRON_NAME=third     * * * * *  true
CRON_NAME=lost CRON_RETRIES=1 CRON_RETRY_DELAY=0  * * * * *  test $CRON_ATTEMPT -ge 2 || exec sleep 300
"""


@dataclass
class Told:
    """What was seen of the run, for the tests to look at."""

    minutes: list[datetime] = field(default_factory=list)  # the two that the crontab was saved for
    lines: list[dict[str, Any]] = field(default_factory=list)
    history: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)  # what systemd would have heard
    statuses: dict[str, int] = field(default_factory=dict)
    left: dict[str, list[int]] = field(default_factory=dict)  # the grandchildren of each job's runs
    alive: dict[str, bool] = field(default_factory=dict)  # and whether the first still runs
    after_kill: list[dict[str, Any]] = field(default_factory=list)
    demo: str = ""  # what `make run` shows in its first minute

    def outcomes(self, job: str) -> list[str]:
        """The outcomes of the job's first run."""
        return [attempt["outcome"] for attempt in self.history[job][0]["attempts"]]

    def lateness(self, job: str, minute: datetime) -> float:
        """How many seconds after its minute the job started."""
        runs = {datetime.fromisoformat(run["at"]): run for run in self.history[job]}
        return (moment(runs[minute]["attempts"][0]["started"]) - minute).total_seconds()


def in_place(file: Path, text: str) -> None:
    file.write_text(text)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("e2e")
    told = Told()
    with ExitStack() as stack:
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        stack.callback(journal.close)
        journal.bind(str(folder / "notify"))
        listens = Thread(target=listen, args=(journal, told.reports), daemon=True)
        listens.start()
        demo = stack.enter_context(
            running(
                *(
                    str(DEMO),
                    "--state",
                    str(folder / "demo"),
                    "--log-format",
                    "human",
                    "--echo-output",
                ),
                log=folder / "demo.log",
            )
        )
        clear_of_the_minute()  # so that the first retry is not superseded by the second minute
        file = folder / "crontab"
        by_rename(file, FIRST)
        words = (str(file), "--state", str(folder / "state"), "--log-format", "json")
        first = stack.enter_context(
            running(*words, log=folder / "first.log", NOTIFY_SOCKET=str(folder / "notify"))
        )
        until(lambda: told.reports)
        observe_first(told, first, file)
        collect(told, first, folder / "state")
        told.statuses["demo"] = demo.ends(signal.SIGINT)
        told.demo = first_minute(demo)
        kill_and_restart(told, first, words, folder, stack)
        journal.shutdown(socket.SHUT_RD)
        listens.join(10)
    yield told
    for pid in (pid for pids in told.left.values() for pid in pids if is_alive(pid)):
        os.kill(pid, signal.SIGKILL)


def listen(journal: socket.socket, reports: list[str]) -> None:
    """Hear what systemd would, until nobody wants to know any more."""
    while report := journal.recv(1000):
        reports.append(report.decode())


def observe_first(told: Told, daemon: Process, file: Path) -> None:
    """From the start to the second minute after it."""
    until(lambda: len(daemon.said("succeeded", job="retried")) > 0)
    for save, text, job in ((in_place, SECOND, "second"), (by_rename, THIRD, "third")):
        told.minutes.append(clear_of_the_minute())
        save(file, text)
        until(lambda job=job: daemon.said("succeeded", job=job))  # type: ignore[misc]  # the job of this turn
    until(lambda: daemon.said("succeeded", job="slow"))


def collect(told: Told, daemon: Process, state: Path) -> None:
    told.lines = daemon.lines()
    for line in meridian("history", "--json", "-n", "1000", "--state", str(state)).splitlines():
        run = json.loads(line)
        told.history.setdefault(run["job"], []).append(run)
    for job in ("simple", "flood", "binary"):
        number = str(told.history[job][0]["run"])
        told.outputs[job] = meridian("logs", number, "--state", str(state))
    for job in ("daemon", "family"):
        runs = [str(run["run"]) for run in told.history[job]]
        told.left[job] = [int(meridian("logs", run, "--state", str(state))) for run in runs]
        told.alive[job] = is_alive(told.left[job][0])


def first_minute(demo: Process) -> str:
    """What a person saw in the first minute, by the times at the head of the lines."""
    shown: list[str] = []
    for line in demo.log.read_text().splitlines():
        at = datetime.fromisoformat(line.split("  ")[0])
        if at - demo.started.replace(microsecond=0) <= MINUTE:
            shown.append(line)
    return "\n".join(shown)


def kill_and_restart(
    told: Told, first: Process, words: tuple[str, ...], folder: Path, stack: ExitStack
) -> None:
    """kill -9 while jobs run, one of which is killed too; then a daemon that Ctrl-C stops."""
    (started,) = first.said("started", job="lost")
    told.statuses["killed"] = first.ends(signal.SIGKILL)
    os.killpg(started["pid"], signal.SIGKILL)
    notify = {"NOTIFY_SOCKET": str(folder / "notify")}
    again = stack.enter_context(running(*words, "--grace", "0", log=folder / "again.log", **notify))
    until(lambda: again.said("succeeded", job="lost"))
    text = meridian("history", "lost", "--json", "-n", "1000", "--state", str(folder / "state"))
    told.after_kill = [json.loads(line) for line in text.splitlines()]
    told.statuses["stopped"] = again.ends(signal.SIGINT)


# --- what jobs do to it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "outcomes"),
    [
        ("simple", ["exit 0"]),
        ("flood", ["exit 0"]),
        ("slow", ["exit 0"]),
        ("binary", ["exit 0"]),
        ("killed", ["signal 9"]),
        ("daemon", ["exit 0"]),  # it may leave a daemon behind
        ("retried", ["exit 1", "exit 0"]),
        ("stubborn", ["timed out"]),
        ("family", ["timed out"]),
        ("shell", ["not started: its SHELL '/no/such/shell': No such file or directory"]),
        ("home", ["not started: its HOME '/no/such/home': No such file or directory"]),
    ],
)
def test_each_outcome_is_right(told: Told, job: str, outcomes: list[str]) -> None:
    assert told.outcomes(job) == outcomes


@pytest.mark.parametrize("number", [0, 1])
def test_the_loop_is_on_time_meanwhile(told: Told, number: int) -> None:
    assert 0 <= told.lateness("simple", told.minutes[number]) < 5


def test_logs_are_the_bytes_that_were_written_of_a_flood_head_and_tail(told: Told) -> None:
    assert told.outputs["simple"] == b"hello\n"
    assert told.outputs["binary"] == BINARY
    flood = told.outputs["flood"]
    assert flood == b"y\n" * (len(flood) // 2)
    assert 10 << 20 <= len(flood) < 11 << 20 or sys.platform != "linux"


def test_who_ignores_sigterm_is_killed_after_its_time(told: Told) -> None:
    ((attempt,),) = [run["attempts"] for run in told.history["stubborn"][:1]]
    took = moment(attempt["ended"]) - moment(attempt["started"])
    assert 2 <= took.total_seconds() < 20


def test_a_timeout_takes_the_grandchildren_along(told: Told) -> None:
    assert told.alive == {"daemon": True, "family": False}


def test_what_an_attempt_used_is_measured(told: Told) -> None:
    (attempt,) = told.history["flood"][0]["attempts"]
    assert attempt["cpu_s"] > 0


# --- the crontab is saved while it runs ---------------------------------------------------------


@pytest.mark.parametrize(("job", "number"), [("second", 0), ("third", 1)])
def test_a_crontab_saved_in_place_or_by_rename_is_read_before_the_minute(
    told: Told, job: str, number: int
) -> None:
    assert moment(told.history[job][0]["at"]) == told.minutes[number]
    assert told.lateness(job, told.minutes[number]) < 5


def test_a_bad_edit_leaves_the_last_good_entry_and_says_so(told: Told) -> None:
    assert moment(told.history["simple"][-1]["at"]) >= told.minutes[1]
    assert [line["job"] for line in told.lines if line["message"] == "kept"] == ["simple"]
    assert [line["line"] for line in told.lines if line["message"] == "problem"] == [3]


def test_running_jobs_are_untouched(told: Told) -> None:
    """It ran over the first save, and was of an entry that both edits kept."""
    ((attempt,),) = [run["attempts"] for run in told.history["slow"][:1]]
    took = moment(attempt["ended"]) - moment(attempt["started"])
    assert took.total_seconds() >= 65


def test_nothing_went_wrong_in_the_daemon(told: Told) -> None:
    assert [line for line in told.lines if line["message"] in ("bug", "journal", "jump")] == []


# --- how it ends --------------------------------------------------------------------------------


def test_ctrl_c_ends_it_cleanly(told: Told) -> None:
    assert told.statuses == {"demo": 0, "killed": -signal.SIGKILL, "stopped": 0}


def test_after_kill_9_what_ran_is_lost_and_retried(told: Told) -> None:
    outcomes = [attempt["outcome"] for attempt in told.after_kill[0]["attempts"]]
    assert (told.after_kill[0]["state"], outcomes) == ("succeeded", ["lost", "exit 0"])


def test_systemd_hears_when_it_is_ready_and_when_it_stops(told: Told) -> None:
    firsts = [report.split("\n")[0] for report in told.reports]
    states = [each for each in firsts if each.startswith(("READY", "RELOADING", "STOPPING"))]
    assert states[0] == "READY=1"
    assert states[-1] == "STOPPING=1"
    assert [each for each in states if each == "RELOADING=1"] == ["RELOADING=1"] * 2, "two edits"
    assert any(each.startswith("STATUS=") and "next" in each for each in firsts)


# --- what `make run` shows ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "promised",
    [
        r"started +berlin +run \d+: \d\d:\d\d Europe/Berlin",
        r"started +kolkata +run \d+: \d\d:\d\d Asia/Kolkata",
        r"succeeded +berlin +run \d+: exit 0 after",
        r"retry +flaky +run \d+: exit 1 after .*; attempt 2 in \S+ m?s",
        r"retry +flaky +run \d+: exit 1 after .*; attempt 3 in",
        r"succeeded +flaky +run \d+: exit 0",
        r"failed +hopeless +run \d+: exit 75 after .*; gave up after attempt \d",
        r"output +flaky +run \d+: attempt 1",
        r"failed +endless +run \d+: timed out after 3 s; gave up",
        r"next +morning-tokyo +in [^:]+: .*09:00 Asia/Tokyo",
        r"next +in [\d.]+ m?s: .*berlin",
    ],
)
def test_make_run_shows_it_within_a_minute(told: Told, promised: str) -> None:
    assert re.search(promised, told.demo), told.demo
