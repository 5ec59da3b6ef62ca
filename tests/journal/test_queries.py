"""History and the other questions: what the journal tells of runs."""

from __future__ import annotations

from datetime import timedelta
from operator import itemgetter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journalled import LATER, MINUTE, NOON, attempted, claimed, finished

from scheduler.journal.journal import Journal
from scheduler.run import (
    Ending,
    Exited,
    Reason,
    Run,
    State,
)


def test_history_is_in_the_order_of_the_instants(journal: Journal) -> None:
    for minutes in (3, 1, 2):  # 1 and 2 were made up for
        finished(journal, "backup", NOON + minutes * MINUTE)
    expected = [NOON + minutes * MINUTE for minutes in (1, 2, 3)]
    assert [row.run.instant for row in journal.queries.history()] == expected
    assert [row.run.instant for row in journal.queries.history("backup")] == expected


def test_history_of_one_instant_is_in_the_order_of_its_runs(journal: Journal) -> None:
    for job in ("report", "backup", "mirror"):
        finished(journal, job, NOON)
    assert [row.run.job for row in journal.queries.history()] == ["report", "backup", "mirror"]
    assert [row.run.job for row in journal.queries.history(limit=2)] == ["backup", "mirror"]


TIMES = [
    # since and before, in minutes after noon; the instants that are told; why
    (None, None, [-9, 0, 1, 2, 3], "all"),
    (1, 3, [-9, 1, 2], "its beginning is in it, its end is not; a stretch reaches into it"),
    (3, None, [3], "the stretch is over"),
    (None, 0, [-9], "what is before"),
    (2, 2, [-9], "no time at all, but what holds on over it"),
]


@pytest.mark.parametrize(("since", "before", "told", "why"), TIMES)
@pytest.mark.parametrize("job", [None, "backup"])
def test_history_of_a_time(
    journal: Journal,
    since: int | None,
    before: int | None,
    told: list[int],
    why: str,
    job: str | None,
) -> None:
    until = NOON + 2 * MINUTE
    journal.skip("backup", NOON - 9 * MINUTE, "UTC", Reason.MISSED, until=until)
    for minute in range(4):
        finished(journal, "backup", NOON + minute * MINUTE)
    begin = None if since is None else NOON + since * MINUTE
    end = None if before is None else NOON + before * MINUTE
    found = journal.queries.history(job, since=begin, before=end)
    assert [(row.run.instant - NOON) // MINUTE for row in found] == told, why
    newest = journal.queries.history(job, since=begin, before=end, limit=1)
    assert newest == found[-1:]


@pytest.mark.parametrize("job", [None, "backup"])
def test_history_of_failures_alone(journal: Journal, job: str | None) -> None:
    finished(journal, "backup", NOON)
    bad = [NOON + minutes * MINUTE for minutes in (1, 3)]
    for instant in bad:
        journal.finish(claimed(journal, "backup", instant), State.FAILED, Reason.EXHAUSTED)
    finished(journal, "backup", NOON + 4 * MINUTE)
    assert [row.run.instant for row in journal.queries.history(job, failed=True)] == bad
    assert [row.run.instant for row in journal.queries.history(job, failed=True, limit=1)] == bad[
        1:
    ]


STREAKS = [
    # states by the minute, oldest first; how many failed on end and since which minute; why
    ("sf", 1, 1, "the last one"),
    ("fsfff", 3, 2, "since it succeeded"),
    ("ff", 2, 0, "it never succeeded"),
    ("fs", 0, None, "it is mended"),
    ("sfkf", 2, 1, "one ended by hand does not count, and ends nothing"),
    ("", 0, None, "it never ran"),
]


@pytest.mark.parametrize(("states", "number", "since", "why"), STREAKS)
def test_since_when_and_how_often_a_job_fails(
    journal: Journal, states: str, number: int, since: int | None, why: str
) -> None:
    endings = {"s": (State.SUCCEEDED, None), "f": (State.FAILED, Reason.EXHAUSTED), "k": (State.FAILED, Reason.KILLED)}  # fmt: skip
    for minute, letter in enumerate(states):
        state, reason = endings[letter]
        journal.finish(claimed(journal, "backup", NOON + minute * MINUTE), state, reason)
    journal.finish(claimed(journal, "backup", LATER + MINUTE), State.FAILED)  # of a wrong clock
    first = None if since is None else NOON + since * MINUTE
    assert journal.glance.failing_since("backup", LATER) == (number, first), why


def test_the_open_runs_of_a_job(journal: Journal) -> None:
    finished(journal, "backup", NOON)
    claimed(journal, "report", NOON)
    runs = [claimed(journal, "backup", NOON + minutes * MINUTE) for minutes in (2, 1)]
    assert [row.run for row in journal.queries.open_of("backup")] == runs[::-1]


def test_a_journal_is_unused_until_a_run_has_a_number(journal: Journal) -> None:
    assert journal.queries.is_unused()
    run = finished(journal, "backup", NOON)
    journal.old_runs.forget(run.number)
    assert not journal.queries.is_unused()


@pytest.mark.parametrize("limit", [0, 1, 3, 4, 99, None])
def test_a_limit_keeps_the_newest(journal: Journal, limit: int | None) -> None:
    instants = [NOON + minutes * MINUTE for minutes in range(4)]
    for instant in instants:
        run = finished(journal, "backup", instant)
        journal.connection._sqlite.execute(  # several attempts do not count as several runs
            "INSERT INTO attempt (run, attempt, output) VALUES (?, 2, 'x')", (run.number,)
        )
    kept = instants if limit is None else instants[len(instants) - min(limit, 4) :]
    assert [row.run.instant for row in journal.queries.history(limit=limit)] == kept
    assert [row.run.instant for row in journal.queries.history("backup", limit=limit)] == kept


def test_history_of_a_job_is_of_that_job_open_or_over(journal: Journal) -> None:
    finished(journal, "backup", NOON)
    finished(journal, "report", NOON)
    claimed(journal, "backup", NOON + MINUTE)
    journal.skip("backup", NOON + 2 * MINUTE, "UTC", Reason.OVERLAP)
    states = [row.state for row in journal.queries.history("backup")]
    assert states == [State.SUCCEEDED, State.SCHEDULED, State.SKIPPED]
    assert len(journal.queries.history()) == 4


def test_a_skipped_stretch_is_one_row(journal: Journal) -> None:
    journal.skip("backup", NOON, "Asia/Tokyo", Reason.MISSED, until=NOON + 9 * MINUTE)
    (row,) = journal.queries.history()
    assert (row.state, row.reason, row.zone) == (State.SKIPPED, Reason.MISSED, "Asia/Tokyo")
    assert (row.run.instant, row.until) == (NOON, NOON + 9 * MINUTE)
    assert row.attempts == ()


def test_a_run_is_found_by_its_number(journal: Journal) -> None:
    run = finished(journal, "backup", NOON)
    row = journal.queries.run(run.number)
    assert row is not None
    assert row.run == run
    assert journal.queries.run(run.number + 1) is None


def test_the_latest_is_the_newest_run_that_came_to_an_attempt(journal: Journal) -> None:
    assert journal.queries.latest("backup", LATER) is None
    run = finished(journal, "backup", NOON)
    journal.skip("backup", NOON + MINUTE, "UTC", Reason.OVERLAP)
    claimed(journal, "backup", NOON + 2 * MINUTE)
    row = journal.queries.latest("backup", LATER)
    assert row is not None
    assert row.run == run
    running = claimed(journal, "backup", NOON + 3 * MINUTE)
    attempted(journal, running)
    row = journal.queries.latest("backup", LATER)
    assert row is not None
    assert row.run == running


def test_runs_of_a_wrong_future_are_not_the_newest(journal: Journal) -> None:
    run = finished(journal, "backup", NOON)
    future = claimed(journal, "backup", NOON + 1000 * MINUTE)
    attempted(journal, future)
    journal.finish(future, State.FAILED, Reason.EXHAUSTED)
    latest = journal.queries.latest("backup", LATER)
    assert latest is not None
    assert latest.run == run
    assert journal.glance.failing(LATER) == []
    assert journal.old_runs.newest("backup", LATER) == {run.number}
    assert len(journal.glance.failing(NOON + 1000 * MINUTE)) == 1


def test_a_job_is_failing_while_its_newest_finished_run_failed(journal: Journal) -> None:
    def ends(job: str, minute: int, state: State, reason: Reason | None = None) -> Run:
        run = claimed(journal, job, NOON + minute * MINUTE)
        attempted(journal, run)
        journal.finish(run, state, reason)
        return run

    def failing() -> list[tuple[str, int]]:
        return [(row.run.job, row.run.number) for row in journal.glance.failing(LATER)]

    assert failing() == []
    ends("mended", 0, State.FAILED, Reason.EXHAUSTED)
    ends("mended", 1, State.SUCCEEDED)
    ends("broken", 0, State.SUCCEEDED)
    broken = ends("broken", 1, State.FAILED, Reason.EXHAUSTED)
    late = ends("late", 1, State.FAILED, Reason.SUPERSEDED)
    ends("late", 0, State.SUCCEEDED)  # ended after, and is not the newest
    journal.skip("only-skipped", NOON, "UTC", Reason.OVERLAP)
    attempted(journal, claimed(journal, "new", NOON))
    expected = [("broken", broken.number), ("late", late.number)]
    assert failing() == expected
    # What is no finished run of its own accord changes nothing.
    journal.skip("broken", NOON + 2 * MINUTE, "UTC", Reason.OVERLAP)
    attempted(journal, claimed(journal, "broken", NOON + 3 * MINUTE))
    for minute, reason in enumerate((Reason.KILLED, Reason.REPLACED, Reason.STOPPED), 4):
        ends("broken", minute, State.FAILED, reason)
        ends("mended", minute, State.FAILED, reason)
    assert failing() == expected
    ends("broken", 9, State.SUCCEEDED)
    assert failing() == expected[1:]
    (row,) = journal.glance.failing(LATER)
    assert (row.state, len(row.attempts)) == (State.FAILED, 1)


def test_a_run_by_hand_that_is_ahead_by_a_second_is_failing_at_once(journal: Journal) -> None:
    """In a minute's first second it has the next one, since the first is the schedule's."""
    run = claimed(journal, "by-hand", NOON + timedelta(seconds=1))
    attempted(journal, run)
    journal.finish(run, State.FAILED, Reason.EXHAUSTED)
    assert [row.run for row in journal.glance.failing(NOON)] == [run]
    assert journal.glance.failing_since("by-hand", NOON) == (1, run.instant)


def test_retrying_is_what_waits_for_another_attempt(journal: Journal) -> None:
    run = claimed(journal, "again", NOON)
    attempt = attempted(journal, run)
    claimed(journal, "first", NOON)
    attempted(journal, claimed(journal, "running", NOON))
    finished(journal, "over", NOON)
    journal.started(attempt, NOON, 7, None)
    journal.ended(attempt, Ending(Exited(1), NOON + MINUTE))
    assert journal.glance.retrying() == []
    journal.retry(run, NOON + 2 * MINUTE)
    assert [row.run for row in journal.glance.retrying()] == [run]


def test_every_job_with_a_run_is_named_once(journal: Journal) -> None:
    assert journal.queries.jobs() == []
    for minute in range(3):
        finished(journal, "b", NOON + minute * MINUTE)
        claimed(journal, "c", NOON + minute * MINUTE)
    claimed(journal, "b", NOON + 3 * MINUTE)
    journal.skip("a", NOON, "UTC", Reason.OVERLAP)
    assert journal.queries.jobs() == ["a", "b", "c"]


KEYS = st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.sampled_from(["run", "skip", "end"]))


@given(st.lists(KEYS, max_size=20), st.integers(0, 8))
@settings(max_examples=60)
def test_history_is_what_was_put_in_once_a_key(
    steps: list[tuple[str, int, str]], limit: int
) -> None:
    journal = Journal.in_memory()
    first: dict[tuple[int, str], str] = {}
    for job, minute, step in steps:
        instant, new = NOON + minute * MINUTE, (minute, job) not in first
        first.setdefault((minute, job), step)
        if step == "skip":
            assert journal.skip(job, instant, "UTC", Reason.OVERLAP) is new
        else:
            run = journal.claim(job, instant, "UTC")
            assert (run is not None) is new
            if run is not None and step == "end":
                journal.finish(run, State.FAILED)
    kept = sorted(first, key=itemgetter(0))  # those of one minute as they came
    told = [
        (round((row.run.instant - NOON) / MINUTE), row.run.job) for row in journal.queries.history()
    ]
    newest = [row.run.job for row in journal.queries.history(limit=limit)]
    of_a = [row.run.instant for row in journal.queries.history("a", limit=limit)]
    journal.close()
    assert told == kept
    assert newest == [job for _, job in kept][len(kept) - min(limit, len(kept)) :]
    minutes_of_a = [minute for minute, job in kept if job == "a"]
    assert of_a == [
        NOON + minute * MINUTE
        for minute in minutes_of_a[len(minutes_of_a) - min(limit, len(minutes_of_a)) :]
    ]


def test_the_durations_are_those_of_the_newest_successes(journal: Journal) -> None:
    for number, (took, code) in enumerate(((1.0, 0), (2.0, 1), (3.0, 0), (4.0, 0), (5.0, 0)), 1):
        run = claimed(journal, "backup", NOON + number * MINUTE)
        for attempt in range(1, 3):  # the last attempt counts
            begun = attempted(journal, run, attempt)
            journal.started(begun, NOON, 41, 9)
            journal.ended(begun, Ending(Exited(code), NOON, took=took if attempt == 2 else 99.0))
        journal.finish(run, State.FAILED if code else State.SUCCEEDED)
    assert journal.queries.durations("backup", besides=5, limit=2) == [4.0, 3.0]
    assert journal.queries.durations("backup", besides=0, limit=9) == [5.0, 4.0, 3.0, 1.0]
    assert journal.queries.durations("report", besides=0, limit=9) == []


def test_the_last_success_is_when_it_ended(journal: Journal) -> None:
    for minutes in (1, 3):
        finished(journal, "backup", NOON + minutes * MINUTE)
    assert journal.queries.last_success("backup", LATER) == NOON + 4 * MINUTE
    assert journal.queries.last_success("backup", NOON + 2 * MINUTE) == NOON + 2 * MINUTE
    assert journal.queries.last_success("report", LATER) is None
