"""A copy of the project's own files, as a clone has them, and what its build backend makes of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
_NOT_OURS = (".git", ".venv*", ".ruff_cache", "*.pyc")


def copy(target: Path) -> Path:
    """Copy the project without what git ignores; return the folder of the copy."""
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").replace("/\n", "\n").split()
    shutil.copytree(
        ROOT,
        target,
        ignore=shutil.ignore_patterns(*_NOT_OURS, *ignored),
        copy_function=shutil.copyfile,  # neither modes nor dates: those of this moment
    )
    (target / ".ci/run").chmod(0o755)
    return target


def build(source: Path, target: Path, *what: str, **environ: str) -> dict[str, Path]:
    """Build in `source`: the files in `target` afterwards, by `whl` and `gz`."""
    words = (sys.executable, "-m", "hatchling", "build", *what, "-d", str(target))
    found = {name: text for name, text in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    subprocess.run(words, cwd=source, env=found | environ, check=True, capture_output=True)
    return {path.suffix[1:]: path for path in target.iterdir()}
