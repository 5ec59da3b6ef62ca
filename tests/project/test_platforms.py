"""What the code asks of Python that a Mac's has not: each place is known, and has its fallback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MISSING = re.compile(r'^(\S+?):\d+: error: Module has no attribute "(\w+)"', re.MULTILINE)

# Where a name is asked for that macOS lacks (as typeshed has it): what happens there instead.
FALLBACKS = {
    ("alerts/sender_process.py", "pidfd_open"): "its end of a pipe tells of its end",
    ("process/cgroup.py", "getxattr"): "there is no cgroup v2 that could be asked",
    ("process/file_writers.py", "F_SETSIG"): "None: the system can't tell who writes",
    ("process/process_groups.py", "pidfd_open"): "signal by number, after a second look",
    ("process/process_groups.py", "pidfd_send_signal"): "only with a descriptor of pidfd_open",
    ("process/stopped_writers.py", "pidfd_open"): "nobody is stopped",
    ("process/stopped_writers.py", "pidfd_send_signal"): "only with a descriptor of pidfd_open",
    ("process/survivors.py", "getxattr"): "an output does not say whose it is",
    ("process/survivors.py", "setxattr"): "an output does not say whose it is",
    ("process/truncation_sentinel.py", "F_SETSIG"): "the sentinel stays",
    ("process/user_spawner.py", "waitid"): "none: no job of another user starts (docs/mac.md)",
}


@pytest.mark.slow
def test_what_a_mac_lacks_is_asked_for_only_where_something_stands_in(tmp_path: Path) -> None:
    words = ("--platform", "darwin", "--cache-dir", str(tmp_path), "--no-pretty", "scheduler")
    command = (sys.executable, "-m", "mypy", *words)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {(path.removeprefix("scheduler/"), name) for path, name in MISSING.findall(done.stdout)}
    assert found == FALLBACKS.keys()
