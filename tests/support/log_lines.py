"""What a daemon logs as JSON to a pipe, read until it says what a test waits for."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import subprocess

SOON = 60.0


def heard(process: subprocess.Popen[bytes], message: str) -> list[dict[str, Any]]:
    """The lines until the next with this message; a daemon that never says it is killed."""
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    too_late = threading.Timer(SOON, process.kill)
    too_late.start()
    try:
        while not lines or lines[-1]["message"] != message:
            line = process.stderr.readline()
            assert line.endswith(b"\n"), f"it has ended, or never said {message}: {lines}"
            lines.append(json.loads(line))
    finally:
        too_late.cancel()
    return lines
