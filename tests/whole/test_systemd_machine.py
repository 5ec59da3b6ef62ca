"""Meridian under a real systemd: Debian in a container, installed from the wheel."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
import sources
from debian_root import CHECKOUT, FROM_WHEELS, VENV
from systemd_machine import booted

from scheduler import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

README = (CHECKOUT / "README.md").read_text()
CRONTAB = "/etc/meridian/crontabs/crontab"
JOBS = """\
CRON_RETRIES=0
CRON_NAME=first  @reboot root echo begun
CRON_NAME=daily  30 4 * * * root true
CRON_NAME=long   0 5 * * *  root sleep 1000
CRON_NAME=quick  0 5 * * *  root sleep 3; echo well done
CRON_NAME=greedy CRON_MEMORY=64M 0 5 * * * root head -c 300000000 /dev/zero | tail
CRON_NAME=mute   0 5 * * *  root /usr/bin/python3 /opt/mute.py
"""
MUTE = """
import socket, time
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"WATCHDOG_USEC=0", "/run/systemd/notify")
time.sleep(1)  # until systemd has seen whose word it is
"""
BY_DROP_IN = "/etc/systemd/system/meridian.service.d/test.conf"


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    """A machine with a crontab, whose daemon runs."""
    with booted() as machine:
        machine.write(CRONTAB, JOBS, mode="600")
        machine.write("/opt/mute.py", MUTE)
        machine.systemctl("start", "meridian")
        yield machine


@pytest.fixture(autouse=True)
def as_it_was(machine: SystemdMachine) -> Iterator[None]:
    """Each test finds the daemon running, by the crontab of all tests and the unit as it is."""
    yield
    machine.write(CRONTAB, JOBS, mode="600")
    machine.run("rm", "-f", BY_DROP_IN)
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", "meridian")


def runs(machine: SystemdMachine, job: str) -> list[dict[str, Any]]:
    """The rows of a job, the newest first."""
    said = machine.run("meridian", "history", job, "--json").stdout.splitlines()
    return [json.loads(line) for line in said][::-1]


def started(machine: SystemdMachine, job: str) -> None:
    """Start a run of a job by hand, and wait until it has a process."""
    machine.run("meridian", "trigger", job)
    machine.wait_for(lambda: runs(machine, job)[0]["state"] == "running", why=f"{job} runs")


def drop_in(machine: SystemdMachine, text: str) -> None:
    machine.write(BY_DROP_IN, text)
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", "meridian")


def pid(machine: SystemdMachine) -> str:
    return machine.property("MainPID")


def test_started_means_that_the_crontabs_are_read_and_the_status_says_what_is_next(
    machine: SystemdMachine,
) -> None:
    assert machine.property("ActiveState") == "active"
    text = "6 entries in 1 zone; nothing running; next "
    machine.wait_for(lambda: machine.property("StatusText").startswith(text), why="a status text")
    started(machine, "long")
    machine.wait_for(lambda: "1 running: long" in machine.property("StatusText"), why="it runs")
    machine.run("meridian", "kill", "long")


def test_a_job_of_a_boot_has_run_once_whatever_became_of_the_daemon(
    machine: SystemdMachine,
) -> None:
    machine.systemctl("restart", "meridian")
    (run,) = runs(machine, "first")
    assert run["state"] == "succeeded"
    assert machine.run("meridian", "logs", "first").stdout.splitlines()[-1] == "begun"


def test_a_reload_takes_over_what_was_edited(machine: SystemdMachine) -> None:
    machine.write(CRONTAB, JOBS + "CRON_NAME=new 0 5 * * * root true\n", mode="600")
    machine.systemctl("reload", "meridian")
    text = "7 entries in 1 zone"
    machine.wait_for(lambda: machine.property("StatusText").startswith(text), 10, why="read again")
    assert machine.property("ActiveState") == "active"


def test_a_stop_gives_a_job_its_grace_and_then_ends_it(machine: SystemdMachine) -> None:
    """--grace is 10 s: one job has the time that it needs, the other is ended after it."""
    started(machine, "quick")
    started(machine, "long")
    machine.systemctl("stop", "meridian")
    assert machine.property("Result") == "success"
    machine.systemctl("start", "meridian")
    quick, long = runs(machine, "quick")[0], runs(machine, "long")[0]
    assert quick["attempts"][-1]["outcome"] == "exit 0"
    assert long["attempts"][-1]["outcome"] == "signal 15"
    assert machine.run("pgrep", "-f", "sleep 1000", check=False).stdout == ""


@pytest.mark.parametrize(
    ("grace", "ask"),
    [
        ("20s", ("stop", "meridian")),
        ("1s", ("kill", "--kill-who=main", "--signal=USR1", "meridian")),
    ],
    ids=["a long grace", "a drain"],
)
def test_a_stop_takes_the_time_that_the_daemon_gives_its_jobs(
    machine: SystemdMachine, grace: str, ask: tuple[str, ...]
) -> None:
    """Whatever TimeoutStopSec= says: systemd would kill a daemon that has not asked for more."""
    more = f"TimeoutStopSec=1\nEnvironment=MERIDIAN_RUN=--grace\\x20{grace}"
    drop_in(machine, f"[Service]\n{more}\n")
    started(machine, "quick")
    machine.systemctl(*ask)
    machine.wait_for(lambda: machine.property("ActiveState") == "inactive", why="ended")
    assert machine.property("Result") == "success"
    machine.systemctl("start", "meridian")
    assert runs(machine, "quick")[0]["attempts"][-1]["outcome"] == "exit 0"


def test_a_daemon_that_repairs_its_journal_is_not_taken_for_one_that_stands_still(
    machine: SystemdMachine,
) -> None:
    """It says so by WATCHDOG_USEC=0, which a process of its unit says here in its place."""
    drop_in(machine, "[Service]\nWatchdogSec=4\nNotifyAccess=all\n")
    machine.run("meridian", "trigger", "mute")
    machine.wait_for(lambda: runs(machine, "mute")[0]["state"] == "succeeded", why="it is said")
    first = pid(machine)
    machine.run("kill", "-STOP", first)
    machine.run("sleep", "8")
    machine.run("kill", "-CONT", first)
    assert pid(machine) == first


def test_a_daemon_that_is_killed_is_started_again_and_finds_its_job(
    machine: SystemdMachine,
) -> None:
    started(machine, "long")
    first = pid(machine)
    machine.run("kill", "-KILL", first)
    machine.wait_for(lambda: pid(machine) not in ("0", first), why="restarted")
    machine.wait_for(lambda: machine.property("ActiveState") == "active", why="ready again")
    (run, *_) = runs(machine, "long")
    assert (run["state"], len(run["attempts"])) == ("running", 1)
    machine.run("pkill", "-f", "sleep 1000")
    machine.wait_for(lambda: runs(machine, "long")[0]["state"] == "failed", why="settled")
    assert [each["outcome"] for each in runs(machine, "long")[0]["attempts"]] == ["lost"]


def test_a_loop_that_stands_still_is_restarted_with_a_trace_and_its_job_lives(
    machine: SystemdMachine,
) -> None:
    drop_in(machine, "[Service]\nWatchdogSec=4\n")
    started(machine, "long")
    first = pid(machine)
    machine.run("sleep", "6")
    assert pid(machine) == first, "a loop that goes on says so in time"
    machine.run("kill", "-STOP", first)
    machine.wait_for(lambda: pid(machine) not in ("0", first), why="restarted")
    machine.wait_for(lambda: machine.property("ActiveState") == "active", why="ready again")
    log = machine.journal()
    assert re.search(r"Watchdog timeout", log), log
    assert re.search(r"Fatal Python error: Aborted", log), log
    assert runs(machine, "long")[0]["state"] == "running"
    machine.run("meridian", "kill", "long")


def test_a_job_over_its_memory_is_ended_and_recorded_and_the_daemon_lives(
    machine: SystemdMachine,
) -> None:
    """By whatever this kernel has; by cgroups of version 2 it is in test_delegation."""
    first = pid(machine)
    machine.run("meridian", "trigger", "greedy")
    machine.wait_for(lambda: runs(machine, "greedy")[0]["state"] == "failed", why="ended")
    assert runs(machine, "greedy")[0]["attempts"][-1]["limit"] == "memory"
    assert pid(machine) == first


def test_lines_of_the_log_have_their_priority(machine: SystemdMachine) -> None:
    machine.write(CRONTAB, JOBS + "0 25 * * * root never\n", mode="600")
    machine.systemctl("reload", "meridian")

    def warnings() -> list[str]:
        words = ("-u", "meridian", "-p", "warning", "-o", "cat", "--no-pager")
        return machine.run("journalctl", *words).stdout.splitlines()

    machine.wait_for(lambda: any("25" in each for each in warnings()), why="a warning")
    assert not any(each.startswith(("<", "started")) for each in warnings())


def test_the_environment_file_has_more_words_for_run(machine: SystemdMachine) -> None:
    machine.write("/etc/meridian/service.env", "MERIDIAN_RUN=--max-running 7 --grace 3s\n")
    try:
        machine.systemctl("restart", "meridian")
        status = json.loads(machine.run("meridian", "status", "--json").stdout)
        assert status["max_running"] == 7
    finally:
        machine.run("rm", "/etc/meridian/service.env")


def test_jobs_write_into_the_journal_under_their_own_names(machine: SystemdMachine) -> None:
    machine.write("/etc/meridian/service.env", "MERIDIAN_RUN=--output-to journal\n")
    try:
        machine.systemctl("restart", "meridian")
        machine.run("meridian", "trigger", "quick")

        def line() -> str:
            return machine.run("journalctl", "-t", "quick", "-o", "json", "--no-pager").stdout

        machine.wait_for(line, why="a line in the journal")
        found = json.loads(line())
        assert (found["MESSAGE"], found["PRIORITY"]) == ("well done", "6")
        assert found["CRON_RUN"] == str(runs(machine, "quick")[0]["run"])
        assert found["_SYSTEMD_UNIT"] == "meridian.service"
        assert machine.run("meridian", "logs", "quick").stdout.endswith("well done\n")
    finally:
        machine.run("rm", "/etc/meridian/service.env")


def test_the_hardened_drop_in_of_the_docs_leaves_the_daemon_all_that_it_does(
    machine: SystemdMachine,
) -> None:
    text = (CHECKOUT / "docs/service.md").read_text().partition("systemctl edit meridian`:\n")[2]
    block = textwrap.dedent(text.strip("\n").partition("\n\n")[0] + "\n")
    assert block.startswith("[Service]\nNoNewPrivileges=yes\n")
    drop_in(machine, block)
    started(machine, "quick")
    machine.wait_for(lambda: runs(machine, "quick")[0]["state"] == "succeeded", why="it ran")
    first = pid(machine)
    started(machine, "long")
    machine.run("kill", "-KILL", first)
    machine.wait_for(lambda: pid(machine) not in ("0", first), why="restarted")
    machine.wait_for(lambda: machine.property("ActiveState") == "active", why="ready again")
    assert runs(machine, "long")[0]["state"] == "running", "an earlier daemon's job is found"
    machine.run("meridian", "kill", "long")
    assert machine.property("StatusText").startswith("6 entries")


def test_the_units_are_verified_and_their_exposure_is_told(
    machine: SystemdMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    done = machine.run("systemd-analyze", "verify", "--man=no", "meridian.service")
    assert (done.stdout, done.stderr) == ("", "")
    said = machine.run("systemd-analyze", "security", "--no-pager", "meridian.service").stdout
    assert "Overall exposure level" in said
    with capsys.disabled():
        print(said)  # noqa: T201 (whoever reads the log of CI sees what a hardened machine could have)


def test_the_readme_installs_it_for_the_whole_machine(
    machine: SystemdMachine, tmp_path: Path
) -> None:
    """By its own words, but for the download: the locked wheels lie there."""
    words = next(line for line in README.splitlines() if "make install PREFIX=/usr/local" in line)
    machine.copy_tree(sources.copy(tmp_path / "meridian"), "/root/meridian")
    command = words.strip().removeprefix("sudo ").split()
    machine.run("env", "-C", "/root/meridian", *command, env=FROM_WHEELS)
    machine.run("rm", "-rf", "/root/meridian")
    assert machine.run("meridian", "--version").stdout == f"meridian {__version__}\n"
    link = machine.run("readlink", "/usr/local/bin/meridian").stdout.strip()
    assert link == f"{VENV}/bin/meridian"
