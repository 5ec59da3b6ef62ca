"""Jobs of several users under one daemon of root's, on a Debian with systemd as PID 1."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from systemd_machine import booted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

# ann is in adm, bob in nothing but his own group
CRON_D = """\
CRON_NAME=groups 0 5 * * * ann  id; echo $HOME $LOGNAME $PATH $LANG; umask; pwd; ulimit -Hn
CRON_NAME=long   0 5 * * * ann  sleep 1000
CRON_NAME=away CRON_KILL_AFTER=1s CRON_TIMEOUT=1s 0 5 * * * ann setsid sleep 2000 & sleep 1000
CRON_NAME=short  0 5 * * * bob  sleep 3; echo well done
CRON_NAME=peek   0 5 * * * bob  cat /var/lib/meridian/outputs/groups/*.log; kill -9 $(pgrep -f '[u]ser_spawner|[m]eridian run')
CRON_NAME=later  0 5 * * * cid  id -un
"""
TABLE = "/etc/cron.d/users"


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    """A machine with users and their jobs, whose daemon is the system's."""
    with booted() as machine:
        machine.add_user("ann", "adm")
        machine.add_user("bob")
        machine.write(TABLE, CRON_D)
        machine.write("/var/spool/cron/crontabs/bob", "0 5 * * * id -un\n", mode="600", owner="bob")
        machine.write("/etc/default/locale", "LANG=C.UTF-8\n")
        machine.write("/etc/security/limits.d/ann.conf", "ann hard nofile 321\n")
        machine.write("/etc/meridian/service.env", "MERIDIAN_RUN=--system\n")
        machine.systemctl("start", "meridian")
        yield machine


def runs(machine: SystemdMachine, job: str) -> list[dict[str, Any]]:
    """The rows of a job, the newest first."""
    said = machine.run("meridian", "history", job, "--json").stdout.splitlines()
    return [json.loads(line) for line in said][::-1]


def started(machine: SystemdMachine, job: str) -> None:
    machine.run("meridian", "trigger", job)
    machine.wait_for(lambda: runs(machine, job)[0]["state"] == "running", why=f"{job} runs")


def ended(machine: SystemdMachine, job: str) -> str:
    """Wait until the newest run of a job is over; return how its last attempt ended."""
    over = ("succeeded", "failed")
    machine.wait_for(lambda: runs(machine, job)[0]["state"] in over, why=f"{job} is over")
    return str(runs(machine, job)[0]["attempts"][-1]["outcome"])


def spawner(machine: SystemdMachine) -> str:
    return machine.run("pgrep", "-f", "user_spawner.py").stdout.strip()


def test_a_job_has_just_its_user_s_groups_and_what_cron_gives(machine: SystemdMachine) -> None:
    machine.run("meridian", "trigger", "groups")
    assert ended(machine, "groups") == "exit 0"
    said = machine.run("meridian", "logs", "groups").stdout
    assert machine.run("id", user="ann").stdout in said
    assert "/home/ann ann /usr/bin:/bin C.UTF-8\n0022\n/home/ann\n321\n" in said


def test_a_user_s_own_table_is_run_as_that_user(machine: SystemdMachine) -> None:
    lines = machine.run("meridian", "list").stdout.splitlines()
    (job,) = {line.split()[0] for line in lines if line.startswith("bob.")}
    machine.run("meridian", "trigger", job)
    assert ended(machine, job) == "exit 0"
    assert "bob\n" in machine.run("meridian", "logs", job).stdout


def test_a_job_can_t_read_another_s_output_or_signal_the_daemon(machine: SystemdMachine) -> None:
    machine.run("meridian", "trigger", "groups")
    ended(machine, "groups")
    before = machine.property("MainPID"), spawner(machine)
    machine.run("meridian", "trigger", "peek")
    assert ended(machine, "peek") == "exit 1"
    said = machine.run("meridian", "logs", "peek").stdout
    assert "Permission denied" in said
    assert said.count("not permitted") == 2
    assert (machine.property("MainPID"), spawner(machine)) == before


def test_what_starts_the_jobs_may_die_and_they_go_on(machine: SystemdMachine) -> None:
    started(machine, "short")
    machine.run("kill", "-KILL", spawner(machine))
    assert ended(machine, "short") == "exit 0"
    assert "well done\n" in machine.run("meridian", "logs", "short").stdout
    assert 'users why="it was ended"' in machine.journal()
    machine.run("meridian", "trigger", "groups")
    assert ended(machine, "groups") == "exit 0"


def test_what_got_away_from_a_job_is_ended_with_it(machine: SystemdMachine) -> None:
    machine.run("meridian", "trigger", "away")
    assert ended(machine, "away") == "timed out"
    left = ("pgrep", "-f", "sleep 2000")
    machine.wait_for(lambda: machine.run(*left, check=False).stdout == "", why="it is ended too")


def test_a_daemon_that_is_killed_finds_another_user_s_job_again(machine: SystemdMachine) -> None:
    started(machine, "long")
    first = machine.property("MainPID")
    machine.run("kill", "-KILL", first)
    machine.wait_for(lambda: machine.property("MainPID") not in ("0", first), why="restarted")
    machine.wait_for(lambda: machine.property("ActiveState") == "active", why="ready again")
    (run, *_) = runs(machine, "long")
    assert (run["state"], len(run["attempts"])) == ("running", 1)
    machine.run("meridian", "kill", "long")
    ended(machine, "long")
    assert machine.run("pgrep", "-f", "sleep 1000", check=False).stdout == ""


def test_a_user_can_be_made_later(machine: SystemdMachine) -> None:
    machine.run("meridian", "trigger", "later")
    assert ended(machine, "later") == "not started: there is no user cid"
    machine.add_user("cid")
    machine.run("sleep", "5")  # that there was none is believed for so long
    machine.run("meridian", "trigger", "later")
    assert ended(machine, "later") == "exit 0"
    machine.run("usermod", "--expiredate", "1", "cid")
    machine.run("sleep", "5")
    machine.run("meridian", "trigger", "later")
    assert ended(machine, "later") == "not started: the account of cid has expired"
