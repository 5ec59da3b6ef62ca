"""The systemd units start what exists, say when it is ready, and leave jobs their freedom."""

import configparser
import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from commands import COMMANDS
from typer.core import TyperCommand as Command

from scheduler.daemon import watchdog
from scheduler.schedule import duration

SYSTEMD = Path(__file__).parent.parent.parent / "systemd"
SYSTEM, USER = SYSTEMD / "meridian.service", SYSTEMD / "meridian-user.service"
both = pytest.mark.parametrize("unit", [SYSTEM, USER], ids=["system", "user"])

PROMISES = [
    ("Service", "Type", "notify", "started means the crontabs are read"),
    ("Service", "TimeoutStartSec", "infinity", "a large journal is brought up to date first"),
    ("Service", "ExecReload", "/bin/kill -HUP $MAINPID", "reload is SIGHUP"),
    (
        "Service",
        "KillMode",
        "process",
        "the daemon winds its own jobs down; they outlive its crash",
    ),
    ("Service", "Restart", "on-failure", "a daemon that died comes back"),
    ("Service", "RestartPreventExitStatus", "2", "but not to be called wrongly again"),
    ("Service", "TasksMax", "infinity", "all jobs of the machine are in this unit"),
    ("Service", "OOMPolicy", "continue", "one greedy job does not stop the others"),
    ("Service", "Delegate", "memory", "so that CRON_MEMORY holds for a whole attempt"),
]
DIRECTORIES = ("StateDirectory", "RuntimeDirectory", "ConfigurationDirectory")
TAKES_FROM_JOBS = re.compile(
    r"Protect|Private|Restrict|NoNew|Capability|SystemCall|ReadOnly|Inaccessible|MemoryDeny|Lock|Limit"
)


def read(unit: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(
        interpolation=None, delimiters="=", comment_prefixes="#", strict=False
    )
    parser.optionxform = str  # type: ignore[assignment,method-assign] # systemd's case matters
    parser.read(unit)
    return parser


@both
@pytest.mark.parametrize(("section", "name", "value", "why"), PROMISES)
def test_a_unit_promises(section: str, name: str, value: str, why: str, unit: Path) -> None:
    assert read(unit)[section][name] == value, why


def started_by(unit: Path) -> tuple[str, Command, list[str]]:
    """What its ExecStart runs: the program's name, Meridian's command, the arguments left."""
    program, command, *rest = shlex.split(read(unit)["Service"]["ExecStart"])
    return Path(program).name, COMMANDS[command], rest


@both
def test_it_starts_a_command_that_exists(unit: Path) -> None:
    program, command, rest = started_by(unit)
    assert (program, command.name, rest) == ("meridian", "run", ["$MERIDIAN_RUN"])


@both
def test_more_words_for_run_come_from_a_file_that_need_not_be_there(unit: Path) -> None:
    lines = unit.read_text().splitlines()
    assert "Environment=MERIDIAN_RUN=" in lines, "systemd warns of a variable that is not set"
    file = "/etc/meridian/service.env" if unit is SYSTEM else "%E/meridian/service.env"
    assert read(unit)["Service"]["EnvironmentFile"] == f"-{file}"


@both
def test_a_watchdog_outlasts_the_longest_turn_of_the_loop(unit: Path) -> None:
    """What the log tells of after 10 s may be a disk that is slow; ten times that is no answer."""
    (minutes,) = re.findall(r"(\d+)min", read(unit)["Service"]["WatchdogSec"])
    assert int(minutes) * 60 >= 10 * watchdog.LIMIT


@pytest.mark.privileged
def test_each_hardening_that_systemd_knows_is_left_out_with_a_reason() -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--json=short", str(SYSTEM)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    judged = {row["name"].partition("=")[0] for row in json.loads(done.stdout) if row["exposure"]}
    assert len(judged) > 25
    left_out = re.findall(r"\b([A-Z]\w+)=", SYSTEM.read_text().partition("# Hardening")[2])
    assert judged - {"Delegate"} <= set(left_out)


@both
def test_its_stop_leaves_time_for_the_daemon_s_own(unit: Path) -> None:
    (grace,) = (one.default for one in started_by(unit)[1].params if one.name == "grace")
    a_long_kill_after = 60
    own = duration.parse(str(grace)) + a_long_kill_after
    assert float(read(unit)["Service"]["TimeoutStopSec"]) > own


def test_each_is_wanted_by_its_own_kind_of_system() -> None:
    assert read(SYSTEM)["Install"]["WantedBy"] == "multi-user.target"
    assert read(USER)["Install"]["WantedBy"] == "default.target"


def test_who_is_not_told_by_its_cgroup_is_told_by_its_unit() -> None:
    assert "MERIDIAN_DELEGATED=memory" in read(USER)["Service"]["Environment"].split()
    assert read(USER)["Service"]["ExecStopPost"] == read(SYSTEM)["Service"]["ExecStopPost"]


def test_the_system_s_directories_are_meridian_s() -> None:
    service = read(SYSTEM)["Service"]
    assert [service[name] for name in DIRECTORIES] == ["meridian"] * 3
    assert not set(DIRECTORIES) & set(read(USER)["Service"])


@both
def test_nothing_is_taken_from_jobs(unit: Path) -> None:
    assert [name for name in read(unit)["Service"] if TAKES_FROM_JOBS.match(name)] == []


@pytest.mark.privileged
@both
def test_systemd_finds_nothing_wrong_with_it(unit: Path, tmp_path: Path) -> None:
    program = tmp_path / ".local" / "bin" / "meridian"  # verify wants the program to be there
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / "meridian.service"
    text = unit.read_text().replace("/usr/local/bin/meridian", str(program))
    copy.write_text(text)
    kind = "--user" if unit is USER else "--system"
    done = subprocess.run(
        ["systemd-analyze", "verify", kind, "--man=no", "--recursive-errors=no", str(copy)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
