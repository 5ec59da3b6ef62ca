"""The journal: what is claimed once, what an attempt was, what one transaction makes."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from journalled import MINUTE, NOON, attempted, claimed, finished

from scheduler.errors import JournalError
from scheduler.journal.rows import AttemptRow
from scheduler.run import (
    Attempt,
    Ending,
    Exited,
    Lost,
    NotStarted,
    Reason,
    Run,
    Signalled,
    State,
    TimedOut,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.journal.journal import Journal
    from scheduler.run import Outcome


# --- the key of a run -------------------------------------------------------------------------


def test_a_key_is_claimed_once(journal: Journal) -> None:
    assert claimed(journal) == Run(1, "backup", NOON)
    assert journal.claim("backup", NOON, "Europe/Berlin") is None


@pytest.mark.parametrize("user", ["alice", None])
def test_a_run_is_of_the_user_who_is_said(journal: Journal, user: str | None) -> None:
    run = journal.claim("backup", NOON, "UTC", user=user)
    assert run is not None
    assert run.user == user
    journal.skip("mirror", NOON, "UTC", Reason.OVERLAP, user=user)
    assert [row.run.user for row in journal.queries.history()] == [user, user]


def test_a_run_that_is_nobodys_any_more_is_so_on_disk(journal: Journal) -> None:
    run = journal.claim("backup", NOON, "UTC", user="alice")
    assert run is not None
    assert journal.disown(run).user is None
    assert [row.run.user for row in journal.queries.history()] == [None]


def test_a_key_stays_taken_when_its_run_is_over(journal: Journal) -> None:
    journal.finish(claimed(journal), State.SUCCEEDED)
    assert journal.claim("backup", NOON, "Europe/Berlin") is None


def test_a_key_is_the_instant_not_the_zone(journal: Journal) -> None:
    claimed(journal)
    assert journal.claim("backup", NOON, "Asia/Tokyo") is None


def test_another_job_or_another_minute_is_another_key(journal: Journal) -> None:
    runs = [
        claimed(journal),
        claimed(journal, "report"),
        claimed(journal, "backup", NOON + MINUTE),
    ]
    assert [run.number for run in runs] == [1, 2, 3]


def test_a_skipped_instant_is_never_claimed(journal: Journal) -> None:
    assert journal.skip("backup", NOON, "UTC", Reason.OVERLAP)
    assert journal.claim("backup", NOON, "UTC") is None


def test_a_claimed_instant_is_never_skipped(journal: Journal) -> None:
    run = claimed(journal)
    assert not journal.skip("backup", NOON, "UTC", Reason.OVERLAP)
    assert journal.queries.history()[0].state is State.SCHEDULED
    assert journal.queries.run(run.number) is not None


def test_a_run_number_is_not_given_again_after_a_deletion(journal: Journal) -> None:
    first = finished(journal, "backup", NOON)
    journal.connection._sqlite.execute("DELETE FROM run")
    assert claimed(journal, "backup", NOON + MINUTE).number > first.number
    assert journal.connection._sqlite.execute("SELECT count(*) FROM attempt").fetchone() == (0,)


@pytest.mark.parametrize(
    "job",
    [
        "'; DROP TABLE run; --",
        'say "hello" \\',
        "日本語 \N{PILE OF POO}",
        "a\x00b",
        "a\x1b[31mb\r\n",
        "%s ? :job",
        "",
    ],
)
def test_any_text_is_a_job_name(journal: Journal, job: str) -> None:
    run = finished(journal, job, NOON)
    assert journal.claim(job, NOON, "UTC") is None
    assert journal.queries.history(job)[0].run == run
    assert journal.queries.history(job + "x") == []


def test_a_name_that_is_no_text_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalError, match="surrogates"):
        journal.claim("caf\udce9", NOON, "UTC")


# --- attempts ---------------------------------------------------------------------------------


def test_claiming_an_attempt_sets_the_run_running(journal: Journal) -> None:
    run = claimed(journal)
    assert attempted(journal, run) == Attempt(run, 1)
    row = journal.queries.run(run.number)
    assert row is not None
    assert row.state is State.RUNNING
    assert row.attempts == (AttemptRow(1, None, None, None, None, None, None, None, "output/1.1"),)


def test_an_attempt_is_claimed_once(journal: Journal) -> None:
    run = claimed(journal)
    attempted(journal, run)
    assert journal.claim_attempt(run, 1, "output/other") is None


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_a_run_that_is_over_gets_no_attempt(journal: Journal, state: State) -> None:
    run = claimed(journal)
    journal.finish(run, state)
    assert journal.claim_attempt(run, 1, "output/1.1") is None


def test_a_run_that_never_was_gets_no_attempt(journal: Journal) -> None:
    assert journal.claim_attempt(Run(99, "backup", NOON), 1, "output/99.1") is None


def test_what_an_attempt_was_comes_back_as_it_went_in(journal: Journal) -> None:
    attempt = attempted(journal, claimed(journal))
    started, ended = NOON + timedelta(microseconds=1234), NOON + timedelta(seconds=7.5)
    journal.started(attempt, started, 4711, 123_456_789)
    journal.ended(attempt, Ending(Signalled(9), ended, cpu_s=0.125, memory_bytes=2**40))
    (row,) = journal.queries.history()
    assert row.attempts == (
        AttemptRow(1, started, ended, Signalled(9), 0.125, 2**40, 4711, 123_456_789, "output/1.1"),
    )


@pytest.mark.parametrize(
    "outcome", [Exited(3), Signalled(15), TimedOut(), NotStarted("no such folder: /x"), Lost()]
)
def test_every_outcome_is_kept(journal: Journal, outcome: Outcome) -> None:
    journal.ended(attempted(journal, claimed(journal)), Ending(outcome, NOON))
    assert journal.queries.history()[0].attempts[0].outcome == outcome


def test_why_nothing_started_is_kept_even_when_it_is_no_text(journal: Journal) -> None:
    journal.ended(attempted(journal, claimed(journal)), Ending(NotStarted("caf\udce9"), NOON))
    assert journal.queries.history()[0].attempts[0].outcome == NotStarted(r"caf\xe9")


def test_a_retry_waits_on_disk_with_its_due_time(journal: Journal) -> None:
    run = claimed(journal)
    attempt = attempted(journal, run)
    due = NOON + timedelta(seconds=31.416)
    journal.ended(attempt, Ending(Exited(1), NOON))
    journal.retry(run, due)
    (row,) = journal.unfinished()
    assert (row.state, row.due) == (State.SCHEDULED, due)


def test_the_due_time_is_gone_when_the_retry_is_claimed(journal: Journal) -> None:
    run = claimed(journal)
    journal.ended(attempted(journal, run), Ending(Exited(1), NOON))
    journal.retry(run, NOON + MINUTE)
    attempted(journal, run, 2)
    (row,) = journal.unfinished()
    assert (row.state, row.due) == (State.RUNNING, None)
    assert [attempt.number for attempt in row.attempts] == [1, 2]


def test_the_due_time_is_gone_when_the_waiting_run_is_given_up(journal: Journal) -> None:
    run = claimed(journal)
    journal.retry(run, NOON + MINUTE)
    journal.finish(run, State.FAILED, Reason.SUPERSEDED)
    (row,) = journal.queries.history()
    assert (row.state, row.reason, row.due) == (State.FAILED, Reason.SUPERSEDED, None)


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_is_kept(journal: Journal, reason: Reason) -> None:
    journal.skip("backup", NOON, "UTC", reason)
    assert journal.queries.history()[0].reason is reason


def test_what_never_was_can_not_change(journal: Journal) -> None:
    nothing = Attempt(Run(99, "backup", NOON), 1)
    changes: tuple[Callable[[], object], ...] = (
        lambda: journal.started(nothing, NOON, 1, None),
        lambda: journal.ended(nothing, Ending(Lost(), NOON)),
        lambda: journal.retry(nothing.run, NOON),
        lambda: journal.finish(nothing.run, State.FAILED),
    )
    for change in changes:
        with pytest.raises(JournalError, match="run 99"):
            change()


# --- transactions -----------------------------------------------------------------------------


class Spoilt(Exception):
    """Something went wrong between the begin and the end."""


def spoil(journal: Journal) -> None:
    with journal.transaction():
        attempted(journal, claimed(journal))
        journal.daemon_state.set_last_tick(NOON)
        raise Spoilt


def nest(journal: Journal) -> None:
    with journal.transaction():
        claimed(journal)
        with journal.transaction():
            claimed(journal, "report")


def test_an_error_undoes_its_whole_transaction(journal: Journal) -> None:
    with pytest.raises(Spoilt):
        spoil(journal)
    assert journal.queries.history() == []
    assert journal.daemon_state.last_tick() is None


def test_what_an_undone_transaction_claimed_is_free_again(journal: Journal) -> None:
    with pytest.raises(Spoilt):
        spoil(journal)
    assert claimed(journal).job == "backup"


def test_a_transaction_in_a_transaction_is_an_error_that_undoes_both(journal: Journal) -> None:
    with pytest.raises(JournalError, match="within a transaction"):
        nest(journal)
    assert journal.queries.history() == []


def test_a_refused_claim_does_not_end_its_transaction(journal: Journal) -> None:
    claimed(journal)
    with journal.transaction():
        assert journal.claim("backup", NOON, "UTC") is None
        claimed(journal, "report")
    assert [row.run.job for row in journal.queries.history()] == ["backup", "report"]


# --- what only the database can refuse ---------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO run (job, instant, zone, state) VALUES ('a', 1, 'UTC', 'done')",  # no such state
        "INSERT INTO run (job, instant, zone, state) VALUES ('a', 1.5, 'UTC', 'running')",  # no whole second
        "INSERT INTO run (job, instant, zone, state) VALUES ('a', '2027-03-01', 'UTC', 'running')",
        "INSERT INTO run (job, instant, zone, state) VALUES ('a', 1, 'UTC', 'skipped')",  # and no reason
        "INSERT INTO run (job, instant, zone, state, due) VALUES ('a', 1, 'UTC', 'running', 2)",  # waits and runs
        "INSERT INTO run (job, instant, zone, state, reason, until) VALUES ('a', 2, 'UTC', 'skipped', 'missed', 1)",
        "INSERT INTO run (job, instant, zone, state, until) VALUES ('a', 1, 'UTC', 'failed', 2)",  # several failed?
        "INSERT INTO run (job, instant, zone, state) VALUES ('backup', 1803902400, 'UTC', 'failed')",  # taken
        "INSERT INTO attempt (run, attempt, output) VALUES (99, 1, 'x')",  # of no run
        "INSERT INTO attempt (run, attempt, output) VALUES (1, 0, 'x')",  # they count from 1
        "INSERT INTO attempt (run, attempt, output) VALUES (1, 1, 'x')",  # taken
        "INSERT INTO attempt (run, attempt, output, outcome) VALUES (1, 2, 'x', 'lost')",  # ended when?
        "INSERT INTO attempt (run, attempt, output, started) VALUES (1, 2, 'x', 1.0)",  # as which process?
        "INSERT INTO tick (one, minute) VALUES (2, 60)",  # there is one last minute
    ],
)
def test_the_database_says_no(journal: Journal, statement: str) -> None:
    attempted(journal, claimed(journal))
    with pytest.raises(JournalError, match="constraint failed"):
        journal.connection.execute(statement)
