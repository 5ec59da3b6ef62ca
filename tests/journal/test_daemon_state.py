"""What a daemon remembers across restarts: open runs, ticks, anchors, jumps, eras, boots."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from journalled import MINUTE, NOON, attempted, claimed, finished

from scheduler.errors import JournalError
from scheduler.journal.rows import OpenRun
from scheduler.run import (
    Reason,
    State,
)
from scheduler.schedule.tick import Era, Jump, JumpKind, Verdict

if TYPE_CHECKING:
    from scheduler.journal.journal import Journal


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
    assert [row.run.number for row in journal.glance.failing(late)] == [4]
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
