"""CRON_MEMORY by a real memory controller: the real unit under a real systemd, killed and stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from machine import MARK, Machine

from scheduler.cli.rows import of_run
from scheduler.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    Seen = dict[str, dict[str, Any]]  # what was seen, by when

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent
STATE = Path("/var/lib/meridian")
LOG = Path("/run/meridian.log")
EATS = "head -c 100000000 /dev/zero | tail"  # one line of 100 MB, which tail keeps
CRONTAB = f"""
CRON_RETRIES=0
CRON_NAME=free    @reboot  cat /proc/self/cgroup
CRON_MEMORY=16M
CRON_NAME=modest  @reboot  cat /proc/self/cgroup; cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max
CRON_NAME=family  @reboot  {EATS} & sleep 1000
CRON_NAME=lasting @reboot  sleep 1000
CRON_NAME=greedy CRON_RETRIES=1 CRON_RETRY_DELAY=10s  @reboot  {EATS}
"""
DROP_IN = f"""
[Unit]
DefaultDependencies=no

[Service]
ConfigurationDirectory=
ExecStart=
ExecStart={sys.executable} -m scheduler run --log-format json /mnt/crontab
WorkingDirectory={ROOT}
Environment=TMPDIR=/run PYTHONDONTWRITEBYTECODE=1
StandardError=append:{LOG}
RestartSec=1
"""


# --- in the machine: this file run as a program ---------------------------------------------------


def history() -> dict[str, list[dict[str, Any]]]:
    """The attempts of each job."""
    with closing(Journal.open(STATE / "journal.db", readonly=True)) as journal:
        found = [of_run(row) for row in journal.history()]
    return {str(run["job"]): run["attempts"] for run in found}  # type: ignore[misc]  # of a Row


def output(job: str) -> list[str]:
    (file,) = (STATE / "outputs" / job).iterdir()
    return file.read_text().split()


def ended(job: str, number: int = 1) -> bool:
    attempts = history().get(job, [])
    return len(attempts) >= number and bool(attempts[number - 1]["ended"])


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        if time.monotonic() > deadline:
            say(when="never", log=LOG.read_text().splitlines())
            sys.exit("it never was")
        time.sleep(0.1)


def systemctl(*words: str) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def pid() -> int:
    return int(systemctl("show", "-P", "MainPID", "meridian") or 0)


def groups() -> dict[str, int]:
    """How many processes are in the service's own cgroup, and in each below it."""
    service = Path("/sys/fs/cgroup/system.slice/meridian.service")
    found = (service, *sorted(each for each in service.glob("*") if each.is_dir()))
    return {each.name: len((each / "cgroup.procs").read_text().split()) for each in found}


def say(**facts: object) -> None:
    sys.stdout.write(f"{MARK}{json.dumps(facts)}\n")
    sys.stdout.flush()


def probe() -> None:
    systemctl("start", "meridian")
    first = pid()
    until(lambda: all(ended(job) for job in ("free", "modest", "family", "greedy")))
    outputs = {job: output(job) for job in ("free", "modest")}
    say(when="first", history=history(), outputs=outputs, groups=groups())
    os.kill(first, signal.SIGKILL)
    until(lambda: pid() not in (0, first))
    until(lambda: ended("greedy", 2))
    say(when="killed", history=history(), groups=groups(), log=LOG.read_text().splitlines())
    systemctl("stop", "meridian")
    say(when="stopped", active=systemctl("is-active", "meridian"))
    systemctl("start", "meridian")
    say(when="again", active=systemctl("is-active", "meridian"))


# --- on this machine ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    """One life of a machine: its daemon starts, is killed, comes back, is stopped and started."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "crontab").write_text(CRONTAB)
    unit = (ROOT / "systemd/meridian.service").read_text()
    units = {"meridian.service": unit, "meridian.service.d/test.conf": DROP_IN}
    said = Machine(folder, units).boot(f"{sys.executable} {__file__}")
    return {each["when"]: each for each in said}


def endings(seen: dict[str, Any], job: str) -> list[tuple[str | None, str | None]]:
    return [(each["outcome"], each["limit"]) for each in seen["history"][job]]


def test_an_attempt_with_a_limit_has_a_group_of_its_own_and_others_have_none(seen: Seen) -> None:
    free, modest = seen["first"]["outputs"]["free"], seen["first"]["outputs"]["modest"]
    group, most = modest
    assert group.startswith("0::/system.slice/meridian.service/attempt-")
    assert most == str(16 * 2**20)
    assert free in (
        ["0::/system.slice/meridian.service"],
        ["0::/system.slice/meridian.service/daemon"],
    )


def test_an_attempt_over_its_limit_is_ended_as_a_whole_and_the_journal_says_why(seen: Seen) -> None:
    assert endings(seen["first"], "greedy") == [("signal 9", "memory")]
    assert endings(seen["first"], "family") == [("signal 9", "memory")], "not its child alone"
    assert endings(seen["first"], "modest") == [("exit 0", None)]


@pytest.mark.parametrize(("when", "gone"), [("first", "2"), ("killed", "23")])
def test_groups_go_with_their_attempts(seen: Seen, when: str, gone: str) -> None:
    """At the latest with the next one that ends: the kernel takes its time to let go of the dead."""
    groups = seen[when]["groups"]
    assert groups["meridian.service"] == 0, "or the kernel would not have limited those below"
    there = {name[8] for name in groups if name.startswith("attempt-")}
    assert "4" in there, "the one that lasts"
    assert not there & set(gone)


def test_a_daemon_that_was_killed_comes_back_beside_what_lives_and_limits_again(seen: Seen) -> None:
    """Without its ExecStopPost systemd could not start it: "Failed to attach to cgroup"."""
    killed = seen["killed"]
    assert endings(killed, "greedy") == [("signal 9", "memory")] * 2
    assert endings(killed, "lasting") == [(None, None)]
    means = [
        line["memory"] for line in map(json.loads, killed["log"]) if line["message"] == "limits"
    ]
    assert means == ["the cgroup system.slice/meridian.service, for each attempt as a whole"] * 2


def test_it_stops_and_starts_as_any_service(seen: Seen) -> None:
    assert (seen["stopped"]["active"], seen["again"]["active"]) == ("inactive", "active")


if __name__ == "__main__":
    probe()
