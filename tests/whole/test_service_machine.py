"""`meridian service` by a real systemd: the machine's, and that of a user who lingers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from debian_root import CHECKOUT
from systemd_machine import booted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

SYSTEM_UNIT = "/etc/systemd/system/meridian.service"
USER_UNIT = "/home/alice/.config/systemd/user/meridian.service"


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    """A machine with Meridian but without its unit, and with a user who lingers."""
    with booted() as machine:
        machine.run("rm", SYSTEM_UNIT)
        machine.systemctl("daemon-reload")
        machine.add_user("alice", "audio", "staff")
        machine.run("loginctl", "enable-linger", "alice")
        machine.wait_for(lambda: machine.sh("ls /run/user/*/systemd/private || true"))
        yield machine


def test_the_machines_service_is_installed_shown_and_removed(machine: SystemdMachine) -> None:
    machine.write(
        "/etc/meridian/crontabs/crontab",
        "CRON_NAME=boot @reboot root cat /proc/self/cgroup\n",
        mode="600",
    )
    done = machine.run("meridian", "service", "install")
    assert done.stdout.splitlines()[0] == f"write {SYSTEM_UNIT}: done"
    unit = (CHECKOUT / "systemd/meridian.service").read_text()
    assert machine.read(SYSTEM_UNIT) == unit, "it is the one that the README installs"
    assert machine.property("UnitFileState") == "enabled"
    status = json.loads(machine.run("meridian", "service", "status", "--json").stdout)
    assert status["state"] == "active (running)"
    machine.wait_for(lambda: "succeeded" in machine.run("meridian", "history", "boot").stdout)
    assert "meridian.service" in machine.run("meridian", "logs", "boot").stdout
    machine.run("meridian", "service", "remove")
    assert machine.run("meridian", "service", "status", check=False).returncode == 1
    assert machine.run("test", "-e", SYSTEM_UNIT, check=False).returncode == 1
    assert "boot" in machine.read("/etc/meridian/crontabs/crontab")


def test_a_user_who_lingers_has_a_service_of_her_own(machine: SystemdMachine) -> None:
    machine.write(
        "/home/alice/.config/meridian/crontab",
        "CRON_NAME=mine @reboot id -Gn; cat /proc/self/cgroup; echo $PATH\n",
        mode="600",
    )
    machine.run("chown", "-R", "alice:", "/home/alice/.config")
    done = machine.run("meridian", "service", "install", "--user", user="alice")
    assert done.stdout.splitlines()[0] == f"write {USER_UNIT}: done"
    assert done.stderr == "", "she lingers, so there is nothing to tell"
    history = ("meridian", "history", "mine")
    machine.wait_for(lambda: "succeeded" in machine.run(*history, user="alice").stdout)
    logged = machine.run("meridian", "logs", "mine", user="alice").stdout.splitlines()
    assert any(set(line.split()) == {"alice", "audio", "staff"} for line in logged), logged
    assert any("user@" in line for line in logged), logged
    assert logged[-1].startswith("/home/alice/.local/bin:")
    done = machine.run("meridian", "service", "status", "--user", user="alice")
    assert "active (running)" in done.stdout
    machine.run("meridian", "service", "remove", "--user", user="alice")
    assert machine.run("test", "-e", USER_UNIT, check=False).returncode == 1


def test_the_user_s_unit_is_verified(machine: SystemdMachine) -> None:
    unit = (CHECKOUT / "systemd/meridian-user.service").read_text()
    unit = unit.replace("%h/.local/bin/meridian", "/usr/local/bin/meridian")
    machine.write("/tmp/meridian.service", unit)
    words = ("systemd-analyze", "--user", "verify", "--man=no", "/tmp/meridian.service")
    done = machine.run(*words, user="alice")
    assert (done.stdout, done.stderr) == ("", "")


def test_a_program_of_a_user_is_not_made_roots(machine: SystemdMachine) -> None:
    """`sudo ~/.local/bin/meridian service install`: whoever changes that file would be root."""
    machine.sh(
        "cp -a /usr/local/share/meridian/venv /home/alice/venv && chown -R alice: /home/alice/venv"
    )
    program = "/home/alice/venv/bin/meridian"
    machine.sh(f"sed -i '1s|.*|#!/home/alice/venv/bin/python|' {program}")
    done = machine.run(program, "service", "install", check=False)
    assert done.returncode == 1
    assert "/home/alice" in done.stderr
    assert "root is to run it at each boot" in done.stderr
    assert machine.run("test", "-e", SYSTEM_UNIT, check=False).returncode == 1
