"""How time moved since the last minute handled, and which minutes that leaves to handle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.tick import MINUTE, Movement, Owed, minute_of, owed

LAST = datetime(2027, 3, 28, 12, 0, tzinfo=UTC)

# From the last minute handled to now, in minutes and seconds; how time moved; the minutes owed
# and those missed, counted from the last one handled; why.
MOVEMENTS = [
    (0, 0.0, Movement.STEADY, [], 0, "the minute has just been handled"),
    (0, 59.999999, Movement.STEADY, [], 0, "and still lasts"),
    (1, 0.0, Movement.STEADY, [1], 0, "the next one begins: this very instant is its own"),
    (1, 59.999999, Movement.STEADY, [1], 0, "late within the minute is not late"),
    (2, 0.0, Movement.LATE, [1, 2], 0, "one minute passed unseen: both are owed, in order"),
    (5, 59.999999, Movement.LATE, [1, 2, 3, 4, 5], 0, "five minutes are all run as if in time"),
    (6, 0.0, Movement.GAP, [6], 5, "six are a gap: only the present minute"),
    (7, 30.0, Movement.GAP, [7], 6, "and the others are told"),
    (60 * 24 * 365, 0.0, Movement.GAP, [525600], 525599, "a year asleep costs no more than a night"),
    (-1, 59.999999, Movement.BACK, [], 0, "a clock that steps back by a moment repeats nothing"),
    (-1, 0.0, Movement.BACK, [], 0, "nor one that steps back by a minute"),
    (-180, 59.0, Movement.BACK, [], 0, "minutes handled already are waited out"),
    (-180, 0.0, Movement.BACK, [], 0, "three hours exactly are still waited out"),
    (-181, 59.999999, Movement.RESET, [-181], 0, "one minute more: the clock was wrong before"),
    (-60 * 24 * 365, 0.0, Movement.RESET, [-525600], 0, "so it was after a year in the future"),
]  # fmt: skip


def after(minutes: int) -> datetime:
    return LAST + minutes * MINUTE


@pytest.mark.parametrize(("minutes", "seconds", "movement", "handled", "missed", "why"), MOVEMENTS)
def test_the_minutes_owed_follow_from_how_time_moved(
    minutes: int, seconds: float, movement: Movement, handled: list[int], missed: int, why: str
) -> None:
    now = after(minutes) + timedelta(seconds=seconds)
    assert owed(LAST, now) == Owed(movement, tuple(map(after, handled)), missed), why


def test_every_movement_stands_in_the_table_but_the_start() -> None:
    assert {row[2] for row in MOVEMENTS} == set(Movement) - {Movement.START}


@pytest.mark.parametrize("seconds", [0.0, 10.0, 59.999999])
def test_the_minute_in_which_a_daemon_first_starts_is_owed(seconds: float) -> None:
    now = LAST + timedelta(seconds=seconds)
    assert owed(None, now) == Owed(Movement.START, (LAST,))


def test_a_minute_is_an_instant_without_its_seconds() -> None:
    assert minute_of(LAST + timedelta(seconds=59, microseconds=999_999)) == LAST


# --- a whole life of a clock ---------------------------------------------------------------------

steps = st.one_of(
    st.floats(0, 90),  # the loop wakes, more or less in time
    st.floats(90, 600),  # a slow pass
    st.floats(-20_000, 50_000),  # asleep, or set by hand
)


@given(st.lists(steps, max_size=40))
def test_no_minute_is_owed_twice_unless_the_clock_was_reset(passed: list[float]) -> None:
    now, last = LAST, LAST
    handled = {LAST}
    for seconds in passed:
        now += timedelta(seconds=seconds)
        found = owed(last, now)
        if found.movement is Movement.RESET:
            handled.clear()
        assert handled.isdisjoint(found.minutes)
        handled.update(found.minutes)
        last = max(found.minutes, default=last)


@given(st.lists(steps, max_size=40))
def test_every_minute_is_owed_missed_or_waited_out(passed: list[float]) -> None:
    now, last = LAST, LAST
    for seconds in passed:
        now += timedelta(seconds=seconds)
        found = owed(last, now)
        if found.movement is Movement.RESET:
            last = minute_of(now)
            assert found.minutes == (last,)
            continue
        minutes = [last + n * MINUTE for n in range(1, (minute_of(now) - last) // MINUTE + 1)]
        assert list(found.minutes) == minutes[found.missed :]
        last = max(found.minutes, default=last)
        assert last >= minute_of(now)


@given(st.floats(0, 600), st.floats(0, 600))
def test_looking_once_more_on_the_way_changes_nothing(one: float, other: float) -> None:
    """As long as nothing is missed: what is owed at two looks is what is owed at the second."""
    first = owed(LAST, LAST + timedelta(seconds=one))
    then = max(first.minutes, default=LAST)
    second = owed(then, LAST + timedelta(seconds=one + other))
    whole = owed(LAST, LAST + timedelta(seconds=one + other))
    if not whole.missed:
        assert first.minutes + second.minutes == whole.minutes
