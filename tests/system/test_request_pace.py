"""How many requests of a user are answered: a few at once, then so many in a second."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.system.request_pace import REQUESTS_A_SECOND, REQUESTS_AT_ONCE, RequestPace


def test_a_few_requests_need_not_wait_and_the_next_ones_do() -> None:
    pace = RequestPace()
    waits = [pace.wait(1001, 5.0) for _ in range(REQUESTS_AT_ONCE + 3)]
    assert waits == pytest.approx([0.0] * REQUESTS_AT_ONCE + [0.1, 0.2, 0.3])


def test_one_user_waits_for_no_other() -> None:
    pace = RequestPace()
    for _ in range(1000):
        pace.wait(1001, 5.0)
    assert pace.wait(1002, 5.0) == 0.0


def test_who_was_silent_for_a_while_need_not_wait_again() -> None:
    pace = RequestPace()
    for _ in range(REQUESTS_AT_ONCE):
        pace.wait(1001, 5.0)
    assert pace.wait(1001, 5.0 + REQUESTS_AT_ONCE / REQUESTS_A_SECOND) == 0.0


@given(st.lists(st.floats(0, 3), min_size=1, max_size=300))
def test_no_haste_gets_more_than_so_many_in_a_time(pauses: list[float]) -> None:
    """However a client spaces its requests: what is answered by then is bounded."""
    pace, now = RequestPace(), 0.0
    for answered, pause in enumerate(pauses, 1):
        now += pause
        now += pace.wait(1001, now)
        assert answered <= REQUESTS_AT_ONCE + now * REQUESTS_A_SECOND + 1e-6
