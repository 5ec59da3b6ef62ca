"""A sender ends what it has started, however it ends: real processes, by each way of starting one."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing, suppress
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from notices import notice
from processes import children_reaped, is_gone

from scheduler.alerts.sender_process import SenderProcess
from scheduler.alerts.sender_start import SENDER
from scheduler.codec import encode
from scheduler.notice import Channel, Delivery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENT = 20.0
HANGS = "trap '' TERM; sleep 1000 & echo $$ $! > {0}/pids.new; mv {0}/pids.new {0}/pids; wait"
# As on a Mac, with its osascript in the PATH; and with no mailer but that of the PATH.
ELSEWHERE = """
import sys
from scheduler.alerts import desktop, sender, sendmail
from scheduler.system import desktop_osascript
from scheduler.system.time_limit import TimeLimit
desktop.show = lambda told, where, timeout: desktop_osascript.show(told, where, TimeLimit(timeout))
sendmail.MAILERS = ()
desktop_osascript._as_user = lambda _: ()
sender.main(sys.argv[1:])
"""


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    """The daemon's reaper is who hears of their end."""
    with children_reaped():
        yield


def started(folder: Path, channel: Channel, script: str = ELSEWHERE) -> SenderProcess:
    environ = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "DISPLAY": ":77"}
    words = (sys.executable, "-P", "-c", script) if script else SENDER
    return SenderProcess((*words, channel.value, str(folder), str(folder)), environ)


def lines(*targets: str) -> bytes:
    told = (Delivery(n, each, (notice(each),)) for n, each in enumerate(targets, 1))
    return b"".join(json.dumps(encode(each)).encode() + b"\n" for each in told)


def talks(sender: SenderProcess, given: bytes, found: list[bytes]) -> Thread:
    """Hear what it answers, on a thread."""

    def hear() -> None:
        with suppress(ValueError, OSError):
            found.extend(sender.answers(given, PATIENT, time.monotonic))

    thread = Thread(target=hear, daemon=True)
    thread.start()
    return thread


def pids(folder: Path) -> list[int]:
    """The processes of the program that hangs, as soon as they are there."""
    for _ in range(600):
        if (folder / "pids").exists() and (text := (folder / "pids").read_text()).endswith("\n"):
            return [int(word) for word in text.split()]
        time.sleep(0.05)
    pytest.fail("no program was started")


@pytest.mark.parametrize(
    ("channel", "target", "program"),
    [
        (Channel.COMMAND, "|hangs", "hangs"),
        (Channel.PUSH, "@team", "hangs"),  # on a thread of its own
        (Channel.MAIL, "mail:ops@example.org", "sendmail"),
        (Channel.DESKTOP, "desktop", "osascript"),
    ],
)
def test_who_is_ended_ends_the_program_that_it_waits_for(
    channel: Channel, target: str, program: str, tmp_path: Path
) -> None:
    (tmp_path / program).write_text("#!/bin/sh\n" + HANGS.format(tmp_path))
    (tmp_path / program).chmod(0o700)
    (tmp_path / "alerts").mkdir(mode=0o700)
    (tmp_path / "alerts" / "team").write_text("| hangs\n| true\n")
    (tmp_path / "alerts" / "team").chmod(0o600)
    with closing(started(tmp_path, channel)) as sender:
        answers: list[bytes] = []
        hearing = talks(sender, lines(target), answers)
        there = pids(tmp_path)
        sender.kill()
        hearing.join(PATIENT)
    assert [is_gone(pid) for pid in there] == [True, True]


ALONE = """
import sys
from scheduler.alerts import sender
sender.RESULT_WITHIN, sender._ALONE = 1.0, 1
sender.main(sys.argv[1:])
"""


def test_without_its_daemon_it_ends_by_itself_with_what_it_waits_for(tmp_path: Path) -> None:
    sender = started(tmp_path, Channel.COMMAND, ALONE)
    talks(sender, lines(f"|{HANGS.format(tmp_path)}"), [])
    there = pids(tmp_path)
    sender.close()  # as when the daemon is killed
    assert [is_gone(pid) for pid in there] == [True, True]


def test_without_its_daemon_it_sends_no_more_than_it_is_at(tmp_path: Path) -> None:
    """The next daemon sends the rest; it says that the one may be a repeat."""
    go, pid = tmp_path / "go", tmp_path / "pids"
    first = f"echo $PPID > {pid}; while ! test -e {go}; do sleep 0.05; done; touch {tmp_path}/first"
    sender = started(tmp_path, Channel.COMMAND, script="")
    talks(sender, lines(f"|{first}", f"|touch {tmp_path}/second"), [])
    (own,) = pids(tmp_path)
    sender.close()
    go.touch()
    assert is_gone(own)
    assert (tmp_path / "first").exists()
    assert not (tmp_path / "second").exists()
