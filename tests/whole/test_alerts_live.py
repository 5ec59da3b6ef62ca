"""The real daemon tells somebody: over kill -9 in between, and whoever is told takes as long as it likes.

What a kill does at each statement of the journal is in alerts/test_dispatcher, on the virtual clock.
"""

from __future__ import annotations

import json
import os
import signal
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from real_daemon import is_alive, meridian, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from real_daemon import Process

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CRONTAB = """
CRON_RETRIES=0
CRON_ALERT=| {tell}
CRON_NAME=bad   0 0 1 1 *  echo a fault; exit 3
CRON_NAME=good  0 0 1 1 *  true
"""


@dataclass
class Scene:
    """A crontab whose failures are told to a command, and a state folder."""

    folder: Path
    tell: str

    def __post_init__(self) -> None:
        self.state, self.crontab = self.folder / "state", self.folder / "crontab"
        self.crontab.write_text(CRONTAB.format(tell=self.tell))
        self.told = self.folder / "told"

    @contextmanager
    def daemon(self, name: str) -> Iterator[Process]:
        words = (str(self.crontab), "--state", str(self.state), "--log-format", "json")
        with running(*words, log=self.folder / name) as process:
            until(lambda: process.said("crontabs"))
            yield process

    def fails(self) -> None:
        meridian("trigger", "bad", "--state", str(self.state))

    def repeats(self) -> list[str]:
        """Of each time that the command began whether it was told that it may be a repeat."""
        return self.told.read_text().split() if self.told.exists() else []

    def alerts(self) -> list[dict[str, Any]]:
        found = meridian("alerts", "--json", "--state", str(self.state))
        return [json.loads(line) for line in found.splitlines()]

    def is_sent(self) -> bool:
        return [each["state"] for each in self.alerts()] == ["sent"]


def loaded(process: Process) -> str:
    """The files that the daemon has in its memory."""
    return Path(f"/proc/{process.popen.pid}/maps").read_text()


def test_somebody_hears_of_a_failure(tmp_path: Path) -> None:
    scene = Scene(
        tmp_path, f"cat > {tmp_path}/message; echo ${{MERIDIAN_REPEAT:-0}} >> {tmp_path}/told"
    )
    with scene.daemon("log") as process:
        scene.fails()
        until(scene.is_sent)
        message = json.loads((tmp_path / "message").read_text())
        assert "bad failed" in message["subject"]
        assert "a fault" in message["text"]
        until(lambda: process.said("alert", level="info"))
        assert "libssl" not in loaded(process), "nothing that sends is in the daemon"
        assert process.ends(signal.SIGTERM) == 0
    assert len(scene.repeats()) == 1


def test_killed_while_it_waits_the_next_daemon_tells_it_once(tmp_path: Path) -> None:
    scene = Scene(tmp_path, f"echo ${{MERIDIAN_REPEAT:-0}} >> {tmp_path}/told")
    with scene.daemon("first") as process:
        scene.fails()
        until(lambda: process.said("failed"))
        process.ends(signal.SIGKILL)
    assert [each["state"] for each in scene.alerts()] == ["waiting"]
    with scene.daemon("second"):
        until(scene.is_sent)
    assert scene.repeats() == ["0"]


def test_killed_while_it_tells_the_next_daemon_repeats_it_and_says_so(tmp_path: Path) -> None:
    """The sender outlives its daemon, and may well have told it."""
    go, pid = tmp_path / "go", tmp_path / "pid"
    scene = Scene(
        tmp_path,
        f"echo ${{MERIDIAN_REPEAT:-0}} >> {tmp_path}/told; echo $$ > {pid};"
        f" while ! test -e {go}; do sleep 0.1; done",
    )
    try:
        with scene.daemon("first") as process:
            scene.fails()
            until(scene.repeats)
            process.ends(signal.SIGKILL)
        assert [each["state"] for each in scene.alerts()] == ["sending"]
        go.touch()
        with scene.daemon("second") as process:
            until(scene.is_sent)
            assert process.said("alerts", repeated=1)
        assert scene.repeats() == ["0", "1"]
        assert [each["perhaps_twice"] for each in scene.alerts()] == [True]
    finally:
        go.touch()


def test_who_is_told_slowly_keeps_no_job_and_no_command_waiting(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    scene = Scene(tmp_path, f"echo 0 >> {tmp_path}/told; echo $$ > {pid}; exec sleep 1000")
    with scene.daemon("log") as process:
        scene.fails()
        until(scene.repeats)
        meridian("trigger", "good", "--state", str(scene.state))
        until(lambda: process.said("succeeded", job="good"), seconds=5)
        assert process.ends(signal.SIGTERM) == 0, "it has some seconds, then it is killed"
        until(lambda: not is_alive(int(pid.read_text())), seconds=5)
    assert [each["state"] for each in scene.alerts()] == ["sending"]


def test_without_a_sender_it_is_tried_again_and_nothing_else_suffers(tmp_path: Path) -> None:
    """The command is not there: that is for good, and the log says whom nobody told."""
    scene = Scene(tmp_path, "/no/such/program")
    with scene.daemon("log") as process:
        scene.fails()
        until(lambda: process.said("alert", level="error"))
        (found,) = scene.alerts()
        assert (found["state"], found["tries"]) == ("failed", 1)
        with suppress(OSError):
            os.kill(process.popen.pid, 0)
        assert process.ends(signal.SIGTERM) == 0
