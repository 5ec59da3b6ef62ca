"""The journal: what is claimed once, what it remembers, what it tells, and what that costs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from operator import itemgetter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.errors import JournalError
from scheduler.journal import migrations, sql
from scheduler.journal.journal import AttemptRow, Journal, OpenRun
from scheduler.journal.rows import whole
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
from scheduler.schedule.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from scheduler.run import Outcome

NOON = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LATER = NOON + 60 * MINUTE


@pytest.fixture
def journal() -> Iterator[Journal]:
    journal = Journal.in_memory()
    yield journal
    journal.close()


def claimed(journal: Journal, job: str = "backup", instant: datetime = NOON) -> Run:
    run = journal.claim(job, instant, "Europe/Berlin")
    assert run is not None
    return run


def attempted(journal: Journal, run: Run, number: int = 1) -> Attempt:
    attempt = journal.claim_attempt(run, number, f"output/{run.number}.{number}")
    assert attempt is not None
    return attempt


def finished(journal: Journal, job: str, instant: datetime) -> Run:
    run = claimed(journal, job, instant)
    attempt = attempted(journal, run)
    journal.started(attempt, instant, 41, 9)
    journal.ended(attempt, Ending(Exited(0), instant + MINUTE))
    journal.finish(run, State.SUCCEEDED)
    return run


# --- the key of a run -------------------------------------------------------------------------


def test_a_key_is_claimed_once(journal: Journal) -> None:
    assert claimed(journal) == Run(1, "backup", NOON)
    assert journal.claim("backup", NOON, "Europe/Berlin") is None


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


# --- memory across restarts -------------------------------------------------------------------


def test_nothing_is_unfinished_at_first(journal: Journal) -> None:
    assert journal.unfinished() == []


def test_unfinished_runs_come_oldest_first_whenever_they_were_claimed(journal: Journal) -> None:
    late = claimed(journal, "late", NOON + MINUTE)
    early = claimed(journal, "early", NOON)
    attempted(journal, early)
    finished(journal, "over", NOON)
    journal.skip("skipped", NOON, "UTC", Reason.MISSED)
    rows = journal.unfinished()
    assert [row.run for row in rows] == [early, late]
    assert rows[1] == OpenRun(late, State.SCHEDULED, None, ())
    assert len(rows[0].attempts) == 1


def test_the_last_tick_is_the_one_set_last(journal: Journal) -> None:
    assert journal.daemon_state.last_tick() is None
    journal.daemon_state.set_last_tick(NOON)
    journal.daemon_state.set_last_tick(NOON + MINUTE)
    assert journal.daemon_state.last_tick() == NOON + MINUTE


def test_the_last_tick_may_go_back(journal: Journal) -> None:
    journal.daemon_state.set_last_tick(NOON)
    journal.daemon_state.set_last_tick(NOON - 300 * MINUTE)
    assert journal.daemon_state.last_tick() == NOON - 300 * MINUTE


def test_an_anchor_holds_for_its_job_and_interval(journal: Journal) -> None:
    journal.daemon_state.set_anchor("backup", 90, NOON)
    assert journal.daemon_state.anchor("backup", 90) == NOON
    assert journal.daemon_state.anchor("backup", 60) is None
    assert journal.daemon_state.anchor("report", 90) is None


def test_a_new_interval_replaces_the_old_anchor(journal: Journal) -> None:
    journal.daemon_state.set_anchor("backup", 90, NOON)
    journal.daemon_state.set_anchor("backup", 60, NOON + MINUTE)
    assert journal.daemon_state.anchor("backup", 60) == NOON + MINUTE
    assert journal.daemon_state.anchor("backup", 90) is None


def test_a_run_that_is_put_off_is_unfinished_and_remembers_why(journal: Journal) -> None:
    spread, missed = claimed(journal), claimed(journal, "backup", NOON + MINUTE)
    journal.put_off(spread, NOON + timedelta(seconds=90.5), made_up=False)
    journal.put_off(missed, NOON + 9 * MINUTE, made_up=True)
    told = [(each.run, each.due, each.made_up) for each in journal.unfinished()]
    assert told == [
        (spread, NOON + timedelta(seconds=90.5), False),
        (missed, NOON + 9 * MINUTE, True),
    ]
    attempted(journal, missed)
    with pytest.raises(JournalError, match="no such run"):
        journal.put_off(missed, NOON, made_up=True)
    assert [each.made_up for each in journal.unfinished()] == [False, True]


def test_a_jump_is_remembered_as_it_was(journal: Journal) -> None:
    told = [
        Jump(JumpKind.DOWN, NOON, NOON + timedelta(seconds=2400.25), 2400.25, Verdict.ACCOUNTED),
        Jump(JumpKind.BACK, NOON + 41 * MINUTE, NOON, -2460.0, Verdict.WAITED_OUT),
        Jump(JumpKind.ASLEEP, NOON + 50 * MINUTE, NOON + 51 * MINUTE, 20.0, Verdict.NOTHING),
    ]
    for jump in told:
        journal.daemon_state.jump(jump)
    assert journal.queries.jumps() == told
    assert journal.queries.jumps(limit=2) == told[1:]
    assert journal.queries.jumps_over(NOON + 10 * MINUTE) == told[:2]
    assert journal.queries.jumps_over(NOON + 45 * MINUTE) == []


def test_a_jump_of_an_unknown_kind_is_refused(journal: Journal) -> None:
    journal.daemon_state.jump(Jump(JumpKind.DOWN, NOON, NOON, 0.0, Verdict.NOTHING))
    journal.connection._sqlite.execute("UPDATE jump SET kind = 'sideways'")
    with pytest.raises(JournalError, match="sideways"):
        journal.queries.jumps()


def test_an_instant_is_accounted_for_by_its_run_or_by_its_stretch(journal: Journal) -> None:
    first = finished(journal, "backup", NOON)
    journal.skip("backup", NOON + MINUTE, "UTC", Reason.MISSED, until=NOON + 5 * MINUTE)
    opened = claimed(journal, "backup", NOON + 7 * MINUTE)
    journal.skip("other", NOON, "UTC", Reason.MISSED, until=NOON + 9 * MINUTE)

    def at(minutes: int) -> tuple[int, str] | None:
        row = journal.queries.at("backup", NOON + minutes * MINUTE)
        return None if row is None else (row.run.number, row.state)

    assert at(0) == (first.number, "succeeded")
    assert [at(n) for n in (1, 3, 5)] == [(2, "skipped")] * 3
    assert (at(-1), at(6)) == (None, None)
    inside = finished(journal, "backup", NOON + 3 * MINUTE)
    assert at(3) == (inside.number, "succeeded")
    assert at(4) == (2, "skipped")
    assert at(7) == (opened.number, "scheduled")


def begin_era(journal: Journal, number: int, since: datetime) -> None:
    journal.daemon_state.begin_era(Era(number, since, since + 600 * MINUTE, since + MINUTE / 2))


def test_in_a_new_era_a_key_is_free_again_and_nothing_of_the_old_is_gone(journal: Journal) -> None:
    first = finished(journal, "backup", NOON)
    begin_era(journal, 1, NOON)
    assert journal.claim("backup", NOON, "UTC") is None
    second = journal.claim("backup", NOON, "UTC", era=1)
    assert second is not None
    assert (second.number > first.number, second.era) == (True, 1)
    assert journal.claim("backup", NOON, "UTC", era=1) is None
    assert not journal.skip("backup", NOON, "UTC", Reason.MISSED, era=1)
    assert [row.run.era for row in journal.queries.history()] == [0, 1]
    for era, run in ((0, first), (1, second)):
        row = journal.queries.at("backup", NOON, era=era)
        assert row is not None
        assert row.run == run
        assert journal.taken("backup", NOON, NOON, era=era) == [(NOON, NOON)]
    assert journal.taken("backup", NOON, NOON, era=2) == []


@pytest.mark.parametrize(
    ("first", "last", "taken", "why"),
    [
        (2, 7, [(1, 7)], "the stretch began before"),
        (0, 3, [(1, 7)], "and ends after"),
        (7, 9, [(1, 7), (9, 9)], "its last instant is one of it"),
        (8, 8, [], "and none behind it"),
        (0, 0, [], "nor before it"),
        (10, 20, [], "the newest row before is no stretch"),
    ],
)
def test_what_a_row_accounts_for_may_be_a_stretch(
    journal: Journal, first: int, last: int, taken: list[tuple[int, int]], why: str
) -> None:
    def at(minute: int) -> datetime:
        return NOON + timedelta(minutes=minute)

    journal.skip("backup", at(1), "UTC", Reason.MISSED, until=at(7))
    journal.skip("backup", at(9), "UTC", Reason.MISSED)
    expected = [(at(one), at(other)) for one, other in taken]
    assert journal.taken("backup", at(first), at(last)) == expected, why


def test_what_ran_before_the_clock_was_set_back_is_older(journal: Journal) -> None:
    """Whatever its instants say."""
    for minute in range(3):
        finished(journal, "backup", NOON + (1000 + minute) * MINUTE)
    begin_era(journal, 1, NOON)
    run = journal.claim("backup", NOON, "UTC", era=1)
    assert run is not None
    attempted(journal, run)
    journal.finish(run, State.FAILED, Reason.EXHAUSTED)
    late = NOON + 2000 * MINUTE
    assert [row.run.number for row in journal.queries.history(limit=2)] == [3, 4]
    assert [row.run.number for row in journal.queries.history("backup", limit=2)] == [3, 4]
    assert [row.run.number for row in journal.queries.failing(late)] == [4]
    assert journal.old_runs.newest("backup", late) == {4}
    latest = journal.queries.latest("backup", late)
    assert latest is not None
    assert latest.run == run
    assert journal.daemon_state.last_instant("backup") == NOON
    assert journal.old_runs.nth_newest("backup", 1) == (1, NOON)
    assert journal.old_runs.nth_newest("backup", 2) == (0, NOON + 1002 * MINUTE)
    assert journal.old_runs.eras_of("backup") == [0, 1]
    assert journal.old_runs.eras_of("report") == []
    old = [each.number for each in journal.old_runs.before("backup", late, limit=9)]
    assert old == [1, 2, 3]
    assert [each.number for each in journal.old_runs.before("backup", late, limit=9, era=1)] == [4]


def test_the_eras_are_remembered(journal: Journal) -> None:
    assert journal.daemon_state.eras() == ()
    begin_era(journal, 1, NOON)
    begin_era(journal, 2, NOON - 10 * MINUTE)
    first, second = journal.daemon_state.eras()
    assert first == Era(1, NOON, NOON + 600 * MINUTE, NOON + MINUTE / 2)
    assert (second.number, second.since) == (2, NOON - 10 * MINUTE)


def test_a_leap_is_one_of_its_era_that_left_minutes_out_behind_an_instant(journal: Journal) -> None:
    end = NOON + 60 * MINUTE
    leap = Jump(JumpKind.FORWARD, NOON, end, 3600.0, Verdict.ACCOUNTED)
    journal.daemon_state.jump(leap)
    journal.daemon_state.jump(Jump(JumpKind.BACK, end, NOON, -3600.0, Verdict.WAITED_OUT))
    journal.daemon_state.jump(Jump(JumpKind.FORWARD, NOON, end, 3600.0, Verdict.ACCOUNTED), era=1)
    assert journal.daemon_state.leaps(0, NOON) == [leap]
    assert journal.daemon_state.leaps(0, end) == []
    assert len(journal.daemon_state.leaps(1, end - MINUTE)) == 1


def test_intervals_count_from_no_time_that_is_still_to_come(journal: Journal) -> None:
    """The clock had been wrong: from 12:10 on it is all still to come."""
    journal.daemon_state.set_anchor("every", 40, NOON + 20 * MINUTE)
    journal.daemon_state.set_anchor("far", 7, NOON + 10_000 * MINUTE)
    journal.daemon_state.set_anchor("there", 7, NOON + 17 * MINUTE)
    journal.daemon_state.set_anchor("other", 40, NOON)
    begin_era(journal, 1, NOON + 10 * MINUTE)
    jobs = (("every", 40), ("other", 40), ("far", 7), ("there", 7))
    anchors = [journal.daemon_state.anchor(job, minutes) for job, minutes in jobs]
    assert anchors == [NOON - 20 * MINUTE, NOON, NOON + 4 * MINUTE, NOON + 10 * MINUTE]


def test_the_last_instant_is_the_newest_run_or_skipped(journal: Journal) -> None:
    assert journal.daemon_state.last_instant("backup") is None
    finished(journal, "backup", NOON)
    assert journal.daemon_state.last_instant("backup") == NOON
    journal.skip("backup", NOON + 2 * MINUTE, "UTC", Reason.OVERLAP)
    assert journal.daemon_state.last_instant("backup") == NOON + 2 * MINUTE
    claimed(journal, "backup", NOON + 3 * MINUTE)
    claimed(journal, "backup", NOON + MINUTE)  # made up for later
    assert journal.daemon_state.last_instant("backup") == NOON + 3 * MINUTE
    assert journal.daemon_state.last_instant("report") is None


def test_the_last_instant_of_a_skipped_stretch_is_its_end(journal: Journal) -> None:
    journal.skip("backup", NOON, "UTC", Reason.MISSED, until=NOON + 9 * MINUTE)
    assert journal.daemon_state.last_instant("backup") == NOON + 9 * MINUTE


def test_a_boot_is_remembered_by_job(journal: Journal) -> None:
    assert not journal.daemon_state.booted("backup", "one")
    journal.daemon_state.set_booted("backup", "one")
    assert journal.daemon_state.booted("backup", "one")
    assert not journal.daemon_state.booted("report", "one")


def test_the_next_boot_is_another(journal: Journal) -> None:
    journal.daemon_state.set_booted("backup", "one")
    journal.daemon_state.set_booted("backup", "two")
    assert journal.daemon_state.booted("backup", "two")
    assert not journal.daemon_state.booted("backup", "one")


# --- reading ----------------------------------------------------------------------------------


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
    assert journal.queries.failing_since("backup", LATER) == (number, first), why


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
    assert journal.queries.failing(LATER) == []
    assert journal.old_runs.newest("backup", LATER) == {run.number}
    assert len(journal.queries.failing(NOON + 1000 * MINUTE)) == 1


def test_a_job_is_failing_while_its_newest_finished_run_failed(journal: Journal) -> None:
    def ends(job: str, minute: int, state: State, reason: Reason | None = None) -> Run:
        run = claimed(journal, job, NOON + minute * MINUTE)
        attempted(journal, run)
        journal.finish(run, state, reason)
        return run

    def failing() -> list[tuple[str, int]]:
        return [(row.run.job, row.run.number) for row in journal.queries.failing(LATER)]

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
    (row,) = journal.queries.failing(LATER)
    assert (row.state, len(row.attempts)) == (State.FAILED, 1)


def test_retrying_is_what_waits_for_another_attempt(journal: Journal) -> None:
    run = claimed(journal, "again", NOON)
    attempt = attempted(journal, run)
    claimed(journal, "first", NOON)
    attempted(journal, claimed(journal, "running", NOON))
    finished(journal, "over", NOON)
    journal.started(attempt, NOON, 7, None)
    journal.ended(attempt, Ending(Exited(1), NOON + MINUTE))
    assert journal.queries.retrying() == []
    journal.retry(run, NOON + 2 * MINUTE)
    assert [row.run for row in journal.queries.retrying()] == [run]


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


# --- the sql ----------------------------------------------------------------------------------


def test_each_statement_has_a_sentence_and_is_one_statement() -> None:
    for name, statement in sql.statements().items():
        assert re.match(r"-- \S.*[.]\n", statement), name
        assert len([part for part in migrations.statements(statement) if part.strip()]) == 1, name


FILES = [file for file in files("scheduler.journal.sql").iterdir() if file.name.endswith(".sql")]


def test_each_statement_of_the_files_is_found_and_no_name_stands_for_two() -> None:
    text = "".join(file.read_text() for file in FILES)
    assert text.count("-- name:") == len(sql.statements())
    assert text.count(";\n") == len(sql.statements())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_statement_is_executed_by_the_module_whose_name_its_file_has(file: Path) -> None:
    folder = files("scheduler.journal")
    names = {"database": ["database.py", "connection.py", "migrations/__init__.py"]}
    module = file.name.removesuffix(".sql")
    parts = names.get(module, [f"{module}.py"])
    source = "".join(folder.joinpath(name).read_text() for name in parts)
    assert [
        name for name, _ in sql.STATEMENT.findall(file.read_text()) if f'"{name}"' not in source
    ] == []


def test_the_migrations_count_from_one_without_a_gap_and_none_has_anothers_number() -> None:
    scripts = [
        file.name
        for file in files("scheduler.journal.migrations").iterdir()
        if file.name[0].isdigit()
    ]
    assert sorted(int(name[:4]) for name in scripts) == list(range(1, len(scripts) + 1))
    assert list(migrations.scripts()) == list(range(1, len(scripts) + 1))


@pytest.mark.parametrize("text", [*sql.statements().values(), *migrations.scripts().values()])
def test_no_sql_reads_a_clock(text: str) -> None:
    code = re.sub(r"--.*", "", text).lower()
    assert not re.search(
        r"current_|strftime|julianday|unixepoch|'now'|\b(date|time|datetime) ?\(", code
    )


WALKS = {  # the statements that read a table or an index from one end, and why that is no walk
    "unfinished": "SCAN run USING INDEX run_open",  # as long as there are open runs
    "jobs": "SCAN run USING INDEX run_open",  # likewise
    "retrying": "SCAN run USING INDEX run_open",  # likewise
    "history": "SCAN run USING INDEX sqlite_autoindex_run_1",  # from its end, to a limit
    "drop_open": "SCAN run USING INDEX run_open",  # as long as there are open runs
    "numbers_given": "SCAN sqlite_sequence",  # one row
    "count_at_all": "SCAN sqlite_sequence",  # likewise
    "count_from": "SCAN sqlite_sequence",  # likewise
    "jumps": "SCAN jump",  # likewise
    "leaps": "SCAN jump",  # as for jumps_over, when the clock was set back
    "eras": "SCAN era",  # one each time that the clock was far out
    "jumps_over": "SCAN jump",  # of which pruning leaves a few thousand; after a jump alone
    "forget_jumps": "SCAN jump",  # from both ends, to a limit
    "backlogs": "SCAN backlog",  # a row a job that has something to make up for
    "pauses": "SCAN pause",  # a row a job that is paused
    "everything": "SCAN run",  # at the start after a loss alone
    "emptiers": "SCAN attempt USING INDEX attempt_emptied",  # those attempts alone, at the start
    "old_names": "SCAN old_name",  # empty but after an upgrade
    "rewind_anchors": "SCAN anchor",  # one an @every job; after a jump alone
    "change_nothing": "SCAN tick",  # one row
    "seal_anchors": "SCAN anchor",  # likewise
}
QUERIES = [name for name in sql.statements() if name not in {"begin", "commit", "rollback", "version", "sync_seldom", "sync_always", "attach", "detach"} and not name.startswith(("take_", "lost_", "check_")) and not name.endswith("_old")]  # fmt: skip


def plan(journal: Journal, name: str) -> list[str]:
    """The steps in which SQLite answers."""
    statement = sql.statements()[name]
    values = dict.fromkeys(re.findall(r":(\w+)", statement), 1)
    rows = journal.connection._sqlite.execute(f"EXPLAIN QUERY PLAN {statement}", values)
    return [step for *_, step in rows]


@pytest.mark.parametrize("name", QUERIES)
def test_no_statement_walks_through_a_table(journal: Journal, name: str) -> None:
    tables = "|".join(name for (name,) in journal.connection._sqlite.execute("SELECT name FROM sqlite_schema WHERE type = 'table'"))  # fmt: skip
    walks = {step for step in plan(journal, name) if re.match(rf"SCAN ({tables})\b", step)}
    assert walks == ({WALKS[name]} if name in WALKS else set())


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("taken", "INDEX run_over (job=? AND era=? AND instant>? AND instant<?)"),
        ("at", "INDEX run_over (job=? AND era=? AND instant<?)"),
        ("eras_of", "COVERING INDEX run_over (job=? AND era>?)"),  # a step an era
        ("next_job", "COVERING INDEX run_over (job>?)"),  # one step to the next job's first run
        ("nth_newest", "COVERING INDEX run_over (job=?)"),  # a thousand steps, and no row is read
        ("newest", "COVERING INDEX run_over (job=?)"),
        ("before", "INDEX run_over (job=? AND era=? AND instant<?)"),
        ("knows", "PRIMARY KEY (run=? AND attempt=?)"),
    ],
)
def test_each_way_through_the_runs_has_its_index(journal: Journal, name: str, index: str) -> None:
    assert any(index in step for step in plan(journal, name))


@pytest.mark.parametrize("name", ["history_of_job", "latest", "last_instant"])
def test_what_is_newest_is_found_from_the_end(journal: Journal, name: str) -> None:
    steps = plan(journal, name)
    assert "MERGE (UNION ALL)" in steps  # both halves in order: neither is read to its end
    assert any("INDEX run_open (job=?" in step for step in steps)
    assert any("INDEX run_over (job=?" in step for step in steps)


@pytest.mark.parametrize("name", ["failing", "jobs", "retrying"])
def test_what_is_asked_of_every_job_does_not_cost_by_its_runs(journal: Journal, name: str) -> None:
    def steps() -> int:
        ticks = 0

        def count() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        journal.connection._sqlite.set_progress_handler(count, 1)
        journal.connection.rows(
            name, **({"now": whole(NOON + 300 * MINUTE)} if name == "failing" else {})
        )
        journal.connection._sqlite.set_progress_handler(None, 1)
        return ticks

    jobs = ["a", "b", "c"]
    for job in jobs:
        finished(journal, job, NOON)
    early = steps()
    with journal.transaction():
        for job in jobs:
            for minute in range(1, 300):
                finished(journal, job, NOON + minute * MINUTE)
    assert steps() == early  # of the database's own machine


def test_the_cost_of_claiming_does_not_grow_with_the_table(journal: Journal) -> None:
    def steps(minute: int) -> int:
        ticks = 0

        def count() -> int:
            nonlocal ticks
            ticks += 1
            return 0

        journal.connection._sqlite.set_progress_handler(count, 1)
        run = claimed(journal, "backup", NOON + minute * MINUTE)
        attempted(journal, run)
        journal.connection._sqlite.set_progress_handler(None, 1)
        journal.finish(run, State.SUCCEEDED)
        return ticks

    steps(0)
    early = steps(1)
    with journal.transaction():
        for minute in range(2, 3000):
            finished(journal, "backup", NOON + minute * MINUTE)
    assert steps(3000) == early  # of the database's own machine
