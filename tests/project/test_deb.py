"""The package of Debian: what is in it, and that it is the same bytes at each build."""

from __future__ import annotations

import os
import re
import subprocess
import zipfile
from pathlib import Path

import debian_package
import pytest
import sources
from programs import program

from scheduler import __version__

BUILT = [pytest.mark.privileged, pytest.mark.timeout(900)]
UNITS = {
    "lib/systemd/system/meridian.service": "meridian.service",
    "usr/lib/systemd/user/meridian.service": "meridian-user.service",
}


def test_its_version_is_the_one_of_the_command() -> None:
    first = (sources.ROOT / ".ci/debian/changelog").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(f"meridian-cron ({__version__}) ")


@pytest.fixture(scope="module")
def package() -> Path:
    return debian_package.built()


@pytest.fixture(scope="module")
def unpacked(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run((program("dpkg-deb"), "-R", package, folder), check=True)
    return folder


class TestBuilt:
    pytestmark = BUILT

    def test_who_builds_when_and_where_changes_no_byte(self, tmp_path: Path, package: Path) -> None:
        before = os.umask(0o027)
        try:
            again = debian_package.build(tmp_path, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
        finally:
            os.umask(before)
        assert again.name == package.name
        assert again.read_bytes() == package.read_bytes()

    @pytest.mark.parametrize(("path", "unit"), UNITS.items())
    def test_its_units_are_ours_and_start_its_own_command(
        self, unpacked: Path, path: str, unit: str
    ) -> None:
        ours = (sources.ROOT / "systemd" / unit).read_text(encoding="utf-8")
        (command,) = re.findall(r"^ExecStart=(\S+/meridian)\b", ours, re.MULTILINE)
        assert (unpacked / path).read_text() == ours.replace(command, "/usr/bin/meridian")

    def test_it_has_the_man_page_and_completion_for_three_shells(self, unpacked: Path) -> None:
        share = unpacked / "usr/share"
        man = subprocess.run(("gzip", "-dc", share / "man/man1/meridian.1.gz"), capture_output=True, text=True, check=True)  # fmt: skip
        assert ".SS meridian history " in man.stdout
        texts = [
            (share / "bash-completion/completions/meridian").read_text(),
            (share / "zsh/vendor-completions/_meridian").read_text(),
            (share / "fish/vendor_completions.d/meridian.fish").read_text(),
        ]
        assert [bool(re.search("_MERIDIAN_COMPLETE=complete_", each)) for each in texts] == [True] * 3  # fmt: skip
        assert not any("debian/" in each for each in texts), "they call the command, not the build"

    def test_one_package_serves_every_machine_and_python(self, unpacked: Path) -> None:
        assert [path for path in unpacked.rglob("*") if path.suffix in (".so", ".pyc")] == []
        control = (unpacked / "DEBIAN/control").read_text()
        assert "\nArchitecture: all\n" in control
        folders = (unpacked / "usr/lib/meridian/lib").iterdir()
        linked = {path.name: path.readlink() for path in folders if path.is_symlink()}
        assert linked == {f"python3.{n}": Path("python3") for n in range(11, 15)}
        assert "python3 (>= 3.11), python3 (<< 3.15)" in control

    def test_it_has_the_whole_package(self, tmp_path: Path, unpacked: Path) -> None:
        wheel = sources.build(sources.copy(tmp_path / "copy"), tmp_path / "dist", "-t", "wheel")
        with zipfile.ZipFile(wheel["whl"]) as packed:
            names = {name for name in packed.namelist() if name.startswith("scheduler/")}
        site = unpacked / "usr/lib/meridian/lib/python3/site-packages"
        found = (path for path in (site / "scheduler").rglob("*") if path.is_file())
        assert {str(path.relative_to(site)) for path in found} == names

    def test_nothing_in_it_names_the_folder_that_it_was_built_in(
        self, package: Path, unpacked: Path
    ) -> None:
        words = ("grep", "-rIl", str(package.parent.parent), unpacked)
        assert subprocess.run(words, capture_output=True, check=False).stdout == b""
