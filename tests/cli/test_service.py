"""`service`: what it would do, what it does, and how it is undone; systemctl and launchctl stand in.

By a real systemd it is in tests/whole/test_service_machine.py; launchctl was never seen.
"""

from __future__ import annotations

import json
import os
import plistlib
import pwd
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mac_programs
import pytest

from scheduler.cli.adopt import handover
from scheduler.cli.commands import service
from scheduler.system.service_files import LABEL

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Person

ALICE = "alice"
ALICES_ID = 1234
UP = "ActiveState=active\nSubState=running\nUnitFileState=enabled\nMainPID=77\nStatusText=3 entries in 1 zone; a=b\nNeedDaemonReload=no"
DOWN = "ActiveState=inactive\nSubState=dead\nUnitFileState=\nMainPID=0\nStatusText=\nNeedDaemonReload=no"


@dataclass
class Here:
    """A machine below a folder, of whose services somebody asks."""

    root: Path
    person: Person
    patch: pytest.MonkeyPatch

    def is_asked_by(self, name: str) -> None:
        uid = 0 if name == "root" else ALICES_ID
        home = str(self.root / "home" / name)
        who = pwd.struct_passwd((name, "x", uid, uid, "", home, "/bin/sh"))
        self.patch.setattr(os, "geteuid", lambda: uid)
        self.patch.setattr(pwd, "getpwuid", lambda _: who)
        self.patch.setenv("HOME", home)
        self.patch.delenv("XDG_CONFIG_HOME", raising=False)

    def has(self, name: str, shell: str) -> None:
        """Let there be a program, which writes down how it is called."""
        noted = f'echo "{name} $*" >>"$DIR/calls"\n{shell}'
        for variable, value in mac_programs.install(self.root, {name: noted}).items():
            self.patch.setenv(variable, value)

    def calls(self) -> list[str]:
        """What has been called since the last look, but for questions."""
        file = self.root / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return [line for line in lines if " show " not in line and " print " not in line]

    def files(self) -> list[str]:
        """The files of services that are there."""
        found = [*self.root.rglob("*.service"), *self.root.rglob("*.plist")]
        return sorted(str(path.relative_to(self.root)) for path in found)


@pytest.fixture
def linux(tmp_path: Path, person: Person, monkeypatch: pytest.MonkeyPatch) -> Here:
    """A machine with systemd whose daemon does not run."""
    here = Here(tmp_path, person, monkeypatch)
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    monkeypatch.setattr(service, "_ROOT", tmp_path)
    monkeypatch.setattr(service, "_doubt", lambda _: "")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/meridian"])
    here.has("systemctl", f"case \"$*\" in *show*) printf '%s\\n' '{DOWN}';; esac")
    here.is_asked_by(ALICE)
    return here


@pytest.fixture
def mac(linux: Here) -> Here:
    linux.patch.setattr(sys, "platform", "darwin")
    linux.has("launchctl", "case $1 in bootout) exit 3;; print) exit 113;; esac")
    return linux


def test_a_user_installs_it_sees_each_step_and_undoes_it(linux: Here) -> None:
    done = linux.person.types("service", "install", "--user")
    path = f"{linux.root}/home/alice/.config/systemd/user/meridian.service"
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"write {path}: done",
        "run systemctl --user daemon-reload: done",
        "run systemctl --user enable --now meridian: done",
        "Meridian is started now and when you log in; `meridian service remove --user` undoes it",
    ]
    assert done.stderr == (
        "Your jobs run only while you are logged in; "
        "so that they always do: sudo loginctl enable-linger alice\n"
    )
    assert linux.calls() == [
        "systemctl --user daemon-reload",
        "systemctl --user enable --now meridian",
    ]
    done = linux.person.types("service", "remove", "--user")
    assert done.stdout.splitlines() == [
        "run systemctl --user disable --now meridian: done",
        f"delete {path}: done",
        "run systemctl --user daemon-reload: done",
        "Crontabs, runs and their output stay",
    ]
    assert linux.files() == []
    again = linux.person.types("service", "remove", "--user")
    assert (again.exit_code, again.stdout) == (0, f"There is no {path}: nothing to remove\n")


def test_a_dry_run_changes_nothing(linux: Here) -> None:
    done = linux.person.types("service", "install", "--user", "--dry-run")
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [["would", "write"], ["would", "run"], ["would", "run"]]  # fmt: skip
    linux.person.types("service", "install", "--user")
    linux.calls()
    linux.person.types("service", "remove", "--user", "--dry-run")
    assert linux.calls() == []
    assert len(linux.files()) == 1


def test_a_service_that_runs_crons_tables_is_not_removed(linux: Here) -> None:
    linux.is_asked_by("root")
    linux.person.types("service", "install")
    linux.patch.setattr(handover, "ADOPTED_FILE", linux.root / "adopted.json")
    (linux.root / "adopted.json").touch()
    done = linux.person.types("service", "remove")
    assert done.exit_code == 1
    assert "meridian adopt --give-back" in done.stderr
    assert linux.files() == ["etc/systemd/system/meridian.service"]
    (linux.root / "adopted.json").unlink()
    assert linux.person.types("service", "remove").exit_code == 0
    assert linux.files() == []


def test_root_installs_it_for_the_machine(linux: Here) -> None:
    linux.is_asked_by("root")
    done = linux.person.types("service", "install")
    assert done.exit_code == 0, done.output
    assert linux.files() == ["etc/systemd/system/meridian.service"]
    unit = linux.root / "etc/systemd/system/meridian.service"
    assert "\nExecStart=/usr/local/bin/meridian run $MERIDIAN_RUN\n" in unit.read_text()
    assert unit.stat().st_mode & 0o777 == 0o644
    assert linux.calls() == ["systemctl daemon-reload", "systemctl enable --now meridian"]
    assert done.stderr == "", "the machine's service needs no login"


def test_who_lingers_has_it_at_boot_and_is_told_nothing_of_lingering(linux: Here) -> None:
    (linux.root / "var/lib/systemd/linger").mkdir(parents=True)
    (linux.root / "var/lib/systemd/linger/alice").touch()
    done = linux.person.types("service", "install", "--user")
    assert done.stderr == ""
    assert "Meridian is started now and at each boot; " in done.stdout


NO_BUS = "Failed to connect to bus: No medium found"


def test_who_has_no_bus_is_told_how_to_get_one(linux: Here) -> None:
    """By `su` or `sudo -u`, which log nobody in; a dry run asks nobody."""
    linux.has("systemctl", f'echo "{NO_BUS}" >&2; exit 1')
    dry = linux.person.types("service", "install", "--user", "--dry-run")
    assert (dry.exit_code, len(dry.stdout.splitlines()), dry.stderr) == (0, 3, "")
    for action in ("install", "status"):
        done = linux.person.types("service", action, "--user")
        assert done.exit_code == 1
        ways = "log in as alice (su is no login), or sudo loginctl enable-linger alice"
        assert done.stderr.endswith(f"{NO_BUS}; systemd runs nothing for you yet: {ways}\n")
    assert linux.files() == []


@pytest.mark.parametrize("action", ["install", "remove"])
def test_only_a_status_is_json(linux: Here, action: str) -> None:
    done = linux.person.types("service", action, "--user", "--json")
    assert done.exit_code == 2
    assert f"--json is for status, not for {action}" in done.stderr
    assert linux.files() == []
    assert linux.calls() == []


@pytest.mark.parametrize(
    ("who", "words", "said"),
    [
        (ALICE, ("install",), "the machine's service is root's: sudo meridian service …, or --user for a service of your own"),
        (ALICE, ("remove",), "the machine's service is root's: sudo meridian service …, or --user for a service of your own"),
        ("root", ("install", "--user"), "--user is for an ordinary user; root's service is the machine's"),
    ],
)  # fmt: skip
def test_whose_service_it_is_is_never_guessed(
    linux: Here, who: str, words: tuple[str, ...], said: str
) -> None:
    linux.is_asked_by(who)
    done = linux.person.types("service", *words)
    assert (done.exit_code, done.stderr) == (1, f"{said}\n")
    assert linux.files() == []


def test_a_file_of_somebody_else_is_left_alone(linux: Here) -> None:
    path = linux.root / "home/alice/.config/systemd/user/meridian.service"
    path.parent.mkdir(parents=True)
    path.write_text("[Unit]\nDescription=my own\n")
    done = linux.person.types("service", "install", "--user")
    assert (done.exit_code, done.stderr) == (
        1,
        f"{path} is not Meridian's own; move it away first\n",
    )
    assert linux.calls() == []


def test_a_unit_of_a_package_is_enabled_and_no_other_is_written(linux: Here) -> None:
    linux.is_asked_by("root")
    unit = linux.root / "usr/lib/systemd/system/meridian.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("[Service]\n")
    linux.person.types("service", "install")
    linux.person.types("service", "remove")
    assert linux.files() == ["usr/lib/systemd/system/meridian.service"]
    assert linux.calls()[-1] == "systemctl disable --now meridian"


def test_an_update_says_that_the_daemon_goes_by_the_old_file(linux: Here) -> None:
    path = linux.root / "home/alice/.config/systemd/user/meridian.service"
    path.parent.mkdir(parents=True)
    path.write_text("# Meridian for one user, of an older version\n")
    linux.has("systemctl", f"case \"$*\" in *show*) printf '%s\\n' '{UP}';; esac")
    done = linux.person.types("service", "install", "--user")
    said = (
        "The daemon that runs goes by the old file until you run systemctl --user restart meridian"
    )
    assert said in done.stdout.splitlines()
    again = linux.person.types("service", "install", "--user")
    assert said not in again.stdout, "nothing was written"


def test_what_systemctl_refuses_is_said_and_nothing_after_it_is_done(linux: Here) -> None:
    linux.has("systemctl", 'case "$*" in *daemon-reload*) echo "no bus" >&2; exit 1;; esac')
    done = linux.person.types("service", "install", "--user")
    assert done.exit_code == 1
    assert done.stderr == "run systemctl --user daemon-reload: no bus\n"
    assert linux.calls() == ["systemctl --user daemon-reload"]


def test_a_machine_without_either_is_told_what_to_start(linux: Here) -> None:
    (linux.root / "run/systemd/system").rmdir()
    done = linux.person.types("service", "install", "--user")
    why = "neither systemd nor launchd looks after this machine"
    said = f"{why}; let what does start `/usr/local/bin/meridian run`\n"
    assert (done.exit_code, done.stderr) == (1, said)


def test_what_root_runs_at_each_boot_is_roots_to_change(
    linux: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo ~/.local/bin/meridian service install` would make its user root at the next boot."""
    linux.is_asked_by("root")
    monkeypatch.setattr(service, "_doubt", lambda path: f"{path}: it is alice's")
    done = linux.person.types("service", "install")
    assert done.exit_code == 1
    remedy = "install it for the machine: sudo make install PREFIX=/usr/local"
    assert done.stderr.endswith(f"it is alice's, and root is to run it at each boot; {remedy}\n")
    assert linux.files() == []


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_program_that_others_can_write_is_doubted(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "meridian"
    file.touch()
    file.chmod(mode)
    assert service._doubt(file) != ""


def test_a_status_says_how_it_does(linux: Here) -> None:
    linux.person.types("service", "install", "--user")
    linux.has("systemctl", f"case \"$*\" in *show*) printf '%s\\n' '{UP}';; esac")
    done = linux.person.types("service", "status", "--user")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"file     {linux.root}/home/alice/.config/systemd/user/meridian.service",
        "state    active (running), pid 77",
        "at boot  enabled",
        "says     3 entries in 1 zone; a=b",
    ]
    row = json.loads(linux.person.types("service", "status", "--user", "--json").stdout)
    assert row == {
        "file": f"{linux.root}/home/alice/.config/systemd/user/meridian.service",
        "installed": True,
        "state": "active (running)",
        "at_boot": "enabled",
        "pid": 77,
        "says": "3 entries in 1 zone; a=b",
        "linger": False,
    }


def test_a_status_of_none_is_a_problem(linux: Here) -> None:
    done = linux.person.types("service", "status")
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "file     none: meridian service install",
        "state    inactive (dead)",
    ]


def test_a_mac_has_an_agent_for_each_user(mac: Here) -> None:
    done = mac.person.types("service", "install", "--user")
    path = mac.root / f"home/alice/Library/LaunchAgents/{LABEL}.plist"
    assert done.exit_code == 0, done.output
    domain = f"gui/{ALICES_ID}"
    assert mac.calls() == [
        f"launchctl bootout {domain}/{LABEL}",  # what was loaded goes by the old file
        f"launchctl enable {domain}/{LABEL}",
        f"launchctl bootstrap {domain} {path}",
        f"launchctl kickstart {domain}/{LABEL}",
    ]
    assert plistlib.loads(path.read_bytes())["ProgramArguments"] == [
        "/usr/local/bin/meridian",
        "run",
    ]
    assert mac.person.types("service", "remove", "--user").exit_code == 0
    assert mac.calls() == [f"launchctl bootout {domain}/{LABEL}"]
    assert mac.files() == []


def test_a_mac_has_a_daemon_for_the_machine(mac: Here) -> None:
    mac.is_asked_by("root")
    assert mac.person.types("service", "install").exit_code == 0
    assert mac.files() == [f"Library/LaunchDaemons/{LABEL}.plist"]
    assert mac.calls()[-1] == f"launchctl kickstart system/{LABEL}"


def test_the_status_of_a_mac_is_launchctls(mac: Here) -> None:
    assert mac.person.types("service", "status", "--user").exit_code == 1
    mac.has("launchctl", "printf 'gui = {\\n\\tstate = running\\n\\tpid = 99\\n}\\n'")
    done = mac.person.types("service", "status", "--user")
    assert done.exit_code == 0
    assert "state    running, pid 99" in done.stdout.splitlines()
