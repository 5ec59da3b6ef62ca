"""Links to crontabs: those of this user and of root are resolved, and each is judged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.errors import SourceRefused
from scheduler.system.crontab_files import (
    read,
)
from scheduler.system.trusted_path import FolderWalk
from scheduler.text import of_owner

if TYPE_CHECKING:
    from collections.abc import Callable


ME = os.geteuid()
OTHER = ME + 4242


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_bytes(b"0 9 * * * echo hi\n")
    path.chmod(0o600)
    return path


def _absolute(folder: Path) -> str:
    (folder / "link").symlink_to(folder / "other")
    (folder / "other").symlink_to(folder / "crontab")
    return "link"


def test_the_root_folder_is_judged_when_a_link_leads_back_to_it(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    monkeypatch.setattr(FolderWalk, "judge", lambda walk, **_: judged.append(walk._path))
    read(str(crontab.parent / _absolute(crontab.parent)), named=False, uid=ME)
    assert judged.count("/") == 3, "at the beginning, and once for each of the two links"


def _swapped(folder: Path) -> str:
    """As Kubernetes mounts a ConfigMap: a change swaps one link for all files."""
    (folder / "..2027").mkdir()
    (folder / "crontab").rename(folder / "..2027/job")
    (folder / "..data").symlink_to("..2027")
    (folder / "job").symlink_to("..data/job")
    return "job"


def _stowed(folder: Path) -> str:
    """As stow and chezmoi link a home."""
    (folder / "home/.config").mkdir(parents=True)
    (folder / "home/.config/crontab").symlink_to("../../dotfiles/./crontab")
    (folder / "dotfiles").mkdir()
    (folder / "crontab").rename(folder / "dotfiles/crontab")
    return "home/.config/crontab"


@pytest.mark.parametrize("make", [_swapped, _stowed, _absolute])
def test_links_of_ones_own_are_followed(crontab: Path, make: Callable[[Path], str]) -> None:
    link = crontab.parent / make(crontab.parent)
    for named in (True, False):
        assert read(str(link), named=named, uid=ME).data == b"0 9 * * * echo hi\n"


def test_what_a_link_leads_to_is_looked_at(crontab: Path) -> None:
    link = crontab.parent / "link"
    link.symlink_to(crontab)
    crontab.chmod(0o666)
    with pytest.raises(SourceRefused, match="everybody can write it"):
        read(str(link), named=False, uid=ME)


@pytest.mark.skipif(ME != 0, reason="only root can give a link away")
@pytest.mark.parametrize("given_away", ["link", "folder"])
def test_a_link_of_somebody_else_is_refused_though_it_leads_to_ones_own(
    crontab: Path, given_away: str
) -> None:
    """Else whoever can write into the folder could choose among the files of its owner."""
    (crontab.parent / "folder").symlink_to(".")
    link = crontab.parent / "link"
    link.symlink_to("folder/crontab")
    os.chown(crontab.parent / given_away, OTHER, -1, follow_symlinks=False)
    said = f"it is a link that {of_owner(OTHER, ME)}"
    with pytest.raises(SourceRefused, match=said):
        read(str(link), named=False, uid=ME)
    assert read(str(link), named=True, uid=OTHER).data


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("none", "it is a link that leads nowhere"),
        ("none/crontab", "it is a link that leads nowhere"),
        ("link", "it is a link that leads in a circle"),
        (".", "it is a link to a folder"),
        ("folder", "it is a folder"),
        ("crontab/x", "can't be read: Not a directory"),
    ],
)
def test_a_link_that_leads_to_no_file_is_refused(crontab: Path, target: str, said: str) -> None:
    link = crontab.parent / "link"
    link.symlink_to(target)
    (crontab.parent / "folder").mkdir()
    with pytest.raises(SourceRefused, match=said):
        read(str(link), named=False, uid=ME)


def test_a_link_that_is_swapped_while_it_is_read_is_refused(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, other = crontab.parent / "link", crontab.parent / "other"
    link.symlink_to(crontab)
    other.symlink_to("/etc/passwd")
    asked = os.readlink

    def swapped(*args: Any, **how: Any) -> str:
        other.rename(link)
        return str(asked(*args, **how))

    monkeypatch.setattr(os, "readlink", swapped)
    with pytest.raises(SourceRefused, match="it is a link that was just replaced"):
        read(str(link), named=False, uid=ME)


def test_a_file_that_becomes_a_link_after_the_look_is_not_followed(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = os.open

    def swapped(path: Any, *args: Any, **how: Any) -> int:
        if path == "crontab":
            crontab.unlink()
            crontab.symlink_to("/etc/passwd")
        return asked(path, *args, **how)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(SourceRefused, match="it is a link"):
        read(str(crontab), named=False, uid=ME)


def test_looking_along_links_leaves_no_descriptor_open(crontab: Path) -> None:
    link = crontab.parent / _stowed(crontab.parent)
    before = len(list(Path("/dev/fd").iterdir()))
    read(str(link), named=False, uid=ME)
    link.unlink()
    link.symlink_to("nowhere/at/all")
    with pytest.raises(SourceRefused):
        read(str(link), named=False, uid=ME)
    assert len(list(Path("/dev/fd").iterdir())) == before
