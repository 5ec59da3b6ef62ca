"""A mail given to the machine's mailer: a stand-in that records, fails or hangs."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from scheduler.alerts import sendmail
from scheduler.alerts.channel import NotSent
from scheduler.system.time_limit import TimeLimit

if TYPE_CHECKING:
    from pathlib import Path

MESSAGE = b"To: amy\n\nhello\n.\n"


def mailer(folder: Path, script: str) -> str:
    """A program of the name of sendmail, which does this."""
    program = folder / "sendmail"
    program.write_text(f"#!{sys.executable}\nimport json, os, sys, time\n{script}\n")
    program.chmod(0o755)
    return str(program)


RECORDING = """
with open(os.path.join(os.path.dirname(__file__), "given.json"), "w") as file:
    json.dump([sys.argv[1:], sys.stdin.read(), dict(os.environ)], file)
"""


@pytest.mark.parametrize(
    ("sender", "expected"),
    [("", ["-i", "-t"]), ("cron@example.org", ["-i", "-t", "-f", "cron@example.org"])],
)
def test_it_gets_the_mail_with_no_recipient_on_its_command_line(
    sender: str, expected: list[str], tmp_path: Path
) -> None:
    sendmail.send(
        mailer(tmp_path, RECORDING), MESSAGE, sender, {"HOME": "/home/amy"}, TimeLimit(60)
    )
    argv, given, environ = json.loads((tmp_path / "given.json").read_text())
    assert (argv, given) == (expected, MESSAGE.decode())
    assert environ["HOME"] == "/home/amy"


@pytest.mark.parametrize(
    ("code", "permanent", "why"),
    [
        (75, False, "EX_TEMPFAIL says so itself"),
        (64, True, "EX_USAGE: it will never take these options"),
        (65, True, "EX_DATAERR"),
        (67, True, "EX_NOUSER"),
        (69, True, "EX_UNAVAILABLE: the server refuses it, to msmtp"),
        (68, False, "EX_NOHOST: also a DNS that does not answer, to msmtp"),
        (77, False, "EX_NOPERM: a wrong password, to msmtp"),
        (78, False, "EX_CONFIG may be mended"),
        (1, False, "nobody knows"),
    ],
)
def test_how_it_ends_says_whether_to_try_again(
    code: int, permanent: bool, why: str, tmp_path: Path
) -> None:
    program = mailer(tmp_path, f"print('no\\x1b[1m can do', file=sys.stderr); sys.exit({code})")
    with pytest.raises(NotSent, match=f"sendmail ended with {code}.*: no.*can do") as raised:
        sendmail.send(program, MESSAGE, "", os.environ, TimeLimit(60))
    assert (raised.value.permanent, raised.value.is_unsure) == (permanent, False), why
    assert "\x1b" not in str(raised.value)


def test_one_that_is_killed_is_tried_again(tmp_path: Path) -> None:
    program = mailer(tmp_path, "os.kill(os.getpid(), 9)")
    with pytest.raises(NotSent, match="was killed by signal 9") as raised:
        sendmail.send(program, MESSAGE, "", os.environ, TimeLimit(60))
    assert (raised.value.permanent, raised.value.is_unsure) == (False, True)


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "alive")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    program = mailer(
        tmp_path,
        "file = open(os.path.join(os.path.dirname(__file__), 'alive'), 'w')\n"
        "os.fork()\nfile.write('x'); file.flush(); time.sleep(60)",
    )
    with pytest.raises(NotSent, match="did not end within 2 s") as raised:
        sendmail.send(program, MESSAGE, "", os.environ, TimeLimit(2))
    assert (raised.value.permanent, raised.value.is_unsure) == (False, True)
    os.set_blocking(alive, True)
    with os.fdopen(alive, "rb") as said:
        assert said.read() == b"xx"  # which ends with the last of both


def test_one_that_reads_nothing_blocks_nobody(tmp_path: Path) -> None:
    sendmail.send(mailer(tmp_path, ""), b"x" * 3_000_000, "", os.environ, TimeLimit(60))


def test_one_that_goes_on_in_the_background_is_not_waited_for(tmp_path: Path) -> None:
    program = mailer(tmp_path, "if os.fork() == 0: time.sleep(30)")
    sendmail.send(program, MESSAGE, "", os.environ, TimeLimit(10))


def test_one_that_can_not_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotSent, match="could not be started"):
        sendmail.send(str(tmp_path), MESSAGE, "", os.environ, TimeLimit(60))


def test_it_is_found_where_cron_looks_for_it_and_then_on_the_path(tmp_path: Path) -> None:
    own, usual = tmp_path / "own", tmp_path / "usual"
    for folder in (own, usual):
        folder.mkdir()
        mailer(folder, "")
    on_path = {"PATH": str(own)}
    assert sendmail.find(on_path, [str(usual / "sendmail")]) == str(usual / "sendmail")
    assert sendmail.find(on_path, [str(tmp_path / "none")]) == str(own / "sendmail")
    assert sendmail.find({"PATH": str(tmp_path)}, []) is None
