"""A daemon on a system that lacks things: `python bare_system.py proc,pidfd run FILE ...`.

What is switched off is as absent as on a Mac: no such function, no such constant, no such file. It
is done before anything of Meridian is imported. Only this process lacks it; jobs do not.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import sysconfig
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

# module -> names that a Mac has not (typeshed's, and Apple's manuals)
NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "pidfd": {"os": ("pidfd_open",), "signal": ("pidfd_send_signal",)},
    "waitid": {"os": ("waitid", "waitid_result")},
    "epoll": {"select": ("epoll",)},
    "o_path": {"os": ("O_PATH", "O_TMPFILE", "O_DIRECT")},
    "xattr": {"os": ("getxattr", "setxattr", "listxattr", "removexattr")},
    "leases": {"fcntl": ("F_SETSIG", "F_GETSIG", "F_SETLEASE", "F_GETLEASE", "F_NOTIFY")},
    "fdatasync": {"os": ("fdatasync", "posix_fallocate", "posix_fadvise")},
    "newer_calls": {
        "os": ("pipe2", "memfd_create", "eventfd", "copy_file_range", "splice", "getrandom"),
        "resource": ("prlimit", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_SIGPENDING"),
    },
    "ids": {"os": ("getresuid", "getresgid", "setresuid", "setresgid")},
    "scheduling": {
        "os": ("sched_getaffinity", "sched_setaffinity", "sched_setscheduler", "sched_rr_get_interval")
    },
    "boot_clock": {"time": ("CLOCK_BOOTTIME", "CLOCK_TAI")},
    "peercred": {"socket": ("SO_PEERCRED", "SO_PASSCRED", "SOCK_CLOEXEC", "SOCK_NONBLOCK")},
    "timer": {"os": ("timerfd_create", "timerfd_settime", "TFD_NONBLOCK")},
    "signals": {"signal": ("SIGRTMIN", "SIGRTMAX", "SIGPWR", "SIGPOLL", "SIGSTKFLT", "sigtimedwait")},
}  # fmt: skip
# functions of the C library that are called by their names
CALLS = {
    "timer": ("timerfd_create", "timerfd_settime"),
    "inotify": ("inotify_init1", "inotify_add_watch", "inotify_rm_watch"),
    "subreaper": ("prctl",),
    "holes": ("fallocate", "fallocate64"),
}
PATHS = {"proc": ("/proc", "/sys"), "cgroup": ("/sys/fs/cgroup", "/proc/self/cgroup")}
MODULES = {"dbus": ("jeepney",)}
PLATFORM = "platform"  # sys.platform says darwin
ALL = tuple(sorted({*NAMES, *CALLS, *PATHS, *MODULES, PLATFORM}))
# Two systems that differ in everything else name the one who is at the other end by different calls.
_WITH_PLATFORM = {"peercred"}
ALONE = tuple(each for each in ALL if each not in _WITH_PLATFORM)


def switch_off(what: str) -> None:
    """Take one of `ALL` away from this process."""
    for module, names in NAMES.get(what, {}).items():
        loaded = __import__(module)
        for name in names:
            if hasattr(loaded, name):
                delattr(loaded, name)
    if what in CALLS:
        _hide_calls(CALLS[what])
    if what in PATHS:
        _hide_paths(PATHS[what])
    for module in MODULES.get(what, ()):
        sys.modules[module] = None  # type: ignore[assignment]  # so importing it fails
    if what == PLATFORM:
        sysconfig.get_config_vars()  # read while the interpreter still knows its own
        _hide_calls(())
        sys.platform = "darwin"


def _hide_calls(names: tuple[str, ...]) -> None:
    real: Callable[..., Any] = ctypes.CDLL

    def library(name: str | None, *args: Any, **options: Any) -> _Library:
        return _Library(real(name, *args, **options), names)

    ctypes.CDLL = library  # type: ignore[assignment,misc]  # as it is called


class _Library:
    """A C library without some functions, and with one that a Mac has."""

    def __init__(self, real: Any, hidden: tuple[str, ...]) -> None:
        self._real, self._hidden = real, hidden

    def __getattr__(self, name: str) -> Any:
        if name in self._hidden:
            raise AttributeError(name)
        if name in _OF_A_MAC and sys.platform == "darwin":
            return _OF_A_MAC[name]
        return getattr(self._real, name)


def _getpeereid(connection: int, uid: Any, gid: Any) -> int:
    """The word of the kernel, as a Mac would give it: see getpeereid(3)."""
    import socket  # noqa: PLC0415  (what is switched off is so before this is imported)
    import struct  # noqa: PLC0415

    with socket.socket(fileno=os.dup(connection)) as end:
        raw = end.getsockopt(socket.SOL_SOCKET, 17, 12)  # SO_PEERCRED, which has no name here
    _, uid._obj.value, gid._obj.value = struct.unpack("3i", raw)
    return 0


def _sysctlbyname(_name: bytes, text: Any, *_others: Any) -> int:
    """A boot that has this name, whichever is asked for."""
    text.value = b"0F3A1B52-6C1E-4F0B-9D56-0123456789AB"
    return 0


_OF_A_MAC = {"getpeereid": _getpeereid, "sysctlbyname": _sysctlbyname}


def _hide_paths(folders: tuple[str, ...]) -> None:
    """Let the system know nothing below these folders, by whatever path they are asked for."""

    def refuse(path: object) -> None:
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if any(text == each or text.startswith(f"{each}/") for each in folders):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def hook(event: str, args: tuple[object, ...]) -> None:
        if event in ("open", "os.listdir", "os.scandir", "os.chdir"):
            refuse(args[0])

    def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            refuse(path)
            return real(path, *args, **options)

        return call

    sys.addaudithook(hook)
    for name in ("stat", "lstat", "readlink", "access"):  # of which no hook is told
        setattr(os, name, refusing(getattr(os, name)))


if __name__ == "__main__":
    for each in sys.argv.pop(1).split(","):
        switch_off(each)
    sys.argv[0] = "meridian"
    from scheduler.__main__ import main

    main()
