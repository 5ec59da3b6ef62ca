"""Breaks after a laptop slept: at most one is announced, and none that was slept through."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import World, line

BREAKS = (Path(__file__).parent.parent.parent / "crontabs" / "break.crontab").read_text()
JOBS = ("break", "break-on-the-hour", "rest")


def starts(world: World) -> list[tuple[str, str]]:
    """When what was shown, in order."""
    return sorted((time, job) for job in JOBS for time in world.starts(job))


def test_a_working_day_has_a_break_each_twenty_minutes_and_a_rest_each_two_hours() -> None:
    world = World(BREAKS, "08:59:30").runs_until("20:00:00")
    found = starts(world)
    times = [time for time, _ in found]
    assert times == [
        f"{hour:02}:{minute:02}:00"
        for hour in range(9, 18)
        for minute in (0, 20, 40)
        if (hour, minute) != (9, 0)
    ]
    rests = [time for time, job in found if job == "rest"]
    assert rests == ["11:00:00", "13:00:00", "15:00:00", "17:00:00"]


def test_the_weekend_has_none() -> None:
    world = World(BREAKS, "06T00:00:30")  # a Saturday
    world.runs_until("07T23:59:30")
    assert starts(world) == []


@pytest.mark.parametrize(
    ("until", "stop", "shown", "why"),
    [
        ("13:10:40", "13:45:30", [("13:20:00", "break"), ("13:40:00", "break")], "ten breaks and two rests that were slept through are over"),
        ("13:00:20", "13:10:30", [("13:00:20", "rest")], "awake in its very minute: that one is due now"),
        ("17:50:00", "19:00:30", [], "the day is over"),
        ("02T09:10:00", "02T09:30:30", [("02T09:20:00", "break")], "the next day begins anew"),
    ],
)  # fmt: skip
def test_a_break_that_was_slept_through_is_not_announced(
    until: str, stop: str, shown: list[tuple[str, str]], why: str
) -> None:
    world = World(BREAKS, "09:49:30")
    world.sleep_at("09:50:10", until)
    world.at(until, lambda: world.stop_at(stop))
    world.run()
    assert starts(world) == shown, why


@pytest.mark.parametrize(
    ("entry", "made_up", "why"),
    [
        (line("job", "*/20 * * * *"), [], "none is made up for where the minute starts with *"),
        (line("job", "@every 20m"), [], "nor for an interval"),
        (line("job", "0,20,40 * * * *"), [], "nor where the hour does"),
        (line("job", "*/20 9-17 * * *"), [], "working hours change nothing"),
        (line("job", "20,40 9-17 * * *"), ["12:35:15"], "the newest of a fixed minute and hour, once"),
        (line("job", "0 11,13,15 * * *"), ["12:35:15"], "so a rest at fixed hours is told late"),
        (line("job", "0 11,13,15 * * *", catchup="none"), [], "unless CRON_CATCHUP=none says so"),
        (line("job", "20,40 9-17 * * *", catchup="none"), [], "as in crontabs/break.crontab"),
    ],
)  # fmt: skip
def test_what_a_wake_up_announces_at_once(entry: str, made_up: list[str], why: str) -> None:
    world = World(entry, "09:19:30")
    world.sleep_at("09:50:10", "12:35:15")  # over eight breaks and a rest
    world.at("12:35:20", lambda: world.stop_at("12:37:30"))
    world.run()
    assert [time for time in world.starts("job") if time > "09:51"] == made_up, why


@pytest.mark.parametrize(
    ("schedule", "starts"),
    [("*/20 * * * *", ["10:00:00", "10:22:15"]), ("@every 20m", ["10:22:15"])],
)
def test_a_nap_of_five_minutes_costs_no_break(schedule: str, starts: list[str]) -> None:
    # So short an outage counts as in time: what was due in it runs once, at its end.
    world = World(line("job", schedule), "09:59:30")
    world.sleep_at("10:18:10", "10:22:15")
    world.at("10:22:20", lambda: world.stop_at("10:30:30"))
    world.run()
    assert world.starts("job") == starts
