"""How long jobs take: what went by counts, whatever the clock is set to meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fakes import TICKS, Act, FakeClock, FakeSpawner, utc
from world import World, line, when

from scheduler.cli.run_view import took, waits
from scheduler.process.procfs import Processes, apart
from scheduler.run import Exited
from scheduler.system.clock import since_boot
from scheduler.system.waiting import WaitingClock

if TYPE_CHECKING:
    from scheduler.journal.rows import RunRow

NOON = "0 12 * * *"


def run_of(world: World, job: str = "job") -> RunRow:
    (row,) = world.journal.queries.history(job)
    return row


@pytest.mark.parametrize("to", ["11:50", "13:00", "08:00"])
def test_a_clock_that_is_set_while_a_job_runs_makes_it_no_longer_and_no_shorter(to: str) -> None:
    world = World(line("job", NOON, retries=0), acts={"job": [Act(lasts=90, outcome=Exited(1))]})
    world.set_clock_at("12:00:30", to, stop=to + ":02")
    world.grace = 100
    world.new_daemon()
    world.run()
    (attempt,) = world.journal.queries.history("job")[0].attempts
    assert attempt.took == pytest.approx(90)
    assert [said["took_s"] for said in world.said("failed")] == [pytest.approx(90)]


def test_time_that_the_machine_slept_is_time_that_a_job_took() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=90)]})
    world.sleep_at("12:00:30", until="12:10:30")
    world.runs_until("12:12")
    assert run_of(world).attempts[0].took == pytest.approx(690)


def test_an_adopted_job_took_what_it_took_and_one_that_nobody_saw_end_is_not_told() -> None:
    text = line("job", NOON, retries=0) + line("gone", NOON, retries=0)
    world = World(text, acts={"job": [Act(lasts=90)], "gone": [Act(lasts=10)]})
    world.crashes_at("12:00:05")
    world.clock.pass_to(when("12:00:25"))
    world.clock.set(when("11:58"))
    world.runs_until("12:01")
    (attempt,) = run_of(world).attempts
    assert attempt.took is not None
    assert 90 <= attempt.took < 106  # its end is looked for every 15 seconds
    assert run_of(world, "gone").attempts[0].took is None


@pytest.mark.parametrize("to", ["11:00", "15:00"])
def test_the_timeout_of_an_adopted_job_counts_by_elapsed_time(to: str) -> None:
    world = World(line("job", NOON, timeout="60s", retries=0), acts={"job": [Act(lasts=900)]})
    world.crashes_at("12:00:10")
    world.clock.set(when(to))
    world.runs_until(to + ":55")
    ((at, _),) = world.signals()
    assert at == to + ":50"


@pytest.mark.parametrize("to", ["11:59:50", "12:30:10"])
def test_a_run_of_several_attempts_took_what_went_by(to: str) -> None:
    text = line("job", NOON, retry_delay="20s", retry_jitter="0")
    acts = {"job": [Act(lasts=30, outcome=Exited(1)), Act(lasts=7)]}
    world = World(text, acts=acts)
    world.set_clock_at("12:00:10", to, stop="12:32")
    world.run()
    row = run_of(world)
    assert took(row) == pytest.approx(57)
    assert list(waits(row)) == pytest.approx([0, 20])


def test_a_process_began_at_its_time_of_this_boot_and_of_no_other() -> None:
    here, other = Processes(boot="this"), Processes(boot="that")
    own = here.find(os.getpid())
    assert own is not None
    began = here.began(own.start)
    assert began is not None
    assert 0 <= began <= since_boot(WaitingClock())
    assert other.began(own.start) is None
    assert Processes(Path("/nowhere"), "this").began(own.start) is None
    later = own.start + 250 * TICKS
    assert (apart(own.start, later), apart(later, own.start)) == (250, -250)
    foreign = other.find(os.getpid())
    assert foreign is not None
    assert apart(own.start, foreign.start) is None
    assert apart(None, own.start) is apart(own.start, None) is None


def test_the_real_clock_since_boot_goes_on() -> None:
    clock = WaitingClock()
    first = since_boot(clock)
    assert 0 < first <= since_boot(clock) < first + 60


def test_a_clock_since_boot_counts_sleep_and_no_setting() -> None:
    clock = FakeClock(utc(2027, 3, 1))
    clock.suspend(100)
    clock.set(utc(2020, 1, 1))
    clock.advance(5)
    assert since_boot(clock) == 105
    assert FakeSpawner(clock).began(7) is None
