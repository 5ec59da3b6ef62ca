"""Outputs that are too large: trimmed to head and tail, also while a job writes."""

from __future__ import annotations

import errno
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from output_pieces import K, linux, numbered, read, room

from scheduler.process import file_holes, output_files, output_trim
from scheduler.process.output_files import Omitted
from scheduler.process.output_trim import Trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "1.1.log"


@pytest.mark.parametrize("size", [0, 1, 64 * K - 16, 64 * K])
def test_a_file_within_its_cap_is_left_as_it_is(path: Path, size: int) -> None:
    text = numbered(size // 16 + 1)[:size]
    path.write_bytes(text)
    assert output_trim.trim(path, 64 * K) == Trimmed(size, is_done=True)
    assert path.read_bytes() == text


@linux
def test_of_a_larger_one_head_and_tail_are_kept_and_the_middle_takes_no_room(path: Path) -> None:
    text = numbered(64 * K)  # 1 MB
    path.write_bytes(text)
    assert output_trim.trim(path, 64 * K) == Trimmed(len(text), is_done=True)
    assert room(path) <= 64 * K + 2 * path.stat().st_blksize
    head, gap, tail = read(path)
    assert isinstance(head, bytes)
    assert isinstance(tail, bytes)
    assert text.startswith(head)
    assert text.endswith(tail)
    assert min(len(head), len(tail)) >= 32 * K
    assert gap == Omitted(len(text) - len(head) - len(tail))


@linux
def test_who_appends_meanwhile_loses_nothing_of_the_new_tail(path: Path) -> None:
    with path.open("ab") as job:
        for n in range(10):
            job.write(numbered(8 * K, n * 8 * K))
            job.flush()
            output_trim.trim(path, 64 * K)
            assert room(path) <= 64 * K + 2 * os.fstat(job.fileno()).st_blksize
    head, gap, tail = read(path)
    assert (head[:16], tail[-16:]) == (numbered(1), numbered(1, 80 * K - 1))  # type: ignore[index]  # they are bytes
    assert isinstance(gap, Omitted)


@linux
def test_a_cap_smaller_than_a_block_leaves_whole_blocks(path: Path) -> None:
    path.write_bytes(numbered(64 * K))
    output_trim.trim(path, 1)
    head, _, tail = read(path)
    assert (head[:16], tail[-16:]) == (numbered(1), numbered(1, 64 * K - 1))  # type: ignore[index]  # likewise


@pytest.mark.parametrize("why", ["no such call", "no such file system"])
def test_where_there_are_no_holes_the_file_is_cut_back_to_its_head_and_goes_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    call = None if why == "no such call" else lambda *_: -1
    monkeypatch.setattr(file_holes, "_fallocate", lambda: call)
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EOPNOTSUPP)
    text = numbered(64 * K)
    with path.open("ab") as job:
        job.write(text)
        job.flush()
        assert output_trim.trim(path, 64 * K) == Trimmed(len(text), is_done=True)
        job.write(b"and on\n")
    assert path.read_bytes() == text[: 32 * K] + output_trim.CUT_LINE + b"and on\n"


def test_what_the_disk_refuses_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_holes, "_fallocate", lambda: lambda *_: -1)
    monkeypatch.setattr("ctypes.get_errno", lambda: errno.EIO)
    path.write_bytes(numbered(64 * K))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        output_trim.trim(path, 64 * K)


# --- room beyond the end: FALLOC_FL_KEEP_SIZE in fallocate(2) -------------------------------------


def with_room_behind(path: Path, text: bytes) -> None:
    """A file whose job has taken 64 MiB beyond its end, in two pieces."""
    path.write_bytes(text)
    with path.open("r+b") as job:
        for start in (0, 1 << 30):
            file_holes.allocate(job.fileno(), file_holes.KEEP_SIZE, start, 32 << 20)


@linux
@pytest.mark.parametrize(
    ("lines", "most", "why"),
    [
        (1, 64 * K, "within its cap by its size"),
        (64 * K, 64 * K, "too large by its size too"),
        (64 * K, 2 * K * K, "within its cap"),
    ],
)
@pytest.mark.parametrize("has_holes", [True, False])
def test_room_beyond_the_end_of_a_file_is_taken_away(
    path: Path, monkeypatch: pytest.MonkeyPatch, lines: int, most: int, why: str, has_holes: bool
) -> None:
    text = numbered(lines)
    with_room_behind(path, text)
    assert room(path) >= 64 * K * K
    if not has_holes:
        monkeypatch.setattr(file_holes, "_fallocate", lambda: None)
    with path.open("ab") as job:
        output_trim.trim(path, most)
        assert room(path) <= most + 2 * K * K, why
        job.write(b"and on\n")
    whole = path.read_bytes()
    assert whole.startswith(text[: most // 2])
    assert whole.endswith(b"and on\n")
    if len(text) <= most:
        assert whole == text + b"and on\n"


@linux
def test_a_file_that_takes_more_room_than_its_size_is_found_by_the_next_daemon(
    path: Path,
) -> None:
    with_room_behind(path, b"line\n")
    (found,) = output_files.of(path.parent)
    assert found.size >= 64 * K * K


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", kind, kind, str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.privileged
@linux
def test_room_beyond_the_end_is_taken_away_in_memory_too(tmp_path: Path) -> None:
    with mounted("tmpfs", tmp_path / "tmpfs") as folder:
        with_room_behind(folder / "1.1.log", b"line\n")
        output_trim.trim(folder / "1.1.log", 64 * K)
        assert room(folder / "1.1.log") <= 64 * K + 2 * K * K


@pytest.mark.privileged
@linux
def test_on_a_file_system_without_holes_the_file_is_cut_too(tmp_path: Path) -> None:
    with mounted("ramfs", tmp_path / "ramfs") as folder:
        path = folder / "1.1.log"
        with path.open("ab") as job:
            for n in range(10):
                job.write(numbered(8 * K, n * 8 * K))
                job.flush()
                output_trim.trim(path, 64 * K)
                assert path.stat().st_size <= 64 * K + 128 * K
        (whole,) = read(path)
    assert isinstance(whole, bytes)
    assert whole.startswith(numbered(2 * K))
    assert whole.count(output_trim.CUT_LINE) == 1
