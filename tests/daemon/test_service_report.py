"""What systemd hears: that the crontabs are read, that the loop goes on, what runs and is next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fakes import Act
from world import World, line, shown

from scheduler.daemon.service_report import running_text

if TYPE_CHECKING:
    from scheduler.system.clock import Clock

HOURLY = line("hourly", "0 * * * *")


@dataclass
class Manager:
    """A service manager that writes down what it hears, and when."""

    seconds: float | None = None
    clock: Clock | None = None
    heard: list[str] = field(default_factory=list)

    def is_there(self) -> bool:
        return True

    def watchdog(self) -> float | None:
        return self.seconds

    def alive(self) -> None:
        self._hears("alive")

    def ready(self, text: str) -> None:
        self._hears(f"ready: {text}")

    def reloading(self, monotonic: float) -> None:
        assert self.clock is not None
        assert monotonic == self.clock.monotonic(), "systemd compares it with when it asked"
        self._hears("reloading")

    def stopping(self) -> None:
        self._hears("stopping")

    def extend(self, seconds: float) -> None:
        self._hears(f"extend {seconds}")

    def status(self, text: str) -> None:
        self._hears(f"status: {text}")

    def expect(self, seconds: float | None) -> None:
        self._hears(f"expect {seconds}")

    def _hears(self, what: str) -> None:
        assert self.clock is not None
        self.heard.append(f"{shown(self.clock.now())[:8]} {what}")


def managed(text: str, manager: Manager, **acts: list[Act]) -> World:
    world = World(text, manager=manager, acts=acts)
    manager.clock = world.clock
    world.new_daemon()
    return world


def test_it_hears_of_a_whole_life() -> None:
    manager = Manager()
    text = line("long", "0 12 * * *") + HOURLY
    world = managed(text, manager, long=[Act(lasts=90)], hourly=[Act(lasts=5)])
    world.edit_at("12:00:30", text + line("new", "5 13 * * *"))
    world.runs_until("12:01:10")
    assert manager.heard == [
        "11:59:30 ready: 2 entries in 1 zone",
        "11:59:30 status: 2 entries in 1 zone; nothing running; next 12:00 UTC: long",
        "12:00:00 status: 2 entries in 1 zone; 2 running: long, hourly; next 13:00 UTC: hourly",
        "12:00:05 status: 2 entries in 1 zone; 1 running: long; next 13:00 UTC: hourly",
        "12:00:59 reloading",
        "12:00:59 ready: 3 entries in 1 zone",
        "12:00:59 status: 3 entries in 1 zone; 1 running: long; next 13:00 UTC: hourly",
        "12:01:10 stopping",
        "12:01:10 extend 60.0",
        "12:01:10 status: stopping; 1 running: long",
        "12:01:20 status: stopping; nothing running",
    ]


def test_a_drain_is_given_the_time_that_its_jobs_need() -> None:
    """systemd would kill the daemon after TimeoutStopSec=, since it says that it is stopping."""
    manager = Manager()
    world = managed(line("long", "0 12 * * *"), manager, long=[Act(lasts=3600)])
    world.drain_at("12:10:00")
    world.run()
    asked = [each.split()[0] for each in manager.heard if "extend" in each]
    moments = [3600 * int(each[:2]) + 60 * int(each[3:5]) + float(each[6:]) for each in asked]
    assert asked[0] == "12:10:00"
    assert asked[-1] >= "12:59:30"
    assert max(late - early for early, late in pairwise(moments)) < 60


def test_a_crontab_with_problems_says_so_and_one_without_jobs_too() -> None:
    manager = Manager()
    managed("0 25 * * * never\n", manager).runs_until("12:00:30")
    assert manager.heard[1] == (
        "11:59:30 status: no entries, 1 refused; nothing running; nothing due within a day"
    )


def test_a_status_is_cut_and_not_told_more_than_once_a_second() -> None:
    manager = Manager()
    jobs = [f"{'j' * 90}{number}" for number in range(4)]
    text = "".join(line(job, "0 12 * * *") for job in jobs)
    acts = {job: [Act(lasts=0.2 * number)] for number, job in enumerate(jobs, 1)}
    managed(text, manager, **acts).runs_until("12:00:30")
    told = [heard for heard in manager.heard if "status" in heard and "12:00:0" in heard]
    assert ["running" in each for each in told] == [True, True]
    assert "4 running: jjj" in told[0]
    assert "nothing running" in told[1], "what was true in between nobody could have read"
    assert {len(each) for each in told} <= set(range(320))


@pytest.mark.parametrize("seconds", [10.0, 60.0, 3600.0])
def test_the_loop_says_at_least_twice_in_that_time_that_it_goes_on(seconds: float) -> None:
    manager = Manager(seconds)
    managed(line("job", "30 12 * * *"), manager).runs_until("15:00:00")
    alive = [each.split()[0] for each in manager.heard if each.endswith("alive")]
    moments = [3600 * int(each[:2]) + 60 * int(each[3:5]) + float(each[6:]) for each in alive]
    assert max(late - early for early, late in pairwise(moments)) <= seconds / 2 + 1
    assert min(late - early for early, late in pairwise(moments)) >= seconds / 4 - 1
    first = [each for each in manager.heard if "expect" in each or "alive" in each][:2]
    assert first == [f"11:59:30 expect {seconds}", "11:59:30 alive"], "a repair has switched it off"


def test_who_does_not_mind_is_not_told_that_it_goes_on() -> None:
    manager = Manager()
    managed(HOURLY, manager).runs_until("13:00:30")
    assert [each for each in manager.heard if "alive" in each or "expect" in each] == []


def test_a_reload_that_waits_for_calendars_is_no_readiness() -> None:
    manager = Manager()
    world = managed(HOURLY, manager)

    def slow() -> None:
        world.library.hanging = "far.ics"
        world.edit(HOURLY + "# far.ics\n")

    def comes() -> None:
        world.library.hanging = ""
        world.daemon.wake()

    world.at("12:10:30", slow)
    world.at("12:14:30", comes)
    world.runs_until("12:20:30")
    heard = [each for each in manager.heard if "read" in each or "reloading" in each]
    assert heard[0] == "11:59:30 ready: 1 entry in 1 zone"
    assert {each.split()[1] for each in heard[1:-1]} == {"reloading"}
    assert heard[-1] == "12:14:30 ready: 1 entry in 1 zone"


def test_a_bug_in_a_reload_leaves_it_ready_by_the_old_crontabs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manager = Manager()
    world = managed(HOURLY, manager)

    def breaks() -> None:
        monkeypatch.setattr(type(world.library), "load", lambda _: 1 / 0)
        world.daemon.reload()

    world.at("12:10:30", breaks)
    world.stop_at("12:11:30")
    asyncio.run(world.daemon.run())
    assert "ZeroDivisionError" in world.log.getvalue()
    heard = [each for each in manager.heard if "read" in each or "reloading" in each]
    assert heard[1:3] == ["12:10:30 reloading", "12:10:30 ready: 1 entry in 1 zone"]


def test_a_reload_that_the_journal_refuses_is_still_to_be_done() -> None:
    manager = Manager()
    world = managed(HOURLY, manager)

    def fills() -> None:
        world.journal.is_full = True
        world.edit(HOURLY + line("often", "@every 7m"))

    def empties() -> None:
        world.journal.is_full = False

    world.at("12:10:30", fills)
    world.at("12:11:20", empties)
    world.runs_until("12:12:30")
    heard = [each for each in manager.heard if "read" in each or "reloading" in each]
    assert heard[1] == "12:10:59 reloading"
    assert heard[-1].endswith("ready: 2 entries in 1 zone")
    assert heard[-1] >= "12:11:20"
    assert {each.split()[1] for each in heard[1:-1]} == {"reloading"}


@pytest.mark.parametrize(
    ("jobs", "number", "text"),
    [
        ([], 0, "nothing running"),
        ([], 2, "2 running"),  # what is left of jobs that ended
        (["a"], 1, "1 running: a"),
        (["a", "b", "c"], 3, "3 running: a, b, c"),
        (["a", "b", "c"], 1003, "1003 running: a, b, c and 1000 more"),
    ],
)
def test_running_jobs_are_named_as_far_as_there_is_room(
    jobs: list[str], number: int, text: str
) -> None:
    assert running_text(jobs, number) == text
