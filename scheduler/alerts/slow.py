"""How long a run took, and the job's runs before it, in; whether it was slow out. Pure, in seconds.

Slow is a run that took longer than usual by all of: 10 s, half of the usual time, and 6 times the
usual spread. Usual is the median of the job's last successful runs, 5 to 30 of them; the spread is
the median of how far each of them is from that (the median absolute deviation), so that one odd run
changes neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_COMPARED = 30
FEWEST_COMPARED = 5
_LEAST_SECONDS = 10.0
_LEAST_PART = 0.5
_SPREADS = 6.0


def usual_if_slow(took: float, earlier: Sequence[float]) -> float | None:
    """Return how long the job usually takes, if this run was slow; None if it was not."""
    if len(earlier) < FEWEST_COMPARED:
        return None
    usual = _median(earlier)
    spread = _median(abs(each - usual) for each in earlier)
    more = max(_LEAST_SECONDS, _LEAST_PART * usual, _SPREADS * spread)
    return usual if took > usual + more else None


def _median(values: Iterable[float]) -> float:
    """Return the middle of some values; `statistics` would load decimals and random numbers too."""
    ordered = sorted(values)
    half, is_odd = divmod(len(ordered), 2)
    return ordered[half] if is_odd else (ordered[half - 1] + ordered[half]) / 2
