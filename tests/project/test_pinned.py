"""What an install runs of an index: what a lock names by its hash, and nothing else.

The real make, pip and build backend, offline: the index is a folder with the packages of this
environment, made to wheels again, beside newer ones that somebody has planted.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path

import pytest
from programs import program

ROOT = Path(__file__).parent.parent.parent
LOCKS = ("requirements", "install", "build", "tools")
NAMED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pins(lock: str) -> dict[str, str]:
    """The packages of a lock that are for this system, with their versions."""
    text = (ROOT / ".ci" / f"{lock}.lock").read_text(encoding="utf-8")
    return dict(NAMED.findall("\n".join(x for x in text.splitlines() if "== 'win32'" not in x)))


def wheel(folder: Path, name: str, files: dict[str, bytes], version: str = "9999") -> Path:
    """Write a wheel of these files: a planted one if they have no metadata."""
    stem = f"{name.replace('-', '_')}-{version}"
    found = next((text for path, text in files.items() if path.endswith(".dist-info/WHEEL")), b"")
    tag = (re.findall(rb"^Tag: (\S+)", found, re.MULTILINE) or [b"py3-none-any"])[-1].decode()
    if not found:
        info = f"{stem}.dist-info"
        files |= {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
            f"{info}/RECORD": "".join(f"{path},,\n" for path in files).encode(),
        }
    path = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for inside, data in files.items():
            packed.writestr(inside, data)
    return path


def wheel_again(folder: Path, name: str) -> Path:
    """What is installed here of a package, as the wheel that it came from."""
    found = distribution(name)
    inside = [
        each
        for each in found.files or []
        if ".." not in each.parts and each.suffix != ".pyc" and each.name != "direct_url.json"
    ]
    files = {str(each): Path(str(each.locate())).read_bytes() for each in inside}
    return wheel(folder, name, files, found.version)


class Index:
    """A folder of packages, the locks that name those which are good, and a witness of the rest."""

    def __init__(self, folder: Path) -> None:
        self.packages, self.locks = folder / "packages", folder / "locks"
        self.witness = folder / "witness"
        self.packages.mkdir()
        self.locks.mkdir()
        for lock in ("install", "build"):
            for name in pins(lock):
                self.names(lock, wheel_again(self.packages, name))
                self.plant(name)

    def names(self, lock: str, path: Path) -> None:
        """Write a package into a lock."""
        name, version = path.name.removesuffix(".tar.gz").split("-")[:2]
        with (self.locks / f"{lock}.lock").open("a", encoding="utf-8") as stream:
            stream.write(
                f"{name}=={version} --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"
            )

    def plant(self, name: str) -> None:
        """Offer a newer version of a package, which tells when any of it runs."""
        told = f"open({str(self.witness)!r}, 'a').write({name!r} + chr(10))\n".encode()
        module = name.replace("-", "_").lower()
        files = {f"{module}/__init__.py": told, f"{module}/build.py": told}
        wheel(self.packages, name, files | {f"{module}_9999.pth": b"import sys; " + told})

    def plant_source(self, name: str) -> Path:
        """A package that has to be built, with its own code and a backend that it has not pinned."""
        self.plant("setuptools")
        told = f"open({str(self.witness)!r}, 'a').write('setup.py')\n".encode()
        path = self.packages / f"{name}-1.tar.gz"
        with tarfile.open(path, "w:gz") as packed:
            for inside, data in (("setup.py", told), ("PKG-INFO", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n".encode())):  # fmt: skip
                member = tarfile.TarInfo(f"{name}-1/{inside}")
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))
        return path

    def former(self, prefix: Path) -> Path:
        """Install what was called `meridian`; return a module of it that is no more."""
        old = wheel(self.locks, "meridian", {"scheduler/flat.py": b""}, "0.1.0")
        venv = prefix / "share/meridian/venv"
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        self.run(
            str(venv / "bin/python"), "-m", "pip", "install", "-q", str(old)
        ).check_returncode()
        (module,) = venv.rglob("flat.py")
        return module

    def run(self, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command whose pip knows no index but this one, whatever this machine's does."""
        environment = {name: text for name, text in os.environ.items() if not name.startswith("PIP_")}  # fmt: skip
        environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.packages), "PIP_CACHE_DIR": str(self.locks / "cache"), **more}  # fmt: skip
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # fmt: skip

    def installs(self, prefix: Path, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(program("make"), "-s", "install", f"PREFIX={prefix}", f"PYTHON={sys.executable}", f"LOCKS={self.locks}", **more)  # fmt: skip


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path)


@pytest.mark.e2e
def test_make_install_runs_no_newer_package_and_leaves_no_backend(
    tmp_path: Path, index: Index
) -> None:
    others = (
        tmp_path / "others"
    )  # a TMPDIR that su has kept: what is put there runs as who installs
    others.mkdir()
    before = others.stat().st_mtime_ns
    former = index.former(tmp_path / "p")
    done = index.installs(tmp_path / "p", TMPDIR=str(others))
    assert not former.exists(), "the same project under its former name"
    assert others.stat().st_mtime_ns == before, "nothing ever was in it"
    assert not (tmp_path / "p/share/meridian/venv/tmp").exists()
    assert not index.witness.exists(), index.witness.read_text()
    assert (done.returncode, done.stderr) == (0, "")
    version = subprocess.run([tmp_path / "p/bin/meridian", "--version"], capture_output=True, text=True, check=True)  # fmt: skip
    assert version.stdout.startswith("meridian ")
    assert (tmp_path / "p/share/man/man1/meridian.1").read_text().startswith(".TH MERIDIAN 1")
    made = {path.name.split("-")[0] for path in (tmp_path / "p").rglob("*.dist-info")}
    wanted = {name.replace("-", "_").lower() for name in pins("install")}
    assert {name.lower() for name in made} - {"pip", "setuptools"} == wanted | {"meridian_cron"}


@pytest.mark.e2e
def test_make_install_runs_no_build_of_a_package_that_comes_as_source(
    tmp_path: Path, index: Index
) -> None:
    """Though the lock names it by its hash: its build would fetch a backend that nothing names."""
    index.names("install", index.plant_source("comes_as_source"))
    done = index.installs(tmp_path / "p")
    assert not index.witness.exists(), index.witness.read_text()
    assert done.returncode != 0
    assert "comes_as_source" in done.stderr
    assert not (tmp_path / "p" / "bin").exists()


@pytest.mark.e2e
def test_pip_install_builds_with_the_backend_that_the_project_names(
    tmp_path: Path, index: Index
) -> None:
    """In pip's own isolation: whoever says `pip install .` or names the repository to pip."""
    done = index.run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", ".", "-w", str(tmp_path))  # fmt: skip
    assert not index.witness.exists(), index.witness.read_text()
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.glob("meridian_cron-*.whl"))


def test_the_project_names_its_backend_and_all_that_it_needs_as_the_lock_does() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = project["build-system"]["requires"]
    assert needed == [f"{name}=={version}" for name, version in pins("build").items()]
    assert pins("build").items() <= pins("requirements").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_each_package_by_version_and_hash(lock: str) -> None:
    text = (ROOT / ".ci" / f"{lock}.lock").read_text(encoding="utf-8")
    packages = re.split(r"\n(?=\w)", text)[1:]
    assert packages
    assert [
        each for each in packages if not NAMED.match(each) or "--hash=sha256:" not in each
    ] == []


def test_every_call_of_pip_takes_pinned_wheels_alone() -> None:
    """So does one that is yet to be written: there is one way to call it in the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    calls = re.findall(r"^.*(?:pip|\buv) +(?:install|download|wheel|sync|run|build)\b.*$", text, re.MULTILINE)  # fmt: skip
    assert [call.split()[:2] for call in calls] == [["PIP", ":="]]
    assert {"--no-deps", "--only-binary", "--no-build-isolation"} <= set(calls[0].split())
    assert set(re.findall(r"\$\((?:PIP|LOCK)\)(?:/(\w+)\.lock| (?:--editable )?\.$)?", text)) <= {*LOCKS, ""}  # fmt: skip
    assert "--require-hashes" in text.split("LOCK := ")[1].splitlines()[0]
