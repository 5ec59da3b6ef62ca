"""`pipx install` and `uv tool install`, as the README has them, of the wheel that `make dist` builds.

The libraries come from the package index, in the versions of the lock.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sources
from programs import program

from scheduler import __version__

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.privileged, pytest.mark.e2e, pytest.mark.timeout(600)]

README = (sources.ROOT / "README.md").read_text(encoding="utf-8")


def line(tool: str) -> str:
    """The command of the README that begins so."""
    (found,) = set(re.findall(rf"(?<=[`&] |.`){tool} install [^`&]+", README.replace("\n", " ")))
    return str(found)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after `make dist`."""
    folder = sources.copy(tmp_path_factory.mktemp("checkout") / "meridian")
    sources.build(folder, folder / "dist")
    return folder


@pytest.fixture(scope="module")
def pins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The versions of the lock, without hashes: of the wheel itself it knows none."""
    lock = (sources.ROOT / ".ci/install.lock").read_text(encoding="utf-8")
    path = tmp_path_factory.mktemp("pins") / "constraints"
    path.write_text("\n".join(re.findall(r"^[\w.-]+==[^\s\\]+", lock, re.MULTILINE)) + "\n")
    return path


def uv(folder: Path) -> str:
    """The folder of uv, as the lock of tools names it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = (str(folder / "bin/python"), "-m", "pip", "install", "-q", "--require-hashes")
    subprocess.run([*pip, "-r", str(sources.ROOT / ".ci/tools.lock")], check=True)
    return str(folder / "bin")


def installed(command: str, source: Path, home: Path, **environ: str) -> Path:
    """What the command puts on the PATH of a user with this home."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("VIRTUAL_ENV")}
    done = subprocess.run(
        ("/bin/sh", "-ec", command),
        cwd=source,
        env={**kept, "HOME": str(home), **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return home / ".local/bin/meridian"


def works(meridian: Path, source: Path) -> None:
    """See it run, with its libraries and its own data."""

    def said(*words: str) -> str:
        command = (str(meridian), *words)
        return subprocess.run(
            command, cwd=source, env={}, check=True, capture_output=True, text=True
        ).stdout

    assert said("--version") == f"meridian {__version__}\n"
    assert "on Friday" in said("explain", "0 0 * * 5")
    shown = said("simulate", "crontabs/world.crontab", "--from", "2027-03-01", "--until", "2027-03-03")  # fmt: skip
    assert "succeeded" in shown


def test_pipx_installs_the_command(tmp_path: Path, source: Path, pins: Path) -> None:
    program("pipx")
    works(installed(line("pipx"), source, tmp_path, PIP_CONSTRAINT=str(pins)), source)


def test_uv_installs_the_command(tmp_path: Path, source: Path, pins: Path) -> None:
    path = f"{uv(tmp_path / 'uv')}:{os.environ['PATH']}"
    more = {"UV_CONSTRAINT": str(pins), "UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never"}
    works(installed(line("uv tool"), source, tmp_path / "home", PATH=path, **more), source)
