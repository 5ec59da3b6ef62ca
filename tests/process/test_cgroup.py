"""The daemon's control groups, as far as plain folders can stand for them.

What the kernel and systemd make of it is seen in tests/whole/test_delegation.py.
"""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from scheduler.process import cgroup
from scheduler.process.cgroup import Groups

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")

UNIT = "system.slice/meridian.service"
FULL = "low 0\nhigh 0\nmax 9\noom 1\noom_kill 2\noom_group_kill 1\n"


@dataclass
class Kernel:
    """A mount of cgroup2 in a folder: groups are made with their files, and removed with them."""

    folder: Path
    files: tuple[str, ...] = ("cgroup.procs", "memory.max", "memory.swap.max", "memory.oom.group")
    busy: set[Path] = field(default_factory=set)
    tried: int = 0  # how often a group was to be removed
    refuses: dict[str, list[int]] = field(default_factory=dict)  # by file: errors, one a write

    def __post_init__(self) -> None:
        self.mount = self.folder / "cgroup"
        self.own = self.folder / "own"
        self.root = self.mount / UNIT
        self.root.mkdir(parents=True)
        (self.mount / "cgroup.controllers").write_text("cpu memory pids\n")
        (self.root / "cgroup.controllers").write_text("memory pids\n")
        (self.root / "cgroup.procs").write_text("100\n101\n")
        (self.root / "cgroup.subtree_control").write_text("")
        self.own.write_text(f"0::/{UNIT}\n")
        self.said: list[str] = []

    def delegate(self) -> None:
        try:
            os.setxattr(self.root, "user.delegate", b"1")
        except OSError:
            pytest.skip("this disk keeps no extended attributes")

    def groups(self) -> Groups:
        return Groups(self.said.append, mount=self.mount, own=self.own)

    # what cgroup.py asks of the kernel

    def mkdir(self, prefix: str, dir: Path) -> str:  # noqa: A002 (as of tempfile.mkdtemp)
        path = dir / f"{prefix}x"
        path.mkdir()
        for name in self.files:
            (path / name).touch()
        return str(path)

    def write(self, file: Path, text: str) -> None:
        errors = self.refuses.get(file.name)
        if errors:
            number = errors.pop(0)
            raise OSError(number, os.strerror(number), str(file))
        if not file.exists():
            if file.parent.name != "daemon":
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
            file.touch()
        with file.open("a") as opened:
            opened.write(f"{text}\n")

    def is_removed(self, group: Path) -> bool:
        self.tried += 1
        if group in self.busy:
            return False
        if group.exists():
            for name in self.files:
                (group / name).unlink(missing_ok=True)
            group.rmdir()
        return True


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel(tmp_path)
    monkeypatch.setattr("tempfile.mkdtemp", kernel.mkdir)
    monkeypatch.setattr(cgroup, "_write", kernel.write)
    monkeypatch.setattr(cgroup, "_is_removed", kernel.is_removed)
    return kernel


def test_a_group_of_a_delegated_one_is_limited(kernel: Kernel) -> None:
    kernel.delegate()
    group = kernel.groups().make("7.1", 2**29)
    assert group == kernel.root / "attempt-7.1-x"
    assert [(group / name).read_text() for name in kernel.files] == [
        "",
        "536870912\n",
        "0\n",
        "1\n",
    ]


def test_the_daemon_and_all_beside_it_move_down_first_and_only_once(kernel: Kernel) -> None:
    kernel.delegate()
    groups = kernel.groups()
    assert not (kernel.root / "daemon").exists(), "nothing is touched before it is needed"
    groups.make("7.1", 1)
    groups.make("7.2", 1)
    assert (kernel.root / "daemon/cgroup.procs").read_text() == "100\n101\n"
    assert (kernel.root / "cgroup.subtree_control").read_text() == "+memory\n"
    assert kernel.said == [f"the cgroup {UNIT}, for each attempt as a whole"]


def test_what_lives_on_in_a_group_is_known_by_the_name_of_its_attempt(kernel: Kernel) -> None:
    kernel.delegate()
    groups = kernel.groups()
    for name in ("7.1", "7.10"):
        group = groups.make(name, 1)
        assert group is not None
        kernel.busy.add(group)
        (group / "cgroup.procs").write_text("100\n101\n" if name == "7.1" else "102\n")
        assert groups.living(name) == []  # it is not over
        groups.remove(group)
    assert (groups.living("7.1"), groups.living("7.10"), groups.living("7")) == (
        [100, 101],
        [102],
        [],
    )
    (kernel.root / "attempt-7.1-x/cgroup.procs").unlink()  # it goes at this moment
    assert groups.living("7.1") == []


def test_who_starts_a_process_meanwhile_is_moved_again(kernel: Kernel) -> None:
    kernel.delegate()
    kernel.refuses = {
        "cgroup.subtree_control": [errno.EBUSY, errno.EBUSY],
        "cgroup.procs": [errno.ESRCH],  # and one has ended
    }
    assert kernel.groups().make("7.1", 1) is not None
    assert (kernel.root / "daemon/cgroup.procs").read_text().split() == ["101", *["100", "101"] * 2]


def test_a_kernel_that_counts_no_swap_or_kills_no_group_limits_all_the_same(kernel: Kernel) -> None:
    kernel.delegate()
    kernel.files = ("cgroup.procs", "memory.max")
    group = kernel.groups().make("7.1", 1)
    assert group is not None
    assert (group / "memory.max").read_text() == "1\n"


def test_the_daemon_may_be_told_that_its_group_is_delegated(kernel: Kernel) -> None:
    groups = Groups(kernel.said.append, is_delegated=True, mount=kernel.mount, own=kernel.own)
    assert groups.make("7.1", 1) is not None


def unmade(kernel: Kernel) -> str:
    """Why memory is limited process by process, told once."""
    groups = kernel.groups()
    assert (groups.make("7.1", 1), groups.make("7.2", 1)) == (None, None)
    (said,) = kernel.said
    head, _, why = said.partition(": ")
    assert head == "RLIMIT_DATA, for each process by itself"
    return why


def test_a_group_that_nobody_delegated_is_left_alone(kernel: Kernel) -> None:
    assert unmade(kernel) == "no cgroup has been delegated to this daemon"
    assert not (kernel.root / "daemon").exists()


def test_a_group_without_memory_is_left_alone(kernel: Kernel) -> None:
    kernel.delegate()
    (kernel.root / "cgroup.controllers").write_text("pids\n")
    assert unmade(kernel) == "its cgroup has no memory controller"
    assert not (kernel.root / "daemon").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("7:memory:/\n0::/\n", "a hybrid machine: memory is of version 1"),
        ("7:memory:/\n", "version 1"),
        ("", "nothing"),
    ],
)
def test_a_machine_without_version_2_has_no_groups(kernel: Kernel, text: str, why: str) -> None:
    kernel.own.write_text(text)
    (kernel.mount / "cgroup.controllers").unlink()
    assert unmade(kernel) == "this machine has no cgroup v2", why


def test_a_system_without_control_groups_says_so(kernel: Kernel) -> None:
    kernel.own.unlink()
    assert unmade(kernel) == f"{kernel.own}: No such file or directory"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EBUSY])
def test_groups_that_cannot_be_enabled_are_not_used(kernel: Kernel, number: int) -> None:
    kernel.delegate()
    kernel.refuses = {"cgroup.subtree_control": [number] * 1000}
    assert unmade(kernel) == f"{kernel.root}/cgroup.subtree_control: {os.strerror(number)}"


@pytest.mark.parametrize("file", ["memory.max", "memory.swap.max", "memory.oom.group"])
def test_a_group_that_cannot_be_limited_is_no_group(kernel: Kernel, file: str) -> None:
    kernel.delegate()
    kernel.refuses = {file: [errno.EACCES]}
    with pytest.raises(PermissionError):
        kernel.groups().make("7.1", 1)
    assert not (kernel.root / "attempt-7.1-x").exists()


def test_a_delegated_group_that_vanished_is_no_reason_to_go_without_a_limit(kernel: Kernel) -> None:
    kernel.delegate()
    groups = kernel.groups()
    groups.make("7.1", 1)
    kernel.root.rename(kernel.folder / "elsewhere")
    with pytest.raises(FileNotFoundError):
        groups.make("7.2", 1)


@pytest.mark.parametrize(
    ("events", "expected", "why"),
    [
        (FULL, True, "its own limit, and somebody was killed"),
        ("oom 1\noom_kill 0\n", False, "nobody was"),
        ("oom 0\noom_kill 1\n", False, "the machine had none left, or a group above"),
        ("", False, "a kernel that says nothing"),
        (None, False, "the group is gone"),
    ],
)
def test_a_group_that_ran_out_is_told_from_a_machine_that_did(
    kernel: Kernel, events: str | None, expected: bool, why: str
) -> None:
    if events is not None:
        (kernel.folder / "memory.events").write_text(events)
    assert kernel.groups().ran_out(kernel.folder) == expected, why


def test_a_group_in_which_something_lives_on_goes_later(kernel: Kernel) -> None:
    kernel.delegate()
    groups = kernel.groups()
    first = groups.make("7.1", 1)
    assert first is not None
    kernel.busy = {first}
    groups.remove(first)
    assert first.exists()
    kernel.busy.clear()
    second = groups.make("7.2", 1)
    assert (first.exists(), second is not None and second.exists()) == (False, True)


def test_what_a_daemon_that_died_left_behind_goes_too(kernel: Kernel) -> None:
    kernel.delegate()
    left = kernel.root / "attempt-3.1-y"
    left.mkdir()
    group = kernel.groups().make("7.1", 1)
    assert (left.exists(), group is not None and group.exists()) == (False, True)


def test_daemons_that_jobs_leave_behind_cost_each_later_attempt_the_same(kernel: Kernel) -> None:
    kernel.delegate()
    groups = kernel.groups()
    tried: list[int] = []
    for number in range(100):
        group = groups.make(f"{number}.1", 1)
        assert group is not None
        kernel.busy.add(group)
        groups.remove(group)
        tried.append(kernel.tried)
        kernel.tried = 0
    assert set(tried[10:]) == {2 * cgroup._SWEPT + 1}
    kernel.busy.clear()
    for number in range(100, 113):
        group = groups.make(f"{number}.1", 1)
        assert group is not None
        groups.remove(group)
    assert list(kernel.root.glob("attempt-*")) == [], "each of them has had its turn"


def test_files_of_the_kernel_are_never_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cgroup._write(tmp_path / "memory.max", "1")
    (tmp_path / "memory.max").touch()
    cgroup._write(tmp_path / "memory.max", "1")
    assert (tmp_path / "memory.max").read_text() == "1"
    (tmp_path / "group").mkdir()
    assert cgroup._is_removed(tmp_path / "group")
    assert cgroup._is_removed(tmp_path / "group"), "gone is gone"
    assert not cgroup._is_removed(tmp_path)
