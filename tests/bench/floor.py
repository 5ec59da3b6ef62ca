"""The floor: how fast Python's own subprocess starts the same jobs when nothing else is done."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from .jobs import Load, argument, told_in

if TYPE_CHECKING:
    from pathlib import Path

VARIABLES = 30


def measure(load: Load, folder: Path) -> list[float]:
    """Start the load's jobs one after the other and return when each began: seconds since."""
    folder.mkdir()
    shelled = load is Load.SHELLED
    commands = [_command(number, folder, shelled=shelled) for number in range(load.jobs)]
    files = [folder / f"{number}.log" for number in range(load.jobs)]
    environment = _environment()
    children = []
    begin = time.time()
    for words, file in zip(commands, files, strict=True):
        output = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        children.append(_start(words, output, folder, environment))
        os.close(output)
    for child in children:
        child.wait()
    if shelled:
        files = [folder / "told"]
    return [at - begin for file in files for at in told_in(file)]


def _command(number: int, folder: Path, *, shelled: bool) -> list[str]:
    if shelled:
        return ["/bin/sh", "-c", f"date {argument(number)} >> {folder}/told"]
    return ["date", argument(number)]


def _start(
    words: list[str], output: int, folder: Path, environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    some = {f"VARIABLE_{n}": f"a value of ordinary length, {n}" for n in range(VARIABLES - 1)}
    return some | {"PATH": os.environ.get("PATH", os.defpath)}
