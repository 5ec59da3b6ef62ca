"""What follows an attempt: done, another at an instant, or no more and why."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.entry import RetryPolicy, Settings
from scheduler.run import (
    Decision,
    Done,
    Exited,
    GiveUp,
    Lost,
    NotStarted,
    Outcome,
    Reason,
    RetryAt,
    Signalled,
    TimedOut,
)
from scheduler.runs.retry import decide, wait

START = datetime(2027, 3, 28, 12, 0, tzinfo=UTC)
ENDED = START + timedelta(seconds=100)
STEADY = RetryPolicy(retries=3, delay=30, factor=2, max_delay=600, jitter=0)
FAILED = Exited(1)


def after(seconds: float) -> datetime:
    """Return the instant so many seconds after the attempt ended."""
    return ENDED + timedelta(seconds=seconds)


def policy(**changed: object) -> RetryPolicy:
    fields = {"retries": 3, "delay": 30.0, "factor": 2.0, "max_delay": 600.0, "jitter": 0.0}
    return RetryPolicy(**(fields | changed))  # type: ignore[arg-type]  # a row names what it changes


def decided(
    given_policy: RetryPolicy,
    attempt: int,
    outcome: Outcome,
    *,
    next_in: float | None = None,
    draw: float = 0.0,
    success: frozenset[int] = frozenset({0}),
) -> Decision:
    return decide(
        Settings(retry=given_policy, success=success),
        attempt,
        outcome,
        ended=ENDED,
        first_start=START,
        next_instant=None if next_in is None else after(next_in),
        draw=draw,
    )


# --- waits ---------------------------------------------------------------------------------------

WAITS = [  # delay, factor, longest, the waits in seconds, why
    (30, 2, 600, [30, 60, 120, 240, 480, 600, 600], "the defaults"),
    (10, 2, 300, [10, 20, 40, 80, 160, 300, 300], "10 s doubled, never more than 300"),
    (10, 2, 360, [10, 20, 40, 80, 160, 320, 360], "and never more than six minutes"),
    (10, 1, 300, [10, 10, 10, 10], "a factor of 1: evenly"),
    (10, 3, 300, [10, 30, 90, 270, 300], "a factor of 3"),
    (10, 1.5, 600, [10, 15, 22.5, 33.75], "a factor between"),
    (60, 2, 10, [10, 10, 10], "a limit below the first wait holds for it too"),
    (0, 2, 600, [0, 0, 0], "zero is a legal delay: at once, each time"),
    (30, 2, 0, [0, 0, 0], "and a legal limit"),
    (0.25, 2, 600, [0.25, 0.5, 1], "a part of a second"),
]


@pytest.mark.parametrize(("delay", "factor", "longest", "expected", "why"), WAITS)
def test_waits_grow_by_the_factor_up_to_the_longest(
    delay: float, factor: float, longest: float, expected: list[float], why: str
) -> None:
    given_policy = policy(delay=delay, factor=factor, max_delay=longest)
    found = [wait(given_policy, number, 0) for number in range(1, len(expected) + 1)]
    assert found == expected, why


@pytest.mark.parametrize(
    ("jitter", "draw", "expected", "why"),
    [
        (0.1, 0.0, 30, "in the middle"),
        (0.1, 1.0, 33, "the late end"),
        (0.1, -1.0, 27, "the early end"),
        (0.1, 0.5, 31.5, "halfway to the late end"),
        (0.0, 1.0, 30, "no jitter, nothing to place"),
        (1.0, -1.0, 0, "full jitter: at once"),
        (1.0, 1.0, 60, "to twice the wait"),
    ],
)
def test_jitter_moves_a_wait_by_a_fraction_of_itself(
    jitter: float, draw: float, expected: float, why: str
) -> None:
    assert wait(policy(jitter=jitter), 1, draw) == pytest.approx(expected), why


def test_jitter_moves_the_longest_wait_too() -> None:
    """A thousand jobs that reached the limit must not come back in one second."""
    assert wait(policy(jitter=0.1), 20, 1.0) == pytest.approx(660)


@pytest.mark.parametrize("number", [1023, 1024, 1025, 1026, 1_000_000])
def test_a_wait_beyond_all_numbers_is_the_longest(number: int) -> None:
    assert wait(policy(), number, 0) == 600
    assert wait(policy(delay=0), number, 0) == 0


policies = st.builds(
    RetryPolicy,
    retries=st.integers(0, 1_000_000),
    delay=st.floats(0, 1e8),
    factor=st.floats(1, 1000),
    max_delay=st.floats(0, 1e8),
    jitter=st.floats(0, 1),
)
numbers = st.one_of(st.integers(1, 50), st.integers(1, 1_000_000))
spreads = st.floats(-1, 1)


@given(policies, numbers, spreads)
def test_a_wait_is_never_negative_and_never_beyond_the_longest_and_its_jitter(
    given_policy: RetryPolicy, number: int, draw: float
) -> None:
    found = wait(given_policy, number, draw)
    assert 0 <= found <= given_policy.max_delay * (1 + given_policy.jitter)
    assert math.isfinite(found)


@given(policies, numbers)
def test_a_later_wait_is_never_shorter(given_policy: RetryPolicy, number: int) -> None:
    assert wait(given_policy, number, 0) <= wait(given_policy, number + 1, 0)


# --- decisions -----------------------------------------------------------------------------------

EXHAUSTED = GiveUp(Reason.EXHAUSTED)
NOT_RETRIED = GiveUp(Reason.NOT_RETRIED)
SUPERSEDED = GiveUp(Reason.SUPERSEDED)
WINDOW = GiveUp(Reason.WINDOW)
ON = frozenset

DECISIONS: list[tuple[RetryPolicy, int, Outcome, float | None, Decision, str]] = [
    # how often: policy, attempt, outcome, seconds until the job's next instant, what follows, why
    (STEADY, 1, Exited(0), None, Done(), "success ends a run"),
    (STEADY, 4, Exited(0), None, Done(), "as late as in its last attempt"),
    (STEADY, 1, Exited(0), -60, Done(), "and even after the next instant"),
    (STEADY, 1, FAILED, None, RetryAt(after(30)), "the first retry waits the delay, from the end on"),
    (STEADY, 2, FAILED, None, RetryAt(after(60)), "the second twice as long"),
    (STEADY, 3, FAILED, None, RetryAt(after(120)), "three retries are three after the first attempt"),
    (STEADY, 4, FAILED, None, EXHAUSTED, "and no more"),
    (STEADY, 9, FAILED, None, EXHAUSTED, "nor when a reload lowered their number meanwhile"),
    (policy(retries=0), 1, FAILED, None, EXHAUSTED, "no retries at all"),
    (policy(delay=0), 1, FAILED, None, RetryAt(ENDED), "a delay of zero: at once"),
    (policy(retries=10**6), 10**6, FAILED, None, RetryAt(after(600)), "the millionth is as good as any"),
    # until the job's next instant
    (STEADY, 1, FAILED, 30.001, RetryAt(after(30)), "just before the next instant"),
    (STEADY, 1, FAILED, 30, SUPERSEDED, "at exactly the next instant the new run has it"),
    (STEADY, 1, FAILED, 29, SUPERSEDED, "after it all the more"),
    (STEADY, 1, FAILED, -1, SUPERSEDED, "the attempt itself ran past the next instant"),
    (policy(delay=0), 1, FAILED, 0, SUPERSEDED, "it ended at that very instant"),
    (STEADY, 4, FAILED, 30, EXHAUSTED, "there was no retry left to supersede"),
    # within a time from the first start, which lies 100 s before the end here
    (policy(within=130.0), 1, FAILED, None, RetryAt(after(30)), "at exactly the end of the window"),
    (policy(within=129.9), 1, FAILED, None, WINDOW, "a moment after it"),
    (policy(within=0.0), 1, FAILED, None, WINDOW, "a window of zero has no room"),
    (policy(within=9999.0), 1, FAILED, 30, SUPERSEDED, "no window reaches past the next instant"),
    (policy(within=120.0), 1, FAILED, 25, WINDOW, "both are over: the narrower rule is named first"),
    # what CRON_RETRY_ON names
    (policy(on=ON({1, 75})), 1, Exited(75), None, RetryAt(after(30)), "a code in the list"),
    (policy(on=ON({1, 75})), 1, Exited(2), None, NOT_RETRIED, "a code that is not"),
    (policy(on=ON({1})), 1, Signalled(9), None, NOT_RETRIED, "codes alone leave signals out"),
    (policy(on=ON({1})), 1, TimedOut(), None, NOT_RETRIED, "and timeouts"),
    (policy(on=ON({1})), 1, NotStarted("no shell"), None, NOT_RETRIED, "and failed starts"),
    (policy(on=ON({9})), 1, Signalled(9), None, NOT_RETRIED, "exit code 9 is not signal 9"),
    (policy(on=ON({"signal"})), 1, Signalled(9), None, RetryAt(after(30)), "any signal"),
    (policy(on=ON({"signal"})), 1, Exited(137), None, NOT_RETRIED, "which a shell's 137 is not"),
    (policy(on=ON({"timeout"})), 1, TimedOut(), None, RetryAt(after(30)), "timeouts only"),
    (policy(on=ON({"timeout"})), 1, Signalled(15), None, NOT_RETRIED, "not a TERM from elsewhere"),
    (policy(on=ON({"start"})), 1, NotStarted("no shell"), None, RetryAt(after(30)), "failed starts only"),
    (policy(on=ON({"start"})), 1, Exited(127), None, NOT_RETRIED, "a shell that found no command did start"),
    (policy(on=ON()), 1, FAILED, None, NOT_RETRIED, "an empty list names nothing"),
    # what CRON_NO_RETRY_ON names
    (policy(never_on=ON({2})), 1, Exited(2), None, NOT_RETRIED, "a code in the list"),
    (policy(never_on=ON({2})), 1, Exited(1), None, RetryAt(after(30)), "every other one is retried"),
    (policy(never_on=ON({"signal"})), 1, Signalled(9), None, NOT_RETRIED, "signals"),
    (policy(never_on=ON({"timeout"})), 1, TimedOut(), None, NOT_RETRIED, "timeouts"),
    (policy(never_on=ON({"start"})), 1, NotStarted("no shell"), None, NOT_RETRIED, "failed starts"),
    (policy(on=ON({1, 2}), never_on=ON({2})), 1, Exited(2), None, NOT_RETRIED, "in both lists: not retried"),
    (policy(never_on=ON({0})), 1, Exited(0), None, Done(), "success asks no list"),
    (policy(never_on=ON({1})), 4, FAILED, None, NOT_RETRIED, "the ending is named before the number"),
    # lost attempts
    (STEADY, 1, Lost(), None, RetryAt(after(30)), "nobody saw the end: a failed attempt"),
    (STEADY, 4, Lost(), None, EXHAUSTED, "and it counts as one"),
    (policy(on=ON({75})), 1, Lost(), None, RetryAt(after(30)), "no list can have meant it"),
    (policy(never_on=ON({1, "signal", "timeout", "start"})), 1, Lost(), None, RetryAt(after(30)), "either way"),
    (STEADY, 1, Lost(), 30, SUPERSEDED, "the next instant holds for it too"),
]  # fmt: skip


@pytest.mark.parametrize(("given_policy", "attempt", "outcome", "next_in", "expected", "why"), DECISIONS)  # fmt: skip
def test_this_follows(
    given_policy: RetryPolicy,
    attempt: int,
    outcome: Outcome,
    next_in: float | None,
    expected: Decision,
    why: str,
) -> None:
    assert decided(given_policy, attempt, outcome, next_in=next_in) == expected, why


@pytest.mark.parametrize(
    ("code", "success", "expected", "why"),
    [
        (0, {0}, Done(), "the default"),
        (1, {0, 1}, Done(), "grep found nothing, and that is well"),
        (0, {1}, RetryAt(after(30)), "0 is a success only where it is named"),
        (2, {0, 1}, RetryAt(after(30)), "any other code is a failure"),
    ],
)
def test_success_is_what_the_settings_say(
    code: int, success: set[int], expected: Decision, why: str
) -> None:
    assert decided(STEADY, 1, Exited(code), success=frozenset(success)) == expected, why


@pytest.mark.parametrize("outcome", [Signalled(15), TimedOut(), NotStarted("no shell"), Lost()])
def test_only_an_exit_code_can_be_a_success(outcome: Outcome) -> None:
    every_code = frozenset(range(256))
    assert decided(STEADY, 1, outcome, success=every_code) == RetryAt(after(30))


def test_jitter_can_carry_a_retry_over_the_next_instant() -> None:
    jittery = policy(jitter=0.1)
    assert decided(jittery, 1, FAILED, next_in=30, draw=-1) == RetryAt(after(27))
    assert decided(jittery, 1, FAILED, next_in=30, draw=0) == SUPERSEDED
    assert decided(jittery, 1, FAILED, next_in=33, draw=1) == SUPERSEDED


outcomes = st.one_of(
    st.integers(0, 255).map(Exited),
    st.integers(1, 64).map(Signalled),
    st.sampled_from([TimedOut(), NotStarted("no shell"), Lost()]),
)


@given(policies, st.integers(1, 20), outcomes, st.one_of(st.none(), st.floats(-1e6, 1e6)), spreads)
def test_a_retry_comes_after_the_end_and_before_the_next_instant(
    given_policy: RetryPolicy, attempt: int, outcome: Outcome, next_in: float | None, draw: float
) -> None:
    found = decided(given_policy, attempt, outcome, next_in=next_in, draw=draw)
    if isinstance(found, RetryAt):
        assert attempt <= given_policy.retries
        assert found.at >= ENDED
        assert next_in is None or found.at < after(next_in)
