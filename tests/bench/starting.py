"""Commands that are over at once: how often to start each comes in, CPU seconds of each go out."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from .daemons import Meridian, wait_until_idle
from .jobs import idle_crontab

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 11  # of each the quickest counts: what else the machine does only ever adds


@dataclass(frozen=True, slots=True)
class Starts:
    """CPU seconds of a start, and of importing the library that reads options: the floor of all."""

    floor_s: float
    version_s: float
    status_s: float
    status_alone_s: float  # without a daemon
    memory: (
        float  # bytes of an idle daemon with one entry, what it shares divided among the sharers
    )
    private: float  # bytes of it that are its own


def measure(folder: Path) -> Starts:
    """Start each in turn, so that the machine is as busy for all."""
    meridian = Meridian(folder)
    meridian.crontab.write_text(idle_crontab(1, datetime.now(UTC)), encoding="utf-8")
    ours = [sys.executable, "-m", "scheduler"]
    commands = {
        "floor": [sys.executable, "-c", "import typer"],
        "version": [*ours, "--version"],
        "status": [*ours, "status", "--state", str(meridian.state)],
        "alone": [*ours, "status", "--state", str(folder / "nowhere")],
    }
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(folder / "compiled")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    best = dict.fromkeys(commands, float("inf"))
    with ExitStack() as stack:
        pid, _ = stack.enter_context(meridian.running())
        wait_until_idle(pid)
        memory, private = (_rolled_up(pid, kind) for kind in ("Pss", "Private_Dirty"))
        for _ in range(ROUNDS + 1):  # the first compiles
            for name, command in commands.items():
                best[name] = min(best[name], _cpu_of(command, environment))
    return Starts(best["floor"], best["version"], best["status"], best["alone"], memory, private)


def _cpu_of(command: list[str], environment: dict[str, str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _rolled_up(pid: int, kind: str) -> float:
    """Return a sum over the process's memory, in bytes: smaps_rollup of proc_pid_smaps(5)."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as stream:  # noqa: PTH123 (of /proc)
        line = next(line for line in stream if line.startswith(f"{kind}:"))
    return int(line.split()[1]) * 1024.0
