"""A real notification server on a real screen shows it: what a person would see, and press."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from real_desktop import RealDesktop, real_desktop, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.privileged
WORDS = ("Take a break", "You are sitting <b>too</b> long & < 1 hour")


@pytest.fixture
def screen(real_bus: str, tmp_path: Path) -> Iterator[RealDesktop]:
    with real_desktop(tmp_path, real_bus) as desktop:
        yield desktop


def starts(screen: RealDesktop, *words: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "scheduler", "notify", *words],
        env=screen.environ | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=30)
    return said


def test_it_is_seen_on_the_screen_as_it_is_written(screen: RealDesktop) -> None:
    assert screen.colours() == 1
    assert ended(starts(screen, *WORDS)) == "shown by dbus\n"
    until(lambda: screen.colours() > 50)  # letters have soft edges
    screen.tell_server("close-all")
    until(lambda: screen.colours() == 1)
    ((entry,),) = json.loads(screen.tell_server("history"))["data"]
    assert entry["summary"]["data"] == WORDS[0]
    assert entry["body"]["data"] == "You are sitting &lt;b&gt;too&lt;/b&gt; long &amp; &lt; 1 hour"


@pytest.mark.parametrize(
    ("first", "second", "shown", "why"),
    [
        ({"CRON_JOB": "break"}, {"CRON_JOB": "break"}, 1, "a job's takes the place of its last one"),
        ({"CRON_JOB": "break"}, {"CRON_JOB": "rest"}, 2, "another job's stands beside it"),
        ({}, {}, 2, "without a job nothing is replaced"),
    ],
)  # fmt: skip
def test_a_job_has_one_notification_on_the_screen(
    first: dict[str, str], second: dict[str, str], shown: int, why: str, screen: RealDesktop
) -> None:
    ended(starts(screen, "first", **first))
    ended(starts(screen, "second", **second))
    assert screen.number_shown() == shown, why


def test_a_name_replaces_where_no_number_was_kept(screen: RealDesktop, tmp_path: Path) -> None:
    for place in ("one", "two"):
        other = {"RUNTIME_DIRECTORY": str(tmp_path / place)}
        ended(starts(screen, *WORDS, "--replace", "x", **other))
    assert screen.number_shown() == 1


def test_pressed_it_is_shown_once_more_after_its_delay(screen: RealDesktop) -> None:
    process = starts(screen, *WORDS, "--postpone", "1s", CRON_JOB="break")
    until(lambda: screen.number_shown() == 1)
    screen.tell_server("action", "0")
    assert ended(process) == "shown by dbus\npostponed for 1s\nshown by dbus\n"
    assert screen.number_shown() == 1
    assert screen.colours() > 1


def test_closed_it_is_not_shown_again(screen: RealDesktop) -> None:
    process = starts(screen, *WORDS, "--postpone", "10m")
    until(lambda: screen.number_shown() == 1)
    screen.tell_server("close")
    assert ended(process) == "shown by dbus\n"
    assert screen.number_shown() == 0


def test_a_button_that_nobody_waits_for_any_more_is_not_left(screen: RealDesktop) -> None:
    assert ended(starts(screen, *WORDS, "--postpone", "0.5s")) == "shown by dbus\n"
    assert screen.number_shown() == 0


def test_a_timeout_of_the_job_takes_the_button_along(screen: RealDesktop) -> None:
    process = starts(screen, *WORDS, "--postpone", "10m")
    until(lambda: screen.number_shown() == 1)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == "shown by dbus\n"
    assert process.returncode == 128 + signal.SIGTERM
    assert screen.number_shown() == 0


def test_a_server_that_dies_meanwhile_ends_the_wait(screen: RealDesktop) -> None:
    process = starts(screen, *WORDS, "--postpone", "10m")
    until(lambda: screen.number_shown() == 1)
    screen.server.kill()
    assert ended(process) == "shown by dbus\n"


def test_what_the_server_does_not_disturb_with_is_not_shown(screen: RealDesktop) -> None:
    screen.tell_server("set-paused", "true")
    said = ended(starts(screen, *WORDS, "--unless", "presenting"))
    assert said == "not shown: do not disturb is on (org.dunstproject.cmd0)\n"
    screen.tell_server("set-paused", "false")
    assert screen.number_shown() == 0
    assert ended(starts(screen, *WORDS, "--unless", "presenting")) == "shown by dbus\n"
