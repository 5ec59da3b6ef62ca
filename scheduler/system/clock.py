"""The only module that reads a clock: instants out, nothing in. `waiting` sleeps until one."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

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
    """The machine's clocks, for whoever only reads them: a daemon's waits too, `waiting` has it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def asleep(self) -> float | None:
        if _SINCE_BOOT is None:
            return None
        goes_on, stands_still = _SINCE_BOOT
        return time.clock_gettime(goes_on) - time.clock_gettime(stands_still)


def since_boot(clock: Clock | RealClock) -> float:
    """Return seconds since some fixed point, those asleep counted: no setting moves them.

    On Linux it is the machine's boot. Where the system tells of no sleep it counts as no time.
    """
    return clock.monotonic() + (clock.asleep() or 0.0)


def rest(seconds: float) -> None:
    """Do nothing for so long: for a command that looks again and again, and owns its thread."""
    time.sleep(seconds)
