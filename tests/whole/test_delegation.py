"""CRON_MEMORY by a real memory controller: the real unit under a real systemd, killed and stopped."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from machine import MARK, Machine

from scheduler.cli.json_rows import of_run
from scheduler.journal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    Seen = dict[str, dict[str, Any]]  # what was seen, by when

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(300)]

ROOT = Path(__file__).parent.parent.parent
WHOSE = ("system", "user")  # systemd's own word for either
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
ExecStart={sys.executable} -m scheduler run --log-format json --state /run/state-of-{{0}} /mnt/crontab
WorkingDirectory={ROOT}
Environment=TMPDIR=/run PYTHONDONTWRITEBYTECODE=1
StandardError=append:/run/log-of-{{0}}
RestartSec=1
"""
# What user@.service is where somebody logs in.
MANAGER = """
[Unit]
DefaultDependencies=no

[Service]
Type=notify
ExecStart=/lib/systemd/systemd --user --unit=basic.target
Environment=XDG_RUNTIME_DIR=/run/user HOME=/run
RuntimeDirectory=user
Delegate=pids memory cpu
"""


# --- in the machine: this file run as a program ---------------------------------------------------


@dataclass
class Service:
    """A Meridian of the system's systemd, or of a user's."""

    whose: str

    def __post_init__(self) -> None:
        self.state = Path(f"/run/state-of-{self.whose}")
        self.log = Path(f"/run/log-of-{self.whose}")

    def probe(self) -> None:
        """Start it, kill it, stop it, start it, and say what there was to see."""
        self.systemctl("start")
        first = self.pid()
        until(lambda: all(self.ended(job) for job in ("free", "modest", "family", "greedy")))
        outputs = {job: self.output(job) for job in ("free", "modest")}
        self.say("first", history=self.history(), outputs=outputs, groups=self.groups())
        os.kill(first, signal.SIGKILL)
        until(lambda: self.pid() not in (0, first))
        until(lambda: self.ended("greedy", 2))
        log = self.log.read_text().splitlines()
        self.say("killed", history=self.history(), groups=self.groups(), log=log)
        self.systemctl("stop")
        self.say("stopped", active=self.systemctl("is-active"))
        self.systemctl("start")
        self.say("again", active=self.systemctl("is-active"))

    def history(self) -> dict[str, list[dict[str, Any]]]:
        """The attempts of each job."""
        with closing(Journal.open(self.state / "journal.db", readonly=True)) as journal:
            found = [of_run(row) for row in journal.queries.history()]
        return {str(run["job"]): run["attempts"] for run in found}  # type: ignore[misc]  # of a Row

    def output(self, job: str) -> list[str]:
        (file,) = (self.state / "outputs" / job).iterdir()
        return file.read_text().split()

    def ended(self, job: str, number: int = 1) -> bool:
        attempts = self.history().get(job, [])
        return len(attempts) >= number and bool(attempts[number - 1]["ended"])

    def groups(self) -> dict[str, int]:
        """How many processes are in the service's own cgroup, and in each below it."""
        service = Path("/sys/fs/cgroup" + self.systemctl("show", "-P", "ControlGroup"))
        found = (service, *sorted(each for each in service.glob("*") if each.is_dir()))
        return {each.name: len((each / "cgroup.procs").read_text().split()) for each in found}

    def pid(self) -> int:
        return int(self.systemctl("show", "-P", "MainPID") or 0)

    def systemctl(self, *words: str) -> str:
        command = ["systemctl", f"--{self.whose}", *words, "meridian"]
        environ = os.environ | {"XDG_RUNTIME_DIR": "/run/user"}
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def say(self, when: str, **facts: object) -> None:
        sys.stdout.write(f"{MARK}{json.dumps({'whose': self.whose, 'when': when} | facts)}\n")
        sys.stdout.flush()


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        if time.monotonic() > deadline:
            sys.exit("it never was")
        time.sleep(0.1)


# --- on this machine ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One life of a machine: its daemons start, are killed, come back, are stopped and started."""
    folder = tmp_path_factory.mktemp("machine")
    (folder / "crontab").write_text(CRONTAB)
    units = {"system/manager.service": MANAGER}
    for whose, name in zip(WHOSE, ("meridian.service", "meridian-user.service"), strict=True):
        units[f"{whose}/meridian.service"] = (ROOT / "systemd" / name).read_text()
        units[f"{whose}/meridian.service.d/test.conf"] = DROP_IN.format(whose)
    return Machine(folder, units).boot(f"{sys.executable} {__file__}")


@pytest.fixture(params=WHOSE)
def seen(said: list[dict[str, Any]], request: pytest.FixtureRequest) -> Seen:
    """What was seen of one daemon, by when."""
    return {each["when"]: each for each in said if each["whose"] == request.param}


def endings(seen: dict[str, Any], job: str) -> list[tuple[str | None, str | None]]:
    return [(each["outcome"], each["limit"]) for each in seen["history"][job]]


def test_an_attempt_with_a_limit_has_a_group_of_its_own_and_others_have_none(seen: Seen) -> None:
    free, modest = seen["first"]["outputs"]["free"], seen["first"]["outputs"]["modest"]
    group, most = modest
    assert re.fullmatch(r"0::/system.slice/.*meridian.service/attempt-2\.1-\w+", group)
    assert most == str(16 * 2**20)
    assert re.fullmatch(r"0::/system.slice/.*meridian.service(/daemon)?", *free)


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
    assert len(means) == 2, "each of the two daemons says it once"
    for each in means:
        assert re.fullmatch(r"the cgroup system.slice/.*, for each attempt as a whole", each)


def test_it_stops_and_starts_as_any_service(seen: Seen) -> None:
    assert (seen["stopped"]["active"], seen["again"]["active"]) == ("inactive", "active")


def main() -> None:
    subprocess.run(["systemctl", "start", "manager"], check=True)
    probes = [Thread(target=Service(whose).probe) for whose in WHOSE]
    for each in probes:
        each.start()
    for each in probes:
        each.join()


if __name__ == "__main__":
    main()
