"""The wheel and the sdist: the same bytes from the same files, whoever builds them, and whole."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING

import pytest
import sources

from scheduler import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

# Beside these, only files whose names begin with a dot.
TOP = {"pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} | {"scheduler", "crontabs", "tests", "systemd", "docs"}  # fmt: skip
LATER = 1_800_000_000  # 2027-01-15, in seconds since 1970


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sources.copy(tmp_path_factory.mktemp("one") / "meridian")


@pytest.fixture(scope="module")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return sources.build(source, tmp_path_factory.mktemp("dist"))


def test_who_builds_when_where_and_with_which_umask_changes_no_byte(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    before = os.umask(0o077)
    try:
        other = sources.copy(tmp_path / "somewhere else")
        for path in other.rglob("*"):
            os.utime(path, (LATER, LATER))
        again = sources.build(
            other, tmp_path / "dist", TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7"
        )
    finally:
        os.umask(before)
    assert again.keys() == built.keys() == {"whl", "gz"}
    for kind, path in built.items():
        assert (again[kind].name, again[kind].read_bytes()) == (path.name, path.read_bytes())


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(
    tmp_path: Path, built: dict[str, Path]
) -> None:
    # Not by tarfile: its filters came with 3.11.4, and without one later Pythons warn.
    subprocess.run(["tar", "-xf", built["gz"], "-C", tmp_path], check=True)
    (unpacked,) = tmp_path.iterdir()
    again = sources.build(unpacked, tmp_path / "dist", "-t", "wheel")
    assert again["whl"].read_bytes() == built["whl"].read_bytes()


def test_source_date_epoch_dates_what_is_inside(tmp_path: Path, source: Path) -> None:
    found = sources.build(source, tmp_path, SOURCE_DATE_EPOCH=str(LATER))
    with zipfile.ZipFile(found["whl"]) as packed:
        assert {each.date_time for each in packed.infolist()} == {time.gmtime(LATER)[:6]}
    with tarfile.open(found["gz"]) as packed:
        assert {each.mtime for each in packed} == {LATER}


def test_the_sdist_has_all_that_the_checkout_has(source: Path, built: dict[str, Path]) -> None:
    """So that it can be tested, and a package of a distribution made of it."""
    stem = f"meridian_cron-{__version__}"
    with tarfile.open(built["gz"]) as packed:
        inside = {each.name.removeprefix(f"{stem}/"): each for each in packed}
    files = {str(path.relative_to(source)) for path in source.rglob("*") if path.is_file()}
    assert inside.keys() == files | {"PKG-INFO"}
    assert inside[".ci/run"].mode & 0o111, "what is run stays a program"


def test_nothing_is_at_the_top_but_what_everybody_looks_for(source: Path) -> None:
    assert {path.name for path in source.iterdir() if not path.name.startswith(".")} <= TOP


def test_the_wheel_has_the_package_with_its_data_and_nothing_else(
    source: Path, built: dict[str, Path]
) -> None:
    with zipfile.ZipFile(io.BytesIO(built["whl"].read_bytes())) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    package = source / "scheduler"
    files = {str(path.relative_to(source)) for path in package.rglob("*") if path.is_file()}
    units = {f"scheduler/units/{path.name}" for path in (source / "systemd").iterdir()}
    assert names == files | units
    assert any(name.endswith(".sql") for name in names)
