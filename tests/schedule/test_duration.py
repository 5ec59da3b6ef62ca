"""Durations: each way of writing one, each way of writing it wrong, and there and back."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import BadValue
from scheduler.schedule import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("10m", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1h30m", 5400.0),
        ("1d2h3m4s", 93784.0),
        ("45", 45.0),  # a bare number is seconds
        ("0", 0.0),  # zero is a legal delay
        ("0s", 0.0),
        ("0.5", 0.5),
        ("1.5h", 5400.0),
        ("007m", 420.0),
        ("90m", 5400.0),  # nothing says that minutes end at 59
        ("3650d", 315_360_000.0),  # the longest
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert duration.parse(text) == seconds


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("", "bad-duration", "write it as in"),
        ("soon", "bad-duration", "write it as in"),
        ("-5m", "bad-duration", "write it as in"),  # no time runs backwards
        ("+5m", "bad-duration", "write it as in"),
        ("30m1h", "bad-duration", "write it as in"),  # from large to small
        ("1h1h", "bad-duration", "write it as in"),
        ("1h30", "bad-duration", "write it as in"),  # 30 of what?
        ("10M", "bad-duration", "write 10m"),
        ("1h 30m", "bad-duration", "write 1h30m"),
        ("1w", "bad-duration", "write it as in"),
        ("500ms", "bad-duration", "write it as in"),
        (".5", "bad-duration", "write it as in"),
        ("1e3", "bad-duration", "write it as in"),
        ("inf", "bad-duration", "write it as in"),
        ("nan", "bad-duration", "write it as in"),
        ("٣m", "bad-duration", "write it as in"),  # int() would have read it
        ("1m\n", "bad-duration", "write it as in"),
        ("9" * 5000, "bad-duration", "write it as in"),
        ("3651d", "duration-too-long", ""),
        ("999999999", "duration-too-long", ""),
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str, code: str, hint: str) -> None:
    with pytest.raises(BadValue) as caught:
        duration.parse(text)
    assert caught.value.code == code
    assert caught.value.hint.startswith(hint)
    assert len(caught.value.message) < 100


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (30, "30s"),
        (60, "1m"),
        (90, "1m30s"),
        (600, "10m"),
        (5400, "1h30m"),
        (86400, "1d"),
        (90061, "1d1h1m1s"),
        (0.25, "0.25s"),
        (60.5, "1m0.5s"),
    ],
)
def test_seconds_are_printed_in_the_units_a_person_uses(seconds: float, text: str) -> None:
    assert duration.to_text(seconds) == text


@given(st.integers(min_value=0, max_value=315_360_000_000))
def test_what_is_printed_is_read_back(milliseconds: int) -> None:
    seconds = milliseconds / 1000
    assert duration.parse(duration.to_text(seconds)) == seconds


@given(st.text(max_size=12) | st.from_regex(r"[0-9dhms.]{0,9}", fullmatch=True))
def test_no_text_is_more_than_refused(text: str) -> None:
    with suppress(BadValue):
        assert duration.parse(text) >= 0
