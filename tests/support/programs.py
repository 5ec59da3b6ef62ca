"""Programs that a test needs beside Python: where one is missing the test is left out, never in CI."""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """The path of a program."""
    found = shutil.which(name)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"there is no {name} here, and .ci/run should have installed it")
    if found is None:
        pytest.skip(f"there is no {name} here; CI has it")
    return found
