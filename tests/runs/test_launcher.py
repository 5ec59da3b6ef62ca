"""Starts of claimed runs: prepared early, in order, and never for longer than a slice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fakes import Act, FakeClock, FakeSpawner, utc

from scheduler.entry import Entry, Every, Reboot
from scheduler.process.output_files import output_of
from scheduler.run import Attempt, NotStarted, Run
from scheduler.runs.launcher import _MOST_PREPARED, Launcher, Started
from scheduler.runs.live_run import LiveRun, Phase
from scheduler.runs.table import RunTable

NOON = utc(2027, 1, 1, 12)
STATE = Path("/state")


def start(number: int = 1, job: str = "job", user: str | None = None) -> LiveRun:
    entry = Entry(job, Reboot(), "@reboot", ZoneInfo("UTC"), "true", user=user)
    return LiveRun(Run(number, job, NOON), entry, Phase.STARTING, NOON)


@dataclass
class Stage:
    """A launcher and the table that tells it who is to start."""

    spawner: FakeSpawner
    table: RunTable

    def __post_init__(self) -> None:
        self.launcher = Launcher(self.spawner.clock, self.spawner, self.table, STATE)

    def begin(self) -> list[Started]:
        """Start for one slice, and let the table know what has started, as the loop does."""
        done = []
        for started in self.launcher.begin():
            self.table.remove(started.live.run.number)
            done.append(started)
        return done


def stage(*starts: LiveRun, spawner: FakeSpawner, planned: bool = False) -> Stage:
    table = RunTable()
    for each in starts:
        table.put(replace(each, phase=Phase.PLANNED) if planned else each)
    return Stage(spawner, table)


def spawner(*acts: Act, start_takes: float = 0.0) -> FakeSpawner:
    return FakeSpawner(FakeClock(NOON), {"job": acts}, start_takes)


def test_an_output_is_named_by_job_run_and_attempt() -> None:
    assert output_of(Attempt(Run(7, "backup", NOON), 2)) == "outputs/backup/7.2.log"


def test_who_is_to_start_is_started_in_order_with_its_time() -> None:
    fake = spawner(start_takes=0.125)
    done = stage(start(1), start(2), spawner=fake).begin()
    assert [each.live.run.number for each in done] == [1, 2]
    assert [each.result for each in done] == [each.pid for each in fake.launched]
    assert [each.at for each in done] == [each.at for each in fake.launched]
    assert done[0].at < done[1].at


def test_who_is_planned_for_a_minute_is_prepared_and_starts_when_it_comes() -> None:
    fake = spawner()
    ready = stage(start(1), start(2), spawner=fake, planned=True)
    ready.launcher.prepare()
    ready.launcher.prepare()
    assert (len(fake.descriptors), fake.launched) == (2, []), "each once"
    assert ready.begin() == [], "its minute has not come"
    ready.table.take_planned()
    ready.begin()
    assert (len(fake.descriptors), len(fake.launched)) == (0, 2)


def test_who_is_planned_starts_behind_a_burst_that_goes_on() -> None:
    fake = spawner()
    ready = stage(start(2), start(3), spawner=fake, planned=True)
    ready.table.put(start(7))
    ready.table.take_planned()
    assert [each.live.run.number for each in ready.begin()] == [7, 2, 3]


def test_no_more_is_prepared_than_there_are_descriptors_for() -> None:
    fake = spawner()
    starts = [start(number) for number in range(_MOST_PREPARED + 50)]
    ready = stage(*starts, spawner=fake, planned=True)
    ready.launcher.prepare()
    assert len(fake.descriptors) == _MOST_PREPARED
    ready.table.take_planned()
    assert len(ready.begin()) == _MOST_PREPARED + 50


def test_why_there_is_no_process_is_told_whenever_that_shows() -> None:
    for is_early in (True, False):
        fake = spawner(Act(outcome=NotStarted("no"), is_early=is_early))
        ready = stage(start(), spawner=fake, planned=True)
        ready.launcher.prepare()
        ready.table.take_planned()
        assert [each.result for each in ready.begin()] == [NotStarted("no")]
        assert fake.descriptors == set()


def test_a_burst_is_cut_into_slices_of_at_least_one_start() -> None:
    fake = spawner(start_takes=0.4)
    burst = stage(*(start(number) for number in range(5)), spawner=fake)
    assert len(burst.begin()) == 3, "the third ends beyond the first second"
    assert len(burst.begin()) == 2
    slow = stage(start(1), start(2), spawner=spawner(start_takes=60))
    assert [len(slow.begin()) for _ in range(3)] == [1, 1, 0]


def test_one_users_crowd_delays_nobody_else() -> None:
    """The daemon's own user's first, then one of each other user in turn."""
    crowd = [start(number, user="alice") for number in range(1, 5)]
    others = [
        start(5, user="bob"),
        start(6),
        start(7, user="bob"),
        start(8, user="carol"),
        start(9),
    ]
    burst = stage(*crowd, *others, spawner=spawner())
    assert [each.live.run.number for each in burst.begin()] == [6, 9, 1, 5, 8, 2, 7, 3, 4]


def test_a_burst_of_users_leaves_time_for_others() -> None:
    crowd = [start(number, user="alice") for number in range(1, 9)]
    burst = stage(*crowd, start(9), spawner=spawner(start_takes=0.1))
    assert [each.live.run.number for each in burst.begin()] == [9, 1, 2], "a quarter of a second"


def test_a_burst_of_users_ends_when_a_planned_minute_comes() -> None:
    minute = NOON + timedelta(seconds=0.1)
    planned = replace(start(9), run=Run(9, "job", minute), phase=Phase.PLANNED)
    crowd = [start(number, user="alice") for number in range(1, 9)]
    burst = stage(planned, spawner=spawner(start_takes=0.05))
    for each in crowd:
        burst.table.put(each)
    assert [each.live.run.number for each in burst.begin()] == [1, 2]


def test_who_would_start_before_its_instant_is_left_where_it_is() -> None:
    """The clock was set back between the claim and the start."""
    early = Entry("job", Every(1), "@every 1m", ZoneInfo("UTC"), "true")
    later = LiveRun(Run(1, "job", NOON + timedelta(minutes=1)), early, Phase.STARTING, NOON)
    fake = spawner()
    waits = stage(later, start(2), spawner=fake)
    assert [each.live.run.number for each in waits.begin()] == [2]
    assert waits.launcher.next_start() == NOON + timedelta(minutes=1)


def test_what_is_prepared_of_a_run_that_does_not_start_is_let_go() -> None:
    fake = spawner()
    ready = stage(start(1), start(2), start(3), spawner=fake, planned=True)
    ready.launcher.prepare()
    ready.launcher.forget(2)
    ready.launcher.forget(7)
    assert len(fake.descriptors) == 2
    ready.launcher.forget_all()
    assert (fake.descriptors, fake.launched) == (set(), [])


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
    stage(start(1, "bad"), start(2), spawner=fake, planned=True).launcher.prepare()
    assert len(fake.descriptors) == prepared, why
