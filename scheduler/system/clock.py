"""The only module that reads a clock or sleeps: instants and waits out, nothing in but when."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import time
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

_CLOCK_REALTIME = 0
_TFD_NONBLOCK_CLOEXEC = 0o2004000
_TFD_CLOEXEC = 0o2000000
_TFD_TIMER_ABSTIME_CANCEL_ON_SET = 3
# A clock that goes on while the machine sleeps, and one that stands still: clock_gettime(2) of
# Linux, clock_gettime(3) of macOS; None where the system has no such pair.
_CLOCKS = (("CLOCK_BOOTTIME", "CLOCK_MONOTONIC"), ("CLOCK_MONOTONIC", "CLOCK_UPTIME_RAW"))
_SINCE_BOOT: tuple[int, int] | None = next(
    (
        (getattr(time, one), getattr(time, other))
        for one, other in _CLOCKS
        if hasattr(time, one) and hasattr(time, other)
    ),
    None,
)
_FIRST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of Linux: the machine's own
_START = 19  # where a process's start stands behind its name in /proc/PID/stat
_STEP = 10.0  # the longest step of a wait without a timer
_SHORT = 0.05  # a sleep this short wakes within 0.1 ms; long timeouts get slack from the kernel


class Clock(Protocol):
    """What the daemon asks of time; a virtual clock that answers the same takes its place."""

    def now(self) -> datetime:
        """Return the instant, in UTC."""

    def monotonic(self) -> float:
        """Return seconds that no setting of the clock moves."""

    def asleep(self) -> float | None:
        """Return for how many seconds the machine has slept since some fixed point.

        None where the system does not tell; `monotonic` stands still meanwhile.
        """

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        """Return at `until`, or earlier: when `wake` is set, when the clock was set, or at will."""


class RealClock:
    """The machine's clocks.

    Waits by an absolute timer of the kernel where there is one (Linux: timerfd_create(2)), which
    fires on the instant and when the clock is set; elsewhere by ever shorter sleeps.
    """

    @cached_property
    def _timer(self) -> _Timer | None:  # one who only asks for the time needs none
        with contextlib.suppress(AttributeError, OSError):
            return _Timer()
        return None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def asleep(self) -> float | None:
        if _SINCE_BOOT is None:
            return None
        goes_on, stands_still = _SINCE_BOOT
        return time.clock_gettime(goes_on) - time.clock_gettime(stands_still)

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        if self._timer is not None:
            await self._timer.wait(until, wake)
        else:
            await _wait_in_steps((until - self.now()).total_seconds(), wake)


def since_boot(clock: Clock) -> float:
    """Return seconds since some fixed point, those asleep counted: no setting moves them.

    On Linux it is the machine's boot. Where the system tells of no sleep it counts as no time.
    """
    return clock.monotonic() + (clock.asleep() or 0.0)


def rest(seconds: float) -> None:
    """Do nothing for so long: for a command that looks again and again, and owns its thread."""
    time.sleep(seconds)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _Timer:
    """A timerfd on the real-time clock, watched by the event loop.

    Python has these calls from 3.13 on only. Raises AttributeError where the system has none.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._fd: int = libc.timerfd_create(_CLOCK_REALTIME, _TFD_NONBLOCK_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        at = max(0.0, until.timestamp())  # a timer knows no time before 1970
        whole = int(at)
        spec = _Itimerspec(_Timespec(0, 0), _Timespec(whole, max(1, int((at - whole) * 1e9))))
        if self._settime(self._fd, _TFD_TIMER_ABSTIME_CANCEL_ON_SET, ctypes.byref(spec), None):
            error = ctypes.get_errno()
            if error != errno.ECANCELED:
                raise OSError(error, "timerfd_settime")
            return  # the clock was set since the last wait: time to look again
        loop.add_reader(self._fd, self._ring, wake)
        try:
            await wake.wait()
        finally:
            loop.remove_reader(self._fd)

    def _ring(self, wake: asyncio.Event) -> None:
        with contextlib.suppress(OSError):  # ECANCELED: the clock was set; time to look again
            os.read(self._fd, 8)
        wake.set()


class Alarm:
    """An alarm that one thread sets and another waits for, by a timerfd: nobody wakes meanwhile.

    It goes by a clock that nobody sets, and stands still while the machine sleeps. Raises
    AttributeError where the system has none.
    """

    def __init__(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._fd: int = libc.timerfd_create(time.CLOCK_MONOTONIC, _TFD_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(self, seconds: float) -> None:
        """Let it ring in so many seconds, once."""
        spec = _Itimerspec(_Timespec(0, 0), _Timespec(int(seconds), int(seconds % 1 * 1e9)))
        self._settime(self._fd, 0, ctypes.byref(spec), None)

    def disarm(self) -> None:
        """Let it not ring."""
        self._settime(self._fd, 0, ctypes.byref(_Itimerspec()), None)

    def wait(self) -> None:
        """Wait until it rings, for ever if it does not."""
        os.read(self._fd, 8)


async def _wait_in_steps(seconds: float, wake: asyncio.Event) -> None:
    if wake.is_set():
        return
    if seconds <= _SHORT:
        time.sleep(max(0.0, seconds))
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        # Slack grows with the timeout, up to 1/1000 of it: so stop short and come again. And where
        # the timeout's clock stands still while the machine sleeps, a long one would outlast it.
        await asyncio.wait_for(wake.wait(), min(seconds * 0.99 - _SHORT / 2, _STEP))


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
