"""So many seconds for several steps in, what is left of them for the next one out."""

from __future__ import annotations

from scheduler.system.clock import RealClock

_LEAST = 0.001  # no time at all would mean "do not wait" to some calls, and "for ever" to others


class TimeLimit:
    """Owns the moment at which a number of `seconds` is over; it never moves.

    Whoever has several things to do one after the other asks it before each. Invariant: what it
    gives away never adds up to more than `seconds`, up to a millisecond each.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._clock = RealClock()
        self._end = self._clock.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left, a millisecond at least."""
        return max(_LEAST, self._end - self._clock.monotonic())

    def is_over(self) -> bool:
        """Say whether nothing is left."""
        return self.left() <= _LEAST

    def part(self, share: float) -> TimeLimit:
        """Return a limit of its own for a share of what is left: 1 is all of it."""
        return TimeLimit(self.left() * share)
