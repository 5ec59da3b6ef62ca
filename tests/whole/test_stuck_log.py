"""The real daemon with a log that nobody reads: it goes on, answers, ends; and says what is lost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from faketime import MINUTE, Warped
from stuck_readers import KINDS, Reader, full_pipe

from scheduler.protocol import Reload, Trigger
from scheduler.system import control_client
from scheduler.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e]

SOON = 30.0
GRACE = 1.0
BAD = "".join(f"61 * * * * {n}\n" for n in range(50))  # each told at each reload, some 9 kB
RELOADS = 200

each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.02)


@contextmanager
def daemon(
    folder: Path, reader: Reader, text: str, *words: str
) -> Iterator[subprocess.Popen[bytes]]:
    crontab = folder / "crontab"
    crontab.write_text(text)
    crontab.chmod(0o600)
    run = ("run", str(crontab), "--state", str(folder / "state"), "--grace", f"{GRACE:g}", *words)
    popen = subprocess.Popen((sys.executable, "-m", "scheduler", *run), stderr=reader.descriptor)
    try:
        yield popen
    finally:
        popen.kill()
        popen.wait()


def asked(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    command = (sys.executable, "-m", "scheduler", *words, "--state", str(folder / "state"))
    return subprocess.run(command, check=False, capture_output=True, timeout=SOON)


def answers(folder: Path) -> bool:
    return asked(folder, "status").returncode == 0


@each_kind
@pytest.mark.parametrize("style", ["human", "systemd", "json"])
def test_it_answers_runs_jobs_and_ends_in_time(
    kind: Callable[[Path], Reader], style: str, tmp_path: Path
) -> None:
    with (
        kind(tmp_path) as reader,
        daemon(tmp_path, reader, "CRON_NAME=a @daily true\n", "--log-format", style) as popen,
    ):
        until(lambda: answers(tmp_path))
        socket = tmp_path / "state/control.sock"
        for _ in range(3):
            until(lambda: not isinstance(control_client.call(socket, Trigger("a")), Refused))
        popen.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        assert popen.wait(timeout=SOON) == 0
        assert time.monotonic() - begun < GRACE + 5
    rows = [json.loads(line) for line in asked(tmp_path, "history", "--json").stdout.splitlines()]
    assert [row["state"] for row in rows] == ["succeeded"] * 3


@each_kind
def test_when_the_reader_is_back_it_is_told_how_many_lines_are_lost(
    kind: Callable[[Path], Reader], tmp_path: Path
) -> None:
    with kind(tmp_path) as reader, daemon(tmp_path, reader, BAD, "--log-format", "json") as popen:
        until(lambda: answers(tmp_path))
        for _ in range(RELOADS):
            control_client.call(tmp_path / "state/control.sock", Reload())
        reader.goes_on()
        until(lambda: b'"dropped"' in reader.text)
        control_client.call(tmp_path / "state/control.sock", Reload())  # the log goes on after that
        popen.send_signal(signal.SIGTERM)
        assert popen.wait(timeout=SOON) == 0
        until(lambda: b'"stopped"' in reader.text.rpartition(b"\n")[0])
    lines = [json.loads(line.lstrip(b".")) for line in reader.text.splitlines()]
    messages = [line["message"] for line in lines]
    place = messages.index("dropped")
    assert lines[place]["lines"] == 51 * (RELOADS + 1) + 1 - place  # "meridian", and each reading
    assert messages[place + 1 :] == ["problem"] * 50 + ["crontabs", "stopping", "stopped"]


def test_a_daemon_that_ends_with_an_error_is_not_kept_from_it(tmp_path: Path) -> None:
    """Nor is one that met a bug, or whatever Python itself has to say at the end."""
    (tmp_path / "state").mkdir(mode=0o777)
    (tmp_path / "state").chmod(0o777)  # others can write it: refused
    with full_pipe(tmp_path) as reader, daemon(tmp_path, reader, "@daily true\n") as popen:
        assert popen.wait(timeout=SOON) == 1


@pytest.mark.privileged
@each_kind
def test_no_minute_is_missed(kind: Callable[[Path], Reader], tmp_path: Path) -> None:
    """Twenty of them, at speed."""
    start, end = (datetime(2027, 3, 1, 12, minute, tzinfo=UTC) for minute in (0, 20))
    with kind(tmp_path) as reader:
        warped = Warped(
            tmp_path, "CRON_NAME=beat * * * * *", at_once=False, stderr=reader.descriptor
        )
        try:
            warped.start(start)
            warped.run(to=end)
            warped.stop()
        finally:
            warped.close()
    assert [ran.at for ran in warped.ran()] == [start + n * MINUTE for n in range(21)]
    assert warped.last_tick() == end
