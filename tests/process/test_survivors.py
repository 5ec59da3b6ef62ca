"""What an earlier daemon started is found by its outputs, and told from everything else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from fakes import Act
from spawner_stages import FOR_EVER, START, RealStage, begin, eventually, job, on_linux, real_stage

from scheduler.process import job_environment
from scheduler.process.launch import Launch
from scheduler.process.spawner import RealSpawner
from scheduler.process.survivors import TAG, is_held
from scheduler.process.truncation_sentinel import SentinelRemover
from scheduler.run import Attempt, Run
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    yield from real_stage(tmp_path)


@on_linux
def test_a_zombie_is_gone_for_the_next_daemon(real: RealStage) -> None:
    pid = begin(real, "exit 0", Act())
    real.wait(pid)
    assert real.spawner.started_at(pid) is not None
    assert real.new().started_at(pid) is None, "it only waits to be reaped"


KILLED = """
    import os, signal, sys
    from pathlib import Path
    from zoneinfo import ZoneInfo
    from scheduler.run import Attempt, Run
    from scheduler.entry import Entry, Reboot
    from scheduler.process.spawner import RealSpawner
    from datetime import datetime, UTC
    folder, job, *commands = sys.argv[1:]
    spawner = RealSpawner(os.environ, folder, "ada")
    for number, command in enumerate(commands, 1):
        entry = Entry(job, Reboot(), "@reboot", ZoneInfo("Asia/Kolkata"), command)
        attempt = Attempt(Run(number, job, datetime(2027, 3, 28, 0, 30, tzinfo=UTC)), 2)
        print(spawner.start(spawner.prepare(entry, attempt, Path(folder) / f"{number}.log")))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@on_linux
def test_what_a_killed_daemon_started_is_found_and_told_from_what_it_put_aside(
    real: RealStage,
) -> None:
    """With a shell and without; the second one puts a process into a session of its own."""
    name = f"killed-{uuid4().hex}"  # or another one's, whose test runs just now, would count
    commands = ["sleep 600", "setsid sh -c 'echo $$; exec sleep 600' & wait"]
    script = [sys.executable, "-c", textwrap.dedent(KILLED), str(real.folder), name, *commands]
    told = subprocess.run(script, stdout=subprocess.PIPE, check=False)
    assert told.returncode == -signal.SIGKILL
    pids = [int(line) for line in told.stdout.split()]
    real.pids += pids
    eventually((real.folder / "2.log").read_bytes)
    real.pids.append(int((real.folder / "2.log").read_text()))
    attempts = [Attempt(Run(n, name, START), 2) for n in (1, 2)]
    found = real.spawner.orphans(
        {each: real.folder / f"{each.run.number}.log" for each in attempts}
    )
    assert [found.get(each) for each in attempts] == pids
    assert all(real.spawner.started_at(pid) for pid in pids)


@on_linux
@pytest.mark.parametrize(
    ("command", "is_open", "why"),
    [
        ("exec env -i sleep 600", True, "nothing is in its environment"),
        (
            "exec env -i CRON_JOB=other CRON_RUN=9 CRON_ATTEMPT=1 sleep 600",
            True,
            "or another job's",
        ),
        (
            "env -i sleep 600 & exec env -i sleep 600 > /dev/null 2>&1",
            True,
            "its child has the file",
        ),
        ("exec env -i sh -c 'echo a > /dev/stderr; exec sleep 600'", True, "its copier has it"),
        ("exec env -i sleep 600 > /dev/null 2>&1", False, "nobody has the file"),
    ],
)
@pytest.mark.parametrize("is_tagged", [True, False])
def test_a_job_is_known_by_its_output_whatever_its_environment_says(
    command: str, why: str, real: RealStage, *, is_open: bool, is_tagged: bool
) -> None:
    """So one that was started in the moment before a kill -9 is not started beside itself.

    What the daemon wrote on the output tells who it is; before it did, whoever has that open.
    """
    launch = real.prepare(job(command))
    pid = real.start(launch)
    assert isinstance(launch, Launch)
    eventually(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00600\x00")
    eventually(lambda: is_open or not is_held(real.output()))
    if not is_tagged:
        os.removexattr(real.output(), TAG)
    outputs = {launch.attempt: real.output()}
    later = real.next()
    with real.output().open("rb"):  # whoever only reads it is nobody's job
        found = later.orphans(outputs).get(launch.attempt)
        assert (found is not None) is (is_open or is_tagged), why
        if is_tagged or (is_open and "/dev/stderr" not in command):
            assert found == pid, why
    real.spawner.signal(pid, signal.SIGKILL)
    real.end(pid)
    eventually(lambda: launch.attempt not in later.orphans(outputs))


@on_linux
@pytest.mark.parametrize(
    ("changed", "is_found", "why"),
    [
        ({}, True, "it is as it was"),
        ({"start": 1}, False, "another process has that number since"),
        ({"pid": 2**22 + 1}, False, "there is none of that number"),
        ({"text": b"\xff" * 20}, True, "nonsense is no tag: who has it open is asked"),
        ({"text": b"9" * 200}, True, "nor is a number that no process has"),
    ],
)
def test_what_an_output_says_of_its_process_has_to_be_true(
    changed: dict[str, Any], is_found: bool, why: str, real: RealStage
) -> None:
    launch = real.prepare(job("exec sleep 600"))
    pid = real.start(launch)
    assert isinstance(launch, Launch)
    tagged, start, instant = os.getxattr(launch.path, TAG).split()
    parts = [
        b"%d" % changed.get("pid", int(tagged)),
        b"%d" % (int(start) + changed.get("start", 0)),
    ]
    os.setxattr(launch.path, TAG, changed.get("text", b" ".join([*parts, instant])))
    found = real.next().orphans({launch.attempt: launch.path})
    assert found == ({launch.attempt: pid} if is_found else {}), why


@on_linux
@pytest.mark.parametrize("is_tagged", [True, False])
def test_without_a_journal_the_outputs_tell_which_attempts_live(
    real: RealStage, *, is_tagged: bool
) -> None:
    """And what a process calls itself counts only if it has that output open."""
    launch = real.prepare(job("exec sleep 600", name="job"))
    assert isinstance(launch, Launch)
    paths = [real.folder / "outputs/job" / name for name in ("1.2.log", "1.2.old.log", "7.1.log")]
    paths[0].parent.mkdir()
    pid = real.start(launch)
    launch.path.rename(paths[0])
    for place in paths[1:]:
        place.touch()
    if not is_tagged:
        os.removexattr(paths[0], TAG)
    other = Attempt(Run(7, "job", START), 1)
    marked = dict(os.environb) | job_environment.attempt_variables(job("", name="job"), other)
    with subprocess.Popen(["sleep", "600"], env=marked, start_new_session=True) as impostor:
        found = real.next().survivors(paths)
        impostor.kill()
    assert found == {launch.attempt: pid}
    assert real.spawner.survivors(paths) == {}, "a child is none"


@on_linux
def test_each_of_many_outputs_is_opened_once(
    real: RealStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be a million, and a start waits for it."""
    launch = real.prepare(job("exec sleep 600", name="job"))
    assert isinstance(launch, Launch)
    pid = real.start(launch)
    folder = real.folder / "outputs/job"
    folder.mkdir()
    paths = [launch.path.rename(folder / "1.2.log")]
    for n in range(2, 40):
        paths.append(folder / f"{n}.1.log")
        paths[-1].touch()
        if n % 2:  # a number that is another process's by now, of this boot or of another one
            start = int(os.getxattr(paths[0], TAG).split()[1]) + (1 if n % 3 else 1 << 44)
            os.setxattr(paths[-1], TAG, b"%d %d 1790000000" % (pid, start))
    looked: list[Path] = []
    opened = state_files.opened

    def told(path: Path, flags: int) -> int:
        looked.append(path)
        return opened(path, flags)

    monkeypatch.setattr(state_files, "opened", told)
    assert real.next().survivors(iter(paths)) == {launch.attempt: pid}
    assert looked == paths


@on_linux
def test_an_output_that_nobody_is_told_to_have_open_has_one_who_is_hidden(
    real: RealStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a set-uid program's is: the /proc of this test tells of nobody at all."""
    # The thread that removes a sentinel has the output open to write for a moment.
    monkeypatch.setattr(SentinelRemover, "remove", lambda *_: None)
    launch = real.prepare(job("exec sleep 600"))
    pid = real.start(launch)
    assert isinstance(launch, Launch)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/stat").touch()
    later = RealSpawner({}, str(tmp_path), "ada", proc=tmp_path / "proc")
    outputs = {launch.attempt: launch.path}
    assert later.orphans(outputs) == {launch.attempt: 0}, "its number is somebody's"
    os.removexattr(launch.path, TAG)
    assert later.orphans(outputs) == {launch.attempt: 0}
    assert later.is_held(launch.path)
    real.spawner.signal(pid, signal.SIGKILL)
    real.end(pid)
    assert later.orphans(outputs) == {}
    assert not later.is_held(launch.path)
    assert not later.is_held(tmp_path / "gone")


def test_without_proc_a_job_is_known_by_its_session(tmp_path: Path, real: RealStage) -> None:
    spawner = RealSpawner(real.environ, str(tmp_path), "ada", proc=Path("/nowhere"))
    real.spawner = spawner
    pid = begin(real, *FOR_EVER)
    started = spawner.started_at(pid)
    later = RealSpawner({}, str(tmp_path), "ada", proc=Path("/nowhere"))
    assert started is not None
    assert later.started_at(pid) == started
    spawner.signal(pid, signal.SIGKILL)
    real.wait(pid)
    assert spawner.started_at(pid) == started, "a zombie still has the pid"
    spawner.ended()
    assert spawner.started_at(pid) is None
