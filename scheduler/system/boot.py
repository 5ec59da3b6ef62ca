"""The machine in, what names its boot out: who starts at boot is started once for each."""

from __future__ import annotations

import contextlib
import ctypes
import os
from pathlib import Path

_FIRST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of Linux: the machine's own
_START = 19  # where a process's start stands behind its name in /proc/PID/stat


def boot_id(proc: Path = Path("/proc")) -> str | None:
    """Return what names this boot; None where the system does not tell.

    In a container that is the container's: who starts at boot there starts with its first process,
    so the start of PID 1 (proc_pid_stat(5), ticks since the machine's boot) stands behind the
    machine's own boot id. A container is a PID namespace other than the first.
    """
    with contextlib.suppress(OSError):
        machine = (proc / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        begun = _begun(proc)
        return machine if begun is None else f"{machine}+{begun}"
    return _boot_session_of_macos()


def _begun(proc: Path) -> str | None:
    """Return when the first process of this container started; None outside, or where untold."""
    first = proc / ("self" if os.getpid() == 1 else "1")  # /proc may be another namespace's
    with contextlib.suppress(OSError):
        if str((proc / "self/ns/pid").readlink()) != _FIRST_NAMESPACE:
            stat = (first / "stat").read_text(encoding="utf-8", errors="replace")
            return stat.rpartition(")")[2].split()[_START]
    return None


def _boot_session_of_macos() -> str | None:
    """Return kern.bootsessionuuid (sysctl(3)); written from its manual, never seen on a Mac."""
    text = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(text))
    try:
        call = ctypes.CDLL(None).sysctlbyname
    except AttributeError:
        return None
    if call(b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0):
        return None
    return text.value.decode("ascii")
