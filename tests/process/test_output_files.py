"""Output files: what a job puts in their place, reading them while they are trimmed, finding them."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from output_pieces import K, linux, numbered, read, room

from scheduler.process import output_files, output_trim
from scheduler.process.output_files import Omitted, Reader, output_of
from scheduler.run import Attempt, Run
from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Iterator


NOON = datetime(2027, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.1.log"


def a_link(path: Path) -> None:
    (path.parent / "precious").write_bytes(numbered(64 * K))
    path.symlink_to(path.parent / "precious")


def a_fifo(path: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("make", [a_link, a_fifo, Path.mkdir])
def test_what_a_job_put_in_the_place_of_its_file_holds_nobody_up(path: Path, make: object) -> None:
    make(path)  # type: ignore[operator]  # each takes a path
    output_trim.trim(path, 64 * K)
    assert not output_files.is_written(path)
    with pytest.raises(OSError, match="is in its place"):
        Reader(path)
    if path.is_symlink():
        assert path.stat().st_size == 1024 * K
    output_files.remove(path)
    assert path.exists() == path.is_dir()  # a folder is none of ours


@linux
def test_it_is_seen_whether_anybody_can_still_write(path: Path) -> None:
    path.touch()
    assert not output_files.is_written(path)
    with path.open("ab") as log:
        child = subprocess.Popen(["sleep", "60"], stdout=log)
    assert output_files.is_written(path)
    child.kill()
    child.wait()
    assert not output_files.is_written(path)
    path.unlink()
    assert not output_files.is_written(path)


# --- reading -------------------------------------------------------------------------------------


def test_a_reader_goes_on_where_it_was(path: Path) -> None:
    path.write_bytes(b"one")
    with closing(Reader(path)) as reader:
        assert list(reader.pieces()) == [b"one"]
        assert list(reader.pieces()) == []
        with path.open("ab") as job:
            job.write(b"two")
        assert list(reader.pieces()) == [b"two"]


def test_a_reader_begins_anew_when_the_job_empties_its_file(path: Path) -> None:
    path.write_bytes(b"a long first line")
    with closing(Reader(path)) as reader:
        list(reader.pieces())
        path.write_bytes(b"short")
        assert list(reader.pieces()) == [Omitted(None), b"short"]


@linux
def test_a_reader_that_is_overtaken_by_the_hole_is_told(path: Path) -> None:
    path.write_bytes(numbered(4 * K))
    with closing(Reader(path)) as reader:
        assert b"".join(reader.pieces()) == numbered(4 * K)  # type: ignore[arg-type]  # there is no hole
        with path.open("ab") as job:
            job.write(numbered(60 * K, 4 * K))
        output_trim.trim(path, 64 * K)
        gap, *tail = reader.pieces()
        assert isinstance(gap, Omitted)
        assert b"".join(tail).endswith(numbered(1, 64 * K - 1))  # type: ignore[arg-type]  # and it is behind us


@linux
def test_what_becomes_a_hole_while_it_is_read_is_never_taken_for_output(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon may punch between the search for data and the reading of it."""
    path.write_bytes(numbered(64 * K))
    pread = os.pread

    def slow(descriptor: int, length: int, offset: int) -> bytes:
        output_trim.trim(path, 16 * K)
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", slow)
    pieces = [piece for piece in read(path) if isinstance(piece, bytes)]
    assert all(b"\0" not in piece for piece in pieces)
    assert sum(map(len, pieces)) < 32 * K


def test_where_nobody_tells_of_holes_everything_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "SEEK_DATA")
    monkeypatch.delattr(os, "SEEK_HOLE")
    path.write_bytes(numbered(16 * K))
    assert read(path) == [numbered(16 * K)]


def test_an_error_of_the_disk_is_no_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, "broken")

    path.write_bytes(b"text")
    monkeypatch.setattr(os, "lseek", broken)
    with pytest.raises(OSError, match="broken"):
        read(path)


# --- finding them --------------------------------------------------------------------------------


def test_every_output_is_found_by_the_name_that_it_was_given(tmp_path: Path) -> None:
    attempts = [Attempt(Run(run, "job", NOON), n) for run, n in ((1, 1), (1, 2), (4711, 1))]
    for attempt in attempts:
        path = tmp_path / output_of(attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
        os.utime(path, (1000.5, 1000.5))
    (tmp_path / "outputs/job/notes.txt").touch()
    (tmp_path / "outputs/stray.log").touch()
    (tmp_path / "outputs/empty").mkdir()
    found = list(output_files.there(tmp_path / "outputs"))
    expected = {(tmp_path / output_of(each), each.run.number, each.number) for each in attempts}
    assert {(each.path, each.run, each.attempt) for each in found} == expected
    assert {(each.size, each.changed) for each in found} == {(max(5, room(each.path)), 1000.5) for each in found}  # fmt: skip
    assert not (tmp_path / "outputs/empty").exists()


def test_without_a_folder_there_are_none(tmp_path: Path) -> None:
    assert list(output_files.there(tmp_path / "outputs")) == []


def test_a_folder_that_can_not_be_read_keeps_no_daemon_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`lost+found` of a disk for outputs, or what was restored as root: to root all can be read."""
    for name in ("backup/7.1.log", "lost+found/9.1.log"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    plain = state_files.listed

    def listed(folder: Path) -> Iterator[os.DirEntry[str]]:
        if folder.name == "lost+found":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return plain(folder)

    monkeypatch.setattr(state_files, "listed", listed)
    assert output_files.highest(tmp_path) == 7


def test_nothing_is_read_behind_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Near the largest size of a file the system refuses that."""
    path = tmp_path / "1.1.log"
    path.write_bytes(b"all of it")
    sizes = []
    plain = os.pread

    def pread(descriptor: int, size: int, start: int) -> bytes:
        sizes.append(size)
        return plain(descriptor, size, start)

    monkeypatch.setattr(os, "pread", pread)
    with closing(Reader(path)) as reader:
        assert list(reader.pieces()) == [b"all of it"]
    assert sizes == [9]
