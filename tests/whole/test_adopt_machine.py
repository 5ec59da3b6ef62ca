"""Debian's own cron and anacron hand their tables to Meridian, and get them back: nothing twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from commands import rows
from systemd_machine import booted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

FIRED = "/var/tmp/fired"
MINUTELY = ("crontab", "cron.d", "spool")  # a job of each kind of table, each minute
STAMPED = ("cron.daily", "anacrontab")
UNITS = ("cron.service", "anacron.service", "anacron.timer")


def fires(name: str) -> str:
    """A command that writes down when it ran, and as whom."""
    return f"echo $(date +\\%FT\\%H:\\%M) $(id -un) >>{FIRED}/{name}"


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    with booted() as machine:
        machine.add_user("alice")
        machine.sh(f"mkdir {FIRED} && chmod 1777 {FIRED}")
        machine.write("/etc/meridian/crontabs/own", "CRON_NAME=own 0 0 1 1 * root true\n")
        machine.write(
            "/etc/crontab",
            f"* * * * * root {fires('crontab')}\n@reboot root {fires('reboot')}\n",
        )
        machine.write("/etc/cron.d/probe", f"* * * * * alice {fires('cron.d')}\n")
        machine.run("crontab", "-", user="alice", stdin=f"* * * * * {fires('spool')}\n")
        daily = f"#!/bin/sh\n{fires('cron.daily')}\n".replace("\\%", "%")
        machine.write("/etc/cron.daily/probe", daily, mode="755")
        anacrontab = machine.read("/etc/anacrontab")
        own = f"7 1 anacrontab {fires('anacrontab')}\n".replace("\\%", "%")
        machine.write("/etc/anacrontab", anacrontab + own)
        machine.write("/var/spool/anacron/cron.daily", "20270101\n", mode="600")
        machine.systemctl("enable", "--now", "cron.service", "anacron.timer")
        yield machine


def fired(machine: SystemdMachine, name: str) -> list[str]:
    """When a job ran, as its machine's clock had it."""
    text = machine.sh(f"cat {FIRED}/{name} 2>/dev/null || true")
    return [line.split()[0] for line in text.splitlines()]


def users(machine: SystemdMachine, name: str) -> set[str]:
    return {line.split()[1] for line in machine.read(f"{FIRED}/{name}").splitlines()}


def wait_for_more(machine: SystemdMachine) -> None:
    """Wait until each of the minutely jobs has run once more."""
    before = {name: len(fired(machine, name)) for name in MINUTELY}
    machine.wait_for(
        lambda: all(len(fired(machine, name)) > before[name] for name in MINUTELY),
        130,
        why=f"all of {MINUTELY} have run once more than {before}",
    )


def check_once_each_minute(machine: SystemdMachine) -> None:
    """Each minute from the first to the last has one run of each minutely job, whoever ran it."""
    for name in MINUTELY:
        at = [datetime.fromisoformat(each) for each in fired(machine, name)]
        assert {two - one for one, two in pairwise(at)} <= {timedelta(minutes=1)}, (name, at)


def check_stamped(machine: SystemdMachine) -> None:
    for name in STAMPED:
        assert len(fired(machine, name)) == 1, name
        stamp = machine.read(f"/var/spool/anacron/{name}").strip()
        assert stamp == fired(machine, name)[0][:10].replace("-", "")


def test_the_tables_go_over_and_come_back(machine: SystemdMachine) -> None:
    # Other tests may have stopped cron for a while; the jobs of a stamp or a boot run once in all.
    machine.run("rm", "-f", *(f"{FIRED}/{name}" for name in MINUTELY))
    wait_for_more(machine)  # under cron
    assert fired(machine, "reboot")  # it was started in this boot

    # What there is, is shown, and nothing is changed.
    shown = machine.run("meridian", "adopt").stdout
    for words in ("/etc/crontab: 2 jobs", "/etc/cron.d/probe: 1 job", "/etc/anacrontab: 4 jobs"):
        assert words in shown
    assert "/var/spool/cron/crontabs/alice: 1 job" in shown
    assert "/etc/cron.daily, run by cron.daily:" in shown
    assert "cron runs them" in shown
    found = rows(machine.run("meridian", "adopt", "--json"))  # type: ignore[arg-type]  # it has a stdout
    assert {each["user"] for each in found} == {"root", "alice"}
    assert machine.property("ActiveState", "cron") == "active"

    # Taken over: cron is stopped for good.
    said = machine.run("meridian", "adopt", "--take").stdout
    assert "Meridian runs cron's tables now" in said
    assert {machine.property("LoadState", unit) for unit in UNITS} == {"masked"}
    assert machine.property("ActiveState", "cron") == "inactive"
    assert machine.property("ActiveState") == "active"
    pid = machine.property("MainPID")
    assert machine.read("/run/crond.pid").split()[0] == pid
    assert "Meridian runs them" in machine.run("meridian", "adopt").stdout

    # Nobody else gets them, not even by hand or by an upgrade.
    by_hand = machine.run("/usr/sbin/cron", "-f", check=False)
    assert by_hand.returncode != 0
    assert f"can't lock /var/run/crond.pid, otherpid may be {pid}" in by_hand.stderr
    machine.run("dpkg-reconfigure", "-f", "noninteractive", "cron", check=False)
    assert machine.property("ActiveState", "cron") == "inactive"
    anacron = machine.run("anacron", "-d", "-n", "-f", check=False)
    assert "locked by another anacron - skipping" in anacron.stderr
    machine.wait_for(lambda: all(fired(machine, name) for name in STAMPED), why="anacron's jobs")

    wait_for_more(machine)
    wait_for_more(machine)
    check_once_each_minute(machine)
    check_stamped(machine)
    assert [users(machine, name) for name in MINUTELY] == [{"root"}, {"alice"}, {"alice"}]
    assert len(fired(machine, "reboot")) == 1
    history = machine.run("meridian", "history").stdout
    assert "alice" in history

    # Given back: all is as it was.
    said = machine.run("meridian", "adopt", "--give-back").stdout
    assert "cron has its tables again" in said
    assert machine.property("ActiveState", "cron") == "active"
    assert machine.property("ActiveState", "anacron.timer") == "active"
    assert machine.property("LoadState", "anacron.service") == "loaded"
    assert machine.run("test", "-e", "/etc/meridian/service.env", check=False).returncode == 1
    wait_for_more(machine)
    check_once_each_minute(machine)
    assert "(0 jobs run)" in machine.run("anacron", "-d", "-n", "-s", check=False).stderr
    check_stamped(machine)  # by the stamps, anacron has nothing to do today
    assert len(fired(machine, "reboot")) == 1


def test_what_can_not_be_taken_is_left_as_it_was(machine: SystemdMachine) -> None:
    machine.sh("mv /usr/local/bin/meridian /usr/local/bin/meridian.real")
    try:
        failed = machine.run("meridian.real", "adopt", "--take", check=False, timeout=300)
    finally:
        machine.sh("mv /usr/local/bin/meridian.real /usr/local/bin/meridian")
    assert failed.returncode == 1, failed.stdout
    assert "Undone: all is as it was" in failed.stdout
    assert machine.property("ActiveState", "cron") == "active"
    assert machine.property("ActiveState", "anacron.timer") == "active"
    assert machine.run("test", "-e", "/etc/meridian/adopted.json", check=False).returncode == 1
    again = machine.run("meridian", "adopt", "--give-back", check=False)
    assert "nothing was taken over here" in again.stderr


def test_a_line_that_would_not_run_stops_it(machine: SystemdMachine) -> None:
    machine.write("/etc/cron.d/bad", "0 25 * * * root true\n")
    try:
        refused = machine.run("meridian", "adopt", "--take", check=False)
    finally:
        machine.run("rm", "/etc/cron.d/bad")
    assert refused.returncode == 1
    assert "/etc/cron.d/bad:1:3" in refused.stderr
    assert machine.property("ActiveState", "cron") == "active"


def test_while_anacron_runs_its_jobs_nothing_is_taken(machine: SystemdMachine) -> None:
    table = machine.read("/etc/anacrontab")
    machine.write("/etc/anacrontab", f"{table}1 0 slow sleep 600\n")
    try:
        machine.systemctl("start", "anacron.service")
        machine.wait_for(lambda: machine.run("pgrep", "-x", "sleep", check=False).stdout)
        refused = machine.run("meridian", "adopt", "--take", check=False)
    finally:
        machine.write("/etc/anacrontab", table)
        machine.run("pkill", "-x", "sleep")
        machine.systemctl("stop", "anacron.service")
    assert refused.returncode == 1
    assert "anacron is running its jobs" in refused.stderr
    assert machine.property("ActiveState", "cron") == "active"


def test_what_was_removed_meanwhile_is_not_started() -> None:
    """In a machine of its own: no other test has anacron after this."""
    with booted() as machine:
        machine.systemctl("enable", "--now", "cron.service", "anacron.timer")
        machine.run("meridian", "adopt", "--take")
        machine.run("apt-get", "remove", "-y", "anacron")
        refused = machine.run("meridian", "adopt", "--give-back", check=False)
        assert refused.returncode == 1
        assert "nobody would run the tables that it ran" in refused.stderr
        assert machine.property("ActiveState", "cron") == "inactive", "all is as it was"
        said = machine.run("meridian", "adopt", "--give-back", "--anyway").stdout
        assert "not here any more: anacron.service, anacron.timer" in said
        assert machine.property("ActiveState", "cron") == "active"
