"""Who could put another folder in the place of one's own, and is not to be trusted with it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import struct
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from scheduler.system import trusted_path
from scheduler.system.trusted_path import Untrusted, is_private

ME = os.geteuid()
OTHER = 60125  # a user that nothing else belongs to
GROUP = 60126
ANYBODY = 2**32 - 1  # in an ACL: the entry names nobody


def opened(folder: Path, uid: int = ME, *, make: bool = False) -> os.stat_result:
    descriptor = trusted_path.opened(folder, uid, make=make)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)


@pytest.fixture
def above(tmp_path: Path) -> Path:
    """A folder that leads to the state folder."""
    above = tmp_path / "above"
    (above / "state").mkdir(parents=True)
    return above


# --- what is made --------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0, 0o022, 0o077])
def test_what_is_missing_is_made_and_the_last_is_ones_own_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        opened(tmp_path / "a/b/state", make=True)
    finally:
        os.umask(before)
    modes = [(tmp_path / each).stat().st_mode & 0o777 for each in ("a", "a/b", "a/b/state")]
    assert modes == [0o755 & ~umask, 0o755 & ~umask, 0o700]


def test_nothing_is_made_where_it_is_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "a/state")
    assert [*tmp_path.iterdir()] == []


def test_what_is_opened_is_what_the_system_would_open(
    above: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("above/../above")
    (above / "up").symlink_to(above)
    (above / "root").symlink_to("/")
    monkeypatch.chdir(above)
    for path in (
        "state",
        "../link/state",
        "up/up/state",
        f"root/{above}/./state",
        "../above/state",
    ):
        assert os.path.samestat(opened(Path(path)), (above / "state").stat())
    assert os.path.samestat(opened(Path("/")), Path("/").stat())


def test_a_link_to_a_missing_folder_makes_that_one(tmp_path: Path) -> None:
    (tmp_path / "state").symlink_to("disk/state")
    opened(tmp_path / "state", make=True)
    assert (tmp_path / "disk/state").is_dir()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        opened(tmp_path / "a/state")


def test_a_file_on_the_way_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        opened(tmp_path / "file/state", make=True)


def test_no_descriptor_is_left(above: Path) -> None:
    before = sorted(each.name for each in Path("/dev/fd").iterdir())
    opened(above / "state")
    above.chmod(0o757)
    with pytest.raises(Untrusted):
        opened(above / "state")
    assert sorted(each.name for each in Path("/dev/fd").iterdir()) == before


# --- who can write what leads to it --------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "is_trusted", "why"),
    [
        (0o700, True, "nobody else gets there"),
        (0o755, True, "others only look"),
        (0o711, True, "its names are not even listed"),
        (0o757, False, "anybody renames what is in it"),
        (0o1777, True, "as /tmp: each renames only what is their own"),
        (0o1757, True, "likewise"),
    ],
)
@pytest.mark.parametrize("is_linked", [False, True])
def test_what_everybody_can_write_leads_nowhere(
    above: Path, mode: int, is_trusted: bool, why: str, is_linked: bool
) -> None:
    """Nor does a link through it."""
    above.chmod(mode)
    folder = above / "state"
    if is_linked:
        folder = above.parent / "link"
        folder.symlink_to("above/state")
    if is_trusted:
        opened(folder)
        return
    with pytest.raises(Untrusted) as found:
        opened(folder)
    assert (found.value.path, found.value.advice) == (str(above), f"chmod o-w {above}"), why


def account(name: str, uid: int, gid: int) -> SimpleNamespace:
    return SimpleNamespace(pw_name=name, pw_uid=uid, pw_gid=gid)


@pytest.mark.parametrize(
    ("name", "members", "others", "is_trusted", "why"),
    [
        ("ann", [], [], True, "Debian and Fedora make a group for each user, and umask 002"),
        ("ann", ["ann"], [], True, "she may be listed in it"),
        ("ann", ["bob"], [], False, "bob can write it too"),
        ("ann", [], [account("bob", OTHER, GROUP)], False, "bob logs in as one of it"),
        ("users", [], [], False, "nobody knows who else is, or will be in it"),
        (None, [], [], False, "a group without a name"),
    ],
)
def test_a_group_may_write_it_only_if_nobody_else_is_in_it(
    above: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str | None,
    members: list[str],
    others: list[SimpleNamespace],
    is_trusted: bool,
    why: str,
) -> None:
    ann = account("ann", ME, above.stat().st_gid)
    others = [account(each.pw_name, each.pw_uid, ann.pw_gid) for each in others]

    def group(_: int) -> SimpleNamespace:
        if name is None:
            raise KeyError
        return SimpleNamespace(gr_name=name, gr_mem=members)

    monkeypatch.setattr(grp, "getgrgid", group)
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ann)
    monkeypatch.setattr(pwd, "getpwall", lambda: [ann, *others])
    above.chmod(0o775)
    if is_trusted:
        opened(above / "state")
        return
    with pytest.raises(Untrusted, match=f"chmod g-w {above}"):
        opened(above / "state")
    above.chmod(0o1775)
    opened(above / "state")  # the sticky bit is enough
    assert why


def test_a_group_of_ones_name_that_is_not_ones_own_is_no_private_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name="ann", gr_mem=[]))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: account("ann", ME, GROUP + 1))
    assert not is_private(GROUP, {ME})


def test_an_acl_names_writers_whom_no_group_tells_of(
    above: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = account("ann", ME, above.stat().st_gid)
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name="ann", gr_mem=[]))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ann)
    above.chmod(0o775)
    opened(above / "state")

    def acl(path: str, _: str) -> bytes:
        assert Path(path).samefile(above), "only what its group can write is asked about"
        return b""

    monkeypatch.setattr("os.getxattr", acl)
    with pytest.raises(Untrusted, match="its group can write it"):
        opened(above / "state")


@pytest.mark.parametrize(
    ("number", "is_trusted"),
    [
        (errno.ENODATA, True),  # it has none
        (errno.ENOTSUP, True),  # nor has any on this disk
        (errno.EIO, False),
        (errno.EACCES, False),
    ],
)
def test_an_acl_that_nobody_can_read_is_taken_for_one(
    above: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, is_trusted: bool
) -> None:
    ann = account("ann", ME, above.stat().st_gid)
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name="ann", gr_mem=[]))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ann)
    monkeypatch.setattr(pwd, "getpwall", lambda: [ann])

    def unread(path: str, _: str) -> bytes:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("os.getxattr", unread)
    above.chmod(0o775)
    with nullcontext() if is_trusted else pytest.raises(Untrusted, match="its group can write"):
        opened(above / "state")


def test_an_acl_is_asked_for_of_what_is_open(above: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not of what somebody has put at its path meanwhile."""
    walk = trusted_path.FolderWalk(ME)
    walk.go_to(above)
    asked: list[os.stat_result] = []

    def acl(path: str, _: str) -> bytes:
        asked.append(Path(path).stat())
        return b""

    monkeypatch.setattr("os.getxattr", acl)
    above.chmod(0o775)
    before = above.stat()
    above.rename(above.parent / "aside")
    above.mkdir()
    with pytest.raises(Untrusted, match="its group can write it"):
        walk.judge()
    walk.close()
    assert [os.path.samestat(each, before) for each in asked] == [True]


def test_all_users_are_listed_once_for_many_folders(
    above: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where they come from a directory in the network, that takes seconds."""
    ann = account("ann", ME, above.stat().st_gid)
    monkeypatch.setattr(grp, "getgrgid", lambda _: SimpleNamespace(gr_name="ann", gr_mem=[]))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ann)
    users, listed = [ann], []

    def everybody() -> list[SimpleNamespace]:
        listed.append(1)
        return users

    monkeypatch.setattr(pwd, "getpwall", everybody)
    above.chmod(0o775)
    (above / "state").chmod(0o775)
    with trusted_path.remembered():
        for _ in range(3):
            opened(above / "state/deeper", make=True)
    assert len(listed) == 1
    users.append(account("bob", OTHER, ann.pw_gid))
    with trusted_path.remembered(), pytest.raises(Untrusted):
        opened(above / "state")


@pytest.mark.privileged
class TestOthers:
    """Folders and links of other users, which only root can make."""

    @pytest.mark.parametrize("sticky", [0, 0o1000])
    def test_a_folder_on_the_way_that_is_a_third_users_is_refused(
        self, above: Path, sticky: int
    ) -> None:
        """Whoever owns it renames what is in it, sticky bit or not."""
        os.chown(above, OTHER, -1)
        above.chmod(0o755 | sticky)
        with pytest.raises(Untrusted, match=f"it belongs to user {OTHER}, not to root"):
            opened(above / "state", 0)
        opened(above / "state", OTHER)

    def test_a_link_that_is_a_third_users_is_refused(self, above: Path, tmp_path: Path) -> None:
        link = tmp_path / "link"
        link.symlink_to(above)
        os.chown(link, OTHER, -1, follow_symlinks=False)
        with pytest.raises(Untrusted) as found:
            opened(link / "state", 0)
        assert found.value.path == str(link)

    def test_a_folder_that_another_made_first_in_a_sticky_one_is_refused(
        self, above: Path, tmp_path: Path
    ) -> None:
        tmp_path.chmod(0o1777)
        os.chown(above, OTHER, -1)
        with pytest.raises(Untrusted):
            opened(above / "state", 0)

    def test_a_real_acl_is_seen(self, above: Path) -> None:
        """Its mask stands where the group's bits do."""
        os.chown(above, 0, 0)
        above.chmod(0o775)
        opened(above / "state", 0)
        rows = [(1, 7, ANYBODY), (2, 7, OTHER), (4, 5, ANYBODY), (16, 7, ANYBODY), (32, 5, ANYBODY)]
        entries = b"".join(struct.pack("<HHI", *row) for row in rows)
        os.setxattr(above, "system.posix_acl_access", struct.pack("<I", 2) + entries)
        assert above.stat().st_mode & 0o777 == 0o775
        with pytest.raises(Untrusted, match="its group can write it"):
            opened(above / "state", 0)
