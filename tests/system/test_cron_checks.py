"""Attacks on cron's tables: each is refused with its reason, and what is in order is read."""

from __future__ import annotations

import os
import pwd
import shutil
from typing import TYPE_CHECKING

import pytest
from users import OTHER, OWNER, new_folder

from scheduler.errors import SourceRefused
from scheduler.system import accounts, cron_checks, crontab_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Change = Callable[[Path], object]

pytestmark = pytest.mark.privileged  # tables of root and of users

TEXT = b"0 5 * * * x\n"


@pytest.fixture
def spool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of users' tables as Debian makes it, with one of `alice`."""
    known = {"alice": OWNER, "mallory": OTHER, "root": 0}
    monkeypatch.setattr(accounts, "uid_of", known.get)
    with new_folder(0) as folder:
        spool = folder / "crontabs"
        spool.mkdir()
        os.chown(spool, 0, pwd.getpwnam("daemon").pw_gid)
        spool.chmod(0o1730)  # its group is crontab(1)'s, and may only add
        written(spool / "alice", OWNER, 0o600)
        yield spool


def written(path: Path, owner: int, mode: int) -> Path:
    path.write_bytes(TEXT)
    os.chown(path, owner, 0)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("owner", "mode"),
    [
        (OWNER, 0o600),  # as crontab(1) makes it
        (OWNER, 0o400),
        (OWNER, 0o644),  # who may read it is its user's choice
        (0, 0o600),  # root wrote it for the user
    ],
)
def test_a_users_table_is_read(spool: Path, owner: int, mode: int) -> None:
    written(spool / "alice", owner, mode)
    assert crontab_files.read_users(str(spool / "alice"), "alice").data == TEXT


def linked(spool: Path) -> None:
    """A link to a file that its user may read, and may not write."""
    (spool / "alice").unlink()
    (spool / "alice").symlink_to(written(spool.parent / "elsewhere", OWNER, 0o600))


def many(spool: Path) -> None:
    (spool / "alice").write_bytes(TEXT * 100_000)


ATTACKS = [
    (lambda spool: (spool / "alice").chmod(0o660), "its mode is 0660", "its group writes it"),
    (lambda spool: (spool / "alice").chmod(0o602), "its mode is 0602", "everybody writes it"),
    (lambda spool: (spool / "alice").chmod(0o4600), "its mode is 4600", "set-id bits"),
    (lambda spool: (spool / "alice").chmod(0o700), "its mode is 0700", "a program is no table"),
    (lambda spool: (spool / "alice").chmod(0o200), "its mode is 0200", "cronie asks for 0400"),
    (linked, "it is a link", "its target may be changed by whoever owns that"),
    (
        lambda spool: os.link(spool / "alice", spool.parent / "other-name"),
        "2 names (hard links)",
        "another's file put there, or a second way to change it",
    ),
    (
        lambda spool: os.chown(spool / "alice", OTHER, 0),
        f"it belongs to user {OTHER}, not to alice",
        "mallory wrote what would run as alice",
    ),
    (
        lambda spool: spool.chmod(0o1777),
        "everybody can write its folder",
        "sticky or not: anybody puts tables there",
    ),
    (
        lambda spool: spool.chmod(0o775),
        "its group can write it",
        "a member of the group puts another in its place",
    ),
    (
        lambda spool: os.chown(spool, OTHER, 0),
        f"it belongs to user {OTHER}",
        "mallory's folder: so are all names in it",
    ),
    (
        lambda spool: spool.parent.chmod(0o777),
        "everybody can write it",
        "the folder above decides which spool it is",
    ),
    (many, "it is larger than 1 MiB", "reading it would keep others waiting"),
]


@pytest.mark.parametrize(("attack", "said", "reason"), ATTACKS, ids=[a[2] for a in ATTACKS])
def test_an_attack_on_the_spool_is_refused(
    spool: Path, attack: Change, said: str, reason: str
) -> None:
    attack(spool)
    with pytest.raises(SourceRefused) as refused:
        crontab_files.read_users(str(spool / "alice"), "alice")
    assert said in str(refused.value), reason


@pytest.mark.timeout(10)
def test_a_fifo_keeps_nobody_waiting(spool: Path) -> None:
    (spool / "alice").unlink()
    os.mkfifo(spool / "alice", 0o600)
    os.chown(spool / "alice", OWNER, 0)
    with pytest.raises(SourceRefused, match="it is a FIFO"):
        crontab_files.read_users(str(spool / "alice"), "alice")


def test_the_table_of_nobody_is_kept_and_not_read(spool: Path) -> None:
    """The number of a user who was removed may be another's by now."""
    written(spool / "gone", OTHER, 0o600)
    with pytest.raises(SourceRefused, match="there is no user gone; it is read as soon as"):
        crontab_files.read_users(str(spool / "gone"), "gone")


def test_a_table_in_roots_name_by_a_user_is_refused(spool: Path) -> None:
    written(spool / "root", OWNER, 0o600)
    with pytest.raises(SourceRefused, match=f"it belongs to user {OWNER}, not to root"):
        crontab_files.read_users(str(spool / "root"), "root")


def test_a_swap_between_check_and_open_changes_nothing(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is judged is what was opened: a path is resolved once."""
    opened = cron_checks.open_users

    def and_then_swapped(file: str) -> int:
        descriptor = opened(file)
        shutil.copy(spool / "alice", spool / "alice.new")  # of root's, as if it were fine
        (spool / "alice.new").write_bytes(b"* * * * * evil\n")
        (spool / "alice.new").replace(spool / "alice")
        return descriptor

    monkeypatch.setattr(cron_checks, "open_users", and_then_swapped)
    assert crontab_files.read_users(str(spool / "alice"), "alice").data == TEXT


def test_a_link_put_there_between_check_and_open_is_not_followed(
    spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.open

    def swapped(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == "alice":
            linked(spool)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(SourceRefused, match="a link that leads in a circle"):
        crontab_files.read_users(str(spool / "alice"), "alice")


# --- the system's tables --------------------------------------------------------------------------


@pytest.fixture
def cron_d() -> Iterator[Path]:
    with new_folder(0) as folder:
        (folder / "cron.d").mkdir()
        written(folder / "cron.d/php", 0, 0o644)
        yield folder / "cron.d"


def roots_link(cron_d: Path) -> None:
    (cron_d / "php").rename(cron_d.parent / "php")
    (cron_d / "php").symlink_to("../php")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: None, "as packages install theirs"),
        (lambda cron_d: (cron_d / "php").chmod(0o755), "Debian runs it: nobody else can write it"),
        (lambda cron_d: (cron_d / "php").chmod(0o600), "with passwords in it"),
        (roots_link, "Debian: a link of root's to a file of root's"),
    ],
)
def test_a_table_of_the_system_is_read(cron_d: Path, change: Change, reason: str) -> None:
    change(cron_d)
    assert crontab_files.read_systems(str(cron_d / "php")).data == TEXT, reason


def users_link(cron_d: Path) -> None:
    roots_link(cron_d)
    os.chown(cron_d / "php", OTHER, OTHER, follow_symlinks=False)


def link_to_a_users_file(cron_d: Path) -> None:
    roots_link(cron_d)
    os.chown(cron_d.parent / "php", OTHER, OTHER)


FOR_ROOT = [
    (lambda cron_d: (cron_d / "php").chmod(0o664), "its group can write it", "a table"),
    (lambda cron_d: (cron_d / "php").chmod(0o646), "everybody can write it", "a table"),
    (lambda cron_d: os.chown(cron_d / "php", OTHER, 0), f"it belongs to user {OTHER}", "a table"),
    (users_link, f"it is a link that belongs to user {OTHER}", "a link"),
    (link_to_a_users_file, f"it belongs to user {OTHER}", "a link's target"),
    (lambda cron_d: os.link(cron_d / "php", cron_d.parent / "x"), "2 names (hard links)", "both"),
    (lambda cron_d: cron_d.chmod(0o777), "everybody can write it", "a folder"),
    (lambda cron_d: cron_d.chmod(0o1777), "everybody can write it", "a sticky one"),
    (lambda cron_d: os.chown(cron_d, OTHER, 0), f"it belongs to user {OTHER}", "a folder's owner"),
]


@pytest.mark.parametrize(
    ("attack", "said", "what"), FOR_ROOT, ids=[f"{said} {what}" for _, said, what in FOR_ROOT]
)
def test_an_attack_on_the_systems_tables_is_refused(
    cron_d: Path, attack: Change, said: str, what: str
) -> None:
    attack(cron_d)
    with pytest.raises(SourceRefused) as refused:
        crontab_files.read_systems(str(cron_d / "php"))
    assert said in str(refused.value), what
