"""The process that starts jobs as other users: its life, its death, and what becomes of starts."""

from __future__ import annotations

import marshal
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from spawner_stages import FOR_EVER, begin, eventually, job
from user_stage import UserStage, user_stage

from scheduler.process import user_spawner, user_spawning
from scheduler.process.launch import Launch
from scheduler.process.reaper import ChildEnd, Ended
from scheduler.process.user_spawning import UserChild
from scheduler.run import Exited, NotStarted, Signalled
from scheduler.system import time_limit

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def users() -> Iterator[UserStage]:
    with user_stage() as stage:
        yield stage


def ends(stage: UserStage, number: int) -> list[Ended]:
    """The ends of so many jobs, and of no more."""
    found: list[Ended] = []

    def are_all() -> bool:
        found.extend(stage.spawner.ended())
        return len(found) >= number

    eventually(are_all)
    time.sleep(0.05)
    assert stage.spawner.ended() == []
    return found


def kill(stage: UserStage) -> None:
    os.kill(stage.process, signal.SIGKILL)


# --- a start is either told of or did not happen -------------------------------------------------

REPORTS = [
    (b"meridian: pid 77\n", 77, "it was made"),
    (b"meridian: pid 77\nmeridian: begun\n", 77, "and has begun"),
    (b"", None, "nobody has the other end: there was none"),
    (b"meridian: pi", None, "it was killed before it could say so"),
]


@pytest.mark.parametrize(("told", "pid", "why"), REPORTS)
def test_a_child_is_known_by_its_report(told: bytes, pid: int | None, why: str) -> None:
    report, end = os.pipe()
    os.write(end, told)
    os.close(end)
    found = user_spawning._reported(report)
    assert found == (None if pid is None else UserChild(pid, report, told)), why
    os.close(report)


def test_an_end_is_told_before_it_is_reaped() -> None:
    pid = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 5"], {})
    user_spawner._forked.add(pid)
    told: list[tuple[object, ...]] = []

    def has_ended() -> bool:
        found = user_spawner._ended()
        told.extend([found] if found else [])
        return bool(told)

    eventually(has_ended)
    assert told == [(pid, 5)]
    used = user_spawner._used(pid)
    assert used is not None
    assert user_spawner._used(pid) is None


CLONES = """
import ctypes, os, sys, time
libc = ctypes.CDLL(None)
end = time.monotonic() + float(sys.argv[1])
number = 0
while time.monotonic() < end:
    pid = libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0)  # clone(CLONE_PARENT | SIGCHLD) of x86_64
    if pid == 0:
        os._exit(0)
    number += pid > 0
print(number)
"""
on_x86_64 = pytest.mark.skipif(platform.machine() != "x86_64", reason="its number of clone(2)")


@on_x86_64
@pytest.mark.privileged
def test_children_that_a_job_makes_for_root_s_process_delay_nobody(users: UserStage) -> None:
    """They are reaped, no end of one is told, and no look for ends takes long."""
    users.limits("ann - nproc 300")
    script = users.folder / "clones.py"
    script.write_text(CLONES)
    pid = begin(users, f"exec /usr/bin/python3 {script} 3", FOR_EVER[1])
    longest, seen, found = 0.0, list[int](), list[ChildEnd]()
    while not found:
        before = time.monotonic()
        found = users.users.ended(seen.append)
        longest = max(longest, time.monotonic() - before)
    assert (seen, [(each.pid, each.code) for each in found]) == ([pid], [(pid, 0)])
    assert int(users.output().read_text()) > 300
    assert longest < 1
    assert users.told == []
    children = Path(f"/proc/{users.process}/task/{users.process}/children")
    eventually(lambda: children.read_text() == "")


def test_one_look_tells_of_so_many_ends_and_of_the_rest_the_next(
    users: UserStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = [begin(users, "exit 4", FOR_EVER[1]) for _ in range(3)]
    for pid in pids:
        users.wait(pid)
    monkeypatch.setattr(user_spawning, "ONE_LOOK", 0.0)
    looks = [users.spawner.ended()]
    while users.spawner.is_settling():
        looks.append(users.spawner.ended())
    assert [len(each) for each in looks[:3]] == [1, 1, 1]
    assert sorted(each.pid for look in looks for each in look) == sorted(pids)


def test_jobs_live_on_when_what_started_them_is_killed_and_each_end_is_told_once(
    users: UserStage,
) -> None:
    goes_on = begin(users, *FOR_EVER)
    short = begin(users, "echo ready; sleep 0.2; exit 7", FOR_EVER[1])
    over = begin(users, "exit 3", FOR_EVER[1])
    users.wait(over)  # its end is there, and nobody has asked for it
    kill(users)
    found = {each.pid: each.outcome for each in ends(users, 2)}
    assert found == {short: Exited(7), over: Exited(3)}
    assert users.told == ["it was ended"]
    assert users.run("echo well")[1] == b"well\n"
    users.spawner.signal(goes_on, signal.SIGKILL)
    assert [(each.pid, each.outcome) for each in ends(users, 1)] == [(goes_on, Signalled(9))]


def test_an_end_that_was_told_of_but_not_reaped_is_not_lost(users: UserStage) -> None:
    pids = [begin(users, "exit 4", FOR_EVER[1]) for _ in range(3)]
    for pid in pids:
        users.wait(pid)
    asked = users.users._process._asked

    def dies_after_the_first(*request: object) -> object:
        answer = asked(*request)  # type: ignore[arg-type]
        if users.told == []:
            with suppress(AttributeError, ProcessLookupError):
                os.kill(users.process, signal.SIGKILL)
        return answer

    users.users._process._asked = dies_after_the_first  # type: ignore[method-assign,assignment]
    assert {each.pid: each.outcome for each in ends(users, 3)} == dict.fromkeys(pids, Exited(4))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_start_succeeds_though_the_process_is_dead_or_hangs(
    users: UserStage, number: signal.Signals
) -> None:
    first = begin(users, *FOR_EVER)
    os.kill(users.process, number)
    before = time.monotonic()
    assert users.run("echo once >>runs; cat runs")[1] == b"once\n"
    assert time.monotonic() - before < 10
    assert len(users.told) == 1
    assert users.spawner.signal(first, 0)


def test_what_dies_again_and_again_is_left_alone_for_a_minute(users: UserStage) -> None:
    """So it holds the loop up for two seconds in all, whatever the number of starts."""
    waits = users.users._process._patience
    lost = 0
    while waits.seconds >= user_spawning._LEAST_WAIT:
        waits.lose()
        lost += 1
    assert sum(user_spawning._FIRST_WAIT / 2**n for n in range(lost)) < 2
    launch = users.prepare(job("id"))
    assert isinstance(launch, Launch)
    found = users.spawner.start(launch)
    assert isinstance(found, NotStarted)
    assert found.by_system
    assert found.why == "no new process: what starts the jobs of other users does not answer"
    waits._lost_at -= time_limit._FORGOTTEN_AFTER
    assert users.run("echo well")[1] == b"well\n"


@pytest.mark.parametrize("whose", ["daemon", "process"])
def test_a_start_without_descriptors_is_the_system_s_fault_and_the_next_one_works(
    users: UserStage, whose: str
) -> None:
    users.run("true")
    launch = users.prepare(job("id"))
    assert isinstance(launch, Launch)
    pid = users.process if whose == "process" else os.getpid()
    listed = list(Path(f"/proc/{pid}/fd").iterdir())
    opened = {int(each.name) for each in listed if each.is_symlink()}  # the listing's own is gone
    free = min({*range(len(opened) + 1)} - opened)
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, hard))
    try:
        found = users.spawner.start(launch)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert found == NotStarted("no new process: Too many open files")
    assert isinstance(found, NotStarted)
    assert found.by_system
    assert users.run("echo well")[1] == b"well\n"
    assert users.told == []


def test_it_ends_with_its_daemon_and_ignores_what_managers_send(users: UserStage) -> None:
    users.run("true")
    process = users.process
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        os.kill(process, number)
    assert users.run("echo well")[1] == b"well\n"
    assert users.process == process
    begin(users, *FOR_EVER)
    users.end_process()
    assert users.run("echo well")[1] == b"well\n"
    assert users.process != process


def test_it_says_nothing_when_its_daemon_is_killed_before_it_has_read_an_answer() -> None:
    own, other = socket.socketpair()
    words = [sys.executable, "-I", "-S", str(user_spawning._SPAWNER_FILE)]
    process = subprocess.Popen(words, stdin=other.fileno(), stderr=subprocess.PIPE)
    other.close()
    request = marshal.dumps((user_spawner.TO_REAP, None, True))
    message = len(request).to_bytes(user_spawner.HEAD_BYTES, "big") + request
    own.sendall(message)
    assert own.recv(1)
    own.close()  # with the rest unread, which is a reset
    assert (process.communicate(timeout=10)[1], process.returncode) == (b"", 0)


def test_a_large_environment_and_command_go_through(users: UserStage) -> None:
    large = tuple((f"X{n}", "x" * 100_000) for n in range(10))
    ended, output = users.run(job("printenv X9 | wc -c; : " + "y" * 100_000, assigned=large))
    assert (ended.outcome, output) == (Exited(0), b"100001\n")
    ended, _ = users.run(job(": " + "y" * 200_000))
    assert ended.outcome == NotStarted("its command or environment: Argument list too long")
