"""The only module that sleeps for the daemon: an instant in, its waits out, by the kernel's timers.

Apart from `clock`, so that a command which only asks for the time needs no event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import os
import time
from functools import cached_property
from typing import TYPE_CHECKING

from scheduler.system.clock import RealClock

if TYPE_CHECKING:
    from datetime import datetime

_CLOCK_REALTIME = 0
_TFD_NONBLOCK_CLOEXEC = 0o2004000
_TFD_CLOEXEC = 0o2000000
_TFD_TIMER_ABSTIME_CANCEL_ON_SET = 3
_STEP = 10.0  # the longest step of a wait without a timer
_SHORT = 0.05  # a sleep this short wakes within 0.1 ms; long timeouts get slack from the kernel


class WaitingClock(RealClock):
    """The machine's clocks, and the wait for an instant of theirs.

    Owns the kernel's timer, made at the first wait; the loop calls `wait`, one at a time.
    Invariant: it returns at the instant at the latest, and soon after the clock was set.

    Waits by an absolute timer of the kernel where there is one (Linux: timerfd_create(2)), which
    fires on the instant and when the clock is set; elsewhere by ever shorter sleeps.
    """

    @cached_property
    def _timer(self) -> _Timer | None:
        with contextlib.suppress(AttributeError, OSError):
            return _Timer()
        return None

    async def wait(self, until: datetime, wake: asyncio.Event) -> None:
        if self._timer is not None:
            await self._timer.wait(until, wake)
        else:
            await _wait_in_steps((until - self.now()).total_seconds(), wake)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Itimerspec(ctypes.Structure):
    _fields_ = (("interval", _Timespec), ("value", _Timespec))


class _Timer:
    """Owns a timerfd on the real-time clock, which the event loop reads; see `WaitingClock`.

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
    """Owns a timerfd: an alarm that one thread sets and another waits for, asleep meanwhile.

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
