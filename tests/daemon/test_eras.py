"""A clock that is set back so far that time comes again, and one under which nothing starts early.

That no run starts before its own instant the world itself holds, at every start.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fakes import Act, utc
from world import World, line, shown, when

from scheduler.run import Exited

if TYPE_CHECKING:
    from collections.abc import Callable

FAILS = Act(outcome=Exited(1))


def set_clock(world: World, *steps: tuple[str, str]) -> None:
    """Let the clock be set at some times, each of them as the clock before shows it."""
    (at, to), *rest = steps

    def happens() -> None:
        world.clock.set(when(to))
        if rest:
            set_clock(world, *rest)

    world.at(at, happens)


def stop_after(world: World, *steps: tuple[str, str], stop: str) -> World:
    """Let the clock be set, and the daemon run until `stop` after that."""
    *before, (at, to) = steps
    set_clock_then(world, before, lambda: world.set_clock_at(at, to, stop=stop))
    world.run()
    return world


def set_clock_then(world: World, steps: list[tuple[str, str]], then: Callable[[], None]) -> None:
    if not steps:
        then()
        return
    (at, to), *rest = steps

    def happens() -> None:
        world.clock.set(when(to))
        set_clock_then(world, rest, then)

    world.at(at, happens)


def eras(world: World, job: str) -> list[int]:
    return [row.run.era for row in world.journal.queries.history(job)]


# --- time comes again ----------------------------------------------------------------------------


def test_what_ran_in_a_wrong_time_runs_again_in_its_own() -> None:
    world = World(line("job", "*/5 * * * *"), "02:00:30")
    stop_after(world, ("06:12:30", "02:05:30"), stop="06:21")
    starts = world.starts("job")
    minutes = [f"{hour:02}:{minute:02}:00" for hour in range(2, 7) for minute in range(0, 60, 5)]
    wrong, own = starts[: starts.index("06:10:00") + 1], starts[starts.index("06:10:00") + 1 :]
    assert wrong == ["02:00:30", *minutes[1 : minutes.index("06:10:00") + 1]]
    assert own == ["02:05:30", *minutes[2 : minutes.index("06:20:00") + 1]]
    assert eras(world, "job") == [0] * len(wrong) + [1] * len(own)
    assert world.jumps() == ["06:11->02:05:30 -14820 s set back: begun anew"]


def test_what_ran_days_ahead_runs_in_its_time() -> None:
    world = World(line("job", "0 3 3 * *"), "02T23:00:30")
    stop_after(world, ("03T03:10", "01T03:10"), stop="03T03:10")
    assert world.starts("job") == ["03T03:00:00", "03T03:00:00"]
    assert eras(world, "job") == [0, 1]
    assert [row.run.number for row in world.journal.queries.history("job")] == [1, 2]


@pytest.mark.parametrize("restarts", [False, True])
def test_each_time_that_the_clock_is_set_back_time_comes_again(*, restarts: bool) -> None:
    world = World(line("job", "0 12 * * *"), "11:59:30")
    for back in ("08:59", "06:30"):
        world.runs_until("12:01") if restarts else world.crashes_at("12:01")
        world.clock.set(when(back))
    world.runs_until("12:01")
    assert world.starts("job") == ["12:00:00"] * 3
    assert eras(world, "job") == [0, 1, 2]


def test_the_minute_before_a_leap_is_not_run_again_when_it_is_undone_at_once() -> None:
    world = World(line("job", "* * * * *") + line("tens", "*/10 * * * *"), "12:00:30")
    stop_after(world, ("12:05:20", "13:05:20"), ("13:05:40", "12:05:40"), stop="13:06:30")
    starts = world.starts("job")
    assert starts[:6] == ["12:00:30", *(f"12:0{n}:00" for n in range(1, 6))]
    assert starts[6:9] == ["13:05:20", "12:06:00", "12:07:00"]
    assert world.starts("tens") == ["12:00:30", *(f"12:{n}0:00" for n in range(1, 6)), "13:00:00"]


def test_a_clock_set_back_a_little_further_than_forward_waits_out_what_was_real() -> None:
    world = World(line("job", "* * * * *"), "12:00:30")
    stop_after(world, ("12:05:20", "13:05:20"), ("13:05:40", "12:02:10"), stop="12:07:30")
    assert world.starts("job")[6:] == ["13:05:20", "12:06:00", "12:07:00"]


def test_within_one_era_nothing_comes_again_for_an_earlier_leap() -> None:
    """The leap that was undone by an hour is of another era when the clock is set back again."""
    world = World(line("job", "* * * * *"), "12:00:30")
    undone = (("12:05:20", "13:05:20"), ("13:05:40", "12:05:40"))
    stop_after(world, *undone, ("12:30:10", "12:20:10"), stop="12:32:30")
    starts = world.starts("job")
    assert len(set(starts[7:])) == len(starts[7:])
    assert starts[-3:] == ["12:30:00", "12:31:00", "12:32:00"]


# --- a clock that was wrong for a while, and is right again ------------------------------------------

IN_1970 = utc(1970, 1, 1, 0, 0, 20)


@pytest.mark.parametrize("restarts", [False, True])
def test_a_machine_that_boots_in_1970_runs_nothing_again_once_it_knows_the_time(
    *, restarts: bool
) -> None:
    """It has no clock of its own: what ran before was right, and so is what comes after."""
    text = line("job", "0 12 * * *") + line("each", "* * * * *", catchup="all")
    world = World(text, "11:59:30").crashes_at("12:02:30")
    world.clock.set(IN_1970)
    if restarts:
        world.clock.at(IN_1970 + timedelta(seconds=30), world.kill)
        world.crashes()
        world.clock.set(when("12:09:20"))
        world.runs_until("12:10:30")
    else:

        def knows_the_time() -> None:
            world.clock.set(when("12:09:20"))
            world.stop_at("12:10:30")

        world.clock.at(IN_1970 + timedelta(seconds=30), knows_the_time)
        world.run()
    assert world.starts("job") == ["12:00:00"]
    ran = [
        shown(row.run.instant) for row in world.journal.queries.history("each") if row.run.era != 1
    ]
    assert ran == ["11:59:00", *(f"12:{n:02}:00" for n in range(11))]
    assert [row.is_unreal for row in world.journal.queries.history("each") if row.run.era != 1] == [
        False
    ] * 12
    assert eras(world, "job") == [0]


def test_a_clock_set_back_by_mistake_and_set_right_runs_nothing_twice() -> None:
    world = World(line("job", "0 * * * *") + line("fixed", "30 11 * * *"), "10:59:30")
    stop_after(world, ("12:05:20", "07:05:20"), ("07:10:20", "12:10:20"), stop="13:01")
    assert world.starts("job") == ["11:00:00", "12:00:00", "13:00:00"]
    assert world.starts("fixed") == ["11:30:00"]
    assert eras(world, "job") == [0, 0, 2]
    assert [jump.split(": ")[1] for jump in world.jumps()] == ["begun anew", "gone on", "replayed"]


def test_a_clock_that_is_set_forward_a_little_in_a_new_era_stays_in_it() -> None:
    """It was five hours ahead, and is right now; an adjustment is no way back."""
    world = World(line("job", "*/30 * * * *"), "12:59:30")
    stop_after(world, ("18:10:20", "13:10:20"), ("17:20:20", "17:20:25"), stop="18:31")
    own = [start for start, era in zip(world.starts("job"), eras(world, "job"), strict=True) if era]
    assert own == [f"{hour}:{minute}:00" for hour in range(13, 19) for minute in ("00", "30")][1:]


# --- nothing starts before its own instant ----------------------------------------------------------

LASTS = {"job": [Act(lasts=8)]}
HOUR = (("12:00:20", "13:00:20"), ("13:00:24", "12:00:24"))
FIVE = (("12:00:20", "12:05:20"), ("12:05:24", "12:00:24"))
SEVEN = (("12:00:20", "12:07:20"), ("12:07:24", "12:00:24"))
SCHEDULE = "* * * * *"


@pytest.mark.slow
@pytest.mark.parametrize("overlap", ["skip", "queue", "allow", "replace"])
@pytest.mark.parametrize("steps", [HOUR, FIVE, SEVEN])
@pytest.mark.parametrize("killed", [False, True])
def test_runs_that_are_made_up_for_go_back_to_their_times(
    steps: tuple[tuple[str, str], ...], overlap: str, *, killed: bool
) -> None:
    """An hour on and at once back again, or as far as missed minutes are replayed."""
    text = line("job", SCHEDULE, catchup="all", overlap=overlap, pool="db")
    world = World(text, "11:59:30", LASTS, grace=0)
    if killed:
        (at, to), (again, back) = steps
        set_clock(world, (at, to))
        world.crashes_at(again)
        world.clock.set(when(back))
        world.runs_until("12:20")
    else:
        stop_after(world, *steps, stop="12:20")
    instants = [row.run.instant for row in world.journal.queries.history("job") if row.run.era]
    assert len(set(instants)) == len(instants)
    ran = {each.attempt.run.instant for each in world.spawner.launched}
    assert {when(f"12:{n:02}") for n in range(1, 20)} <= ran


def test_a_run_in_line_goes_back_to_its_time() -> None:
    """Five minutes on, in which one took the only place, and back again."""
    text = line("long", "1 12 * * *", pool="db") + line("job", "4 12 * * *", pool="db")
    world = World(text, "11:59:30", {"long": [Act(lasts=30)]})
    stop_after(world, *FIVE, stop="12:10")
    assert world.starts("job") == ["12:04:00"]


def test_the_rest_of_a_burst_goes_back_to_its_time() -> None:
    """What was about to start when the clock was set back."""
    lines = "".join(line(f"job{n}", "0 12 * * *") for n in range(12))
    world = World(lines, "11:59:30")
    world.spawner.start_takes = 0.7
    world.at("12:00:01", lambda: world.clock.set(when("11:50")))
    world.runs_until("12:01")
    starts = [shown(each.at) for each in world.spawner.launched]
    assert len(starts) == 12
    rest = starts.index("12:00:00.7", 1)
    assert rest > 1
    assert starts[rest:] == starts[: 12 - rest]


@pytest.mark.parametrize(("back", "second"), [("11:40:30", "12:00:00"), ("08:00:30", "12:00:00")])
@pytest.mark.parametrize("killed", [False, True])
def test_a_retry_starts_in_its_time_or_not_at_all(back: str, second: str, *, killed: bool) -> None:
    text = line("job", "0 12 * * *", retry_delay="1m", retry_jitter="0")
    world = World(text, "11:59:30", {"job": [FAILS, Act()]})
    if killed:
        world.crashes_at("12:00:30")
        world.clock.set(when(back))
        world.runs_until("12:03")
    else:
        stop_after(world, ("12:00:30", back), stop="12:03")
    assert world.starts("job")[1] == second
    outcomes = world.history("job")
    if back == "08:00:30":
        assert outcomes == [
            "12:00 failed (the clock was set back): exit 1",
            "12:00 succeeded: exit 1, exit 0",
        ]


def test_what_a_run_of_a_wrong_time_would_try_again_is_left_to_its_own() -> None:
    """It ends after the clock was set back."""
    world = World(line("job", "0 12 * * *", retry_delay="1m"), "11:59:30")
    world.spawner.acts = {"job": [Act(lasts=60, outcome=Exited(1))]}
    stop_after(world, ("12:00:30", "08:00:30"), stop="08:10")
    assert world.history("job") == ["12:00 failed (the clock was set back): exit 1"]


def test_what_waits_of_a_wrong_time_runs_nothing_of_the_right_one_again() -> None:
    """The clock is set back by mistake; a late instant waits there, and then it is set right."""
    text = line("job", "0 10,12 * * *", catchup="latest", within="12h")
    world = World(text, "11:59:30", {"job": [Act(lasts=8000), Act()]}, grace=0)
    wrong, late = ("14:00:30", "09:58:30"), ("09:59:20", "10:02:20")
    stop_after(world, wrong, late, ("10:05:30", "14:20:30"), stop="14:40")
    ran = [(each.attempt.run.instant, each.attempt.run.era) for each in world.spawner.launched]
    assert ran == [(when("12:00"), 0)]
    rows = [(row.run.instant, row.run.era) for row in world.journal.queries.history("job")]
    assert sorted(rows) == [(when("10:00"), 1), (when("12:00"), 0)]
