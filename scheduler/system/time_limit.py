"""So many seconds for several steps in, what is left of them for the next one out; or patience."""

from __future__ import annotations

from scheduler.system.clock import RealClock

_FORGOTTEN_AFTER = 60.0  # seconds without trouble, after which all is as at first
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


class Patience:
    """Owns how long an answer is waited for: less each time that none came, for a minute.

    Who waits for that holds the loop up for twice the `first` wait at most, up to the least ones.
    """

    def __init__(self, first: float) -> None:
        self._clock = RealClock()
        self._first = self._seconds = first
        self._lost_at = -_FORGOTTEN_AFTER

    @property
    def seconds(self) -> float:
        """How long the next answer may take."""
        if self._clock.monotonic() - self._lost_at >= _FORGOTTEN_AFTER:
            self._seconds = self._first
        return self._seconds

    def lose(self) -> None:
        """Take note that an answer did not come."""
        self._seconds, self._lost_at = self.seconds / 2, self._clock.monotonic()
