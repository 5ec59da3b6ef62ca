"""Runs that wait for their next attempt: in by job, out when due."""

from __future__ import annotations

from datetime import timedelta

from fakes import utc
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model import Run
from scheduler.retries import Pending, Retries

NOON = utc(2027, 1, 1, 12)


def pending(job: str, seconds: int = 0, run: int = 1) -> Pending:
    due = NOON + timedelta(seconds=seconds)
    return Pending(Run(run, job, NOON), 2, due, NOON, ended=NOON)


def filled(*waiting: Pending) -> Retries:
    retries = Retries()
    for each in waiting:
        retries.add(each)
    return retries


def test_a_run_is_due_at_its_instant_and_not_before() -> None:
    retries = filled(pending("a", 30))
    assert retries.due(NOON + timedelta(seconds=29)) == []
    assert retries.due(NOON + timedelta(seconds=30)) == [pending("a", 30)]


def test_what_is_due_waits_until_it_is_removed() -> None:
    first, second = pending("a", run=1), pending("a", run=2)
    retries = filled(first, second)
    retries.remove(first)
    assert (retries.due(NOON), "a" in retries) == ([second], True)
    retries.remove(second)
    assert (retries.due(NOON), "a" in retries) == ([], False)


def test_runs_of_a_job_are_found_by_its_name() -> None:
    retries = filled(pending("a", run=1), pending("b"), pending("a", run=2))
    assert [each.run.number for each in retries.of("a")] == [1, 2]
    assert list(retries.of("c")) == []
    assert "a" in retries
    assert "c" not in retries


def test_the_next_is_the_soonest_of_all() -> None:
    assert filled().next_due() is None
    retries = filled(pending("a", 90), pending("b", 30), pending("a", 60, run=2))
    assert retries.next_due() == NOON + timedelta(seconds=30)


def test_jobs_that_no_crontab_has_any_more_are_strangers() -> None:
    retries = filled(pending("a"), pending("b"), pending("c"))
    assert list(retries.strangers({"b": None})) == ["a", "c"]


def test_everything_can_be_forgotten() -> None:
    retries = filled(pending("a"))
    retries.clear()
    assert (retries.next_due(), retries.due(NOON), "a" in retries) == (None, [], False)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100)), max_size=20))
def test_every_run_comes_out_once_and_none_too_early(rows: list[tuple[str, int]]) -> None:
    waiting = [pending(job, seconds, run) for run, (job, seconds) in enumerate(rows)]
    retries, out = filled(*waiting), []
    while (now := retries.next_due()) is not None:
        for each in retries.due(now):
            assert each.due == now
            retries.remove(each)
            out.append(each)
    assert sorted(out, key=lambda each: each.run.number) == waiting
