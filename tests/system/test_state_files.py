"""A folder that is open: what is in it is found there, whatever happens to its name."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduler.system import state_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

JOB = "outputs/backup/1.1.log"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A folder that is kept open, with one output in it."""
    state = tmp_path / "state"
    (state / "outputs/backup").mkdir(parents=True)
    (state / JOB).write_text("kept")
    with state_files.kept(state, os.open(state, os.O_RDONLY)):
        yield state


def text(path: Path) -> str:
    with state_files.open_for(path, os.O_RDONLY) as descriptor:
        return os.read(descriptor, 100).decode()


def swap(state: Path) -> Path:
    """Put another folder in its place, and return where it has gone."""
    aside = state.rename(state.with_name("aside"))
    (state / "outputs/backup").mkdir(parents=True)
    (state / JOB).write_text("of somebody else")
    return aside


def test_another_folder_in_its_place_changes_nothing(state: Path) -> None:
    aside = swap(state)
    assert text(state / JOB) == "kept"
    new = (state / JOB).with_name("2.1.log")
    os.close(state_files.opened(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    assert [each.name for each in (aside / "outputs/backup").iterdir()] != ["1.1.log"]
    assert not new.exists()
    state_files.rename(new, new.with_name("3.1.log"))
    state_files.remove(new.with_name("3.1.log"))
    state_files.remove(state / JOB)
    assert [*(aside / "outputs/backup").iterdir()] == []
    state_files.remove_folder(state / "outputs/backup")
    state_files.make_folder(state / "outputs/nightly")
    assert [each.name for each in state_files.listed(state / "outputs")] == ["nightly"]
    assert (state / JOB).read_text() == "of somebody else"
    assert not state_files.is_there(state / JOB)


def test_once_it_is_let_go_its_name_counts_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    (state / "outputs/backup").mkdir(parents=True)
    descriptor = os.open(state, os.O_RDONLY)
    with state_files.kept(state, descriptor):
        swap(state)
        assert not state_files.is_there(state / JOB)
    assert text(state / JOB) == "of somebody else"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_folder_whose_name_begins_like_it_is_another(state: Path) -> None:
    other = state.with_name("state2")
    other.mkdir()
    (other / "file").write_text("other")
    assert text(other / "file") == "other"


@pytest.mark.parametrize("link", ["outputs", "outputs/backup", JOB])
def test_no_link_in_it_is_followed(state: Path, link: str, tmp_path: Path) -> None:
    """Neither in a file's place nor in that of a folder on the way, nor is anything made there."""
    elsewhere = (state / link).rename(tmp_path / "elsewhere")
    (state / link).symlink_to(elsewhere)
    with pytest.raises(OSError, match="a link is in its place"):
        state_files.opened(state / JOB, os.O_RDWR | os.O_CREAT)
    if link != JOB:
        for do in (
            state_files.status,
            state_files.remove,
            state_files.remove_folder,
            state_files.make_folder,
        ):
            with pytest.raises(OSError, match="a link is in its place"):
                do(state / JOB)
        with pytest.raises(OSError, match="a link is in its place"):
            state_files.make_folder(state / link)


def a_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


def a_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_CREAT])
@pytest.mark.parametrize(
    ("make", "what"),
    [
        (os.mkfifo, "a FIFO"),
        (os.mkdir, "a folder"),
        (a_socket, "a socket"),
        (a_link, "a link"),
        (a_dangling_link, "a link"),
    ],
)
def test_what_is_no_file_is_named_and_holds_nobody_up(
    state: Path, make: Callable[[Path], None], what: str, flags: int
) -> None:
    path = state / "lock"
    make(path)
    with pytest.raises(OSError, match=f"{what} is in its place"):
        state_files.opened(path, flags)
    assert state_files.is_there(path)


def test_a_device_is_none() -> None:
    with pytest.raises(OSError, match="a device is in its place"):
        state_files.opened(Path("/dev/null"), os.O_RDWR)


def test_no_name_leads_out_of_it(state: Path) -> None:
    """As a damaged journal might have one."""
    (state.parent / "precious").write_text("x")
    with pytest.raises(OSError, match="it leads out of its folder"):
        state_files.opened(state / "../precious", os.O_RDONLY)


def test_what_is_missing_is_missing(state: Path) -> None:
    for path in (state / "none", state / "none" / "1.1.log"):
        assert not state_files.is_there(path)
        with pytest.raises(FileNotFoundError):
            state_files.opened(path, os.O_RDONLY)
        state_files.remove(path)


def descriptors() -> list[str]:
    return sorted(each.name for each in Path("/dev/fd").iterdir())


def test_no_descriptor_is_left(state: Path) -> None:
    before = descriptors()
    text(state / JOB)
    for path in (state / "outputs", state / "none/none", state / JOB / "x"):
        with pytest.raises(OSError, match=r"\[Errno"):
            state_files.opened(path, os.O_RDONLY)
    list(state_files.listed(state / "outputs"))
    assert descriptors() == before
