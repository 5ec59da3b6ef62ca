"""The package of Debian, installed on a Debian that systemd has booted: from apt's side and a user's.

It is removed and purged in a machine of its own: the other tests want it there, in any order.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import debian_package
import pytest
from systemd_machine import SystemdMachine, booted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.e2e,
    pytest.mark.timeout(900),
]
DEB = "/opt/meridian-cron.deb"
JOBS = """\
CRON_RETRIES=0
CRON_NAME=short @yearly root echo done
CRON_NAME=limited CRON_NICE=5 @yearly root nice
CRON_NAME=failing CRON_ALERT='| cat >/run/told' 0 0 1 1 * root false
CRON_NAME=long @yearly root exec sleep 300
CRON_NAME=upgrade @yearly root dpkg -i /opt/meridian-cron.deb
CRON_NAME=working CRON_EXCEPT=holidays:DE 0 8 * * * root true
"""


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    with installed() as machine:
        yield machine


@contextmanager
def installed() -> Iterator[SystemdMachine]:
    """A machine with the package, whose daemon runs."""
    with booted(with_meridian=False) as machine:
        install(machine, debian_package.built())
        yield machine


def install(machine: SystemdMachine, package: Path) -> None:
    machine.copy(package, DEB)
    machine.run("dpkg", "-i", DEB)
    machine.write("/etc/meridian/crontabs/crontab", JOBS)
    machine.run("meridian", "reload")


def by_hand(machine: SystemdMachine, job: str) -> None:
    machine.run("meridian", "trigger", job)


def newest(machine: SystemdMachine, job: str) -> dict[str, object]:
    """The job's newest run."""
    text = machine.run("meridian", "history", job, "--json", "-n", "1").stdout
    found = json.loads(text)
    assert isinstance(found, dict)
    return found


def ends(machine: SystemdMachine, job: str) -> str:
    """What state a run of the job ends in that is started by hand."""
    by_hand(machine, job)
    machine.wait_for(lambda: newest(machine, job)["state"] in ("succeeded", "failed"), why=job)
    return str(newest(machine, job)["state"])


def test_the_daemon_is_enabled_and_has_started(machine: SystemdMachine) -> None:
    assert machine.systemctl("is-enabled", "meridian") == "enabled"
    assert machine.systemctl("is-active", "meridian") == "active"
    assert machine.run("meridian", "status", "--check").stdout.startswith("OK")


@pytest.mark.parametrize(
    ("job", "said"),
    [
        ("short", "done"),
        ("limited", "5"),  # the program that puts limits on is found, and runs
    ],
)
def test_a_job_runs_and_its_output_is_there(machine: SystemdMachine, job: str, said: str) -> None:
    assert ends(machine, job) == "succeeded"
    assert machine.run("meridian", "logs", job).stdout.strip() == said


def test_an_alert_is_sent(machine: SystemdMachine) -> None:
    """By a process of the package's own Python, with the package's libraries."""
    assert ends(machine, "failing") == "failed"
    machine.wait_for(lambda: machine.run("test", "-s", "/run/told", check=False).returncode == 0)
    assert "failing" in machine.read("/run/told")


def test_holidays_are_known_without_an_extra(machine: SystemdMachine) -> None:
    checked = machine.run("meridian", "check", "--json", check=False)
    assert (checked.returncode, checked.stdout) == (0, "")


def test_doctor_sees_one_daemon(machine: SystemdMachine) -> None:
    said = machine.run("meridian", "doctor", check=False).stdout
    assert "another Meridian daemon" not in said
    assert "none that can be seen" in said


def test_man_finds_the_page(machine: SystemdMachine) -> None:
    found = machine.run("man", "--where", "meridian").stdout
    assert found == "/usr/share/man/man1/meridian.1.gz\n"


def test_bash_completes_commands_and_jobs(machine: SystemdMachine) -> None:
    script = """
        . /usr/share/bash-completion/completions/meridian
        COMP_WORDS=(meridian %s) COMP_CWORD=%d
        _meridian_completion meridian
        echo "${COMPREPLY[@]}"
    """
    for words, number, completed in (("hist", 1, "history"), ("trigger lim", 2, "limited")):
        done = machine.run("bash", "-c", script % (words, number))
        assert done.stdout.split() == [completed]


def test_it_goes_by_the_name_of_crontab_too(machine: SystemdMachine) -> None:
    machine.run("ln", "-s", "/usr/bin/meridian", "/usr/local/bin/crontab")
    done = machine.run("/usr/local/bin/crontab", "-l", check=False)
    assert (done.returncode, done.stderr) == (1, "no crontab for root\n")


def test_a_user_can_have_a_daemon_of_his_own(machine: SystemdMachine) -> None:
    machine.add_user("erin")
    assert machine.run("meridian", "--version", user="erin").stdout.startswith("meridian ")
    machine.run("loginctl", "enable-linger", "erin")
    ready = ("systemctl", "--user", "is-system-running")
    machine.wait_for(lambda: "running" in machine.run(*ready, user="erin", check=False).stdout)
    machine.run("systemctl", "--user", "start", "meridian", user="erin")
    assert machine.run("meridian", "status", "--check", user="erin").stdout.startswith("OK")
    machine.run("systemctl", "--user", "stop", "meridian", user="erin")


def test_an_upgrade_starts_the_daemon_anew_where_no_job_runs(machine: SystemdMachine) -> None:
    assert ends(machine, "short") == "succeeded"
    before = machine.property("MainPID")
    machine.run("dpkg", "-i", DEB)
    assert machine.property("ActiveState") == "active"
    assert machine.property("MainPID") != before
    assert newest(machine, "short")["state"] == "succeeded"


def test_an_upgrade_ends_no_job_that_runs(machine: SystemdMachine) -> None:
    by_hand(machine, "long")
    before = machine.property("MainPID")
    machine.wait_for(lambda: newest(machine, "long")["state"] == "running")
    done = machine.run("dpkg", "-i", DEB)
    assert "jobs are running, so the former version goes on" in done.stderr
    assert machine.property("MainPID") == before
    assert newest(machine, "long")["state"] == "running"
    machine.run("meridian", "kill", "long")
    machine.wait_for(lambda: newest(machine, "long")["state"] == "failed", why="it is ended")


def test_a_job_may_be_the_upgrade(machine: SystemdMachine) -> None:
    assert ends(machine, "upgrade") == "succeeded"
    assert machine.run("dpkg", "--audit").stdout == ""


def test_service_leaves_the_units_to_the_package(machine: SystemdMachine) -> None:
    machine.run("meridian", "service", "install")
    assert machine.run("test", "-e", "/etc/systemd/system/meridian.service", check=False).returncode
    assert machine.systemctl("is-active", "meridian") == "active"


def test_when_it_is_removed_crontabs_and_runs_stay_until_it_is_purged() -> None:
    """And cron has its tables again."""
    with installed() as machine:
        machine.systemctl("enable", "--now", "cron")
        machine.run("meridian", "adopt", "--take")
        assert machine.systemctl("is-enabled", "cron", check=False) == "masked"
        machine.run("dpkg", "-r", "meridian-cron")
        assert machine.systemctl("is-active", "cron") == "active"
        assert machine.systemctl("is-active", "meridian", check=False) in ("inactive", "unknown")
        gone = machine.run("test", "-e", "/usr/lib/meridian", check=False)
        assert gone.returncode == 1, machine.sh("find /usr/lib/meridian | head")
        machine.run("test", "-s", "/etc/meridian/crontabs/crontab")
        machine.run("test", "-s", "/var/lib/meridian/journal.db")

        machine.run("dpkg", "-P", "meridian-cron")  # crontabs stay, runs go
        machine.run("test", "-s", "/etc/meridian/crontabs/crontab")
        assert machine.run("test", "-e", "/var/lib/meridian", check=False).returncode == 1
        left = machine.sh("find /etc/systemd /var/lib/systemd -name '*meridian*'").split()
        assert left == []
