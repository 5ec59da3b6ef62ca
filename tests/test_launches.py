"""The queue before a minute: prepared early, started in order, and never for longer than a slice."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fakes import Act, FakeClock, FakeSpawner, utc

from scheduler.entry import Entry, Reboot
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, NotStarted, Run
from scheduler.runs.launcher import _AHEAD, Claimed, Launches

NOON = utc(2027, 1, 1, 12)
STATE = Path("/state")


def start(number: int = 1, job: str = "job") -> Claimed:
    entry = Entry(job, Reboot(), "@reboot", ZoneInfo("UTC"), "true")
    return Claimed(entry, Attempt(Run(number, job, NOON), 1))


def queue(*starts: Claimed, spawner: FakeSpawner) -> Launches:
    launches = Launches(spawner.clock, spawner, STATE)
    for each in starts:
        launches.add(each)
    return launches


def spawner(*acts: Act, start_takes: float = 0.0) -> FakeSpawner:
    return FakeSpawner(FakeClock(NOON), {"job": acts}, start_takes)


def test_an_output_is_named_by_job_run_and_attempt() -> None:
    assert output_of(Attempt(Run(7, "backup", NOON), 2)) == "outputs/backup/7.2.log"


def test_what_is_queued_is_started_in_order_with_its_time() -> None:
    fake = spawner(start_takes=0.125)
    launches = queue(start(1), start(2), spawner=fake)
    done = list(launches.begin())
    assert [each.start.attempt.run.number for each in done] == [1, 2]
    assert [each.result for each in done] == [each.pid for each in fake.launched]
    assert [each.at for each in done] == [each.at for each in fake.launched]
    assert done[0].at < done[1].at
    assert not launches


def test_preparing_opens_outputs_and_starts_nothing() -> None:
    fake = spawner()
    launches = queue(start(1), start(2), spawner=fake)
    launches.prepare()
    launches.prepare()
    assert (len(fake.descriptors), fake.launched) == (2, []), "each once"
    list(launches.begin())
    assert (len(fake.descriptors), len(fake.launched)) == (0, 2)


def test_no_more_is_prepared_than_there_are_descriptors_for() -> None:
    fake = spawner()
    launches = queue(*(start(number) for number in range(_AHEAD + 50)), spawner=fake)
    launches.prepare()
    assert len(fake.descriptors) == _AHEAD
    assert len(list(launches.begin())) == _AHEAD + 50


def test_why_there_is_no_process_is_told_whenever_that_shows() -> None:
    for is_early in (True, False):
        fake = spawner(Act(outcome=NotStarted("no"), is_early=is_early))
        launches = queue(start(), spawner=fake)
        launches.prepare()
        assert [each.result for each in launches.begin()] == [NotStarted("no")]
        assert fake.descriptors == set()


def test_a_burst_is_cut_into_slices_of_at_least_one_start() -> None:
    fake = spawner(start_takes=0.4)
    launches = queue(*(start(number) for number in range(5)), spawner=fake)
    assert len(list(launches.begin())) == 3, "the third ends beyond the first second"
    assert launches
    assert len(list(launches.begin())) == 2
    slow = spawner(start_takes=60)
    launches = queue(start(1), start(2), spawner=slow)
    assert [len(list(launches.begin())) for _ in range(3)] == [1, 1, 0]


def test_a_queue_knows_whose_starts_it_holds() -> None:
    fake = spawner()
    launches = queue(start(1, "a"), start(2, "a"), start(3, "b"), spawner=fake)
    assert ("a" in launches, "c" in launches) == (True, False)
    list(launches.begin())
    assert "a" not in launches


def test_one_queue_takes_over_what_another_holds() -> None:
    fake = spawner()
    first, second = queue(start(1), spawner=fake), queue(start(2), start(3), spawner=fake)
    second.prepare()
    first.take(second)
    assert not second
    assert "job" not in second
    assert [each.start.attempt.run.number for each in first.begin()] == [1, 2, 3]
    assert fake.descriptors == set()


def test_cancelling_lets_go_of_everything_that_was_prepared() -> None:
    fake = spawner(Act(), Act(outcome=NotStarted("no"), is_early=True))
    launches = queue(start(1), spawner=fake)
    refused = start(2)
    refused.attempt = Attempt(Run(2, "job", NOON), 2)
    launches.add(refused)
    launches.prepare()
    launches.add(start(3))
    assert [attempt.run.number for attempt in launches.attempts()] == [1, 2, 3]
    launches.cancel()
    assert (fake.descriptors, fake.launched, bool(launches)) == (set(), [], False)


@pytest.mark.parametrize(
    ("by_system", "prepared", "why"),
    [
        (False, 1, "what is wrong with one job is no reason to leave the next one"),
        (True, 0, "where the system has no room, the next one finds none either"),
    ],
)
def test_who_can_not_be_prepared_leaves_the_others(
    *, by_system: bool, prepared: int, why: str
) -> None:
    refused = Act(outcome=NotStarted("no", by_system=by_system), is_early=True)
    fake = FakeSpawner(FakeClock(NOON), {"bad": [refused]})
    queue(start(1, "bad"), start(2), spawner=fake).prepare()
    assert len(fake.descriptors) == prepared, why
