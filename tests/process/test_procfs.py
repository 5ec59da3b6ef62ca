"""Processes that are not our children: a folder like /proc with all that can stand there, or none."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_proc import OTHER, OURS, add, is_user, make_proc, processes_of, stat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.process.procfs import PROC, Process, Processes, descendants_of

if TYPE_CHECKING:
    from collections.abc import Iterator


NOWHERE = Path("/nowhere")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return make_proc(tmp_path)


def pids(proc: Path) -> list[int]:
    return [process.pid for process, _ in processes_of(proc).own_leaders()]


def test_a_process_is_what_its_stat_says(proc: Path) -> None:
    add(proc, 7, stat(7, start=123))
    assert processes_of(proc).find(7) == Process(7, 123, leads_session=True, session=7)
    assert processes_of(proc).find(8) is None


@pytest.mark.parametrize(
    ("line", "is_found", "why"),
    [
        (stat(7), True, "it leads a session"),
        (stat(7, session=6), False, "it is in another's"),
        (stat(7, state="Z"), False, "it only waits to be reaped"),
        (stat(7, state="X"), False, "it is gone already"),
        (stat(7, state="T"), True, "it is stopped, and lives"),
    ],
)
def test_living_leaders_are_found(proc: Path, line: str, is_found: bool, why: str) -> None:
    add(proc, 7, line)
    assert pids(proc) == [7] * is_found, why


def test_the_eldest_comes_first(proc: Path) -> None:
    for pid, start in ((7, 300), (8, 100), (9, 200), (5, 200)):
        add(proc, pid, stat(pid, start=start))
    assert pids(proc) == [8, 5, 9, 7]


def test_an_environment_is_bytes_and_of_two_alike_the_first_counts(proc: Path) -> None:
    add(proc, 7, stat(7), b"A=1\0B=\xff=\0no sign\0\0A=2\0=C")
    ((_, found),) = processes_of(proc).own_leaders()
    assert (found[b"A"], found[b"B"], found[b"no sign"]) == (b"1", b"\xff=", b"")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_no_environment_is_a_crash(proc: Path, environment: bytes) -> None:
    if not (proc / "7").exists():
        add(proc, 7, stat(7))
    (proc / "7/environ").write_bytes(environment)
    assert pids(proc) == [7]


def test_who_vanishes_or_hides_is_left_out(proc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add(proc, 7, stat(7))
    add(proc, 8, stat(8))
    (proc / "8/environ").unlink()
    (proc / "9").mkdir()
    add(proc, 10, stat(10))
    read = Path.read_bytes

    def hides(path: Path) -> bytes:
        if path == proc / "10/environ":
            raise PermissionError
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", hides)
    assert pids(proc) == [7]


@pytest.mark.parametrize(
    ("uids", "is_found", "why"),
    [
        ((OURS, OURS, OURS, OURS), True, "it is ours"),
        ((OURS, OURS, OURS, OTHER), True, "which files it may open says nothing of who began it"),
        ((OTHER, OTHER, OTHER, OTHER), False, "it is another's"),
        ((OTHER, OURS, OURS, OURS), False, "a set-uid program of ours that another has started"),
        ((OTHER, OURS, OTHER, OURS), False, "or that went back to it"),
        ((OURS, OTHER, OTHER, OTHER), False, "a set-uid program of another that we have started"),
        ((OURS, OURS, OTHER, OURS), False, "it can become another's"),
    ],
)
def test_only_who_is_wholly_our_users_is_ours(
    proc: Path, uids: tuple[int, ...], is_found: bool, why: str
) -> None:
    add(proc, 7, stat(7))
    is_user(proc, 7, *uids)
    assert pids(proc) == [7] * is_found, why


def test_without_a_descriptor_to_spare_a_process_is_still_found(proc: Path) -> None:
    """Else a living job would be taken for gone, and started beside itself."""
    add(proc, 7, stat(7, start=123))
    processes = processes_of(proc)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    hoard: list[int] = []
    highest = max(int(each.name) for each in Path("/dev/fd").iterdir())
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, limits[1]))
        with suppress(OSError):
            while True:
                hoard.append(os.open(os.devnull, os.O_RDONLY))
        found = [processes.find(7), processes.find(7), processes.find(8)]
        leaders = [process.pid for process, _ in processes.own_leaders()]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        for descriptor in hoard:
            os.close(descriptor)
    assert found == [Process(7, 123, leads_session=True, session=7)] * 2 + [None]
    assert leaders == [7]


def refused(proc: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int) -> None:
    """Let the system refuse one read: of that file, or of what there is."""
    real = {name: getattr(Path, name) for name in ("read_bytes", "iterdir")}

    def read(path: Path, name: str) -> object:
        if path == proc / what:
            raise OSError(number, os.strerror(number), str(path))
        return real[name](path)

    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path, "read_bytes"))
    monkeypatch.setattr(Path, "iterdir", lambda path: read(path, "iterdir"))


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESRCH, errno.ENOTDIR])
def test_a_process_of_which_there_is_nothing_is_gone(
    proc: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    add(proc, 7, stat(7))
    refused(proc, monkeypatch, "7/stat", number)
    assert Processes(proc, exists=lambda _: False).find(7) is None
    assert pids(proc) == []


UNTOLD = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO]


@pytest.mark.parametrize("number", UNTOLD)
def test_nothing_else_says_that_it_is_gone(
    proc: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    add(proc, 7, stat(7))
    refused(proc, monkeypatch, "7/stat", number)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        processes_of(proc).find(7)


@pytest.mark.parametrize("number", UNTOLD)
@pytest.mark.parametrize("what", [".", "7/stat", "7/environ"])
def test_who_lives_is_told_in_full_or_not_at_all(
    proc: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int
) -> None:
    for pid in (6, 7, 8):
        add(proc, pid, stat(pid))
    refused(proc, monkeypatch, what, number)
    with pytest.raises(OSError, match=re.escape(os.strerror(number))):
        pids(proc)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
@pytest.mark.parametrize("what", ["7/stat", "7/environ"])
def test_who_is_not_ours_to_look_at_hides_nobody_else(
    proc: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int
) -> None:
    """As under hidepid=1: proc(5)."""
    for pid in (6, 7, 8):
        add(proc, pid, stat(pid))
    refused(proc, monkeypatch, what, number)
    assert pids(proc) == [6, 8]


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EPERM])
def test_who_is_hidden_is_told_from_who_is_gone(
    proc: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As under hidepid=2, and 1: proc(5). Nobody can tell whether it is the one of that number."""
    add(proc, 7, stat(7))
    refused(proc, monkeypatch, "7/stat", number)
    with pytest.raises(PermissionError):
        processes_of(proc, 7).find(7)
    assert Processes(proc, exists=lambda _: False).find(7) is None


@pytest.mark.parametrize(
    ("parents", "found"),
    [
        ({2: 1, 3: 2, 4: 3, 5: 1}, [3, 4]),
        ({2: 4, 3: 2, 4: 3, 5: 3}, [3, 4, 5]),  # numbers went round, and lead in a circle
        ({3: 4, 4: 3, 5: 1}, []),
        ({2: 2, 3: 2}, [3]),
    ],
)
def test_who_descends_from_a_process(proc: Path, parents: dict[int, int], found: list[int]) -> None:
    for pid, parent in parents.items():
        add(proc, pid, stat(pid).replace(" S 1 ", f" S {parent} "))
    assert sorted(each.pid for each, _ in processes_of(proc).descendants(2)) == found


def test_who_descends_is_told_by_one_look_at_each() -> None:
    """A chain was walked anew for each of its processes."""
    chain = [Process(pid, 1, leads_session=False, parent=pid - 1) for pid in range(2, 100_000)]
    assert len(descendants_of(2, chain)) == len(chain) - 1


# --- without a /proc -----------------------------------------------------------------------------


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    """A process that leads a session, as every job does."""
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


def test_without_proc_a_leader_is_the_same_until_it_is_gone(child: subprocess.Popen[bytes]) -> None:
    processes = Processes(NOWHERE, "this boot")
    found = processes.find(child.pid)
    assert found is not None
    assert (found.leads_session, found.is_dead) == (True, False)
    assert processes.find(child.pid) == found
    child.kill()
    child.wait()
    assert processes.find(child.pid) is None


def test_without_proc_who_leads_no_session_is_no_job(child: subprocess.Popen[bytes]) -> None:
    processes = Processes(NOWHERE)
    with subprocess.Popen(["sleep", "600"], process_group=0) as other:
        leader, follower = processes.find(child.pid), processes.find(other.pid)
        other.kill()
    assert leader is not None
    assert follower is not None
    assert leader.start != follower.start


def test_without_proc_another_boot_is_still_another_process(
    child: subprocess.Popen[bytes],
) -> None:
    found = [Processes(NOWHERE, boot).find(child.pid) for boot in ("this boot", "the last one")]
    assert len({process.start for process in found if process}) == 2


def test_without_proc_who_is_not_ours_to_signal_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(pid: int, number: int) -> None:
        raise PermissionError(pid, number)

    monkeypatch.setattr(os, "kill", refuses)
    assert Processes(NOWHERE).find(os.getpid()) is not None


def test_without_proc_who_is_in_no_session_waits_to_be_reaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(pid: int) -> int:
        raise ProcessLookupError(pid)

    monkeypatch.setattr(os, "getsid", refuses)
    found = Processes(NOWHERE).find(os.getpid())
    assert found is not None
    assert found.is_dead


def test_without_proc_nobody_is_looked_for() -> None:
    assert list(Processes(NOWHERE).own_leaders()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_real_proc_tells_of_a_child(child: subprocess.Popen[bytes]) -> None:
    assert child.pid in pids(PROC)
