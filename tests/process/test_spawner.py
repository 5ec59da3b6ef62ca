"""Starting, signalling and reaping jobs: one exam for the real spawner and its stand-in."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import Act, FakeClock, FakeSpawner
from spawner_stages import (
    FOR_EVER,
    LEAVER,
    START,
    STUBBORN,
    FakeStage,
    RealStage,
    Stage,
    begin,
    ending,
    eventually,
    is_empty,
    job,
    on_linux,
    real_stage,
)
from user_stage import UserStage, user_stage

from scheduler.process import spawner
from scheduler.process.launch import Launch
from scheduler.process.output_files import open_output
from scheduler.process.spawner import RealSpawner
from scheduler.run import Attempt, Exited, NotStarted, Run, Signalled

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    yield from real_stage(tmp_path)


@pytest.fixture
def users() -> Iterator[UserStage]:
    with user_stage() as stage:
        yield stage


@pytest.fixture(params=["real", "fake", "users"])
def stage(request: pytest.FixtureRequest) -> Stage:
    found: Stage = FakeStage()
    return found if request.param == "fake" else request.getfixturevalue(request.param)


# --- the contract --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "act", "expected"),
    [
        ("exit 0", Act(), Exited(0)),
        ("exit 3", Act(outcome=Exited(3)), Exited(3)),
        ("exit 255", Act(outcome=Exited(255)), Exited(255)),
        ("kill -KILL $$", Act(outcome=Signalled(9)), Signalled(9)),
        ("kill -SEGV $$", Act(outcome=Signalled(11)), Signalled(11)),
    ],
)
def test_a_child_is_told_of_once_with_its_ending(
    stage: Stage, command: str, act: Act, expected: Exited | Signalled
) -> None:
    pid = begin(stage, command, act)
    ended = ending(stage, pid)
    assert (ended.pid, ended.outcome) == (pid, expected)
    assert stage.spawner.ended() == []


def test_nobody_ends_where_nobody_started(stage: Stage) -> None:
    assert stage.spawner.ended() == []


def test_all_that_ended_are_told_of_and_no_one_else(stage: Stage) -> None:
    lasting = begin(stage, *FOR_EVER)
    pids = {begin(stage, "exit 1", Act(outcome=Exited(1))) for _ in range(3)}
    for pid in pids:
        stage.wait(pid)
    assert {ended.pid for ended in stage.spawner.ended()} == pids
    assert stage.spawner.started_at(lasting) is not None


def test_a_process_has_one_start_until_its_ending_is_told(stage: Stage) -> None:
    pid = begin(stage, *FOR_EVER)
    started = stage.spawner.started_at(pid)
    assert started is not None
    assert stage.spawner.started_at(pid) == started
    stage.spawner.signal(pid, signal.SIGKILL)
    stage.wait(pid)
    assert stage.spawner.started_at(pid) == started, "a zombie still has the pid"
    stage.spawner.ended()
    assert stage.spawner.started_at(pid) is None


def test_whether_a_process_that_is_no_child_is_gone_can_be_untold(
    real: RealStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of files that is full says nothing of it; the end of a child is told otherwise."""

    def full(*_: object) -> bytes:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    monkeypatch.setattr(Path, "read_bytes", full)
    pid = begin(real, *FOR_EVER)
    assert real.spawner.started_at(pid) is None
    for of_another in (real.new(), real.spawner):
        real.spawner.leave_running()
        with pytest.raises(OSError, match="Too many open files in system"):
            of_another.started_at(pid)
        with pytest.raises(OSError, match="Too many open files in system"):
            of_another.orphans({Attempt(Run(1, "job", START), 2): real.output()})


def test_the_same_pid_and_ticks_of_another_boot_are_another_process(tmp_path: Path) -> None:
    starts = {
        RealSpawner({}, str(tmp_path), "ada", boot=boot).started_at(os.getpid())
        for boot in ("this boot", "the last one")
    }
    assert len(starts) == 2
    assert all(start is not None and 0 < start < 2**63 for start in starts)  # SQLite's integers


def test_sigterm_ends_a_job_and_sigkill_one_that_ignores_it(stage: Stage) -> None:
    pid = begin(stage, *FOR_EVER)
    assert stage.spawner.signal(pid, signal.SIGTERM)
    assert ending(stage, pid).outcome == Signalled(signal.SIGTERM)

    pid = begin(stage, *STUBBORN)
    assert stage.spawner.signal(pid, signal.SIGTERM)
    stage.rest()
    assert (stage.spawner.ended(), stage.spawner.signal(pid, 0)) == ([], True)
    assert stage.spawner.signal(pid, signal.SIGKILL)
    assert ending(stage, pid).outcome == Signalled(signal.SIGKILL)


def test_signal_zero_only_asks_whether_somebody_is_left(stage: Stage) -> None:
    pid = begin(stage, *FOR_EVER)
    assert stage.spawner.signal(pid, 0)
    stage.spawner.signal(pid, signal.SIGKILL)
    ending(stage, pid)
    assert not stage.spawner.signal(pid, 0)
    assert not stage.spawner.signal(pid, signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_reaches_what_a_job_left_behind(stage: Stage, number: int) -> None:
    pid = begin(stage, *LEAVER)
    assert stage.spawner.signal(pid, 0), "which holds the group"
    assert ending(stage, pid).outcome == Exited(4)
    assert stage.spawner.started_at(pid) is None
    assert stage.spawner.signal(pid, number)
    eventually(lambda: is_empty(stage, pid))


def test_who_ignores_sigterm_outlives_the_leader_that_does_not(stage: Stage) -> None:
    pid = begin(
        stage,
        "(trap '' TERM; echo ready; exec sleep 600) & exec sleep 600",
        Act(lasts=1e7, leaves=True, is_stubborn=True),
    )
    stage.spawner.signal(pid, signal.SIGTERM)
    assert ending(stage, pid).outcome == Signalled(signal.SIGTERM)
    assert stage.spawner.signal(pid, 0)
    stage.spawner.signal(pid, signal.SIGKILL)
    eventually(lambda: is_empty(stage, pid))


def test_a_launch_lets_go_of_its_output_once_started(stage: Stage) -> None:
    launch = stage.prepare(job("exit 0"), Act())
    assert isinstance(launch, Launch)
    assert stage.holds(launch)
    pid = stage.spawner.start(launch)
    assert isinstance(pid, int)
    assert not stage.holds(launch)
    ending(stage, pid)


def test_a_launch_that_is_not_started_can_be_let_go(stage: Stage) -> None:
    launch = stage.prepare(job("exit 0"), Act())
    assert isinstance(launch, Launch)
    stage.spawner.discard(launch)
    assert not stage.holds(launch)
    assert stage.spawner.ended() == []


@pytest.mark.parametrize("stage", ["real", "fake"], indirect=True)
def test_a_start_that_fails_leaves_nothing_open(stage: Stage) -> None:
    entry = job("exit 0", assigned=(("HOME", "/nowhere"),))
    launch = stage.prepare(entry, Act(outcome=NotStarted("its HOME is gone")))
    assert isinstance(launch, Launch)
    assert isinstance(stage.spawner.start(launch), NotStarted)
    assert not stage.holds(launch)
    assert stage.spawner.ended() == []


def test_an_output_that_cannot_be_opened_is_told_before_the_start(stage: Stage) -> None:
    if isinstance(stage, RealStage):
        (stage.folder / "outputs").write_text("a file where the folder should be")
    act = Act(outcome=NotStarted("its output file: Not a directory"), is_early=True)
    found = stage.prepare(job("exit 0"), act)
    assert isinstance(found, NotStarted)
    assert "its output file" in found.why
    assert "Not a directory" in found.why


@pytest.mark.parametrize("is_read", [False, True])
def test_a_fifo_in_an_outputs_place_holds_up_nobody(tmp_path: Path, *, is_read: bool) -> None:
    """A job knows the folder of its output, and may put there what it likes."""
    path = tmp_path / "1.2.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK) if is_read else None
    with pytest.raises(OSError, match="a FIFO is in its place"):
        open_output(path)
    if reader is not None:
        os.close(reader)


@on_linux
def test_the_next_daemon_finds_what_lives_and_nobody_else(stage: Stage, tmp_path: Path) -> None:
    pids, outputs = {}, dict[Attempt, Path]()
    for command, act in (FOR_EVER, ("exit 0", Act()), FOR_EVER):
        launch = stage.prepare(job(command, name=tmp_path.name), act)
        assert isinstance(launch, Launch)
        outputs[launch.attempt] = launch.path
        pid = stage.spawner.start(launch)
        assert isinstance(pid, int)
        pids[launch.attempt] = pid
        if isinstance(stage, RealStage):
            stage.pids.append(pid)
    ended = list(outputs)[1]
    stage.wait(pids.pop(ended))
    assert stage.spawner.orphans(outputs) == {}, "children are no orphans"
    assert stage.next().orphans(outputs) == pids


@on_linux
def test_the_next_daemon_in_the_same_process_finds_the_children_and_hears_of_their_ends(
    stage: Stage, tmp_path: Path
) -> None:
    launch = stage.prepare(job(FOR_EVER[0], name=tmp_path.name), FOR_EVER[1])
    assert isinstance(launch, Launch)
    pid = stage.spawner.start(launch)
    assert isinstance(pid, int)
    stage.spawner.leave_running()
    outputs = {launch.attempt: launch.path}
    assert stage.spawner.orphans(outputs) == {launch.attempt: pid}
    stage.spawner.signal(pid, signal.SIGKILL)
    stage.wait(pid)
    assert [(each.pid, each.outcome) for each in stage.spawner.ended()] == [(pid, Signalled(9))]
    assert stage.spawner.orphans(outputs) == {}


# --- the stand-in alone --------------------------------------------------------------------------


def test_attempts_go_by_their_script_and_are_on_record() -> None:
    clock = FakeClock(START)
    acts = {"job": [Act(outcome=Exited(1)), Act(outcome=NotStarted("no")), Act()]}
    spawner = FakeSpawner(clock, acts, start_takes=2)
    for number in (1, 2, 3, 4):
        launch = spawner.prepare(job("x"), Attempt(Run(7, "job", START), number), Path("log"))
        assert isinstance(launch, Launch)
        spawner.start(launch)
    asyncio.run(clock.wait(clock.now(), asyncio.Event()))
    assert [each.outcome for each in spawner.ended()] == [Exited(1), Exited(0), Exited(0)]
    starts = [(START + timedelta(seconds=2 * n), n) for n in (1, 3, 4)]
    assert spawner.starts("job") == starts, "attempt 2 got no process"
    assert [each.attempt.number for each in spawner.launched] == [1, 2, 3, 4]


def test_jobs_outlive_a_daemon_that_is_killed_and_end_unseen() -> None:
    stage = FakeStage()
    pid = begin(stage, "x", Act(lasts=60))
    gone = begin(stage, "x", Act())
    stage.rest()
    started = stage.fake.started_at(pid)
    stage.fake.crash()
    assert stage.fake.started_at(gone) is None
    assert stage.fake.started_at(pid) == started
    stage.wait(pid)
    assert stage.fake.started_at(pid) is None
    assert stage.fake.ended() == []


# --- what is known of who ended ------------------------------------------------------------------


def python(code: str) -> str:
    return f"{sys.executable} -S -E -c '{code}'"


def test_cpu_time_is_the_jobs(real: RealStage) -> None:
    ended, _ = real.run(python("import time\nwhile time.process_time() < 0.2: pass"))
    assert ended.cpu_s >= 0.2
    assert real.run("true")[0].cpu_s >= 0


def test_memory_is_the_jobs_or_unknown_never_the_daemons(real: RealStage) -> None:
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    size = own + 100_000_000
    ended, _ = real.run(python(f'b"x" * {size}'))
    assert ended.memory_bytes is not None
    assert size <= ended.memory_bytes < 2 * size
    assert real.run("true")[0].memory_bytes is None


def test_a_zombie_of_somebody_else_is_reaped_without_a_word(real: RealStage) -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 9"], {})
    real.wait(pid)
    assert real.spawner.ended() == []
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)


@on_linux
def test_a_later_process_has_another_start(real: RealStage) -> None:
    first = real.spawner.started_at(begin(real, *FOR_EVER))
    assert first is not None

    def is_later() -> bool:
        started = real.spawner.started_at(begin(real, *FOR_EVER))
        return started is not None and started > first

    eventually(is_later)


@on_linux
def test_a_start_is_read_whatever_the_process_calls_itself(real: RealStage) -> None:
    program = real.folder / "a) Z 1 ("
    program.symlink_to("/bin/sleep")
    pid = real.start(real.prepare(job(f"exec '{program}' 600")))
    eventually(lambda: b"a) Z 1 (" in Path(f"/proc/{pid}/comm").read_bytes())
    ticks = float(Path("/proc/uptime").read_text().split()[0]) * os.sysconf("SC_CLK_TCK")
    started = real.spawner.started_at(pid)
    assert started is not None
    assert 0 < started <= ticks + 2


def test_one_look_reaps_so_many_children_and_the_rest_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job can make children for the daemon as long as it likes: clone(2) with CLONE_PARENT."""
    monkeypatch.setattr(spawner, "ONE_LOOK", 0.0)
    for stage in real_stage(tmp_path):
        pids = [begin(stage, "exit 4", FOR_EVER[1]) for _ in range(3)]
        for pid in pids:
            stage.wait(pid)
        looks = list[list[int]]()
        while not looks or stage.spawner.is_settling():
            looks.append([each.pid for each in stage.spawner.ended()])
        assert looks[:3] == [[pid] for pid in pids]
