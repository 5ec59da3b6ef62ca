"""The machine that nobody waits for: its clocks, and jobs that take as long as one says.

That the clock keeps the contract of clocks is in test_clock.py, whose fake is this one.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import utc

from scheduler.daemon.virtual_machine import VirtualClock, VirtualSpawner
from scheduler.entry import Entry, Reboot
from scheduler.process.launch import Launch
from scheduler.run import Attempt, Exited, Run, Signalled

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

NOON = utc(2027, 3, 1, 12)
MINUTE = timedelta(minutes=1)
ENTRY = Entry("job", Reboot(), "@reboot", ZoneInfo("UTC"), "true")


def wait(clock: VirtualClock, until: datetime) -> None:
    asyncio.run(clock.wait(until, asyncio.Event()))


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "wall", "awake", "asleep", "why"),
    [
        (lambda clock: clock.advance(90), 90, 90, 0, "time goes by on all that run"),
        (lambda clock: clock.suspend(90), 90, 0, 90, "who sleeps sees the wall clock move"),
        (lambda clock: clock.set(NOON + MINUTE), 60, 0, 0, "a clock set forward is alone in that"),
        (lambda clock: clock.set(NOON - MINUTE), -60, 0, 0, "and so is one set back"),
        (lambda clock: clock.pass_to(NOON + MINUTE), 60, 60, 0, "time goes by without a wait too"),
        (lambda clock: clock.pass_to(NOON - MINUTE), 0, 0, 0, "what has passed is not waited for"),
        (lambda clock: wait(clock, NOON + MINUTE), 60, 60, 0, "a wait is time that goes by"),
    ],
)
def test_what_each_clock_shows(
    act: Callable[[VirtualClock], None], wall: int, awake: int, asleep: int, why: str
) -> None:
    clock = VirtualClock(NOON)
    act(clock)
    shown = ((clock.now() - NOON).total_seconds(), clock.monotonic(), clock.asleep())
    assert shown == (wall, awake, asleep), why


def test_who_sleeps_is_not_ahead_in_what_takes_time() -> None:
    clock = VirtualClock(NOON)
    seen: list[datetime] = []
    clock.after(30, lambda: seen.append(clock.now()))
    clock.at(NOON + timedelta(seconds=10), lambda: clock.suspend(3600))
    clock.pass_to(NOON + timedelta(hours=2))
    assert seen == [NOON + timedelta(seconds=30 + 3600)]


@pytest.mark.parametrize("is_waiting", [True, False])
def test_what_the_clock_jumps_over_happens_after_the_jump(is_waiting: bool) -> None:
    clock = VirtualClock(NOON)
    seen: list[datetime] = []
    clock.at(NOON + 5 * MINUTE, lambda: seen.append(clock.now()))
    clock.at(NOON + MINUTE, lambda: clock.set(NOON + 10 * MINUTE))
    if is_waiting:
        wait(clock, NOON + 20 * MINUTE)
    else:
        clock.pass_to(NOON + 20 * MINUTE)
    assert seen == [NOON + 10 * MINUTE]


def test_what_a_happening_raises_leaves_the_wait() -> None:
    clock = VirtualClock(NOON)
    clock.at(NOON + MINUTE, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        wait(clock, NOON + 2 * MINUTE)
    assert clock.now() == NOON + MINUTE


def test_a_wait_needs_no_loop_and_gives_way_once() -> None:
    clock = VirtualClock(NOON)
    steps = list(clock.wait(NOON + MINUTE, asyncio.Event()).__await__())
    assert (steps, clock.now()) == ([None], NOON + MINUTE)


# --- jobs ----------------------------------------------------------------------------------------


class Stage:
    """A spawner and what has been started on it."""

    def __init__(self, lasts: float = 60.0) -> None:
        self.clock = VirtualClock(NOON)
        self.spawner = VirtualSpawner(self.clock, lambda _job: lasts)

    def start(self, number: int = 1) -> int:
        attempt = Attempt(Run(number, "job", NOON), 1)
        launch = self.spawner.prepare(ENTRY, attempt, Path("output"))
        assert isinstance(launch, Launch)
        pid = self.spawner.start(launch)
        assert isinstance(pid, int)
        return pid

    def ended(self, after: float) -> list[tuple[int, object]]:
        self.clock.pass_to(self.clock.now() + timedelta(seconds=after))
        return [(each.pid, each.outcome) for each in self.spawner.ended()]


def test_a_job_takes_its_time_and_succeeds() -> None:
    stage = Stage()
    pid = stage.start()
    assert (len(stage.spawner), stage.spawner.started_at(pid)) == (1, pid)
    assert stage.ended(59.9) == []
    assert stage.ended(0.1) == [(pid, Exited(0))]
    assert stage.ended(0) == [], "it ends once"
    assert (len(stage.spawner), stage.spawner.started_at(pid)) == (0, None)


@pytest.mark.parametrize(
    ("number", "outcome", "why"),
    [
        (15, Signalled(15), "SIGTERM ends it at once"),
        (9, Signalled(9), "SIGKILL always is"),
        (0, None, "0 only asks who is there"),
        (1, None, "nothing sends any other"),
    ],
)
def test_a_signal_ends_a_job(number: int, outcome: Signalled | None, why: str) -> None:
    stage = Stage()
    pid = stage.start()
    assert stage.spawner.signal(pid, number)
    assert stage.ended(1) == ([] if outcome is None else [(pid, outcome)]), why
    assert stage.spawner.signal(pid, number) is (outcome is None)


def test_a_killed_daemons_jobs_go_on_and_nobody_hears_of_their_end() -> None:
    stage = Stage()
    pid = stage.start()
    stage.clock.pass_to(NOON + timedelta(seconds=30))
    stage.spawner.crash()
    other = stage.start(2)
    assert stage.spawner.started_at(pid) == pid
    assert stage.ended(60) == [(other, Exited(0))]
    assert stage.spawner.started_at(pid) is None


def test_what_ended_and_was_not_asked_for_is_forgotten_with_the_daemon() -> None:
    stage = Stage()
    stage.start()
    stage.clock.pass_to(NOON + MINUTE)
    stage.spawner.crash()
    assert stage.ended(0) == []
