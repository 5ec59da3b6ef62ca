"""What jobs write stands in the daemon's log too, a line a line, when that is asked for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from log_lines import heard

from scheduler.entry import Entry, Reboot
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, Run
from scheduler.runs.echo import _BEHIND, _ECHOED_AT_ONCE, Echo
from scheduler.system.log import open_log

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Person

    from scheduler.system.log import Format

SOON = 30.0
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2027, 3, 1, 12, tzinfo=UTC)


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.01)


class Text:
    """A stream that a thread may write to while a test reads it."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> None:
        self._parts.append(text)

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


@dataclass
class World:
    """A state folder whose outputs are shown; `room` is what the log's reader has."""

    state: Path
    style: Format = "json"
    room: int = 1
    inherited: tuple[str, ...] = ()
    stream: Text = field(default_factory=Text)

    def __post_init__(self) -> None:
        log = open_log(self.style, self.stream)  # type: ignore[arg-type]  # it only writes
        self.echo = Echo(self.state, log, lambda: self.room, least=1, inherited=self.inherited)

    def attempt(self, run: int = 7, number: int = 1) -> Attempt:
        return Attempt(Run(run, "backup", START), number)

    def writes(self, text: bytes, attempt: Attempt | None = None) -> Path:
        path = self.state / output_of(attempt or self.attempt())
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text)
        return path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.text.splitlines()]

    def texts(self) -> list[str]:
        return [line["text"] for line in self.lines()]

    def shows(self, text: bytes) -> list[str]:
        """What is shown of an attempt that wrote this and ended."""
        self.writes(text)
        self.echo.add(self.attempt())
        self.echo.end(self.attempt())
        assert self.echo.drain(SOON)
        return self.texts()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("written", "shown", "why"),
    [
        (b"a\nb\n", ["a", "b"], "a line a line"),
        (b"", [], "nothing"),
        (b"a\n\nb\n", ["a", "", "b"], "an empty line is one"),
        (b"a\nb", ["a", "b"], "the last line needs no end"),
        (b"a\r\nb\r\n", ["a", "b"], "ends of lines as elsewhere"),
        (b"\x1b[2J\x07\n", ["\x1b[2J\x07"], "JSON has its own escapes"),
        (b"gr\xc3\xbc\xc3\x9fe \xff\n", ["grüße \udcff"], "bytes that are no text"),
        (b"x" * 5000 + b"\ny\n", ["x" * 2000 + "…", "y"], "a long line is cut"),
        (b"x" * 5000, ["x" * 2000 + "…"], "also one without an end"),
        (b"x" * 2100 + b"\ny\n", ["x" * 2000 + "…", "y"], "or by little"),
        (b"x" * 2000 + b"\ny\n", ["x" * 2000, "y"], "and is whole up to there"),
        (b"login --token abc\n", ["login --token ***"], "what looks like a secret is starred"),
    ],
)
def test_each_line_is_a_line_of_the_log(
    written: bytes, shown: list[str], why: str, world: World
) -> None:
    assert world.shows(written) == shown, why


def test_the_secrets_of_its_job_are_in_no_line_of_the_log(world: World) -> None:
    """Nor a part of one that the end of what is shown goes through."""
    entry = Entry("backup", Reboot(), "@reboot", BERLIN, "x", None, (("API_KEY", "hunter2x"),))
    world.writes(b"got hunter2x\n" + b"x" * 1995 + b"hunter2x and more\n")
    world.echo.add(world.attempt(), entry)
    world.echo.end(world.attempt())
    assert world.echo.drain(SOON)
    assert world.texts() == ["got ***", "x" * 1995 + "*** a…"]


def test_the_secrets_that_all_jobs_inherit_are_in_no_line_of_the_log(tmp_path: Path) -> None:
    world = World(tmp_path, inherited=("hunter2x",))
    assert world.shows(b"got hunter2x\n") == ["got ***"]


def test_a_line_says_of_which_job_run_and_attempt_it_is(world: World) -> None:
    attempt = world.attempt(12, 3)
    world.writes(b"a\n", attempt)
    world.echo.add(attempt)
    world.echo.end(attempt)
    assert world.echo.drain(SOON)
    (line,) = world.lines()
    del line["time"]
    assert line == {
        "level": "info", "message": "output", "job": "backup", "run": 12, "attempt": 3, "text": "a",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("human", r"\S+ \S+  output     backup +run 7: a \\x1b\[2J\n"),
        ("systemd", r"<6>backup\[7\]: a \\x1b\[2J\n"),
    ],
)
def test_nothing_in_it_steers_a_terminal(style: Format, expected: str, tmp_path: Path) -> None:
    world = World(tmp_path, style)
    world.writes(b"a \x1b[2J\n")
    world.echo.add(world.attempt())
    world.echo.end(world.attempt())
    assert world.echo.drain(SOON)
    assert re.fullmatch(expected, world.stream.text), world.stream.text


def test_it_is_shown_while_it_is_written_and_lines_come_whole(world: World) -> None:
    world.writes(b"")
    world.echo.add(world.attempt())
    world.writes(b"a\nhalf a ")
    until(lambda: world.texts() == ["a"])
    world.writes(b"line\n")
    until(lambda: world.texts() == ["a", "half a line"])


@pytest.mark.slow
def test_the_rest_is_shown_at_the_end_however_long_nothing_came(world: World) -> None:
    world.writes(b"")
    world.echo.add(world.attempt())
    until(lambda: world.echo._wait == 1.0)
    world.writes(b"half")
    world.echo.end(world.attempt())
    until(lambda: world.texts() == ["half"])
    assert world.echo._shown == {}


def test_what_an_earlier_daemon_has_shown_is_not_shown_again(world: World) -> None:
    world.writes(b"old\n")
    world.echo.add(world.attempt(), is_adopted=True)
    until(lambda: world.echo._shown[world.attempt()].position == 4)
    world.writes(b"new\n")
    until(lambda: world.texts() == ["new"])


def test_of_a_flood_the_end_is_shown_and_how_much_is_left_out(world: World) -> None:
    os.truncate(world.writes(b""), 40 * _BEHIND)  # a hole costs nothing
    texts = world.shows(b"y\n" * (_ECHOED_AT_ONCE // 2))
    assert texts[0] == "… 42 MB left out: meridian logs 7 …"
    assert set(texts[1:]) == {"y"}
    assert len(texts) - 1 == _ECHOED_AT_ONCE // 2


def test_an_output_that_was_emptied_is_begun_anew(world: World) -> None:
    path = world.writes(b"before\n")
    world.echo.add(world.attempt())
    until(lambda: world.texts() == ["before"])
    path.write_bytes(b"a\n")
    until(lambda: len(world.texts()) == 3)
    assert world.texts()[1:] == ["… the job has emptied its output …", "a"]


def test_it_waits_for_the_logs_reader_and_loses_nothing(world: World) -> None:
    world.room = 0
    world.writes(b"a\n")
    world.echo.add(world.attempt())
    world.echo.end(world.attempt())
    assert not world.echo.drain(0.3)
    assert world.texts() == []
    world.room = 1
    assert world.echo.drain(SOON)
    assert world.texts() == ["a"]


def test_an_output_that_is_gone_is_no_trouble(world: World) -> None:
    world.echo.add(world.attempt())
    world.echo.end(world.attempt())
    assert world.echo.drain(SOON)
    assert world.texts() == []


def test_what_has_ended_and_can_t_be_shown_is_bounded(world: World) -> None:
    world.room = 0
    for n in range(1, 3000):
        world.echo.add(world.attempt(n))
        world.echo.end(world.attempt(n))
    assert len(world.echo._shown) == 1000
    assert min(each.run.number for each in world.echo._shown) == 2000


@pytest.mark.e2e
@pytest.mark.parametrize("asked", [True, False])
def test_the_daemon_shows_it_when_asked_to(asked: bool, person: Person) -> None:
    crontab = person.file("CRON_NAME=a CRON_RETRIES=0 @reboot printf 'one\\ntwo'; exit 3\n")
    words = ["run", crontab, "--state", str(person.state), "--log-format", "json"]
    daemon = person.starts(*words, *["--echo-output"] * asked)
    seen = heard(daemon, "failed")
    daemon.send_signal(signal.SIGTERM)
    _, rest = daemon.communicate(timeout=SOON)
    seen += [json.loads(line) for line in rest.splitlines()]
    shown = [
        (line["job"], line["run"], line["text"]) for line in seen if line["message"] == "output"
    ]
    assert shown == ([("a", 1, "one"), ("a", 1, "two")] if asked else [])


@pytest.mark.e2e
def test_a_flood_makes_no_minute_late(person: Person) -> None:
    """Nor a reply: ten jobs write more than can be shown, until they are stopped."""
    job = "@reboot while :; do seq 20000; sleep 0.1; done\n"
    crontab = person.file("".join(f"CRON_NAME=f{n} {job}" for n in range(10)))
    words = ("run", crontab, "--state", str(person.state), "--log-format", "json", "--grace", "0")
    limits = ("--echo-output", "--max-output", "1M")
    daemon = person.starts(*words, *limits, stderr=subprocess.DEVNULL)
    try:
        status = (sys.executable, "-m", "scheduler", "status", "--state", str(person.state))
        until(lambda: subprocess.run(status, check=False, capture_output=True).returncode == 0)
        for _ in range(3):
            subprocess.run(status, check=True, capture_output=True, timeout=10)
    finally:
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=SOON)
