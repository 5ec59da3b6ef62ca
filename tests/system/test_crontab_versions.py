"""A crontab is replaced as one step, and no text of it is lost."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.errors import SourceRefused
from scheduler.system import crontab_versions
from scheduler.system.paths import entered

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2027, 3, 28, 1, 0, tzinfo=UTC)


@pytest.fixture
def crontab(tmp_path: Path) -> Path:
    return tmp_path / "config" / "crontab"


def test_a_new_file_is_its_owners_alone_and_so_is_its_folder(crontab: Path) -> None:
    before = os.umask(0)
    try:
        crontab_versions.save(crontab, b"x\n")
    finally:
        os.umask(before)
    assert crontab.stat().st_mode & 0o777 == 0o600
    assert crontab.parent.stat().st_mode & 0o777 == 0o700


def test_old_texts_and_the_state_folder_around_them_are_their_owners_alone(
    crontab: Path, tmp_path: Path
) -> None:
    crontab_versions.save(crontab, b"x\n")
    with entered(tmp_path / "state", os.geteuid()):
        kept = crontab_versions.keep(crontab, tmp_path / "state" / "versions", NOW)
    assert kept is not None
    assert [path.stat().st_mode & 0o777 for path in (kept, *list(kept.parents)[:2])] == [
        0o600,
        0o700,
        0o700,
    ]


def test_a_crontab_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="it is a folder"):
        crontab_versions.keep(tmp_path, tmp_path / "versions", NOW)


def test_an_old_text_is_replaced_and_nothing_else_is_left(crontab: Path) -> None:
    crontab_versions.save(crontab, b"a much longer text\n")
    crontab_versions.save(crontab, b"new\r\n\xff")
    assert crontab.read_bytes() == b"new\r\n\xff"
    assert [path.name for path in crontab.parent.iterdir()] == ["crontab"]


def test_who_reads_the_old_file_while_it_is_replaced_reads_all_of_it(crontab: Path) -> None:
    crontab_versions.save(crontab, b"old")
    with crontab.open("rb") as reader:
        crontab_versions.save(crontab, b"new")
        assert reader.read() == b"old"


def test_a_save_that_fails_leaves_the_old_text_and_no_litter(
    crontab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crontab_versions.save(crontab, b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SourceRefused, match="No space left on device; it is as it was"):
        crontab_versions.save(crontab, b"new")
    assert crontab.read_bytes() == b"old"
    assert [path.name for path in crontab.parent.iterdir()] == ["crontab"]


def test_a_version_is_named_by_the_utc_second_and_private(crontab: Path, tmp_path: Path) -> None:
    crontab_versions.save(crontab, b"old")
    kept = crontab_versions.keep(crontab, tmp_path / "versions", NOW)
    assert kept is not None
    assert kept.name == "crontab.20270328T010000Z"
    assert kept.read_bytes() == b"old"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_two_versions_of_one_second_are_both_kept(crontab: Path, tmp_path: Path) -> None:
    for text in (b"1", b"2", b"3"):
        crontab_versions.save(crontab, text)
        crontab_versions.keep(crontab, tmp_path / "versions", NOW)
    kept = sorted((tmp_path / "versions").iterdir())
    assert [path.read_bytes() for path in kept] == [b"1", b"2", b"3"]


def test_where_there_is_no_file_there_is_nothing_to_keep(crontab: Path, tmp_path: Path) -> None:
    assert crontab_versions.keep(crontab, tmp_path / "versions", NOW) is None


def test_only_the_newest_fifty_stay(crontab: Path, tmp_path: Path) -> None:
    crontab_versions.save(crontab, b"x")
    other = tmp_path / "versions" / "other.20000101T000000Z"
    other.parent.mkdir()
    other.touch()
    for minute in range(crontab_versions.MOST_VERSIONS + 5):
        crontab_versions.keep(crontab, tmp_path / "versions", NOW + timedelta(minutes=minute))
    names = sorted(path.name for path in other.parent.glob("crontab.*"))
    assert len(names) == crontab_versions.MOST_VERSIONS
    assert names[0] == "crontab.20270328T010500Z"
    assert other.exists()


def test_a_clock_set_back_does_not_cost_the_version_just_kept(
    crontab: Path, tmp_path: Path
) -> None:
    crontab_versions.save(crontab, b"x")
    for minute in range(crontab_versions.MOST_VERSIONS):
        crontab_versions.keep(crontab, tmp_path / "versions", NOW + timedelta(minutes=minute))
    kept = crontab_versions.keep(crontab, tmp_path / "versions", NOW - timedelta(days=1))
    assert kept is not None
    assert kept.exists()


def test_versions_that_cannot_be_kept_are_a_refusal(crontab: Path, tmp_path: Path) -> None:
    crontab_versions.save(crontab, b"x")
    (tmp_path / "versions").write_text("a file in the way")
    with pytest.raises(SourceRefused, match="old version can't be kept"):
        crontab_versions.keep(crontab, tmp_path / "versions", NOW)


def test_a_removed_file_is_gone_and_removing_it_again_is_refused(crontab: Path) -> None:
    crontab_versions.save(crontab, b"x")
    crontab_versions.remove(crontab)
    assert not crontab.exists()
    with pytest.raises(SourceRefused, match="can't be removed"):
        crontab_versions.remove(crontab)


def test_a_link_stays_one_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    link, file = tmp_path / "crontab", tmp_path / "dotfiles/crontab"
    file.write_bytes(b"old")
    link.symlink_to("dotfiles/crontab")
    crontab_versions.save(link, b"new")
    assert (link.is_symlink(), file.read_bytes()) == (True, b"new")
