"""Which run was slow: a table of durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.alerts.slow import usual_if_slow

TABLE = [
    # took, the runs before it, usual, reason
    (1000.0, [1.0] * 4, None, "four runs tell nothing"),
    (1000.0, [1.0] * 5, 1.0, "five do"),
    (11.0, [1.0] * 5, None, "10 s more is not more than 10 s more"),
    (11.1, [1.0] * 5, 1.0, "seconds count for short jobs"),
    (149.0, [100.0] * 5, None, "half of it more is usual for long ones"),
    (151.0, [100.0] * 5, 100.0, "more than half is not"),
    (200.0, [100.0, 80.0, 120.0, 60.0, 140.0], None, "its runs differ by 20 s, so 120 s more are usual"),
    (221.0, [100.0, 80.0, 120.0, 60.0, 140.0], 100.0, "and no more"),
    (151.0, [100.0] * 29 + [9999.0], 100.0, "one odd run changes nothing"),
    (1.0, [100.0] * 30, None, "fast is not slow"),
]  # fmt: skip


@pytest.mark.parametrize(("took", "earlier", "usual", "reason"), TABLE)
def test_a_run_is_slow(took: float, earlier: list[float], usual: float | None, reason: str) -> None:
    assert usual_if_slow(took, earlier) == usual, reason


@given(st.lists(st.floats(0, 1e6), min_size=5, max_size=30))
def test_no_run_that_took_the_usual_time_is_slow(earlier: list[float]) -> None:
    usual = usual_if_slow(1e9, earlier)
    assert usual is not None
    assert usual_if_slow(usual + 10, earlier) is None
