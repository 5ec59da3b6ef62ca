"""Meridian under a real systemd: Debian in a container, installed from the wheel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from debian_root import CHECKOUT, FROM_WHEELS, VENV
from systemd_machine import booted, checkout

from scheduler import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

README = (CHECKOUT / "README.md").read_text()


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    with booted() as machine:
        machine.write(
            "/etc/meridian/crontabs/crontab",
            "CRON_NAME=first @reboot root echo begun\n",
            mode="600",
        )
        yield machine


def test_it_is_started_and_ready(machine: SystemdMachine) -> None:
    machine.systemctl("start", "meridian")
    assert machine.property("ActiveState") == "active"
    machine.wait_for(lambda: "first" in machine.run("meridian", "history").stdout)
    assert machine.run("meridian", "logs", "first").stdout.splitlines()[-1] == "begun"


def test_the_readme_installs_it_for_the_whole_machine(
    machine: SystemdMachine, tmp_path: Path
) -> None:
    """By its own words, but for the download: the locked wheels lie there."""
    words = next(line for line in README.splitlines() if "make install PREFIX=/usr/local" in line)
    machine.copy_tree(checkout(tmp_path / "meridian"), "/root/meridian")
    command = words.strip().removeprefix("sudo ").split()
    machine.run("env", "-C", "/root/meridian", *command, env=FROM_WHEELS)
    machine.run("rm", "-rf", "/root/meridian")
    assert machine.run("meridian", "--version").stdout == f"meridian {__version__}\n"
    assert (
        machine.run("readlink", "/usr/local/bin/meridian").stdout.strip() == f"{VENV}/bin/meridian"
    )
