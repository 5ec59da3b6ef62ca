"""A user's table is saved as one step, kept when it goes, and nothing else is ever shown to them."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from users import OTHER, OWNER, new_folder

from scheduler.crontab.spool_header import without_header
from scheduler.errors import SourceRefused
from scheduler.system import crontab_spool
from scheduler.system.accounts import Account
from scheduler.system.crontab_files import MOST_BYTES
from scheduler.system.crontab_spool import MOST_VERSIONS_OF_A_USER, Spool, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)
ME = Account("alice", os.geteuid(), os.getegid(), (), "/")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    (tmp_path / "spool").mkdir(mode=0o700)
    return Spool(tmp_path / "spool", tmp_path / "versions", os.geteuid())


def kept(spool: Spool, user: str = "alice") -> list[bytes]:
    return [each.read_bytes() for each in sorted((spool.versions / "users" / user).glob("*"))]


def test_a_table_comes_back_and_is_its_users_alone(spool: Spool) -> None:
    assert spool.read(ME) is None
    spool.save(ME, b"0 1 * * * \xff", NOW)
    assert without_header(spool.read(ME) or b"") == b"0 1 * * * \xff\n"
    file = spool.folder / "alice"
    assert file.stat().st_mode & 0o7777 == 0o600
    assert [each.name for each in spool.folder.iterdir()] == ["alice"]


def test_an_old_text_is_kept_without_its_header_and_the_last_ones_stay(spool: Spool) -> None:
    for number in range(MOST_VERSIONS_OF_A_USER + 3):
        spool.save(ME, f"# {number}\n".encode(), NOW + timedelta(seconds=number))
    assert kept(spool) == [f"# {n}\n".encode() for n in range(2, MOST_VERSIONS_OF_A_USER + 2)]


def test_a_user_whose_name_begins_with_anothers_loses_no_old_text_to_them(spool: Spool) -> None:
    other = Account("alice.2", ME.uid, ME.gid, (), "/")
    spool.save(other, b"# other\n", NOW)
    spool.remove(other, NOW)
    for number in range(MOST_VERSIONS_OF_A_USER + 3):
        spool.save(ME, b"# x\n", NOW + timedelta(seconds=number))
    assert kept(spool, "alice.2") == [b"# other\n"]


def test_a_table_that_is_removed_is_kept(spool: Spool) -> None:
    spool.save(ME, b"# one\n", NOW)
    assert spool.remove(ME, NOW)
    assert spool.read(ME) is None
    assert kept(spool) == [b"# one\n"]
    assert not spool.remove(ME, NOW)


def test_a_table_that_was_changed_meanwhile_is_not_overwritten(spool: Spool) -> None:
    spool.save(ME, b"# one\n", NOW)
    base = fingerprint(spool.read(ME))
    spool.save(ME, b"# two\n", NOW + timedelta(seconds=1), base)
    with pytest.raises(SourceRefused, match="changed by somebody else"):
        spool.save(ME, b"# three\n", NOW + timedelta(seconds=2), base)
    assert without_header(spool.read(ME) or b"") == b"# two\n"


def test_the_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "cron" / "crontabs", tmp_path / "versions", os.geteuid())
    assert spool.read(ME) is None
    spool.save(ME, b"", NOW)
    assert spool.folder.stat().st_mode & 0o7777 == 0o700
    grouped = Spool(tmp_path / "two" / "crontabs", tmp_path / "v", os.geteuid(), os.getegid())
    grouped.save(ME, b"", NOW)
    assert grouped.folder.stat().st_mode & 0o7777 == 0o1730


def link(file: Path, secret: Path) -> None:
    file.symlink_to(secret)


def hard_link(file: Path, secret: Path) -> None:
    file.hardlink_to(secret)


def fifo(file: Path, secret: Path) -> None:
    assert secret.exists()
    os.mkfifo(file)


def folder(file: Path, secret: Path) -> None:
    assert secret.exists()
    file.mkdir()


@pytest.mark.parametrize(
    ("put", "why"),
    [
        pytest.param(link, "it is a link", id="a link would show what only root reads"),
        pytest.param(hard_link, "another name", id="so would a hard link"),
        pytest.param(fifo, "a FIFO", id="a FIFO would be waited for"),
        pytest.param(folder, "a folder", id="a folder"),
    ],
)
def test_what_is_no_table_is_not_shown(
    spool: Spool, put: Callable[[Path, Path], None], why: str
) -> None:
    secret = spool.folder.parent / "secret"
    secret.write_text("root:$6$\n")
    put(spool.folder / "alice", secret)
    with pytest.raises(SourceRefused, match=why):
        spool.read(ME)


def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(spool: Spool) -> None:
    secret = spool.folder.parent / "secret"
    secret.write_text("root:$6$\n")
    (spool.folder / "alice").symlink_to(secret)
    spool.save(ME, b"# one\n", NOW)
    assert secret.read_text() == "root:$6$\n"
    assert without_header(spool.read(ME) or b"") == b"# one\n"


@pytest.mark.parametrize("name", ["../etc/shadow", "a/b", "..", ".", "", ".hidden", "tmp.Xy"])
def test_a_name_that_is_no_file_of_crons_is_refused(spool: Spool, name: str) -> None:
    odd = Account(name, ME.uid, ME.gid, (), "/")
    for do in (
        spool.read,
        lambda who: spool.save(who, b"", NOW),
        lambda who: spool.remove(who, NOW),
    ):
        with pytest.raises(SourceRefused, match="no table for a user of this name"):
            do(odd)
    assert list(spool.folder.iterdir()) == []


def test_a_folder_that_everybody_writes_is_refused(spool: Spool) -> None:
    spool.folder.chmod(0o1777)
    with pytest.raises(SourceRefused, match="everybody can write it"):
        spool.save(ME, b"", NOW)
    spool.folder.parent.chmod(0o777)
    with pytest.raises(SourceRefused, match="others could put another in its place"):
        spool.read(ME)


def test_a_disk_that_is_full_leaves_the_table_as_it_was(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.save(ME, b"# one\n", NOW)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device", descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SourceRefused, match=r"No space left on device; it is as it was"):
        spool.save(ME, b"# two\n", NOW)
    assert without_header(spool.read(ME) or b"") == b"# one\n"
    assert [each.name for each in spool.folder.iterdir()] == ["alice"]


def test_an_old_text_that_cannot_be_kept_keeps_the_table(spool: Spool) -> None:
    spool.save(ME, b"# one\n", NOW)
    spool.versions.write_text("no folder")
    for change in (lambda: spool.save(ME, b"# two\n", NOW), lambda: spool.remove(ME, NOW)):
        with pytest.raises(SourceRefused, match=r"can't be kept in .*; it is as it was"):
            change()
    assert without_header(spool.read(ME) or b"") == b"# one\n"


def test_a_table_larger_than_any_crontab_is_refused_and_stays(spool: Spool) -> None:
    with (spool.folder / "alice").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(SourceRefused, match="larger than 16 MiB"):
        spool.read(ME)
    with pytest.raises(SourceRefused, match="larger than 16 MiB"):
        spool.save(ME, b"", NOW)
    assert (spool.folder / "alice").stat().st_size > MOST_BYTES


def test_a_table_that_cannot_be_removed_is_said_to_be_there(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.save(ME, b"# one\n", NOW)

    def refused(name: str, **_: object) -> None:
        raise OSError(30, "Read-only file system", name)

    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(SourceRefused, match="can't be removed: Read-only file system"):
        spool.remove(ME, NOW)
    assert spool.read(ME) is not None


@pytest.mark.privileged
def test_as_root_a_table_is_its_users_and_another_users_is_not_shown() -> None:
    owner, other = (Account(f"u{uid}", uid, uid, (), "/") for uid in (OWNER, OTHER))
    with new_folder(0) as place:
        spool = Spool(place / "crontabs", place / "versions")
        spool.save(owner, b"# secret\n", NOW)
        file = spool.folder / owner.name
        assert (file.stat().st_uid, file.stat().st_gid) == (OWNER, OWNER)
        file.rename(spool.folder / other.name)
        with pytest.raises(SourceRefused, match="belongs to user"):
            spool.read(other)
        os.chown(spool.folder, OWNER, OWNER)
        with pytest.raises(SourceRefused, match="belongs to user"):
            spool.save(owner, b"", NOW)


def test_the_machines_spool_is_debians(tmp_path: Path) -> None:
    assert str(crontab_spool.of_machine(tmp_path).folder) == "/var/spool/cron/crontabs"
