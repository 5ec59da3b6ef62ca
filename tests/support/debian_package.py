"""The package of Debian, as `make deb` makes it of the checkout."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import sources
from programs import program


@cache
def built() -> Path:
    """The package, built once for all tests."""
    folder = Path(tempfile.mkdtemp(prefix="meridian-package-"))
    atexit.register(shutil.rmtree, folder)
    return build(folder)


def build(folder: Path, **environ: str) -> Path:
    """Build it, with the dates and paths of now and of `folder`; return the file."""
    program("dpkg-buildpackage")
    program("dh")
    sdist = sources.build(sources.copy(folder / "copy"), folder / "sdist", "-t", "sdist")["gz"]
    words = (str(sources.ROOT / ".ci/debian/make_deb"), str(sdist), str(folder / "deb"))
    found = {**os.environ, "TMPDIR": str(folder), **environ}
    done = subprocess.run(words, env=found, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    (package,) = (folder / "deb").iterdir()
    return package
