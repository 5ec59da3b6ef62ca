"""The real daemon, killed two hundred times at random moments: nothing is lost, nothing doubled.

CHAOS_KILLS=2000 lets it be killed as often, CHAOS_SEED=7 draws the same crontab and moments again.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import reference
from chaos import MINUTE, KilledDaemon, Wrote
from faketime import LIBRARY

from scheduler.run import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from chaos import Plan

    from scheduler.journal.rows import RunRow

KILLS = int(os.environ.get("CHAOS_KILLS", "200"))
# The seed of pytest-randomly has been set when this file is read; the tests' names have ours.
SEED = int(os.environ.get("CHAOS_SEED", random.randrange(1_000_000)))

pytestmark = [pytest.mark.e2e, pytest.mark.privileged, pytest.mark.timeout(120 + 3 * KILLS)]


@pytest.fixture(scope="module", params=[SEED])
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[KilledDaemon]:
    assert LIBRARY is not None, "apt-get install libfaketime"
    with closing(KilledDaemon(tmp_path_factory.mktemp("chaos"), request.param)) as daemon:
        daemon.kill_often(KILLS)
        yield daemon


@pytest.fixture(scope="module")
def rows(daemon: KilledDaemon) -> dict[str, list[RunRow]]:
    """What the journal tells of each job."""
    found: defaultdict[str, list[RunRow]] = defaultdict(list)
    for row in daemon.runs():
        found[row.run.job].append(row)
    return found


@pytest.fixture(scope="module")
def wrote(daemon: KilledDaemon) -> list[Wrote]:
    return daemon.wrote()


def test_it_died_in_the_middle_of_everything(daemon: KilledDaemon) -> None:
    """With runs claimed, about to start, running, or waiting to be retried; some were adopted."""
    hit = Counter(stage for stages in daemon.deaths for stage in stages)
    assert len(daemon.deaths) == KILLS
    assert len(hit) == 4, hit
    assert min(hit.values()) > KILLS / 10, hit
    assert daemon.said("adopted")


def test_each_instant_that_is_due_is_in_the_journal_once(
    daemon: KilledDaemon, rows: dict[str, list[RunRow]]
) -> None:
    """As a run, or with the reason why there was none; some are still to run, in a backlog."""
    backlogs = {left.job: (left.next, left.last) for left in daemon.backlogs()}
    assert daemon.first is not None
    start, minutes = daemon.first + MINUTE, (daemon.last() - daemon.first) // MINUTE
    for plan in daemon.plans:
        due = instants(daemon, plan, rows[plan.job], start, minutes)
        accounted = Counter(at for row in rows[plan.job] for at in spans(row))
        next_, last = backlogs.get(plan.job, (start, start - MINUTE))
        accounted.update(at for at in due if next_ <= at <= last and not accounted[at])
        assert [(at, accounted[at]) for at in due if accounted[at] != 1] == [], plan


def test_nothing_else_is(daemon: KilledDaemon, rows: dict[str, list[RunRow]]) -> None:
    assert rows.keys() <= {plan.job for plan in daemon.plans}
    for plan in daemon.plans:
        for row in rows[plan.job]:
            at, end = row.run.instant, row.until or row.run.instant
            due = instants(daemon, plan, rows[plan.job], at, (end - at) // MINUTE + 1)
            assert (due[0], due[-1]) == (at, end), (plan, row)


def instants(
    daemon: KilledDaemon, plan: Plan, rows: list[RunRow], start: datetime, minutes: int
) -> list[datetime]:
    """The minutes from `start` on at which a job is due: by its fields, or by its interval."""
    if not plan.schedule.startswith("@every"):
        return reference.due_minutes(plan.schedule, plan.zone, start, minutes)
    step = int(plan.schedule.removeprefix("@every ").removesuffix("m"))
    anchor = rows[0].run.instant if rows else daemon.last() + MINUTE
    every = (start + n * MINUTE for n in range(minutes))
    return [at for at in every if (at - anchor) // MINUTE % step == 0]


def spans(row: RunRow) -> Iterator[datetime]:
    at = row.run.instant
    while at <= (row.until or row.run.instant):
        yield at
        at += MINUTE


def test_no_attempt_is_started_twice(wrote: list[Wrote]) -> None:
    begun = Counter((each.job, each.at, each.attempt) for each in wrote if each.word == "begun")
    assert [key for key, times in begun.items() if times > 1] == []


def test_each_process_has_one_attempt_in_the_journal(
    rows: dict[str, list[RunRow]], wrote: list[Wrote]
) -> None:
    """One whose process ended with an exit code has begun, and nothing that began has none."""
    attempts = {
        (row.run.number, each.number): (row.run.job, row.run.instant, str(each.outcome))
        for job in rows.values()
        for row in job
        for each in row.attempts
    }
    begun = {(each.run, each.attempt): (each.job, each.at) for each in wrote}
    assert {key: attempts[key][:2] for key in begun} == begun
    ended = {key for key, (*_, outcome) in attempts.items() if outcome.startswith("exit")}
    assert ended <= begun.keys()
    outcomes = {attempts[each.run, each.attempt][2] for each in wrote if each.word == "ended"}
    assert outcomes <= {"exit 0", "lost", "timed out", "signal 15"}


def test_the_attempts_of_a_run_come_one_after_another(
    daemon: KilledDaemon, rows: dict[str, list[RunRow]]
) -> None:
    for plan in daemon.plans:
        for row in rows[plan.job]:
            assert [each.number for each in row.attempts] == list(range(1, len(row.attempts) + 1))
            assert all(each.ended is not None for each in row.attempts), row
            assert len(row.attempts) <= int(plan.settings.get("RETRIES", "3")) + 1, row


def test_no_run_is_forgotten(daemon: KilledDaemon, rows: dict[str, list[RunRow]]) -> None:
    """Each is over, or waits for its time; who gave up has used its attempts, or says why not."""
    for plan in daemon.plans:
        for row in rows[plan.job]:
            most = int(plan.settings.get("RETRIES", "3")) + 1
            match row.state:
                case "succeeded":
                    assert str(row.attempts[-1].outcome) == "exit 0", row
                case "failed":
                    assert row.attempts, row
                    assert row.reason != "no attempts left" or len(row.attempts) == most, row
                case "skipped":
                    assert not row.attempts, row
                case state:
                    assert state == "scheduled", row
                    assert is_to_come(row, rows[plan.job], daemon.restarted), row


def is_to_come(row: RunRow, others: list[RunRow], restarted: datetime) -> bool:
    """Say whether a run waits for a time that has just come, or for others of its job."""
    starts = [each.started for other in others for each in other.attempts if each.started]
    if row.reason is Reason.OVERLAP:  # one that was lost in the last daemon's time may be before it
        starts += [other.due for other in others if other.due]
    return row.due is not None and max((row.due, *starts)) >= restarted


def test_runs_of_a_job_never_overlap_unless_they_may(
    daemon: KilledDaemon, wrote: list[Wrote]
) -> None:
    """Nothing begins between the beginning and the end of one that was left in peace."""
    free = {plan.job for plan in daemon.plans if plan.overlaps_itself}
    going: dict[str, list[Wrote]] = {}
    for each in wrote:
        if each.job in free:
            continue
        if each.word == "begun":
            going.setdefault(each.job, []).append(each)
            continue
        begun = going.pop(each.job)
        assert begun[-1][:4] == each[:4], (begun, each)


def test_nothing_goes_wrong_in_the_daemon(daemon: KilledDaemon) -> None:
    assert daemon.said("bug", "journal", "problem") == []
