"""`run --system` under a real systemd: jobs of users, each with just that user's rights."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from debian_root import CHECKOUT
from systemd_machine import booted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from systemd_machine import SystemdMachine

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(900)]

PROBE = r"""
import grp, json, os
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "uids": os.getresuid(), "gids": os.getresgid(),
    "groups": sorted(grp.getgrgid(each).gr_name for each in os.getgroups()),
    "capabilities": status["CapEff"].strip(), "env": dict(os.environ), "cwd": os.getcwd(),
    "leads": os.getsid(0) == os.getpgid(0), "umask": status["Umask"].strip(),
    "files": sorted(os.listdir("/proc/self/fd")),
    "cgroup": open("/proc/self/cgroup").read(),
}))
"""
JOBS = """\
CRON_RETRIES=0
CRON_NAME=probe 0 5 * * * alice /usr/bin/python3 /opt/probe.py
CRON_NAME=long 0 5 * * * alice sleep 1000
CRON_NAME=greedy CRON_MEMORY=64M 0 5 * * * alice head -c 300000000 /dev/zero | tail
CRON_NAME=nobody 0 5 * * * bob true
CRON_NAME=own 0 5 * * * root id -u
"""
BY_DROP_IN = "/etc/systemd/system/meridian.service.d/test.conf"


@pytest.fixture(scope="module")
def machine() -> Iterator[SystemdMachine]:
    """A machine whose daemon runs the tables of cron, and a user in two groups of her own choice."""
    with booted() as machine:
        machine.add_user("alice", "audio", "operator")
        machine.write("/opt/probe.py", PROBE)
        machine.write("/etc/cron.d/jobs", JOBS)
        machine.write("/etc/meridian/service.env", "MERIDIAN_RUN=--system\n")
        machine.systemctl("start", "meridian")
        yield machine


def runs(machine: SystemdMachine, job: str) -> list[dict[str, Any]]:
    """The rows of a job, the newest first."""
    said = machine.run("meridian", "history", job, "--json").stdout.splitlines()
    return [json.loads(line) for line in said][::-1]


def ended(machine: SystemdMachine, job: str) -> dict[str, Any]:
    """Start a run by hand, and return its row when it is over."""
    before = len(runs(machine, job))
    machine.run("meridian", "trigger", job)

    def is_over() -> bool:
        found = runs(machine, job)
        return len(found) > before and found[0]["state"] in ("succeeded", "failed")

    machine.wait_for(is_over, why=f"{job} is over")
    return runs(machine, job)[0]


def probed(machine: SystemdMachine) -> dict[str, Any]:
    row = ended(machine, "probe")
    assert row["state"] == "succeeded", row
    said = machine.run("meridian", "logs", "probe").stdout.splitlines()
    found: dict[str, Any] = json.loads(next(line for line in said if line.startswith("{")))
    return found


def test_a_job_of_a_user_has_that_users_rights_and_no_others(machine: SystemdMachine) -> None:
    uid, gid = (int(machine.run("id", each, "alice").stdout) for each in ("-u", "-g"))
    found = probed(machine)
    assert found["uids"] == [uid, uid, uid], "nothing of root's is kept to go back to"
    assert found["gids"] == [gid, gid, gid]
    assert found["groups"] == ["alice", "audio", "operator"], "the user's own, none of root's"
    assert int(found["capabilities"], 16) == 0
    assert found["cwd"] == "/home/alice"
    assert (found["leads"], found["umask"]) == (True, "0022")
    assert found["files"] == ["0", "1", "2", "3"], "but for the folder that is listed"
    assert "meridian.service" in found["cgroup"]


def test_a_job_of_a_user_has_crons_variables_and_none_of_the_daemons(
    machine: SystemdMachine,
) -> None:
    found = probed(machine)["env"]
    own = {name: value for name, value in found.items() if not name.startswith(("CRON_", "LC_"))}
    own.pop("LANG", None)  # as /etc/default/locale has it
    own.pop("PWD", None)  # a shell sets it
    own.pop("SHLVL", None)
    own.pop("_", None)
    assert own == {
        "HOME": "/home/alice",
        "LOGNAME": "alice",
        "USER": "alice",
        "SHELL": "/bin/sh",
        "PATH": "/usr/bin:/bin",
    }


def test_a_user_who_is_not_there_is_said_and_the_others_run(machine: SystemdMachine) -> None:
    row = ended(machine, "nobody")
    assert row["state"] == "failed"
    assert "bob" in row["attempts"][-1]["outcome"]
    assert ended(machine, "own")["state"] == "succeeded"


def test_a_daemon_that_is_killed_finds_a_users_job_again(machine: SystemdMachine) -> None:
    machine.run("meridian", "trigger", "long")
    machine.wait_for(lambda: runs(machine, "long")[0]["state"] == "running", why="it runs")
    first = machine.property("MainPID")
    machine.run("kill", "-KILL", first)
    machine.wait_for(lambda: machine.property("MainPID") not in ("0", first), why="restarted")
    machine.wait_for(lambda: machine.property("ActiveState") == "active", why="ready again")
    assert runs(machine, "long")[0]["state"] == "running"
    machine.run("pkill", "-u", "alice", "-f", "sleep 1000")
    machine.wait_for(lambda: runs(machine, "long")[0]["state"] == "failed", why="settled")
    assert [each["outcome"] for each in runs(machine, "long")[0]["attempts"]] == ["lost"]


def test_a_users_job_over_its_memory_is_ended_and_the_daemon_lives(machine: SystemdMachine) -> None:
    first = machine.property("MainPID")
    row = ended(machine, "greedy")
    assert (row["state"], row["attempts"][-1]["limit"]) == ("failed", "memory")
    assert machine.property("MainPID") == first


def test_a_user_sees_her_own_jobs_of_the_machine_and_nobody_elses(machine: SystemdMachine) -> None:
    ended(machine, "probe")
    ended(machine, "own")
    said = machine.run("meridian", "history", "--system", "--json", user="alice").stdout
    jobs = {json.loads(line)["job"] for line in said.splitlines()}
    assert "probe" in jobs
    assert "own" not in jobs
    assert "uids" in machine.run("meridian", "logs", "--system", "probe", user="alice").stdout
    refused = machine.run("meridian", "logs", "--system", "own", user="alice", check=False)
    assert (refused.returncode, refused.stdout) == (1, "")


def test_the_hardened_drop_in_of_the_docs_leaves_users_their_jobs(machine: SystemdMachine) -> None:
    text = (CHECKOUT / "docs/service.md").read_text().partition("systemctl edit meridian`:\n")[2]
    machine.write(BY_DROP_IN, textwrap.dedent(text.strip("\n").partition("\n\n")[0] + "\n"))
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", "meridian")
    try:
        assert probed(machine)["groups"] == ["alice", "audio", "operator"]
    finally:
        machine.run("rm", BY_DROP_IN)
        machine.systemctl("daemon-reload")
        machine.systemctl("restart", "meridian")
