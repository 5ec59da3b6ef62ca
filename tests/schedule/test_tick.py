"""How time moved since the last minute handled, and which minutes that leaves to handle."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.schedule.tick import (
    MINUTE,
    Era,
    Jump,
    JumpKind,
    Movement,
    Owed,
    Reading,
    Verdict,
    borders,
    comes_again,
    era_of,
    first_to_come,
    is_set_right,
    jumps,
    minute_of,
    owed,
)

LAST = datetime(2027, 3, 28, 12, 0, tzinfo=UTC)

# From the last minute handled to now, in minutes and seconds; how time moved; the minutes owed,
# counted from the last one handled; why.
MOVEMENTS = [
    (0, 0.0, Movement.STEADY, [], "the minute has just been handled"),
    (0, 59.999999, Movement.STEADY, [], "and still lasts"),
    (1, 0.0, Movement.STEADY, [1], "the next one begins: this very instant is its own"),
    (1, 59.999999, Movement.STEADY, [1], "late within the minute is not late"),
    (2, 0.0, Movement.LATE, [1, 2], "one minute passed unseen: both are owed, in order"),
    (6, 59.999999, Movement.LATE, [1, 2, 3, 4, 5, 6], "five missed ones are run, and the present"),
    (7, 0.0, Movement.MISSED, [7], "six are missed: only the present minute"),
    (8, 30.0, Movement.MISSED, [8], "as are seven"),
    (60 * 24 * 365, 0.0, Movement.MISSED, [525600], "a year asleep costs no more than a night"),
    (-1, 59.999999, Movement.BACK, [], "a clock that steps back by a moment repeats nothing"),
    (-1, 0.0, Movement.BACK, [], "nor one that steps back by a minute"),
    (-180, 59.0, Movement.BACK, [], "minutes handled already are waited out"),
    (-180, 0.0, Movement.BACK, [], "three hours exactly are still waited out"),
    (-181, 59.999999, Movement.RESET, [-181], "one minute more: the clock was wrong before"),
    (-60 * 24 * 365, 0.0, Movement.RESET, [-525600], "so it was after a year in the future"),
]  # fmt: skip


def after(minutes: int) -> datetime:
    return LAST + minutes * MINUTE


@pytest.mark.parametrize(("minutes", "seconds", "movement", "handled", "why"), MOVEMENTS)
def test_how_time_moved_says_which_minutes_are_owed(
    minutes: int, seconds: float, movement: Movement, handled: list[int], why: str
) -> None:
    now = after(minutes) + timedelta(seconds=seconds)
    since = after(handled[0]) if movement is Movement.RESET else None
    assert owed(LAST, now) == Owed(movement, tuple(map(after, handled)), since), why


FORWARD = Jump(JumpKind.FORWARD, after(-60), after(0), 3600.0, Verdict.ACCOUNTED)
SLEPT = Jump(JumpKind.ASLEEP, after(-60), after(0), 3600.0, Verdict.ACCOUNTED)
LATER = Jump(JumpKind.ASLEEP, after(-200), after(-100), 6000.0, Verdict.ACCOUNTED)

# The last minute handled is LAST, 60 minutes after the one before a leap; from LAST to now, in
# minutes; the leaps; with which minute a new era begins (None: none does); why.
SET_BACK = [
    (-4, [FORWARD], None, "a few minutes correct a clock that was nearly right"),
    (-5, [FORWARD], None, "five are a few"),
    (-6, [FORWARD], -6, "six are not: that minute was left out"),
    (-59, [FORWARD], -59, "so was the first of them"),
    (-60, [FORWARD], -59, "this one was handled in its time, and the next was not"),
    (-61, [FORWARD], -59, "forward by an hour, and back by a little more"),
    (-180, [FORWARD], -59, "or by up to two hours more"),
    (-241, [FORWARD], -241, "beyond three it was wrong before that, too"),
    (-60, [SLEPT], -59, "time that was slept through comes again, too"),
    (-61, [SLEPT], None, "but a sleep says nothing of what was set"),
    (-30, [], None, "nothing was left out: what was handled is waited out"),
    (-30, [LATER], None, "nor was it then"),
    (-150, [LATER, FORWARD], -150, "of two leaps the one that this minute lies in"),
    (-181, [], -181, "three hours and more begin anew at the present minute"),
]


@pytest.mark.parametrize(("minutes", "leaps", "since", "why"), SET_BACK)
def test_a_new_era_begins_where_time_comes_again(
    minutes: int, leaps: list[Jump], since: int | None, why: str
) -> None:
    now = after(minutes) + timedelta(seconds=30)
    found = owed(LAST, now, leaps)
    assert found.since == (None if since is None else after(since)), why
    assert found.movement is (Movement.BACK if since is None else Movement.RESET)
    assert found.minutes == ((after(minutes),) if since == minutes else ())
    assert first_to_come(LAST, now, leaps) == after(1 if since is None else since)


TO_COME = [(0, 30, 1), (1, 0, 1), (3, 20, 1), (6, 59, 1), (7, 0, 7), (600, 0, 600)]


@pytest.mark.parametrize(("minutes", "seconds", "first"), TO_COME)
def test_the_first_minute_to_come_is_the_first_that_is_owed(
    minutes: int, seconds: int, first: int
) -> None:
    assert first_to_come(LAST, after(minutes) + timedelta(seconds=seconds)) == after(first)
    assert first_to_come(None, after(minutes)) == after(minutes)


ERAS = (Era(1, after(10), after(90), after(10)), Era(2, after(5), after(40), after(5)))
COMING = [(0, 4, None), (0, 5, 2), (0, 10, 1), (0, 80, 2), (1, 4, None), (1, 5, 2), (2, 9, None)]


@pytest.mark.parametrize(("era", "minute", "again"), COMING)
def test_an_instant_comes_again_in_the_first_era_that_begins_no_later(
    era: int, minute: int, again: int | None
) -> None:
    found = comes_again(era, after(minute), ERAS)
    assert (None if found is None else found.number) == again


def test_an_instant_is_of_the_newest_era_that_came_to_it() -> None:
    """An era of a wrong clock ends where the clock was set right again."""
    assert [era_of(after(n), ERAS) for n in (4, 5, 40, 41, 99)] == [0, 2, 2, 2, 2]
    wrong = (Era(1, after(-900), after(0), after(-900)), Era(2, after(1), after(-890), after(3)))
    instants = (-901, -900, -890, -889, 0, 1, 9)
    assert [era_of(after(n), wrong) for n in instants] == [0, 1, 1, 0, 0, 2, 2]
    assert borders(wrong) == [after(-900), after(-889), after(1)]
    assert borders(ERAS) == [after(5), after(10)]


def test_what_an_era_did_not_come_to_has_not_come_again() -> None:
    """The clock was wrong in it alone, and time went on behind what had been handled before."""
    wrong = (Era(1, after(-900), after(0), after(-900)), Era(2, after(1), after(-890), after(3)))
    for instant, again in ((-901, None), (-900, 1), (-890, 1), (-889, None), (0, None), (1, 2)):
        found = comes_again(0, after(instant), wrong)
        assert (None if found is None else found.number) == again, instant


SET_RIGHT = [
    # back by, at an hour of it set forward by, both in minutes; restarted; whether it is right; why
    (300, 300, False, True, "all of it"),
    (300, 303, False, True, "and what went by"),
    (300, 295, False, True, "nearly all of it"),
    (300, 240, False, False, "not all of it"),
    (300, 0.1, False, False, "a little"),
    (300, 300, True, False, "nobody can tell it from a time without a daemon"),
    (3000, 3000, True, True, "which is not so long"),
]


@pytest.mark.parametrize(("back", "forward", "restarted", "expected", "why"), SET_RIGHT)
def test_a_clock_is_set_right_when_it_is_set_forward_by_as_much(
    back: float, forward: float, restarted: bool, expected: bool, why: str
) -> None:
    set_back = LAST + timedelta(seconds=30) - timedelta(minutes=back)
    era = Era(1, minute_of(set_back), LAST, set_back)
    an_hour_later = set_back + timedelta(hours=1)
    before = None if restarted else Reading(an_hour_later - MINUTE, 1000.0, 50.0)
    now = Reading(an_hour_later + timedelta(minutes=forward), 1060.0, 50.0)
    assert is_set_right(minute_of(an_hour_later), before, now, era) is expected, why
    assert not is_set_right(LAST, before, now, era)


def test_every_movement_stands_in_the_table_but_the_start() -> None:
    assert {row[2] for row in MOVEMENTS} == set(Movement) - {Movement.START, Movement.RESUMED}


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
def test_every_minute_is_owed_or_waited_out_unless_many_are_missed(passed: list[float]) -> None:
    now, last = LAST, LAST
    for seconds in passed:
        now += timedelta(seconds=seconds)
        found = owed(last, now)
        if found.movement is Movement.RESET:
            last = minute_of(now)
            assert found.minutes == (last,)
            continue
        minutes = [last + n * MINUTE for n in range(1, (minute_of(now) - last) // MINUTE + 1)]
        is_missed = found.movement is Movement.MISSED
        assert list(found.minutes) == (minutes[-1:] if is_missed else minutes)
        assert is_missed == (len(minutes) > 6)
        last = max(found.minutes, default=last)
        assert last >= minute_of(now)


@given(st.floats(0, 600), st.floats(0, 600))
def test_looking_once_more_on_the_way_changes_nothing(one: float, other: float) -> None:
    """As long as nothing is missed: what is owed at two looks is what is owed at the second."""
    first = owed(LAST, LAST + timedelta(seconds=one))
    then = max(first.minutes, default=LAST)
    second = owed(then, LAST + timedelta(seconds=one + other))
    whole = owed(LAST, LAST + timedelta(seconds=one + other))
    if whole.movement is not Movement.MISSED:
        assert first.minutes + second.minutes == whole.minutes


# --- jumps ---------------------------------------------------------------------------------------

BEFORE = Reading(LAST, 1000.0, 50.0)

# Seconds that the wall clock, the machine awake and the machine asleep have gone on between two
# looks; the jumps told, with their sizes; what was made of them; why.
JUMPS = [
    (60, 60, 0, {}, None, "time goes on"),
    (60.9, 60, 0, {}, None, "a clock that is steered"),
    (120, 60, 0, {JumpKind.FORWARD: 60}, Verdict.REPLAYED, "set forward by a minute"),
    (62, 60, 0, {JumpKind.FORWARD: 2}, Verdict.NOTHING, "set forward within a minute"),
    (2460, 60, 0, {JumpKind.FORWARD: 2400}, Verdict.ACCOUNTED, "by 40 minutes"),
    (-1740, 60, 0, {JumpKind.BACK: -1800}, Verdict.WAITED_OUT, "set back by 30"),
    (-17940, 60, 0, {JumpKind.BACK: -18000}, Verdict.RESET, "by 5 hours"),
    (2460, 60, 2400, {JumpKind.ASLEEP: 2400}, Verdict.ACCOUNTED, "asleep for 40 minutes"),
    (61, 1, 60, {JumpKind.ASLEEP: 60}, Verdict.NOTHING, "asleep for one"),
    (1260, 60, 2400, {JumpKind.ASLEEP: 2400, JumpKind.BACK: -1200}, Verdict.ACCOUNTED, "asleep, and set back on waking"),
    (2460, 2460, 0, {JumpKind.HELD_UP: 2400}, Verdict.ACCOUNTED, "awake all the time, and did not come to it"),
    (120, 120, 0, {JumpKind.HELD_UP: 60}, Verdict.REPLAYED, "for a minute"),
    (7262, 7260, 0, {JumpKind.FORWARD: 2, JumpKind.HELD_UP: 7200}, Verdict.ACCOUNTED, "and steered meanwhile"),
    (7200, 3600, 3600, {JumpKind.ASLEEP: 3600, JumpKind.HELD_UP: 3540}, Verdict.ACCOUNTED, "asleep for half of it"),
    (2460, 60, None, {JumpKind.UNSEEN: 2400}, Verdict.ACCOUNTED, "nobody can tell which"),
    (-1740, 60, None, {JumpKind.BACK: -1800}, Verdict.WAITED_OUT, "this one is told anyway"),
]  # fmt: skip


@pytest.mark.parametrize(("went", "awake", "asleep", "sizes", "verdict", "why"), JUMPS)
def test_a_jump_is_told_by_the_clocks_that_nobody_sets(
    went: float,
    awake: float,
    asleep: float | None,
    sizes: dict[JumpKind, float],
    verdict: Verdict | None,
    why: str,
) -> None:
    before = BEFORE if asleep is not None else Reading(LAST, 1000.0, None)
    slept = None if asleep is None else 50.0 + asleep
    now = Reading(LAST + timedelta(seconds=went), 1000.0 + awake, slept)
    found = jumps(LAST, before, now, owed(LAST, now.wall).movement)
    assert {each.kind: round(each.seconds, 6) for each in found} == sizes, why
    assert {each.verdict for each in found} == ({verdict} if verdict else set()), why
    assert {(each.last, each.at) for each in found} <= {(LAST, now.wall)}


# The same at a daemon's first look: seconds since the last minute that any daemon handled.
FIRST_LOOKS = [
    (30, {}, None, "started again at once"),
    (90, {}, None, "or within the next minute"),
    (150, {JumpKind.DOWN: 150}, Verdict.REPLAYED, "a minute later"),
    (2430, {JumpKind.DOWN: 2430}, Verdict.ACCOUNTED, "40 minutes later"),
    (-1800, {JumpKind.BACK: -1800}, Verdict.WAITED_OUT, "30 minutes earlier"),
    (-18000, {JumpKind.BACK: -18000}, Verdict.RESET, "5 hours earlier"),
]


@pytest.mark.parametrize(("since", "sizes", "verdict", "why"), FIRST_LOOKS)
def test_a_daemon_that_starts_tells_for_how_long_there_was_none(
    since: float, sizes: dict[JumpKind, float], verdict: Verdict | None, why: str
) -> None:
    now = Reading(LAST + timedelta(seconds=since), 5.0, 0.0)
    found = jumps(LAST, None, now, owed(LAST, now.wall).movement)
    expected = [
        Jump(kind, LAST, now.wall, size, verdict) for kind, size in sizes.items() if verdict
    ]
    assert list(found) == expected, why


def test_the_first_daemon_of_all_has_missed_nothing() -> None:
    assert jumps(None, None, BEFORE, Movement.START) == ()
