"""The table that a journal tells of: what waits, what has begun, backlogs and pauses."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from journalled import LATER, MINUTE, NOON, attempted, claimed, finished

from scheduler.entry import Entry, Reboot
from scheduler.journal.journal import Journal
from scheduler.pause import Paused
from scheduler.run import Attempt, Ending, Exited, Lost, Reason, State
from scheduler.runs.live_run import LiveRun, Phase, stand_in
from scheduler.runs.table import RunTable
from scheduler.schedule.backlog import Backlog
from scheduler.schedule.tick import Era

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.run import Run

AGAIN = LATER  # when it was opened again, and started at once
FAILED = Ending(Exited(1), NOON + MINUTE)
ENTRY = Entry("backup", Reboot(), "@reboot", ZoneInfo("UTC"), "true")


@pytest.fixture
def journal() -> Iterator[Journal]:
    with closing(Journal.in_memory()) as journal:
        yield journal


def table_of(journal: Journal) -> RunTable:
    return RunTable.from_journal(journal, {"backup": ENTRY}, LATER)


def put_off(journal: Journal, run: Run) -> None:
    journal.put_off(run, LATER, Reason.POOL, made_up=True)


def begun(journal: Journal, run: Run) -> None:
    journal.started(attempted(journal, run), NOON, 41, 9)


def being_killed(journal: Journal, run: Run) -> None:
    begun(journal, run)
    journal.terminate(run, Reason.KILLED)


def failed(journal: Journal, run: Run) -> None:
    attempt = attempted(journal, run)
    journal.started(attempt, NOON, 41, 9)
    journal.ended(attempt, FAILED)


def to_be_retried(journal: Journal, run: Run) -> None:
    failed(journal, run)
    journal.retry(run, LATER, Reason.OVERLAP)


def reopened(journal: Journal, run: Run) -> None:
    failed(journal, run)
    journal.finish(run, State.FAILED, Reason.EXHAUSTED)
    journal.reopen(run, LATER)


def tried_again(journal: Journal, run: Run) -> None:
    reopened(journal, run)
    journal.started(attempted(journal, run, 2), AGAIN, 42, 9)


def failed_again(journal: Journal, run: Run) -> None:
    tried_again(journal, run)
    journal.ended(Attempt(run, 2), Ending(Exited(1), AGAIN + MINUTE))
    journal.retry(run, AGAIN + 2 * MINUTE)


def lost_before_it_was_told(journal: Journal, run: Run) -> None:
    journal.ended(attempted(journal, run), Ending(Lost(), NOON + MINUTE))
    journal.retry(run, LATER)


def live(run: Run, phase: Phase, attempt: int = 1, **facts: object) -> LiveRun:
    due = facts.pop("due", LATER)
    return LiveRun(run, ENTRY, phase, due, attempt, **facts)  # type: ignore[arg-type]  # of a table


WAITS, RUNS, STOPS = Phase.WAIT_TIME, Phase.RUNNING, Phase.STOPPING
CASES: list[tuple[Callable[[Journal, Run], object], Callable[[Run], LiveRun], str]] = [
    (lambda *_: None, lambda r: live(r, WAITS), "claimed, and due at once"),
    (put_off, lambda r: live(r, WAITS, made_up=True, reason=Reason.POOL), "a slot is judged anew"),
    (attempted, lambda r: live(r, RUNS, first_start=LATER), "it may have a process"),
    (begun, lambda r: live(r, RUNS, first_start=NOON), "it has one"),
    (being_killed, lambda r: live(r, STOPS, first_start=NOON), "which is being ended"),
    (
        to_be_retried,
        lambda r: live(r, WAITS, 2, first_start=NOON, ended=FAILED.ended, reason=Reason.OVERLAP),
        "the next attempt, when it is due",
    ),
    (
        reopened,
        lambda r: live(r, WAITS, 2, first_start=LATER, ended=LATER),
        "CRON_RETRY_WITHIN counts from when it was opened again",
    ),
    (
        tried_again,
        lambda r: live(r, RUNS, 2, first_start=AGAIN),
        "and so it does of the attempt that came of that",
    ),
    (
        failed_again,
        lambda r: live(
            r, WAITS, 3, due=AGAIN + 2 * MINUTE, first_start=AGAIN, ended=AGAIN + MINUTE
        ),
        "and of those after it, whose last end is their own",
    ),
    (
        lost_before_it_was_told,
        lambda r: live(r, WAITS, 2, first_start=FAILED.ended, ended=FAILED.ended),
        "when it started nobody knows: no later than its end",
    ),
]


@pytest.mark.parametrize(("happened", "expected", "why"), CASES)
def test_an_open_run_is_what_its_rows_tell(
    journal: Journal,
    happened: Callable[[Journal, Run], object],
    expected: Callable[[Run], LiveRun],
    why: str,
) -> None:
    run = claimed(journal)
    happened(journal, run)
    assert list(table_of(journal).all()) == [expected(run)], why


def test_a_run_that_is_over_is_not_in_it(journal: Journal) -> None:
    finished(journal, "backup", NOON)
    assert list(table_of(journal).all()) == []


def test_a_job_that_is_gone_has_an_entry_that_stands_in(journal: Journal) -> None:
    run = claimed(journal, "gone")
    (found,) = table_of(journal).all()
    assert (found.run, found.entry) == (run, stand_in("gone"))


def test_how_far_time_has_come_is_in_it(journal: Journal) -> None:
    era = Era(1, NOON, LATER, LATER + MINUTE)
    assert (table_of(journal).eras, table_of(journal).last_handled) == ((), None)
    journal.daemon_state.begin_era(era)
    journal.daemon_state.set_last_tick(NOON)
    assert (table_of(journal).eras, table_of(journal).last_handled) == ((era,), NOON)


def test_backlogs_and_pauses_are_in_it(journal: Journal) -> None:
    backlog = Backlog("backup", "* * * * *", "UTC", NOON, NOON + 9 * MINUTE, 10)
    paused = Paused("other", NOON, LATER, "a move")
    journal.daemon_state.set_backlog(backlog)
    journal.daemon_state.pause(paused)
    table = table_of(journal)
    assert (table.backlogs, table.paused) == ({"backup": backlog}, {"other": paused})
    at = LATER - timedelta(seconds=1)
    clear = [table.is_clear(job, at) for job in ("backup", "other", "third")]
    assert clear == [False, False, True]
    assert table.is_clear("other", LATER), "its pause is over"
