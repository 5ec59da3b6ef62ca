"""Who else could have written a crontab, or put another in its place: it is refused."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from scheduler.errors import SourceRefused
from scheduler.system.crontab_files import (
    read,
)
from scheduler.system.crontab_loader import ReadOptions, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


ME = os.geteuid()
OTHER = ME + 4242


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_bytes(b"0 9 * * * echo hi\n")
    path.chmod(0o600)
    return path


# --- who can write the file ----------------------------------------------------------------------


HOW = ReadOptions(uid=ME, user="alice", zone=ZoneInfo("UTC"))


@pytest.fixture
def _shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every group be one that others are in."""
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("users", "x", gid, [])))


@pytest.mark.parametrize(
    ("mode", "named", "code"),
    [
        (0o600, False, None),
        (0o644, False, None),  # who may read it is its owner's affair
        (0o664, False, "not-trusted"),  # a group can put jobs there
        (0o646, False, "not-trusted"),
        (0o666, False, "not-trusted"),
        (0o664, True, None),  # a checkout with umask 002 must still run
        (0o666, True, "not-trusted"),
    ],
)
def test_who_else_can_write_it_decides(
    crontab: Path, mode: int, named: bool, code: str | None
) -> None:
    crontab.chmod(mode)
    if code is None:
        assert read(str(crontab), named=named, uid=ME).data
        return
    with pytest.raises(SourceRefused) as refused:
        read(str(crontab), named=named, uid=ME)
    assert refused.value.code == code
    assert "chmod" in str(refused.value)


@pytest.mark.usefixtures("_shared")
def test_a_named_file_of_a_group_is_warned_about(crontab: Path) -> None:
    crontab.chmod(0o664)
    ((code, sentence),) = read(str(crontab), named=True, uid=OTHER).warnings
    assert code == "group-writable"
    assert "its group can write it" in sentence


@pytest.mark.parametrize(
    ("group", "members", "is_warned"),
    [
        ("me", [], False),  # a group of one's own, as most systems make it
        ("me", ["me"], False),
        ("me", ["me", "you"], True),
        ("users", [], True),  # whose members may be in it by their account alone
    ],
)
def test_a_group_of_the_owner_s_own_is_nobody_else(
    crontab: Path, monkeypatch: pytest.MonkeyPatch, group: str, members: list[str], is_warned: bool
) -> None:
    crontab.chmod(0o664)
    gid = crontab.stat().st_gid
    account = pwd.struct_passwd(("me", "x", ME, gid, "", "/", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: account)
    entry = grp.struct_group((group, "x", gid, members))
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: entry)
    assert bool(read(str(crontab), named=True, uid=OTHER).warnings) == is_warned


def test_so_is_not_one_in_which_others_log_in(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of its members need not tell of them. All users are listed once for all files."""
    crontab.chmod(0o664)
    gid = crontab.stat().st_gid
    me, you = (pwd.struct_passwd((n, "x", u, gid, "", "/", "/bin/sh")) for n, u in (("me", ME), ("you", OTHER)))  # fmt: skip
    listed: list[int] = []

    def everybody() -> list[pwd.struct_passwd]:
        listed.append(1)
        return [me, you]

    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: me)
    monkeypatch.setattr(pwd, "getpwall", everybody)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: grp.struct_group(("me", "x", gid, [])))
    loaded = load([str(crontab)] * 3, replace(HOW, uid=OTHER, named=True))
    assert {problem.code for problem in loaded.problems} >= {"group-writable"}
    assert len(listed) == 1


def test_a_file_of_another_user_is_refused_as_ones_own(crontab: Path) -> None:
    if crontab.stat().st_uid == 0:
        os.chown(crontab, OTHER, -1)
        uid = ME
    else:
        uid = OTHER
    with pytest.raises(SourceRefused, match="it belongs to user"):
        read(str(crontab), named=False, uid=uid)


def test_but_not_when_it_is_named(crontab: Path) -> None:
    assert read(str(crontab), named=True, uid=OTHER).data


@pytest.mark.skipif(ME != 0, reason="only root can make a file of root's")
def test_a_file_of_root_is_trusted_by_every_user(crontab: Path) -> None:
    assert read(str(crontab), named=False, uid=OTHER).data


# --- who else could put another in its place -----------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "why", "advice"),
    [
        (0o777, "everybody can write it", "chmod o-w"),
        (0o1777, "everybody can write it", "chmod o-w"),  # what others put into it would be read
        (0o775, "its group can write it", "chmod g-w"),
    ],
)
@pytest.mark.usefixtures("_shared")
def test_a_crontab_in_a_folder_that_others_can_write_is_refused(
    crontab: Path, mode: int, why: str, advice: str
) -> None:
    folder = crontab.parent
    folder.chmod(mode)
    with pytest.raises(SourceRefused) as refused:
        read(str(crontab), named=False, uid=ME)
    said = f"others could put another in its place: {folder}: {why}; {advice} {folder}"
    assert str(refused.value) == f"{crontab}: {said}"
    assert read(str(crontab), named=True, uid=OTHER).data, "who names it has looked"
    folder.chmod(0o755)
    assert read(str(crontab), named=False, uid=ME).data


def test_so_it_is_where_a_folder_above_it_can_be_written_or_a_link_leads_there(
    crontab: Path,
) -> None:
    crontab.parent.chmod(0o777)
    (crontab.parent / "below").mkdir(mode=0o755)
    below, link = crontab.parent / "below/crontab", crontab.parent / "below/link"
    crontab.rename(below)
    link.symlink_to("crontab")
    for path in (below, link):
        with pytest.raises(SourceRefused, match="everybody can write it"):
            read(str(path), named=False, uid=ME)
    crontab.parent.chmod(0o755)
    (crontab.parent / "open").mkdir()
    (crontab.parent / "open").chmod(0o777)
    below.rename(crontab.parent / "open/crontab")
    link.unlink()
    link.symlink_to("../open/crontab")
    with pytest.raises(SourceRefused, match=f"{crontab.parent}/open: everybody can write it"):
        read(str(link), named=False, uid=ME)
    (crontab.parent / "open").chmod(0o1777)
    assert read(str(link), named=False, uid=ME).data, "as in /tmp, each has what is their own"


def test_a_folder_that_is_mounted_read_only_is_nobodys_to_write(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So Kubernetes mounts a ConfigMap, of mode 0777."""
    crontab.parent.chmod(0o777)
    flags = SimpleNamespace(f_flag=os.ST_RDONLY | os.ST_NOSUID)
    monkeypatch.setattr(os, "fstatvfs", lambda _: flags)
    assert read(str(crontab), named=False, uid=ME).data


# --- root's own ----------------------------------------------------------------------------------


def give(path: Path, *, group: bool = False) -> None:
    """Give it to another user, or let it be written by a group that is not root's."""
    if group:
        path.chmod(path.stat().st_mode | 0o020)
    os.chown(path, 0 if group else OTHER, OTHER)


@pytest.mark.skipif(ME != 0, reason="it is about root's crontabs, and gives files away")
class TestRoots:
    """What root names on the command line runs as root, so that nobody else may change it."""

    @pytest.mark.parametrize(
        ("spoil", "said", "advice"),
        [
            (give, f"it belongs to user {OTHER}, not to root", "chown root {0}"),
            (lambda f: give(f, group=True), "its group can write it", "chmod g-w {0}"),
            (lambda f: f.parent.chmod(0o777), "others could put another in its place: {1}: everybody can write it", "chmod o-w {1}"),
            (lambda f: give(f.parent, group=True), "others could put another in its place: {1}: its group can write it", "chmod g-w {1}"),
            (lambda f: give(f.parent), f"others could put another in its place: {{1}}: it belongs to user {OTHER}, not to root", ""),
        ],
    )  # fmt: skip
    def test_a_named_crontab_that_others_can_change_is_refused_unless_they_may(
        self, crontab: Path, spoil: Callable[[Path], object], said: str, advice: str
    ) -> None:
        assert read(str(crontab), named=True, uid=0).warnings == ()
        spoil(crontab)
        said, advice = (each.format(crontab, crontab.parent) for each in (said, advice))
        with pytest.raises(SourceRefused) as refused:
            read(str(crontab), named=True, uid=0)
        way = "give --trust-owner: then they run what they like as root"
        assert (refused.value.code, refused.value.message) == ("not-trusted", said)
        assert refused.value.hint == (f"{advice}, or {way}" if advice else way)
        text = read(str(crontab), named=True, uid=0, trusts=True)
        assert text.data
        assert text.warnings[0] == (
            "not-roots",
            f"{said}; meridian run takes it with --trust-owner alone",
        )

    def test_so_is_one_that_a_link_of_another_user_leads_to(self, crontab: Path) -> None:
        link = crontab.parent / "link"
        link.symlink_to("crontab")
        assert read(str(link), named=True, uid=0).data
        os.chown(link, OTHER, -1, follow_symlinks=False)
        with pytest.raises(SourceRefused, match=f"a link that belongs to user {OTHER}"):
            read(str(link), named=True, uid=0)
        assert read(str(link), named=True, uid=0, trusts=True).data

    def test_what_everybody_can_write_is_refused_all_the_same(self, crontab: Path) -> None:
        os.chown(crontab, OTHER, -1)
        crontab.chmod(0o666)
        with pytest.raises(SourceRefused, match="everybody can write it"):
            read(str(crontab), named=True, uid=0, trusts=True)

    def test_one_of_its_own_in_a_sticky_folder_is_read(self, crontab: Path) -> None:
        crontab.parent.chmod(0o1777)
        assert read(str(crontab), named=True, uid=0).warnings == ()

    def test_as_its_own_no_option_makes_up_for_another_owner(self, crontab: Path) -> None:
        os.chown(crontab, OTHER, -1)
        with pytest.raises(SourceRefused, match="it belongs to user"):
            read(str(crontab), named=False, uid=0, trusts=True)
