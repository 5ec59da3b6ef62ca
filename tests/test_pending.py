"""Runs that wait for their next attempt: in by job, out when due."""

from __future__ import annotations

from datetime import timedelta

from fakes import utc
from hypothesis import given
from hypothesis import strategies as st

from scheduler.run import Run
from scheduler.runs.pending import Pending, PendingRuns, PutOff, Retry

NOON = utc(2027, 1, 1, 12)


def pending(job: str, seconds: int = 0, run: int = 1) -> Pending:
    due = NOON + timedelta(seconds=seconds)
    return Retry(Run(run, job, NOON), 2, due, NOON, ended=NOON)


def filled(*waiting: Pending) -> PendingRuns:
    runs = PendingRuns()
    for each in waiting:
        runs.add(each)
    return runs


def test_a_run_is_due_at_its_instant_and_not_before() -> None:
    runs = filled(pending("a", 30))
    assert runs.due(NOON + timedelta(seconds=29)) == []
    assert runs.due(NOON + timedelta(seconds=30)) == [pending("a", 30)]


def test_what_is_due_waits_until_it_is_removed() -> None:
    first, second = pending("a", run=1), pending("a", run=2)
    runs = filled(first, second)
    runs.remove(first)
    assert (runs.due(NOON), "a" in runs) == ([second], True)
    runs.remove(second)
    assert (runs.due(NOON), "a" in runs) == ([], False)


def put_off(instant: int, seconds: int, run: int) -> Pending:
    """A run of an instant so many minutes after noon, and due so many seconds after it."""
    due = NOON + timedelta(seconds=seconds)
    return PutOff(Run(run, "a", NOON + timedelta(minutes=instant)), due, made_up=True)


def test_of_each_job_the_oldest_start_that_was_put_off_begins_first() -> None:
    newer, older = put_off(2, 120, run=3), put_off(1, 150, run=2)  # since the clock was set back
    runs = filled(newer, older, pending("b", 130))
    assert runs.firsts(NOON + timedelta(seconds=140)) == [newer, pending("b", 130)]
    assert runs.firsts(NOON + timedelta(seconds=150)) == [older, pending("b", 130)]
    retry = pending("a", 10)
    assert filled(newer, older, retry).firsts(NOON + timedelta(seconds=150)) == [retry]


def test_runs_of_a_job_are_found_by_its_name() -> None:
    runs = filled(pending("a", run=1), pending("b"), pending("a", run=2))
    assert [each.run.number for each in runs.of("a")] == [1, 2]
    assert list(runs.of("c")) == []
    assert "a" in runs
    assert "c" not in runs


def test_the_next_is_the_soonest_of_all() -> None:
    assert filled().next_due() is None
    runs = filled(pending("a", 90), pending("b", 30), pending("a", 60, run=2))
    assert runs.next_due() == NOON + timedelta(seconds=30)


def test_jobs_that_no_crontab_has_any_more_are_strangers() -> None:
    runs = filled(pending("a"), pending("b"), pending("c"))
    assert list(runs.unknown_jobs({"b": None})) == ["a", "c"]


def test_everything_can_be_forgotten() -> None:
    runs = filled(pending("a"))
    runs.clear()
    assert (runs.next_due(), runs.due(NOON), "a" in runs) == (None, [], False)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=20))
def test_every_run_comes_out_once_and_none_too_early(rows: list[tuple[str, int]]) -> None:
    waiting = [pending(job, seconds, run) for run, (job, seconds) in enumerate(rows)]
    runs, out = filled(*waiting), []
    while (now := runs.next_due()) is not None:
        for each in runs.due(now):
            assert each.due == now
            runs.remove(each)
            out.append(each)
    assert sorted(out, key=lambda each: each.run.number) == waiting
