"""Rows of the journal become runs; an outcome's text is its one form on disk, there and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.journal import columns, decoding, rows, run_decoding
from scheduler.run import Exited, Limit, Lost, NotStarted, Outcome, Signalled, State, TimedOut

OUTCOMES = st.one_of(
    st.builds(Exited, st.integers(min_value=0, max_value=255)),
    st.builds(Signalled, st.integers(min_value=1, max_value=64)),
    st.builds(TimedOut),
    st.builds(NotStarted, st.text()),
    st.builds(Lost),
)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("exit 0", Exited(0)),
        ("exit 127", Exited(127)),
        ("signal 9", Signalled(9)),
        ("timed out", TimedOut()),
        ("lost", Lost()),
        ("not started: no such file: exit 3", NotStarted("no such file: exit 3")),
        ("not started: ", NotStarted("")),
        ("not started: two\nlines", NotStarted("two\nlines")),
    ],
)
def test_an_outcome_is_read_from_the_text_that_it_prints(text: str, outcome: Outcome) -> None:
    assert rows.outcome_from(text) == outcome
    assert str(outcome) == text


@given(OUTCOMES)
def test_every_outcome_is_read_back_from_its_text(outcome: Outcome) -> None:
    assert rows.outcome_from(str(outcome)) == outcome


@given(st.one_of(st.text(), st.from_regex(r"(exit|signal|lost|timed out|not started:?) ?.*")))
def test_a_text_is_refused_or_is_what_its_outcome_prints(text: str) -> None:
    try:
        outcome = rows.outcome_from(text)
    except ValueError:
        return
    assert str(outcome) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "exit",
        "exit 0 ",  # nearly
        "exit 00",  # not as it is printed
        "exit ٣",  # a digit, but not one that is printed
        "exit ²",  # looks like one, and isn't a number
        "exit -1",  # no process ends like that
        "signal KILL",
        "Lost",
        "not started",
    ],
)
def test_a_text_that_no_outcome_prints_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="outcome that nobody knows"):
        rows.outcome_from(text)


def test_a_reason_of_a_newer_version_is_refused_by_name() -> None:
    row = (1, "backup", 0, 0, "UTC", "skipped", "eclipse", None, None, *[None] * 15)
    with pytest.raises(ValueError, match="'eclipse'"):
        run_decoding.runs([row])


def test_what_is_told_of_one_run_in_rows_becomes_one_run_with_its_attempts() -> None:
    run = (7, "backup", 60, 0, "UTC", "running", None, None, None, 1, 1, 90.0, 99.5, 60, "alice")
    first = (1, 60.5, 61.0, "exit 1", 0.25, 4096, 41, 9, "7.1", "memory", 0.5, 1, 2)
    second = (2, 91.0, None, None, None, None, 42, None, "7.2", None, None, 0, None)
    (row,) = run_decoding.runs([(*run, *first), (*run, *second)])
    assert (row.state, row.made_up, row.by_hand) == (State.RUNNING, True, True)
    assert [attempt.limit for attempt in row.attempts] == [Limit.MEMORY, None]
    assert [attempt.emptied for attempt in row.attempts] == [True, False]
    assert [attempt.left_behind for attempt in row.attempts] == [2, 0]
    assert [attempt.number for attempt in row.attempts] == [1, 2]
    assert row.attempts[0].outcome == Exited(1)
    assert row.attempts[1].outcome is None
    assert row.is_unreal
    assert row.run.user == "alice"
    assert row.set_back == datetime(1970, 1, 1, 0, 1, 39, 500_000, tzinfo=UTC)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
def test_a_time_comes_back_to_the_microsecond(at: datetime) -> None:
    assert decoding.when(columns.seconds(at)) == at


def test_an_instant_is_whole_seconds_whatever_its_offset() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert columns.whole(datetime(1970, 1, 1, 9, 1, 0, 999_999, tzinfo=tokyo)) == 60


def test_a_time_without_a_zone_is_no_instant() -> None:
    with pytest.raises(TypeError):
        columns.whole(datetime(2027, 3, 1))
    with pytest.raises(TypeError):
        columns.seconds(datetime(2027, 3, 1))


@given(st.text())
def test_a_storable_text_is_left_as_it_is(text: str) -> None:
    assert columns.storable(text) == text


def test_bytes_that_are_no_text_are_stored_as_escapes() -> None:
    assert columns.storable("no file 'caf\udce9'") == r"no file 'caf\xe9'"
