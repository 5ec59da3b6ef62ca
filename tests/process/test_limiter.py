"""Limits on real processes: which limit ended a job, who may be less nice, groups of attempts."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import utc
from limited_stage import IS_ROOT, MIB, NOBODY, ODD, OWN, Group, Stage, python
from programs import program

from scheduler.entry import Entry, Reboot, Settings
from scheduler.process.limiter import Limiter, look_for
from scheduler.run import Attempt, Exited, Limit, NotStarted, Run
from scheduler.run import Signalled as Sig

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scheduler.entry import Environment


pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="as Linux limits")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path)) as stage:
        yield stage


@pytest.fixture
def grouped(tmp_path: Path) -> Iterator[Stage]:
    with closing(Stage(tmp_path, Group(tmp_path / "a 'b\" $c"))) as stage:
        yield stage


@pytest.mark.slow
def test_cpu_time_ends_a_job_and_the_ending_says_so(stage: Stage) -> None:
    ended, _ = stage.run("while :; do :; done", cpu=1)
    assert (ended.outcome, ended.limit) == (Sig(signal.SIGXCPU), Limit.CPU)
    ended, _ = stage.run("sh -c 'while :; do :; done'; exit $?", cpu=1)
    assert (ended.outcome, ended.limit) == (Exited(128 + signal.SIGXCPU), Limit.CPU)


@pytest.mark.slow
def test_who_ignores_the_first_signal_is_killed_by_the_second(stage: Stage) -> None:
    ended, _ = stage.run("trap '' XCPU; while :; do :; done", cpu=1, kill_after=0)
    assert (ended.outcome, ended.limit) == (Sig(signal.SIGKILL), Limit.CPU)


def test_a_job_that_is_killed_by_somebody_is_ended_by_no_limit(stage: Stage) -> None:
    ended, _ = stage.run("kill -9 $$", cpu=60, memory=512 * MIB)
    assert (ended.outcome, ended.limit) == (Sig(signal.SIGKILL), None)


def test_memory_that_is_written_to_is_limited(stage: Stage) -> None:
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    most = own + 400 * MIB
    fill = f"pieces = []\nwhile True: pieces.append(bytearray({MIB}))"
    ended, output = stage.run(python(fill), memory=most)
    assert "MemoryError" in output  # 3.13 has too little left to tell where it was
    assert (ended.outcome, ended.limit) == (Exited(1), Limit.MEMORY)
    ended, _ = stage.run(python("raise SystemExit(1)"), memory=most)
    assert (ended.outcome, ended.limit) == (Exited(1), None), "it failed for a reason of its own"


def test_address_space_that_is_only_reserved_is_free(stage: Stage) -> None:
    reserve = (
        "import mmap; m = mmap.mmap(-1, 1 << 40, flags=mmap.MAP_PRIVATE, prot=0); print(len(m))"
    )
    code = reserve.replace("prot=0", "prot=mmap.PROT_READ")
    assert stage.run(python(code), memory=64 * MIB)[1] == f"{1 << 40}\n"


def test_a_program_with_a_large_address_space_starts(stage: Stage) -> None:
    program("node")
    ended, output = stage.run('node -e "console.log(6 * 7)"', memory=512 * MIB)
    assert (ended.outcome, output) == (Exited(0), "42\n")


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(("memory", "told"), [(1, "1"), (8 << 10, "8K"), (64 << 10, "64K")])
def test_a_limit_below_what_a_shell_needs_says_so(
    stage: Stage, memory: int, told: str, odd: Environment
) -> None:
    ended, output = stage.run("echo ran", odd, memory=memory)
    assert ended.outcome == NotStarted(f"CRON_MEMORY={told}: too little for a shell to start")
    assert output == ""


IN_A_PROCESS = """
import os, resource, sys
from pathlib import Path
from scheduler.process.limiter import Limiter
from scheduler.entry import Settings
{before}
found = Limiter().prepare(Settings(nice=int(sys.argv[1])), None, {{}})
print(getattr(found, "why", "allowed"), os.getpriority(os.PRIO_PROCESS, 0))
"""


@pytest.mark.parametrize(
    ("nice", "rights", "expected", "why"),
    [
        (OWN - 1, "none", f"CRON_NICE={OWN - 1}: not permitted", "nice(1) would only warn"),
        (OWN, "none", "allowed", "no change"),
        (OWN + 1, "none", "allowed", "everybody may be nicer"),
        (OWN - 1, "limit", "allowed", "RLIMIT_NICE allows it"),
        (OWN - 5, "limit", f"CRON_NICE={OWN - 5}: not permitted", "but no more than that"),
        (OWN - 5, "root", "allowed", "root may"),
    ],
)
def test_who_may_not_be_less_nice_does_not_start(
    nice: int, rights: str, expected: str, why: str
) -> None:
    if not IS_ROOT and rights != "none":
        pytest.skip("only root can give these rights")
    limit = f"resource.setrlimit(resource.RLIMIT_NICE, ({21 - OWN}, {21 - OWN}))"
    before = {
        "none": f"os.geteuid() or os.setresuid({NOBODY}, {NOBODY}, {NOBODY})",
        "limit": f"{limit}; os.setuid({NOBODY})",
        "root": "",
    }[rights]
    words = [sys.executable, "-c", IN_A_PROCESS.format(before=before), str(nice)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if "not allowed to raise maximum limit" in done.stderr:
        pytest.skip("root itself lacks a right (CAP_SYS_RESOURCE) to give this one")
    assert (done.stdout, done.stderr) == (f"{expected} {OWN}\n", ""), why


@pytest.mark.skipif(not IS_ROOT, reason="only root may be less nice")
def test_root_may_be_less_nice(stage: Stage) -> None:
    assert stage.run("nice", nice=-5)[1] == "-5\n"
    assert os.getpriority(os.PRIO_PROCESS, 0) == OWN, "the daemon itself is as it was"


def test_an_attempt_joins_its_group_before_it_is_the_job(grouped: Stage) -> None:
    groups = grouped.groups
    assert groups is not None
    ended, output = grouped.run("ulimit -d; exit 1", memory=512 * MIB)
    assert (groups.folder / "cgroup.procs").read_text() == "0\n"
    assert output == "unlimited\n", "one limit, not two"
    assert (ended.limit, groups.removed) == (None, [groups.folder])
    assert groups.made == [("1.1", 512 * MIB)]
    groups.full = True
    assert grouped.run("kill -9 $$", memory=512 * MIB)[0].limit == Limit.MEMORY


def test_only_who_has_a_memory_limit_gets_a_group(grouped: Stage) -> None:
    grouped.run("true", cpu=5, nice=OWN)
    grouped.run("true")
    assert grouped.groups is not None
    assert grouped.groups.made == []


def test_a_group_that_cannot_be_made_is_no_start(grouped: Stage) -> None:
    assert grouped.groups is not None
    grouped.groups.error = OSError(30, "Read-only file system")
    found = grouped.begin("true", memory=512 * MIB)
    assert found == NotStarted("CRON_MEMORY=512M: its cgroup: Read-only file system")
    assert grouped.output().read_bytes() == b"", "meridian logs has nothing to show"


def test_a_group_that_is_gone_before_the_start_is_no_start(grouped: Stage) -> None:
    groups = grouped.groups
    assert groups is not None
    groups.folder.write_text("not a folder")
    groups.make = lambda *_: groups.folder  # type: ignore[method-assign]  # a group that vanished
    ended, output = grouped.run("echo ran", memory=512 * MIB)
    assert ended.outcome == NotStarted("CRON_MEMORY=512M: it could not join its cgroup")
    assert ended.limit is None
    assert output == "", "what is said of a job is not in its output"


def test_a_start_that_fails_or_is_let_go_leaves_no_group(grouped: Stage) -> None:
    groups = grouped.groups
    assert groups is not None
    assert isinstance(grouped.begin("true", (("HOME", "/nowhere"),), memory=MIB), NotStarted)
    assert groups.removed == [groups.folder]
    entry = Entry(
        "job", Reboot(), "@reboot", ZoneInfo("UTC"), "true", settings=Settings(memory=MIB)
    )
    attempt = Attempt(Run(9, "job", utc(2027, 3, 28)), 1)
    launch = grouped.spawner.prepare(entry, attempt, grouped.output())
    assert not isinstance(launch, NotStarted)
    grouped.spawner.discard(launch)
    assert groups.removed == [groups.folder] * 2


def test_where_nothing_limits_memory_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    attempt = Attempt(Run(1, "job", utc(2027, 3, 28)), 1)
    found = Limiter().prepare(Settings(memory=MIB), attempt, {})
    assert found == NotStarted("CRON_MEMORY=1M: only Linux has such a limit")


def test_a_shell_is_looked_for_as_its_start_would(tmp_path: Path) -> None:
    look_for(b"sh", b"/", b"/usr/bin:/bin")
    with pytest.raises(FileNotFoundError):
        look_for(b"sh", b"/", os.fsencode(tmp_path))
