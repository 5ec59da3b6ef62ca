"""A folder like /proc with whom a test puts into it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scheduler.process.procfs import Processes

if TYPE_CHECKING:
    from pathlib import Path
OURS, OTHER = os.geteuid(), os.geteuid() + 1


def stat(pid: int, *, state: str = "S", session: int | None = None, start: int = 100) -> str:
    """A line of /proc/[pid]/stat: the name may be anything."""
    leader = pid if session is None else session
    return f"{pid} (a) Z 1 () {state} 1 {leader} {leader} " + "0 " * 15 + f"{start} 0 0\n"


def add(proc: Path, pid: int, line: str, environment: bytes = b"A=1\0") -> None:
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(line)
    (proc / str(pid) / "environ").write_bytes(environment)
    is_user(proc, pid)


def is_user(proc: Path, pid: int, *uids: int) -> None:
    """Let a process have these real, effective and saved users, then that of the file system."""
    some = "\t".join(map(str, uids or (os.geteuid(),) * 4))
    (proc / str(pid) / "status").write_text(f"Name:\tUid:\t9\t9\t9\t9\nUid:\t{some}\nGid:\t0\n")


def processes_of(proc: Path, *hidden: int) -> Processes:
    """The processes that the folder tells of; beside them live the hidden ones."""
    return Processes(proc, exists=lambda pid: pid in hidden or (proc / str(pid)).exists())


def make_proc(folder: Path) -> Path:
    """Return a /proc with nobody in it, and what else stands there."""
    (folder / "self").mkdir()
    (folder / "self/stat").write_text(stat(1))
    (folder / "uptime").write_text("1 1\n")
    return folder
