"""The daemon on a system that lacks what Linux has: each thing switched off alone, then all at once.

All at once is as near to a Mac as a Linux comes. What stands in for each is in the row's reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bare_system
import pytest
from real_daemon import Process, is_alive, no_job_left, now, until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

PROGRAM = Path(bare_system.__file__)
JOBS = r"""
CRON_RETRIES=0
CRON_KILL_AFTER=1s
CRON_NAME=well @reboot echo hello
CRON_NAME=retried CRON_RETRIES=1 CRON_RETRY_DELAY=1s @reboot test $CRON_ATTEMPT -ge 2
CRON_NAME=slow CRON_TIMEOUT=1s @reboot sleep 300 & echo $$ >>PIDS; wait
CRON_NAME=deaf CRON_TIMEOUT=1s @reboot trap '' TERM; echo $$ >>PIDS; while :; do sleep 1; done
CRON_NAME=limited CRON_NICE=5 CRON_CPU=10 @reboot nice
CRON_NAME=sized CRON_MEMORY=1G @reboot true
CRON_NAME=flood CRON_CATCHUP=none @reboot yes | head -c 30000000
CRON_NAME=long @reboot echo $$ >>PIDS; exec sleep 300
"""
EVERYTHING = ",".join(bare_system.ALL)
ENDS = {
    "well": ["exit 0"],
    "retried": ["exit 1", "exit 0"],
    "slow": ["timed out"],
    "deaf": ["timed out"],
    "limited": ["exit 0"],
    "sized": ["exit 0"],
    "flood": ["exit 0"],
    "long": ["signal 15"],
}
LACKS = {
    "boot_clock": "sleep and a clock that was set are one",
    "cgroup": "CRON_MEMORY is a limit of each process",
    "dbus": "notifications go to osascript, or the terminal",
    "epoll": "asyncio asks poll, on a Mac kqueue",
    "fdatasync": "fsync writes more than is needed",
    "holes": "what is cut out of an output is not given back to the disk",
    "ids": "nobody may need these to start a job of his own",
    "inotify": "outputs are looked at again and again",
    "leases": "who has an output open is not known",
    "newer_calls": "older calls do",
    "o_path": "folders on the way are opened to be read",
    "pidfd": "a group is signalled by its number",
    "platform": "paths of a Mac, and getpeereid for the socket",
    "proc": "processes are known as children alone",
    "scheduling": "nobody asks",
    "signals": "no signal above 31 is used",
    "subreaper": "orphans are the system's",
    "timer": "the loop comes to a minute by ever shorter sleeps",
    "waitid": "a child is looked at after it was reaped",
    "xattr": "an output does not say whose it is",
}  # fmt: skip


def knows_boots(what: str) -> bool:
    """Say whether a system that lacks this tells one boot from another: a Mac has its own way."""
    return what != "proc"


def ends_of(what: str) -> dict[str, list[str]]:
    """How the attempts of each job end. Only Linux limits what a process takes for its data."""
    refused = ["not started: CRON_MEMORY=1G: only Linux has such a limit"]
    return ENDS | ({"sized": refused} if "platform" in what else {})


@contextmanager
def daemon(folder: Path, what: str) -> Iterator[Process]:
    """A daemon that lacks these, gone at the end with its jobs."""
    crontab, log = folder / "crontab", folder / "log"
    text = JOBS.replace("PIDS", str(folder / "pids"))
    crontab.write_text(text if knows_boots(what) else text.replace("@reboot", "@yearly"))
    crontab.chmod(0o600)
    words = ("run", str(crontab), "--state", str(folder / "state"), "--grace", "0")
    command = (sys.executable, str(PROGRAM), what, *words, "--log-format", "json")
    environ = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    with no_job_left(folder / "pids"), log.open("ab") as stream:
        popen = subprocess.Popen(command, stderr=stream, env=environ)
        try:
            yield Process(popen, log, now())
        finally:
            popen.kill()
            popen.wait()


def asked(folder: Path, what: str, *words: str) -> str:
    """What a command prints that lacks the same."""
    command = (sys.executable, str(PROGRAM), what, *words, "--state", str(folder / "state"))
    environ = {**os.environ, "PYTHONPATH": str(PROGRAM.parents[2])}
    done = subprocess.run(
        command, env=environ, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def history(folder: Path, what: str) -> dict[str, list[str]]:
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in asked(folder, what, "history", "--json").splitlines()
    ]
    return {
        row["job"]: [each["outcome"] for each in row["attempts"]]
        for row in rows
        if row["state"] in ("succeeded", "failed")
    }


def test_each_thing_that_can_be_switched_off_is() -> None:
    assert LACKS.keys() == set(bare_system.ALONE)


def started(folder: Path, what: str, running: Process) -> None:
    """Have each job started: at boot, or by hand."""
    until(lambda: running.said("crontabs"), 30)
    if not knows_boots(what):
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda job: asked(folder, what, "trigger", job), ENDS))
    until(lambda: {line["job"] for line in running.said("started")} >= ENDS.keys() - {"sized"})


def over(running: Process) -> set[str]:
    """The jobs whose run is over, as the log has it."""
    lines = running.lines()
    return {each["job"] for each in lines if "gave_up" in each or each["message"] == "succeeded"}


@pytest.mark.parametrize("what", [*LACKS, EVERYTHING], ids=[*LACKS, "as a Mac"])
def test_jobs_run_fail_are_tried_again_time_out_and_are_stopped(tmp_path: Path, what: str) -> None:
    with daemon(tmp_path, what) as running:
        started(tmp_path, what, running)
        over_early = {"well", "limited"}  # asked for while others still take their time
        until(lambda: over(running) >= over_early)
        assert asked(tmp_path, what, "logs", "well") == "hello\n"
        assert asked(tmp_path, what, "logs", "limited") == "5\n"
        until(lambda: over(running) >= ENDS.keys() - {"long"}, 40)
        (one,) = json.loads(asked(tmp_path, what, "status", "--json"))["running"]
        assert one["job"] == "long"
        running.popen.send_signal(signal.SIGHUP)
        until(lambda: len(running.said("crontabs")) == 2)
        assert running.ends(signal.SIGTERM) == 0
        assert history(tmp_path, what) == ends_of(what)
        assert [line for line in running.lines() if line["level"] == "error"] == []
    pids = map(int, (tmp_path / "pids").read_text().split())
    assert [pid for pid in pids if is_alive(pid)] == []


@pytest.mark.parametrize("what", ["proc", EVERYTHING], ids=["proc", "as a Mac"])
def test_after_a_kill_no_run_is_forgotten_and_none_runs_twice(tmp_path: Path, what: str) -> None:
    """Without a /proc, who has a job's number and leads a session is taken for that job."""
    with daemon(tmp_path, what) as running:
        started(tmp_path, what, running)
        running.popen.kill()
        running.popen.wait()
        with daemon(tmp_path, what) as second:
            until(lambda: second.said("adopted", job="long"))
            assert second.ends(signal.SIGTERM) == 0
            assert [line for line in second.lines() if line["level"] == "error"] == []
    rows = [json.loads(line) for line in asked(tmp_path, what, "history", "--json").splitlines()]
    assert sorted(row["job"] for row in rows) == sorted(ENDS)
    assert [row["state"] for row in rows if row["state"] == "running"] == []


COMMANDS = (
    ("check", "FILE"),
    ("list", "FILE"),
    ("next", "FILE", "-n", "1"),
    ("simulate", "FILE", "--from", "2027-03-01", "--until", "2027-03-02"),
    ("history",),
    ("doctor",),
    ("service", "status", "--user"),
    ("notify", "Title"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_no_command_asks_for_what_is_not_there(tmp_path: Path, words: tuple[str, ...]) -> None:
    """It may well find a problem; it says so in its own words."""
    (tmp_path / "crontab").write_text("0 8 * * * true\n")
    given = [word.replace("FILE", str(tmp_path / "crontab")) for word in words]
    environ = {"HOME": str(tmp_path), "PATH": os.defpath, "PYTHONPATH": str(PROGRAM.parents[2])}
    command = (sys.executable, str(PROGRAM), EVERYTHING, *given)
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
