"""Whether somebody keeps the kernel's clock right, and how wrong it may be; nothing comes in.

adjtimex(2), which any user may ask. Whoever sets the clock (chrony, ntpd, systemd-timesyncd) tells
the kernel; where a hypervisor does it, nobody does.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

_STA_UNSYNC = 0x0040


class _Timex(ctypes.Structure):
    """struct timex as far as it is read here; the kernel writes 208 bytes or fewer."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("most_wrong_us", ctypes.c_long),
        ("likely_wrong_us", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


@dataclass(frozen=True, slots=True)
class ClockSync:
    """What the kernel says of its clock: `most_wrong_s` is the largest error that it may have."""

    is_synchronised: bool
    most_wrong_s: float


def read() -> ClockSync | None:
    """Return what the kernel says; None where there is no such word."""
    if sys.platform != "linux":
        return None
    found = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found)) < 0:
        return None  # a sandbox may refuse it
    return ClockSync(not found.status & _STA_UNSYNC, found.most_wrong_us / 1e6)
