"""From paths to crontabs: what is read, what is refused and why, what has changed."""

from __future__ import annotations

import grp
import os
import pwd
import resource
import socket
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from scheduler.crontab import diagnostics
from scheduler.daemon.watched_crontabs import WatchedCrontabs
from scheduler.entry import Severity
from scheduler.errors import SourceRefused
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
from scheduler.system.crontab_loader import ReadOptions, load
from scheduler.system.paths import Paths
from scheduler.system.trusted_path import FolderWalk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ME = os.geteuid()
STRANGER = ME + 4242
HOW = ReadOptions(uid=ME, user="alice", zone=ZoneInfo("UTC"))


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    path = tmp_path / "crontab"
    path.write_bytes(b"0 9 * * * echo hi\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def _shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every group be one that others are in."""
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("users", "x", gid, [])))


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
    ((code, sentence),) = read(str(crontab), named=True, uid=STRANGER).warnings
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
    assert bool(read(str(crontab), named=True, uid=STRANGER).warnings) == is_warned


def test_so_is_not_one_in_which_others_log_in(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of its members need not tell of them. All users are listed once for all files."""
    crontab.chmod(0o664)
    gid = crontab.stat().st_gid
    me, you = (pwd.struct_passwd((n, "x", u, gid, "", "/", "/bin/sh")) for n, u in (("me", ME), ("you", STRANGER)))  # fmt: skip
    listed: list[int] = []

    def everybody() -> list[pwd.struct_passwd]:
        listed.append(1)
        return [me, you]

    monkeypatch.setattr(pwd, "getpwuid", lambda _uid: me)
    monkeypatch.setattr(pwd, "getpwall", everybody)
    monkeypatch.setattr(grp, "getgrgid", lambda _gid: grp.struct_group(("me", "x", gid, [])))
    loaded = load([str(crontab)] * 3, replace(HOW, uid=STRANGER, named=True))
    assert {problem.code for problem in loaded.problems} >= {"group-writable"}
    assert len(listed) == 1


def test_the_root_folder_is_judged_when_a_link_leads_back_to_it(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[str] = []
    monkeypatch.setattr(FolderWalk, "judge", lambda walk, **_: judged.append(walk._path))
    read(str(crontab.parent / _absolute(crontab.parent)), named=False, uid=ME)
    assert judged.count("/") == 3, "at the beginning, and once for each of the two links"


def test_a_file_of_another_user_is_refused_in_the_places(crontab: Path) -> None:
    if crontab.stat().st_uid == 0:
        os.chown(crontab, STRANGER, -1)
        uid = ME
    else:
        uid = STRANGER
    with pytest.raises(SourceRefused, match="it belongs to user"):
        read(str(crontab), named=False, uid=uid)


def test_but_not_when_it_is_named(crontab: Path) -> None:
    assert read(str(crontab), named=True, uid=STRANGER).data


@pytest.mark.skipif(ME != 0, reason="only root can make a file of root's")
def test_a_file_of_root_is_trusted_by_every_user(crontab: Path) -> None:
    assert read(str(crontab), named=False, uid=STRANGER).data


# --- links ---------------------------------------------------------------------------------------


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


def _absolute(folder: Path) -> str:
    (folder / "link").symlink_to(folder / "other")
    (folder / "other").symlink_to(folder / "crontab")
    return "link"


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
    os.chown(crontab.parent / given_away, STRANGER, -1, follow_symlinks=False)
    said = f"it is a link that belongs to user {STRANGER}, not to user {ME} or root"
    with pytest.raises(SourceRefused, match=said):
        read(str(link), named=False, uid=ME)
    assert read(str(link), named=True, uid=STRANGER).data


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
    assert read(str(crontab), named=True, uid=STRANGER).data, "who names it has looked"
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


def give(path: Path, *, group: bool = False) -> None:
    """Give it to another user, or let it be written by a group that is not root's."""
    if group:
        path.chmod(path.stat().st_mode | 0o020)
    os.chown(path, 0 if group else STRANGER, STRANGER)


@pytest.mark.skipif(ME != 0, reason="it is about root's crontabs, and gives files away")
class TestRoots:
    """What root names on the command line runs as root, so that nobody else may change it."""

    @pytest.mark.parametrize(
        ("spoil", "said", "advice"),
        [
            (give, f"it belongs to user {STRANGER}, not to root", "chown root {0}"),
            (lambda f: give(f, group=True), "its group can write it", "chmod g-w {0}"),
            (lambda f: f.parent.chmod(0o777), "others could put another in its place: {1}: everybody can write it", "chmod o-w {1}"),
            (lambda f: give(f.parent, group=True), "others could put another in its place: {1}: its group can write it", "chmod g-w {1}"),
            (lambda f: give(f.parent), f"others could put another in its place: {{1}}: it belongs to user {STRANGER}, not to user 0 or root", ""),
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
        os.chown(link, STRANGER, -1, follow_symlinks=False)
        with pytest.raises(SourceRefused, match=f"a link that belongs to user {STRANGER}"):
            read(str(link), named=True, uid=0)
        assert read(str(link), named=True, uid=0, trusts=True).data

    def test_what_everybody_can_write_is_refused_all_the_same(self, crontab: Path) -> None:
        os.chown(crontab, STRANGER, -1)
        crontab.chmod(0o666)
        with pytest.raises(SourceRefused, match="everybody can write it"):
            read(str(crontab), named=True, uid=0, trusts=True)

    def test_one_of_its_own_in_a_sticky_folder_is_read(self, crontab: Path) -> None:
        crontab.parent.chmod(0o1777)
        assert read(str(crontab), named=True, uid=0).warnings == ()

    def test_in_its_places_no_word_makes_up_for_another_owner(self, crontab: Path) -> None:
        os.chown(crontab, STRANGER, -1)
        with pytest.raises(SourceRefused, match="it belongs to user"):
            read(str(crontab), named=False, uid=0, trusts=True)


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


def test_folders_and_debians_placeholder_are_passed_over_in_silence(tmp_path: Path) -> None:
    (tmp_path / ".placeholder").touch()
    (tmp_path / "folder.d").mkdir()
    (tmp_path / "..data").symlink_to("folder.d")
    assert (within(tmp_path), ignored(tmp_path)) == ((), ())
    assert ignored(tmp_path / "none") == ()


def test_crontabs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a.crontab", "C"):
        (tmp_path / name).touch()
    assert [path.name for path in within(tmp_path)] == ["C", "a.crontab", "b"]


def test_the_daemon_names_what_it_passes_over_and_sees_when_there_is_more(
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


def test_a_folder_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
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


# --- loading -------------------------------------------------------------------------------------


def test_entries_and_problems_of_all_files_come_together(crontab: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("61 * * * * no\n5 5 * * * yes\n")
    other.chmod(0o600)
    loaded = load((str(crontab), str(other)), replace(HOW, named=True))
    assert [entry.command for entry in loaded.entries] == ["echo hi", "yes"]
    assert [(problem.file, problem.line) for problem in loaded.problems] == [(str(other), 1)]
    assert loaded.failed == frozenset()


def test_a_file_that_cannot_be_read_is_a_problem_and_the_others_load(
    crontab: Path, tmp_path: Path
) -> None:
    loaded = load((str(tmp_path), str(crontab)), HOW)
    assert [entry.command for entry in loaded.entries] == ["echo hi"]
    (problem,) = loaded.problems
    assert (problem.code, problem.line, problem.severity) == ("not-regular", 0, Severity.ERROR)
    assert loaded.failed == {str(tmp_path)}
    assert [table.file for table in loaded.crontabs] == [str(tmp_path), str(crontab)]


@pytest.mark.parametrize(("named", "severity"), [(True, Severity.ERROR), (False, Severity.WARNING)])
def test_a_missing_file_fails_only_if_it_was_named(
    tmp_path: Path, named: bool, severity: Severity
) -> None:
    path = str(tmp_path / "none")
    loaded = load((path,), replace(HOW, named=named))
    (problem,) = loaded.problems
    assert (problem.code, problem.severity) == ("missing", severity)
    assert problem.hint == ("" if named else "meridian edit begins one")
    assert loaded.failed == ({path} if named else frozenset())


def test_a_draft_stands_for_the_file(crontab: Path) -> None:
    loaded = load((str(crontab),), HOW, drafts={str(crontab): b"1 1 * * * draft\n"})
    assert [entry.command for entry in loaded.entries] == ["draft"]


@pytest.mark.usefixtures("_shared")
def test_a_doubtful_file_is_read_and_remarked_on(crontab: Path) -> None:
    crontab.chmod(0o664)
    loaded = load((str(crontab),), replace(HOW, named=True, uid=STRANGER))
    assert [problem.code for problem in loaded.problems] == ["group-writable"]
    assert len(loaded.entries) == 1


def test_what_has_no_effect_yet_is_told_once_with_a_number(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b", "c"):
        path = tmp_path / name
        path.write_text("MAILTO=me\n1 1 * * * x\n" + "MAILFROM=me\n" * (name == "c"))
        path.chmod(0o600)
        files.append(str(path))
    loaded = load(files, replace(HOW, named=True))
    assert [(Path(each.file).name, each.message) for each in loaded.problems] == [
        ("a", "MAILTO has no effect yet, here and 2 times more"),
        ("c", "MAILFROM has no effect yet"),
    ]


def test_a_name_used_in_two_files_is_refused_in_the_second(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        path = tmp_path / name
        path.write_text("CRON_NAME=one\n1 1 * * * x\n")
        path.chmod(0o600)
        files.append(str(path))
    loaded = load(files, replace(HOW, named=True))
    assert [entry.file for entry in loaded.entries] == [files[0]]
    assert [problem.file for problem in loaded.problems] == [files[1]]


# --- other users ---------------------------------------------------------------------------------

SYSTEM = b"0 1 * * * alice mine\nAPI_KEY=hush\n0 2\t* * * nobody  theirs\n61 * * * * x y\n"


def test_entries_of_other_users_are_refused(crontab: Path) -> None:
    loaded = load((str(crontab),), replace(HOW, system=True), drafts={str(crontab): SYSTEM})
    assert [entry.command for entry in loaded.entries] == ["mine"]
    problem = next(each for each in loaded.problems if each.line == 3)
    assert (problem.code, problem.severity) == ("not-supported-yet", Severity.ERROR)
    assert "nobody" in problem.message
    assert problem.text[problem.column - 1 :].startswith("nobody")
    assert loaded.crontabs[0].refused == {3, 4}


@pytest.mark.parametrize(
    ("line", "column"), [("0 1 * * * cd /srv && x\n", 11), ("0 1 * * *  test -x /x || y\n", 12)]
)
def test_a_command_where_the_user_should_be_is_no_other_user(
    crontab: Path, monkeypatch: pytest.MonkeyPatch, line: str, column: int
) -> None:
    monkeypatch.setattr(pwd, "getpwnam", {"alice": None}.__getitem__)
    drafts = {str(crontab): line.encode()}
    loaded = load((str(crontab),), replace(HOW, system=True), drafts=drafts)
    (problem,) = loaded.problems
    word = line.split()[5]
    assert (problem.code, problem.column) == ("bad-user", column)
    assert problem.message == f"there is no user {word}: a user stands before the command here"
    assert problem.hint.startswith("write alice before it")


def test_to_be_looked_at_they_may_be_kept(crontab: Path) -> None:
    how = replace(HOW, system=True, keep_others=True)
    loaded = load((str(crontab),), how, drafts={str(crontab): SYSTEM})
    assert [entry.user for entry in loaded.entries] == ["alice", "nobody"]
    found = [(problem.line, problem.severity) for problem in loaded.problems]
    assert found == [(3, Severity.ERROR), (4, Severity.ERROR)]


def test_a_folder_that_nobody_can_look_into_now_does_not_hold_nothing(crontab: Path) -> None:
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
    assert set(before) == {str(crontab)} | others
    crontab.unlink()
    assert set(files.stamps()) == others


def test_root_alone_may_ask_the_log_for_silence_in_a_table_of_its_own(tmp_path: Path) -> None:
    crontab = tmp_path / "crontab"
    crontab.write_text("-*/15 * * * * x\n")
    for uid, found in ((0, []), (1000, ["dash"])):
        loaded = load(
            [str(crontab)], replace(HOW, uid=uid), drafts={str(crontab): crontab.read_bytes()}
        )
        assert [problem.code for problem in loaded.problems] == found


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        (b"0 5 * * * a", (1, 12), "a job"),
        (b"0 5 * * * a\nA=1", (2, 4), "an assignment"),
        (b"0 5 * * * a\n", None, "an end as it should be"),
        (b"0 5 * * * a\r\n", None, "and this"),
        (b"0 5 * * * a\n# b", None, "a comment is lost nowhere"),
        (b"0 5 * * * a\n  ", None, "nor are blanks"),
        (b"", None, "nothing at all"),
    ],
)
def test_a_last_line_without_its_newline_runs_with_one_remark(
    tmp_path: Path, text: bytes, place: tuple[int, int] | None, why: str
) -> None:
    file = str(tmp_path / "crontab")
    loaded = load([file], HOW, drafts={file: text})
    found = [(each.line, each.column) for each in loaded.problems if each.code == "no-newline"]
    assert found == ([] if place is None else [place]), why
    assert len(loaded.entries) == bool(text), why


@pytest.mark.parametrize(
    ("file", "system", "is_told"),
    [
        ("/etc/crontab", False, True),
        ("/etc/cron.d/sysstat", False, True),
        ("/etc/crontab", True, False),
        ("/etc/meridian/crontabs/mine", False, False),
    ],
)
def test_a_file_of_cron_itself_is_of_the_system_form(
    file: str, system: bool, is_told: bool
) -> None:
    how = replace(HOW, system=system)
    loaded = load([file], how, drafts={file: b"17 * * * * alice run-parts x\n"})
    assert ("user-column" in {problem.code for problem in loaded.problems}) == is_told
