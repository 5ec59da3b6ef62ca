"""The package of Debian, as `make deb` makes it of the checkout."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import sources
from programs import program

if TYPE_CHECKING:
    from pathlib import Path


def build(folder: Path, **environ: str) -> Path:
    """Build it, with the dates and paths of now and of `folder`; return the file."""
    program("dpkg-buildpackage")
    program("dh")
    sdist = sources.build(sources.copy(folder / "copy"), folder / "sdist", "-t", "sdist")["gz"]
    words = (str(sources.ROOT / "debian/make_deb"), str(sdist), str(folder / "deb"))
    found = {**os.environ, "TMPDIR": str(folder), **environ}
    done = subprocess.run(words, env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    (package,) = (folder / "deb").iterdir()
    return package
