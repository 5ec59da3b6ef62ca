"""Who has a file open to write, by a folder like /proc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fake_proc import OTHER, OURS, add, is_user, make_proc, processes_of, stat

from scheduler.process.file_writers import leaders_of_writers, writing


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    return make_proc(tmp_path)


def writes(proc: Path, pid: int, *, session: int, state: str = "S") -> None:
    """Let a process have the file `output` open to write."""
    add(proc, pid, stat(pid, session=session, state=state))
    (proc / str(pid) / "fd").mkdir()
    (proc / "output").touch()
    (proc / str(pid) / "fd/1").symlink_to(proc / "output")


@pytest.mark.parametrize(
    ("writers", "hidden", "leader", "why"),
    [
        ([(7, 7)], (), {7}, "the leader has it open"),
        ([(8, 7)], (), {7}, "somebody in its session"),
        ([(9, 9), (8, 7)], (), {7}, "the eldest's leader: what it put aside came after it"),
        ([(8, 6)], (), {None}, "the leader has ended"),
        ([(8, 6)], (6,), {0}, "the leader is hidden"),
        ([(8, 6), (9, 9)], (), {9}, "one whose leader lives"),
        ([], (), set(), "nobody whom we are told of"),
    ],
)
def test_who_writes_a_file_is_told_by_its_sessions_leader(
    proc: Path,
    writers: list[tuple[int, int]],
    hidden: tuple[int, ...],
    leader: set[int | None],
    why: str,
) -> None:
    for pid, session in writers:
        writes(proc, pid, session=session)
    if (8, 7) in writers:
        add(proc, 7, stat(7, start=50))
        (proc / "8/stat").write_text(stat(8, session=7, start=60))
    (proc / "output").touch()
    status = (proc / "output").stat()
    file = status.st_dev, status.st_ino
    assert (
        set(leaders_of_writers(processes_of(proc, *hidden), {file: proc / "output"}).values())
        == leader
    ), why


def test_no_file_is_asked_for_but_those_that_are_looked_for(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One on a network that is down would hang a start for as long as it is."""
    writes(proc, 7, session=7)
    (proc / "elsewhere").touch()
    (proc / "7/fd/2").symlink_to(proc / "elsewhere")
    asked, stat = list[str](), os.stat

    def noted(path: os.PathLike[str], **options: bool) -> os.stat_result:
        if options.get("follow_symlinks", True):
            asked.append(os.fspath(path))
        return stat(path, **options)

    status = (proc / "output").stat()
    monkeypatch.setattr(os, "stat", noted)
    processes, output = processes_of(proc), proc / "output"
    assert leaders_of_writers(processes, {(status.st_dev, status.st_ino): output}) == {
        (status.st_dev, status.st_ino): 7
    }
    assert [each.pid for _, each in writing(processes, {output: 7}, 1)] == [7]
    assert {Path(each).name for each in asked if "/fd/" in each} == {"1"}


@pytest.mark.parametrize(
    ("leader", "session", "uid", "is_found", "why"),
    [
        (6, 6, OTHER, True, "it is in the session of the job"),
        (6, 5, OTHER, False, "it is in another one, and another user's"),
        (6, 0, OTHER, False, "nobody tells in which it is"),
        (0, 5, OTHER, False, "nobody knows the session of the job"),
        (0, 0, OTHER, False, "two sessions that are unknown need not be one"),
        (0, 0, OURS, True, "it is our user's own"),
    ],
)
def test_who_writes_for_an_earlier_daemons_job_is_in_its_session_or_ours(
    proc: Path, leader: int, session: int, uid: int, is_found: bool, why: str
) -> None:
    writes(proc, 7, session=session)
    is_user(proc, 7, *[uid] * 4)
    found = writing(processes_of(proc), {proc / "output": leader}, of=2)
    assert [each.pid for _, each in found] == [7] * is_found, why


def test_a_descriptor_that_is_closed_meanwhile_hides_no_other(
    proc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes(proc, 7, session=7)
    folder, output = proc / "7/fd", proc / "output"
    processes, status = processes_of(proc), output.stat()
    monkeypatch.setattr(processes, "descriptors", lambda _: [folder / "0", folder / "1"])
    file = status.st_dev, status.st_ino
    assert leaders_of_writers(processes, {file: output}) == {file: 7}
