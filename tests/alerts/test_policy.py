"""Who is told when: one table of what happens to a job, and what holds of every other course."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.alerts import policy
from scheduler.alerts.policy import Failed, JobAlerts, Missed, StayedSilent, Succeeded, TookLong
from scheduler.codec import decode, encode
from scheduler.entry import AlertRule
from scheduler.notice import Kind

BEGIN = datetime(2027, 3, 1, 3, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
RULE = AlertRule(("desktop",), missed=True, slow=True)


def told(course: str, rule: AlertRule = RULE) -> list[str]:
    """What somebody hears of a course, one word a notice.

    A course is words such as `0:00F1`: at an hour and minute after its begin a run fails with exit
    code 1; `S` succeeds, `M3` are three missed runs, `L` took long, `Q` the job is silent.
    """
    state, heard = JobAlerts(), []
    for word in course.split():
        hours, minutes, what = re.fullmatch(r"(\d+):(\d\d)(.+)", word).groups()  # type: ignore[union-attr] # every word is one
        at = BEGIN + timedelta(hours=int(hours), minutes=int(minutes))
        verdict = policy.decide(state, happening(what, at), rule)
        state = kept(verdict.state)
        if verdict.kind is not None:
            number = f" {verdict.count}" if verdict.count else ""
            of = f"/{verdict.of}" if verdict.of else ""
            heard.append(f"{hours}:{minutes} {verdict.kind}{number}{of}")
    return heard


def happening(what: str, at: datetime) -> policy.Happening:
    match what[0]:
        case "F":
            return Failed(at, f"exit {what[1:]}")
        case "S":
            return Succeeded(at)
        case "M":
            return Missed(at, int(what[1:]), at)
        case "L":
            return TookLong(at)
        case _:
            return StayedSilent(at)


def kept(state: JobAlerts) -> JobAlerts:
    """The state as the journal gives it back."""
    return decode(JobAlerts, json.loads(json.dumps(encode(state))))


TABLE = [
    # course, what is heard, reason
    ("0:00S 1:00S", [], "all is well"),
    ("0:00F1", ["0:00 failure 1"], "at once"),
    ("0:00F1 0:05F1 23:00F1", ["0:00 failure 1", "23:00 failure 3"], "then once a day"),
    ("0:00F1 22:00F1", ["0:00 failure 1"], "no sooner"),
    ("0:00F1 23:59F1 47:58F1", ["0:00 failure 1", "23:59 failure 2", "47:58 failure 3"], "a daily job, each day"),
    ("0:00F1 23:00F1 46:00F1", ["0:00 failure 1", "23:00 failure 2"], "days begin when the first one did"),
    ("0:00F1 25:00F1 46:30F1", ["0:00 failure 1", "25:00 failure 2", "46:30 failure 3"], "so that they don't wander"),
    ("0:00F1 20:00F2 22:30F1 32:00F1", ["0:00 failure 1", "20:00 failure 2", "32:00 failure 4"], "but half a day lies between two"),
    ("0:00F1 1:00F2", ["0:00 failure 1", "1:00 failure 2"], "another outcome is news"),
    ("0:00F1 0:59F2 1:01F2", ["0:00 failure 1", "1:01 failure 3"], "at most once an hour"),
    ("0:00F1 1:00F2 2:00F1 3:00F2", ["0:00 failure 1", "1:00 failure 2"], "one that was told of is none"),
    (
        "0:00F1 1:00F2 2:00F3 3:00F4 4:00F5 5:00F6",
        ["0:00 failure 1", "1:00 failure 2", "2:00 failure 3", "3:00 failure 4", "4:00 failure 5"],
        "the sixth different outcome is no news",
    ),
    ("0:00F1 1:00S", ["0:00 failure 1", "1:00 recovery 1"], "it is well again"),
    ("0:00F1 1:00F1 2:00S 3:00S", ["0:00 failure 1", "2:00 recovery 2"], "told once"),
    ("0:00F1 24:00S 48:00F1", ["0:00 failure 1", "24:00 recovery 1", "48:00 failure 1"], "a daily job doesn't flap"),
    # --- flapping
    ("0:00F1 0:01S 0:02F1", ["0:00 failure 1", "0:01 recovery 1", "0:02 failure 2/3"], "soon after its recovery: it flaps"),
    (
        "0:00F1 0:01S 0:02F1 0:03S 0:04F1 1:03S 1:04F1 2:03S",
        ["0:00 failure 1", "0:01 recovery 1", "0:02 failure 2/3"],
        "then no recovery before it has been well for an hour",
    ),
    (
        "0:00F1 0:01S 0:02F1 0:03S 1:02S 1:03S 1:04S",
        ["0:00 failure 1", "0:01 recovery 1", "0:02 failure 2/3", "1:03 recovery 2/6"],
        "or for twice as long as it ever was, if that is longer",
    ),
    (
        "0:00F1 1:00S 3:00F1 4:00S 7:59S 8:00S",
        ["0:00 failure 1", "1:00 recovery 1", "3:00 failure 2/3", "8:00 recovery 2/6"],
        "it was well for 2 h, so 4 h are asked for",
    ),
    (
        "0:00F1 0:01S 0:02F1 0:03S 22:00F1 22:01S 22:33F1",
        ["0:00 failure 1", "0:01 recovery 1", "0:02 failure 2/3", "22:33 failure 4/7"],
        "a note a day, with the numbers",
    ),
    ("0:00F1 0:01S 20:01F1", ["0:00 failure 1", "0:01 recovery 1", "20:01 failure 1"], "20 hours later it is another matter"),
    ("0:00F1 0:01S 0:02F1 1:30F2", ["0:00 failure 1", "0:01 recovery 1", "0:02 failure 2/3"], "another outcome of a job that flaps is no news"),
    # --- missed, slow
    ("0:00M1", ["0:00 missed 1"], "at once"),
    ("0:00M1 1:00M2 9:00M96 24:00M1", ["0:00 missed 1", "24:00 missed 99"], "then once a day, with all of them"),
    ("0:00L 1:00L 24:00L", ["0:00 slow", "24:00 slow"], "at most once a day"),
    ("0:00L 0:01F1 0:02M1", ["0:00 slow", "0:01 failure 1", "0:02 missed 1"], "each for itself"),
    # --- silence
    ("0:00Q 24:00Q 25:00S", ["0:00 silent", "24:00 silent", "25:00 recovery"], "a success ends it"),
    ("0:00F1 26:00Q 27:00S", ["0:00 failure 1", "26:00 silent", "27:00 recovery 1"], "one recovery ends both"),
    ("0:00S", [], "nobody was told of anything"),
]  # fmt: skip


@pytest.mark.parametrize(("course", "heard", "reason"), TABLE, ids=[row[0] for row in TABLE])
def test_who_is_told_when(course: str, heard: list[str], reason: str) -> None:
    assert told(course) == heard, reason


STREAKS = [
    # course, what is heard, reason
    ("0:00F1 1:00F1", [], "two of three"),
    ("0:00F1 1:00F1 2:00F1 3:00F1", ["2:00 failure 3"], "the third in a row, once"),
    ("0:00F1 1:00F1 2:00S 3:00F1", [], "a success begins the count again, and is no recovery"),
    ("0:00F1 1:00F2 2:00F3 3:00S", ["2:00 failure 3", "3:00 recovery 3"], "whatever the outcomes"),
    (
        "0:00F1 0:01F1 0:02F1 0:03S 0:04F1 0:05F1 0:06F1",
        ["0:02 failure 3", "0:03 recovery 3", "0:06 failure 6/7"],
        "three in a row again: it flaps",
    ),
]


@pytest.mark.parametrize(("course", "heard", "reason"), STREAKS, ids=[row[0] for row in STREAKS])
def test_a_streak_is_told_of_when_it_is_long_enough(
    course: str, heard: list[str], reason: str
) -> None:
    assert told(course, replace(RULE, after=3)) == heard, reason


# --- every other course ---------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from([1, 5, 30, 59, 60, 61, 90, 360, 720, 1200, 1320, 1380, 1440, 1500, 4000]),
        st.sampled_from(["exit 1", "exit 2", "timed out", ""]),  # "" succeeds
    ),
    max_size=60,
)
AFTER = st.integers(1, 4)


def notices(steps: list[tuple[int, str]], after: int) -> list[tuple[datetime, policy.Judgement]]:
    """What is heard of a course of runs, each so many minutes after the one before."""
    state, at, heard = JobAlerts(), BEGIN, []
    rule = AlertRule(("desktop",), after=after)
    for minutes, outcome in steps:
        at += timedelta(minutes=minutes)
        verdict = policy.decide(state, Failed(at, outcome) if outcome else Succeeded(at), rule)
        state = verdict.state
        if verdict.kind is not None:
            heard.append((at, verdict))
    return heard


@given(STEPS, AFTER)
def test_two_failures_are_told_of_within_an_hour_only_where_a_job_begins_to_flap(
    steps: list[tuple[int, str]], after: int
) -> None:
    failures = [each for each in notices(steps, after) if each[1].kind is Kind.FAILURE]
    for (first, _), (second, verdict) in pairwise(failures):
        assert second - first >= HOUR or verdict.of


@given(STEPS, AFTER)
def test_each_recovery_ends_a_failure_that_was_told_of(
    steps: list[tuple[int, str]], after: int
) -> None:
    announced = False
    for _, verdict in notices(steps, after):
        assert verdict.kind is Kind.FAILURE or announced
        announced = verdict.kind is Kind.FAILURE


@given(STEPS, AFTER)
def test_the_count_is_that_of_the_failures_in_a_row(
    steps: list[tuple[int, str]], after: int
) -> None:
    in_a_row: dict[datetime, int] = {}
    at, count = BEGIN, 0
    for minutes, outcome in steps:
        at += timedelta(minutes=minutes)
        in_a_row[at] = count = count + 1 if outcome else 0
    for at, verdict in notices(steps, after):
        if verdict.kind is Kind.FAILURE and not verdict.of:
            assert verdict.count == in_a_row[at] >= after
        if verdict.of:
            assert 0 < verdict.count <= verdict.of


@given(STEPS, AFTER)
def test_no_more_than_eight_notices_of_a_jobs_failures_come_within_a_day(
    steps: list[tuple[int, str]], after: int
) -> None:
    times = [at for at, _ in notices(steps, after)]
    for first in times:
        assert sum(first <= at < first + DAY for at in times) <= 8


@given(st.sampled_from([60, 180, 360, 720, 1440]), st.lists(st.booleans(), min_size=1, max_size=30))
def test_however_a_job_flaps_its_month_has_at_most_two_notices_a_day(
    minutes: int, pattern: list[bool]
) -> None:
    fails = islice(cycle(pattern), 30 * 1440 // minutes)
    steps = [(minutes, "exit 1" if each else "") for each in fails]
    assert len(notices(steps, 1)) <= 60


@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(hours=20), timedelta(days=400)])
def test_a_clock_that_is_set_back_silences_nobody_for_long(back: timedelta) -> None:
    state = policy.decide(JobAlerts(), Failed(BEGIN, "exit 1"), RULE).state
    verdict = policy.decide(state, Failed(BEGIN - back, "exit 1"), RULE)
    assert (verdict.kind is Kind.FAILURE) == (back >= DAY)


def test_an_episode_that_is_long_over_is_forgotten() -> None:
    """Else its numbers would be those of the next one, and its first recovery would flap."""
    state = JobAlerts()
    for hours, fails in [(0, True), (1, False), (20, False)]:
        at = BEGIN + hours * HOUR
        state = policy.decide(state, Failed(at, "exit 1") if fails else Succeeded(at), RULE).state
    assert (state.episode is None, state.recovered) == (False, BEGIN + HOUR)
    state = policy.decide(state, Succeeded(BEGIN + 21 * HOUR), RULE).state
    assert state == JobAlerts()


# --- from when on silence is told of -----------------------------------------------------------

KNOWN = JobAlerts(seen=BEGIN)
SILENCES = [
    # what is known, how long after the begin, reason
    (KNOWN, 2, "from when the daemon first saw it"),
    (replace(KNOWN, succeeded=BEGIN + HOUR), 3, "from the last success"),
    (replace(KNOWN, silent=policy.Told(BEGIN + 2 * HOUR, BEGIN + 2 * HOUR)), 26, "once a day"),
    (replace(KNOWN, failing=policy.Told(BEGIN + HOUR, BEGIN + HOUR)), 26.5, "who was told that it fails knows it, for a day and a bit"),
    (replace(KNOWN, silent=policy.Told(BEGIN + 90 * DAY, BEGIN + 90 * DAY)), 2, "what a clock's wrong future told keeps nobody waiting"),
    (replace(KNOWN, failing=policy.Told(BEGIN + 90 * DAY, BEGIN + 90 * DAY)), 2, "nor does a failure in it"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "hours", "reason"), SILENCES, ids=[row[2] for row in SILENCES])
def test_silence_begins(known: JobAlerts, hours: float, reason: str) -> None:
    assert policy.silence_begins(known, 7200.0, BEGIN + 3 * HOUR) == BEGIN + hours * HOUR, reason


@pytest.mark.parametrize(
    "known",
    [JobAlerts(), JobAlerts(seen=BEGIN + DAY), replace(KNOWN, succeeded=BEGIN + DAY)],
    ids=["nobody has seen it", "seen in a wrong future", "succeeded in a wrong future"],
)
def test_it_is_not_known_from_when_on_a_job_is_silent(known: JobAlerts) -> None:
    assert policy.silence_begins(known, 7200.0, BEGIN + HOUR) is None
