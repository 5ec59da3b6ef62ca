"""Process groups whose number goes round: who is signalled, and who never is; on real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.process.process_groups import Leaders, signal_one
from scheduler.process.procfs import Process, Processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.process.procfs import GroupMembers

both_ways = pytest.mark.parametrize("has_pidfds", [True, False], ids=["pidfd", "/proc"])
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.01)


@contextmanager
def group(script: str) -> Iterator[subprocess.Popen[bytes]]:
    """A leader with a group of its own, which says when all of it is there."""
    words = ("sh", "-c", script)
    made = subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True)
    assert made.stdout is not None
    assert made.stdout.readline() == b"ready\n"
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(made.pid, signal.SIGKILL)
        made.stdout.close()
        made.wait()


def start_of(pid: int) -> int:
    found = Processes().find(pid)
    assert found is not None
    return found.start


LEAVES = "(trap '' TERM; echo ready; exec sleep 300) & exec sleep 300"
EMPTY = "echo ready; exec sleep 300"


@pytest.mark.slow
@both_ways
def test_a_group_that_is_kept_is_reached_beyond_the_end_of_its_leader(has_pidfds: bool) -> None:
    leaders = Leaders(Processes(), has_pidfds=has_pidfds)
    with group(LEAVES) as made:
        leaders.take(made.pid, start_of(made.pid))
        assert leaders.signal(made.pid, signal.SIGTERM, is_pinned=True)
        os.waitid(os.P_PID, made.pid, os.WEXITED | os.WNOWAIT)
        leaders.before_reaping(made.pid)
        assert made.wait() == -signal.SIGTERM
        assert leaders.signal(made.pid, 0)
        assert leaders.signal(made.pid, signal.SIGKILL)
        until(lambda: not leaders.signal(made.pid, 0))
        leaders.drop(made.pid)
        leaders.drop(made.pid)


class Counted(Processes):
    """The machine's processes, and how often all of them were looked at."""

    looks = 0

    def groups(self) -> GroupMembers | None:
        self.looks += 1
        return super().groups()


@pytest.mark.slow
@pytest.mark.parametrize("is_child", [True, False], ids=["child", "adopted"])
def test_many_groups_are_signalled_by_one_look(is_child: bool) -> None:
    """As where no descriptor reaches a group: before Linux 6.9, or with few of them left."""
    processes = Counted()
    leaders = Leaders(processes, has_pidfds=False)
    with ExitStack() as stack:
        groups = [stack.enter_context(group(LEAVES)) for _ in range(5)]
        for made in groups:
            leaders.take(made.pid, start_of(made.pid))
        assert processes.looks == 0, "to keep them takes none"
        with leaders.one_look():
            for made in groups:
                assert leaders.signal(made.pid, signal.SIGTERM, is_pinned=is_child)
        assert processes.looks == (0 if is_child else 1)
        for made in groups:
            os.waitid(os.P_PID, made.pid, os.WEXITED | os.WNOWAIT)
        processes.looks = 0
        with leaders.one_look():
            for made in groups:
                leaders.before_reaping(made.pid)
                made.wait()
                assert leaders.signal(made.pid, 0)
        assert processes.looks == 1
        with leaders.one_look():
            assert all(leaders.signal(made.pid, signal.SIGKILL) for made in groups)
        assert processes.looks == 2, "a step of its own looks anew"
        until(lambda: not any(leaders.signal(made.pid, 0) for made in groups))


@both_ways
def test_who_is_not_kept_is_not_signalled(has_pidfds: bool) -> None:
    leaders = Leaders(Processes(), has_pidfds=has_pidfds)
    with group(EMPTY) as made:
        assert not leaders.signal(made.pid, signal.SIGKILL)
        leaders.take(made.pid, start_of(made.pid) - 1)  # another had that number
        assert made.pid not in leaders
        leaders.take(made.pid, start_of(made.pid))
        leaders.drop(made.pid)
        assert not leaders.signal(made.pid, signal.SIGKILL)
        assert made.poll() is None


def test_a_leader_is_told_by_its_descriptor_whatever_proc_hides(tmp_path: Path) -> None:
    (tmp_path / "self").mkdir()
    (tmp_path / "self/stat").touch()
    hidden = Processes(tmp_path)
    leaders = Leaders(hidden)
    with group(EMPTY) as made:
        with pytest.raises(PermissionError):
            hidden.find(made.pid)
        leaders.take(made.pid, 5)
        assert (leaders.tells(made.pid), leaders.start_of(made.pid)) == (True, 5)
        assert leaders.signal(made.pid, signal.SIGTERM)
        os.waitid(os.P_PID, made.pid, os.WEXITED | os.WNOWAIT)
        assert leaders.start_of(made.pid) is None, "a zombie has ended"
    assert not leaders.tells(2**22 + 1)
    leaders.drop(made.pid)


def open_ones() -> set[int]:
    numbers = {int(each.name) for each in Path("/dev/fd").iterdir()}
    return {number for number in numbers if Path(f"/dev/fd/{number}").exists()}


def soft_limit(pid: int = 0) -> int:
    return resource.prlimit(pid, resource.RLIMIT_NOFILE)[0]


def test_descriptors_are_left_for_what_is_to_start() -> None:
    """Hundreds of jobs must not take them all, nor find another limit than the daemon was given."""
    leaders = Leaders(Processes())
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = max(open_ones()) + 16
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
        groups = [stack.enter_context(group(EMPTY)) for _ in range(3)]
        before = open_ones()
        for made in groups * 10:
            leaders.take(made.pid, start_of(made.pid))
            leaders.drop(made.pid)
        for made in groups:
            leaders.take(made.pid, start_of(made.pid))
        kept = open_ones() - before
        assert (len(kept), min(kept) >= soft) == (3, True)
        assert not any(os.get_inheritable(each) for each in kept)
        with group(EMPTY) as job:
            assert (soft_limit(job.pid), soft_limit()) == (soft, soft)
        for made in groups:
            assert leaders.tells(made.pid)
            assert leaders.signal(made.pid, signal.SIGKILL)
            assert made.wait() == -signal.SIGKILL
            leaders.drop(made.pid)


FEW = """
    import os, resource, signal, subprocess
    from scheduler.process.process_groups import Leaders
    from scheduler.process.procfs import Processes
    leaders, processes = Leaders(Processes()), Processes()
    made = subprocess.Popen(("sleep", "300"), start_new_session=True)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    for most in (2 * lowest_free + 2, 2 * lowest_free):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        leaders.take(made.pid, processes.find(made.pid).start)
        print(made.pid in leaders, leaders.tells(made.pid))
        assert leaders.signal(made.pid, 0)
        leaders.drop(made.pid)
    made.kill()
"""


def test_where_the_limit_is_hard_half_of_them_are_left() -> None:
    words = (sys.executable, "-c", textwrap.dedent(FEW))
    told = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == ["True", "True", "True", "False"]


def test_one_process_is_signalled_if_it_is_the_one() -> None:
    with group(EMPTY) as made:
        found = Process(made.pid, start_of(made.pid), leads_session=True)
        signal_one(Processes(), Process(made.pid, found.start - 1, leads_session=True), 9)
        assert made.poll() is None
        os.kill(made.pid, signal.SIGSTOP)
        signal_one(Processes(), found, signal.SIGTERM)
        assert made.wait() == -signal.SIGTERM, "a stopped one hears of it"
        signal_one(Processes(), found, 9)  # gone: nobody is signalled


REUSED = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    from zoneinfo import ZoneInfo
    from datetime import datetime, UTC
    from scheduler.run import Attempt, Run
    from scheduler.entry import Entry, Reboot
    from scheduler.process.own_process import become_subreaper
    from scheduler.process.spawner import RealSpawner
    become_subreaper()
    leaves, is_adopted, has_pidfds, folder = sys.argv[1], *map(eval, sys.argv[2:4]), sys.argv[4]
    environ = {"PATH": os.environ["PATH"], "HOME": folder}
    spawner = RealSpawner(environ, folder, "ada", has_pidfds=has_pidfds)
    entry = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), leaves)
    attempt = Attempt(Run(1, "job", datetime(2027, 3, 28, tzinfo=UTC)), 1)
    pid = spawner.start(spawner.prepare(entry, attempt, Path(folder) / "outputs/1.log"))
    while not Path(folder, "pid").exists() or not Path(folder, "pid").read_text():
        time.sleep(0.01)
    started = spawner.started_at(pid)
    of_job = spawner
    if is_adopted:
        spawner = RealSpawner(environ, folder, "ada", has_pidfds=has_pidfds)
        spawner.keep(pid, started)
    assert spawner.signal(pid, signal.SIGTERM)
    while not of_job.ended():
        time.sleep(0.01)
    has_left = spawner.signal(pid, 0)
    for other in subprocess.run(("pgrep", "-g", str(pid)), stdout=-1).stdout.split():
        os.kill(int(other), signal.SIGKILL)
        os.waitpid(int(other), 0)
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
    another = subprocess.Popen(("sh", "-c", "sleep 300 & exec sleep 300"), start_new_session=True)
    assert another.pid == pid, "the number has not gone round"
    answers = [spawner.started_at(pid) == started, spawner.signal(pid, signal.SIGKILL)]
    time.sleep(0.1)
    print(has_left, *answers, another.poll())
"""


@pytest.mark.privileged
@both_ways
@pytest.mark.parametrize("is_adopted", [False, True], ids=["child", "adopted"])
@pytest.mark.parametrize(
    ("leaves", "is_left"),
    [
        ("(trap '' TERM; echo $$ > pid; exec sleep 300) & exec sleep 300", True),
        ("echo $$ > pid; exec sleep 300", False),
    ],
)
def test_a_group_whose_number_has_gone_round_gets_no_signal(
    leaves: str, tmp_path: Path, *, is_left: bool, is_adopted: bool, has_pidfds: bool
) -> None:
    """In a namespace whose next number can be chosen; what was left behind has ended meanwhile."""
    inner = (
        sys.executable,
        "-c",
        textwrap.dedent(REUSED),
        leaves,
        str(is_adopted),
        str(has_pidfds),
    )
    words = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *inner, str(tmp_path))
    told = subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)
    assert told.stdout.split() == [str(is_left), "False", "False", "None"]
