"""Crontab files: what is read and what is no crontab, which a folder has, what has changed."""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from scheduler.crontab import diagnostics
from scheduler.daemon.entries import EntriesInForce
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.entry import Severity
from scheduler.errors import SourceRefused
from scheduler.journal.journal import Journal
from scheduler.system import crontab_files
from scheduler.system.crontab_files import (
    ignored,
    is_there,
    read,
    read_stream,
    stamp,
    stamp_of_ways,
    within,
)
from scheduler.system.crontab_loader import ReadOptions
from scheduler.system.log import Log
from scheduler.system.paths import Paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


ME = os.geteuid()
HOW = ReadOptions(uid=ME, user="alice", zone=ZoneInfo("UTC"))


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_bytes(b"0 9 * * * echo hi\n")
    path.chmod(0o600)
    return path


@contextmanager
def without_descriptors() -> Iterator[None]:
    """Let nothing be opened any more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


# --- what is read --------------------------------------------------------------------------------


def test_the_bytes_come_as_they_are(crontab: Path) -> None:
    crontab.write_bytes(b"\xef\xbb\xbf\xff\0\r\n")
    assert read(str(crontab), named=False, uid=ME).data == b"\xef\xbb\xbf\xff\0\r\n"


# --- no files ------------------------------------------------------------------------------------


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_fifo, "it is a FIFO"),  # and reading it does not hang
        (Path.mkdir, "it is a folder; name the files in it"),
        (_socket, "can't be read"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),  # nor fill the memory
        (lambda path: path.symlink_to(path), "it is a link that leads in a circle"),
        (lambda _: None, "there is no such file"),
    ],
)
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "odd"
    make(path)
    with pytest.raises(SourceRefused, match=words):
        read(str(path), named=True, uid=ME)


def test_a_name_with_a_nul_is_refused() -> None:
    with pytest.raises(SourceRefused, match="can't be read"):
        read("a\0b", named=True, uid=ME)


@pytest.mark.skipif(ME == 0, reason="root can read everything")
def test_a_file_that_may_not_be_read_is_refused(crontab: Path) -> None:
    crontab.chmod(0)
    with pytest.raises(SourceRefused, match="Permission denied"):
        read(str(crontab), named=True, uid=ME)


def test_a_huge_file_is_refused_before_it_is_read_whole(crontab: Path) -> None:
    os.truncate(crontab, 1 << 40)  # a hole, that takes no space
    with pytest.raises(SourceRefused, match="larger than 16 MiB"):
        read(str(crontab), named=True, uid=ME)


def test_a_stream_is_read_to_its_end_or_refused(crontab: Path) -> None:
    with crontab.open("rb") as stream:
        assert read_stream("-", stream) == b"0 9 * * * echo hi\n"
    with Path("/dev/zero").open("rb") as stream, pytest.raises(SourceRefused):
        read_stream("-", stream)


def test_a_stream_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "file", os.O_WRONLY | os.O_CREAT)
    with os.fdopen(descriptor, "rb") as stream, pytest.raises(SourceRefused, match="can't be read"):
        read_stream("-", stream)


def test_what_cannot_be_looked_at_counts_as_there(crontab: Path) -> None:
    assert is_there(crontab)
    assert not is_there(crontab.with_name("none"))
    assert not is_there(crontab / "below a file")
    assert is_there(Path("x" * 1000)), "reading it says what is wrong"


# --- folders and changes -------------------------------------------------------------------------


NAMES = [  # the name of a file in the folder of crontabs, whether it is read, why
    ("backup", True, "letters"),
    ("Backup-2_b", True, "digits, - and _"),
    ("work.crontab", True, "it says that it is one"),
    ("backup.sh", False, "a script that was put there by mistake"),
    ("backup.disabled", False, "switched off, as people do under cron"),
    ("backup.bak", False, "a copy"),
    ("backup~", False, "what an editor left"),
    ("#backup#", False, "another one"),
    (".backup.swp", False, "and a third"),
    (".hidden", False, "a hidden file"),
    ("backup.rpmsave", False, "what a package manager left"),
    ("backup.dpkg-old", False, "another one"),
    ("a.b.crontab", False, "a dot within"),
    (".crontab", False, "no name in front"),
    ("crontab.", False, "nothing behind the dot"),
    ("back up", False, "a blank"),
    ("täglich", False, "no letter of ASCII"),
    ("a\n", False, "a newline"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "is_read", "why"), NAMES)
def test_the_name_of_a_file_in_the_folder_says_whether_it_is_read(
    tmp_path: Path, name: str, is_read: bool, why: str
) -> None:
    (tmp_path / name).touch()
    assert [path.name for path in within(tmp_path)] == ([name] if is_read else []), why
    found = ignored(tmp_path)
    assert [(each.file, each.code) for each in found] == (
        [] if is_read else [(str(tmp_path / name), "ignored-name")]
    )
    assert {each.severity for each in found} <= {Severity.WARNING}


def test_folders_and_debians_placeholder_are_ignored_in_silence(tmp_path: Path) -> None:
    (tmp_path / ".placeholder").touch()
    (tmp_path / "folder.d").mkdir()
    (tmp_path / "..data").symlink_to("folder.d")
    assert (within(tmp_path), ignored(tmp_path)) == ((), ())
    assert ignored(tmp_path / "none") == ()


def test_crontabs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a.crontab", "C"):
        (tmp_path / name).touch()
    assert [path.name for path in within(tmp_path)] == ["C", "a.crontab", "b"]


def test_the_daemon_names_what_it_ignores_and_sees_when_there_is_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", HOW.zone.key)
    files = WatchedCrontabs(
        (), Paths(tmp_path / "a", tmp_path, tmp_path / "state", tmp_path / "run"), HOW
    )
    (tmp_path / "a").write_text("")
    before = files.stamps()
    (tmp_path / "a.sh").touch()
    assert files.stamps() != before
    (problem,) = files.load().problems
    assert diagnostics.headline(problem) == (
        f"{tmp_path / 'a.sh'}: ignored-name it is not read, for its name (warning)"
    )


def test_root_without_a_crontab_is_told_how_to_begin_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", HOW.zone.key)
    folder = tmp_path / "crontabs"
    own = Paths(folder / "crontab", folder, tmp_path / "state", tmp_path / "run")
    files = WatchedCrontabs((), own, HOW)
    (problem,) = files.load().problems
    assert diagnostics.headline(problem) == (
        f"{folder}: missing there is no crontab here yet (warning)"
    )
    assert problem.hint == "meridian edit begins one"
    folder.mkdir()
    own.crontab.write_text("")
    assert files.load().problems == ()


def test_a_folder_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert within(tmp_path / "none") == ()


def test_a_stamp_stays_while_nothing_changes(crontab: Path) -> None:
    assert stamp(crontab) == stamp(crontab) is not None


def _append(path: Path) -> None:
    with path.open("a") as stream:
        stream.write("#")


def _swap(path: Path) -> None:
    status = path.stat()
    new = path.with_name("new")
    new.write_bytes(path.read_bytes())
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(path)


@pytest.mark.parametrize(
    "change",
    [
        _append,
        _swap,  # same size and time, another file
        Path.unlink,
        lambda path: path.chmod(0o666),  # it may be trusted no longer
    ],
)
def test_a_stamp_tells_every_change(crontab: Path, change: Callable[[Path], object]) -> None:
    before, before_folder = stamp(crontab), stamp(crontab.parent)
    change(crontab)
    assert stamp(crontab) != before
    assert stamp(crontab.parent) != before_folder


def test_what_is_missing_has_no_stamp(tmp_path: Path) -> None:
    assert stamp(tmp_path / "none") is None


def _swapped(folder: Path) -> str:
    """As Kubernetes mounts a ConfigMap: a change swaps one link for all files."""
    (folder / "..2027").mkdir()
    (folder / "crontab").rename(folder / "..2027/job")
    (folder / "..data").symlink_to("..2027")
    (folder / "job").symlink_to("..data/job")
    return "job"


def test_a_swapped_config_map_is_another_stamp(crontab: Path) -> None:
    folder = crontab.parent
    link = folder / _swapped(folder)
    before = stamp(link)
    (folder / "..2028").mkdir()
    (folder / "..2028/job").write_text("0 9 * * * echo hi\n")
    (folder / "..new").symlink_to("..2028")
    (folder / "..new").rename(folder / "..data")
    assert stamp(link) != before
    assert [path.name for path in within(folder)] == ["job"]


def test_a_folder_that_others_may_write_from_now_on_is_another_stamp(crontab: Path) -> None:
    """So that the daemon says so before the next minute."""
    before = stamp_of_ways([str(crontab)])
    assert stamp_of_ways([str(crontab)]) == before
    crontab.parent.chmod(0o777)
    assert stamp_of_ways([str(crontab)]) != before
    assert stamp_of_ways(["/no/such/crontab"]) == stamp_of_ways(["/no/such/crontab"])


def test_the_folders_of_thousands_of_files_are_looked_at_once(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop waits for it each minute."""
    monkeypatch.chdir(crontab.parent)
    alone = stamp_of_ways([str(crontab)])
    assert stamp_of_ways([crontab.name]) == alone
    assert stamp_of_ways([f"../{crontab.parent.name}/x"])[: len(alone)] == alone
    made: list[str] = []

    def path(text: str) -> Path:
        made.append(text)
        return Path(text)

    monkeypatch.setattr(crontab_files, "Path", path)
    files = [f"{crontab.parent}/{n}" for n in range(10_000)]
    assert stamp_of_ways(["/x", *files]) == alone
    assert sorted(made) == ["/", f"{crontab.parent}/"]


def test_a_folder_that_nobody_can_look_into_now_is_not_taken_for_empty(crontab: Path) -> None:
    """Else all of its jobs would be gone for want of a descriptor."""
    with without_descriptors(), pytest.raises(OSError, match="Too many open files"):
        within(crontab.parent)


def test_without_descriptors_the_crontabs_of_the_last_look_are_there(crontab: Path) -> None:
    folder = crontab.parent
    paths = Paths(crontab, folder, folder / "state", folder / "run")
    files = WatchedCrontabs((), paths, HOW)
    before = files.stamps()
    with without_descriptors():
        assert files.stamps() == before
    others = {"the machine's zone", "ignored files", "who can write the folders"}
    others.add("calendars of users")
    assert set(before) == {str(crontab)} | others
    crontab.unlink()
    assert set(files.stamps()) == others


@pytest.mark.parametrize(
    ("ago", "left"),
    [
        (0, ["echo 1"]),  # an editor may be saving it
        (10, []),  # its minute would be one too many
    ],
)
def test_a_crontab_that_was_removed_runs_no_more(tmp_path: Path, ago: int, left: list[str]) -> None:
    folder = tmp_path / "crontabs"
    folder.mkdir()
    tables = [folder / "a", folder / "b"]
    for number, table in enumerate(tables):
        table.write_text(f"0 {number} * * * echo {number}\n")
        table.chmod(0o600)
    files = WatchedCrontabs((), Paths(tables[0], folder, tmp_path, tmp_path), HOW)
    with closing(Journal.in_memory()) as journal:
        in_force = EntriesInForce(files, journal, Log(logging.getLogger("gone")), None)
        now = datetime(2027, 5, 1, tzinfo=UTC)
        assert in_force.read(now)
        assert not in_force.changed()
        tables[1].unlink()
        changed = time.time() - ago
        os.utime(folder, (changed, changed))
        assert in_force.changed() is not bool(left)
        assert in_force.read(now)
        assert [each.command for each in in_force.entries.values()] == ["echo 0", *left]
        assert in_force.changed() is bool(left), "at the second look it is gone in any case"
