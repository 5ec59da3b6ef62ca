"""A daemon and the clocks: minutes that come late, or not at all, or twice, and local changes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from clock_changes import CASES, Case
from fakes import Act, FakeClock
from world import World, line, when

from scheduler.run import Exited

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

EVERY_MINUTE = "* * * * *"
INSTANTS = ["11:59", *(f"12:0{minute}" for minute in range(8))]


def instants(world: World, job: str = "job") -> list[str]:
    return [outcome.split(" ")[0] for outcome in world.history(job)]


# --- late, early, not at all --------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [1, 2, 3, 4, 5, 6])
def test_a_few_minutes_too_late_every_one_is_run_in_order(minutes: int) -> None:
    world = World(line("job", EVERY_MINUTE))
    world.at("12:00:10", lambda: world.clock.advance(60 * minutes))
    world.runs_until(f"12:0{minutes}:40")
    assert instants(world) == INSTANTS[: minutes + 2]
    assert world.starts("job") == ["11:59:30", "12:00:00", *[f"12:0{minutes}:10"] * minutes]
    said = [(each["kind"], each["verdict"]) for each in world.said("jump")]
    assert said == [("held up", "replayed")] * (minutes > 1)


def test_late_minutes_of_a_job_run_one_after_the_other() -> None:
    """They run at one time only because they are late, so that is no overlap."""
    world = World(line("job", EVERY_MINUTE), acts={"job": [Act(lasts=9)]})
    world.at("12:00:30", lambda: world.clock.advance(180))
    world.runs_until("12:04:30")
    assert world.starts("job")[2:] == ["12:03:30", "12:03:39", "12:03:48", "12:04:00"]
    assert world.history("job") == [f"{at} succeeded: exit 0" for at in INSTANTS[:6]]


def test_a_planned_minute_that_comes_late_is_run_first() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.at("11:59:59.9", lambda: world.clock.advance(125))
    world.runs_until("12:02:30")
    assert instants(world) == INSTANTS[:4]


def test_a_short_time_down_is_made_up_for() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.runs_until("12:00:30")
    world.clock.advance(150)
    world.runs_until("12:03:10")
    assert instants(world) == INSTANTS[:5]


@pytest.mark.parametrize("back", ["11:59:40", "11:30", "09:05"])
def test_nothing_runs_twice_when_the_clock_is_set_back(back: str) -> None:
    world = World(line("job", EVERY_MINUTE) + line("half", "30 * * * *"))
    world.at("12:00:10", lambda: world.clock.set(when(back)))
    world.runs_until("12:02:30")
    assert instants(world) == INSTANTS[:4]
    assert world.starts("job") == ["11:59:30", "12:00:00", "12:01:00", "12:02:00"]
    assert world.history("half") == []


def test_nothing_runs_twice_when_the_clock_is_set_back_between_planning_and_the_minute() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.at("12:00:59.9", lambda: world.clock.set(when("12:00:10")))
    world.at("12:01:59.9", lambda: world.clock.set(when("11:20")))
    world.runs_until("12:03:30")
    assert instants(world) == INSTANTS[:5]


def test_a_clock_that_is_set_back_is_said_to_be_once() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.at("12:00:10", lambda: world.clock.set(when("11:30")))
    world.runs_until("12:02:30")
    (said,) = world.said("jump")
    assert (said["kind"], said["last"]) == ("set back", "2027-03-01T12:00:00Z")
    assert said["verdict"] == "waited out"


def test_a_clock_that_is_steered_back_a_little_is_no_jump() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.at("12:00:00.2", lambda: world.clock.set(when("11:59:59.9")))
    world.runs_until("12:01:30")
    assert world.said("jump") == []
    assert world.starts("job") == ["11:59:30", "12:00:00", "12:01:00"]


def test_a_planned_minute_that_the_machine_slept_through_is_not_run_hours_later() -> None:
    world = World(line("noon", "0 12 * * *") + line("job", EVERY_MINUTE))
    world.set_clock_at("11:59:59.9", "18:59:59.9", stop="19:00:30")
    world.run()
    assert world.history("noon") == ["12:00 skipped (too late): -"]
    assert instants(world) == ["11:59", "12:00-18:58", "18:59", "19:00"]
    assert world.starts("job") == ["11:59:30", "18:59:59.9", "19:00:00"]
    assert [said["kind"] for said in world.said("jump")] == ["set forward"]


def test_a_planned_minute_is_not_run_before_the_clock_that_was_set_back_shows_it() -> None:
    world = World(line("noon", "0 12 * * *"))
    world.at("11:59:59.9", lambda: world.clock.set(when("10:30")))
    world.runs_until("12:00:30")
    assert world.starts("noon") == ["12:00:00"]


def test_a_clock_that_was_wrong_before_is_believed_again_and_it_is_said() -> None:
    world = World(line("job", EVERY_MINUTE))
    world.set_clock_at("12:00:10", "08:00:30", stop="08:02:30")
    world.run()
    assert world.starts("job")[2:] == ["08:00:30", "08:01:00", "08:02:00"]
    (said,) = world.said("jump")
    assert said["verdict"] == "begun anew"


def test_a_clock_that_was_wrong_before_runs_its_instants_again_in_their_time() -> None:
    """Once in each era of the clock."""
    world = World(line("job", EVERY_MINUTE), now="08:00")
    world.runs_until("08:01:30")
    world.clock.set(when("12:00:10"))
    world.runs_until("12:00:20")
    world.clock.set(when("08:00:10"))
    world.runs_until("08:02:30")
    assert instants(world) == ["08:00", "08:01", "08:02-11:59", "12:00", "08:00", "08:01", "08:02"]
    assert [row.run.era for row in world.journal.queries.history("job")] == [0, 0, 0, 0, 1, 1, 1]


def test_a_clock_that_was_set_back_does_not_supersede_what_it_retries() -> None:
    """The next instant is the next after the run's own, whatever the clock says by then."""
    acts = {"job": [Act(lasts=60, outcome=Exited(1)), Act()]}
    text = line("job", "0 * * * *", retry_delay="45m", retry_max_delay="45m")
    world = World(text, acts=acts)
    world.at("12:00:30", lambda: world.clock.set(when("11:30")))
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 succeeded: exit 1, exit 0"]


# --- local clock changes, through the whole daemon ----------------------------------------------

NIGHTS: dict[tuple[ZoneInfo, str], list[Case]] = defaultdict(list)
for each in CASES:
    NIGHTS[each.zone, each.direction].append(each)


@pytest.mark.slow
@pytest.mark.parametrize(
    "night", NIGHTS.values(), ids=[f"{zone} {direction}" for zone, direction in NIGHTS]
)
def test_a_night_in_which_the_clock_changes(night: list[Case]) -> None:
    """Every row of the table as a job of one crontab, in spring and in autumn."""
    lines = (line(f"job{n}", case.text, tz=case.zone) for n, case in enumerate(night))
    world = World("".join(lines))
    world.clock = world.spawner.clock = FakeClock(night[0].start)
    world.new_daemon()
    world.clock.at(night[0].end, world.daemon.stop)
    world.run()
    for n, case in enumerate(night):
        starts = [case.show(at) for at, _ in world.spawner.starts(f"job{n}")]
        assert starts == case.expected.split(), case
