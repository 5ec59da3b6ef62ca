"""Attempts that have a process: which signal they get when, and what they leave behind."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from fakes import Act, FakeClock, FakeSpawner, utc

from scheduler.entry import Entry, Reboot, Settings
from scheduler.process.launch import Launch
from scheduler.run import Attempt, Exited, Reason, Run, Signalled, TimedOut
from scheduler.runs.output_cap import OutputCap
from scheduler.runs.supervisor import _LOOK_AT_ADOPTED, _LOOK_BEHIND, Running, Supervisor
from scheduler.system.clock import since_boot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.process.reaper import Ended

NOON = utc(2027, 1, 1, 12)
TERM, KILL = signal.SIGTERM, signal.SIGKILL
LONG = Act(lasts=1e6)
STUBBORN = Act(lasts=1e6, on_term=None)
LEAVER = Act(lasts=1e6, leaves=True, is_stubborn=True)


@dataclass
class Scene:
    """A supervisor of jobs of a script, each of its own name; time passes when it is told to."""

    clock: FakeClock = field(default_factory=lambda: FakeClock(NOON))
    acts: dict[str, list[Act]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.spawner = FakeSpawner(self.clock, self.acts)
        self.supervisor = Supervisor(
            self.clock, self.spawner, OutputCap(self.clock, Path("/state"), None)
        )

    def start(
        self,
        job: str,
        act: Act,
        *,
        timeout: float | None = None,
        kill_after: float = 10,
        is_adopted: bool = False,
        age: float = 0,
    ) -> Running:
        self.acts[job] = [act]
        settings = Settings(timeout=timeout, kill_after=kill_after)
        entry = Entry(job, Reboot(), "@reboot", ZoneInfo("UTC"), "x", settings=settings)
        attempt = Attempt(Run(next(self.numbers), job, NOON), 1)
        launch = self.spawner.prepare(entry, attempt, Path("log"))
        assert isinstance(launch, Launch)
        pid = self.spawner.start(launch)
        assert isinstance(pid, int)
        adopted = self.spawner.started_at(pid) if is_adopted else None
        if is_adopted:
            self.spawner.crash()
        started = self.clock.now() + timedelta(hours=5)  # what the wall clock said: it was set
        running = Running(entry, attempt, pid, started, started, adopted=adopted)
        running.began = since_boot(self.clock) - age if is_adopted else since_boot(self.clock)
        self.supervisor.add(running)
        return running

    def pass_(self, seconds: float) -> list[Ended]:
        """Let time pass, burying and enforcing as the loop does."""
        until, found = self.clock.now() + timedelta(seconds=seconds), []
        while True:
            wait = self.supervisor.next_signal()
            wake = until if wait is None else self.clock.now() + timedelta(seconds=wait)
            asyncio.run(self.clock.wait(min(wake, until), asyncio.Event()))
            for ended in self.spawner.ended():
                self.supervisor.remove(ended.pid)
                found.append(ended)
            self.supervisor.enforce()
            if self.clock.now() >= until:
                return found

    def told(self, running: Running) -> list[tuple[float, int]]:
        """The signals that its group got, and after how many seconds."""
        return [
            ((at - NOON).total_seconds(), number)
            for at, pid, number in self.spawner.signals
            if pid == running.pid
        ]


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    if not len(scene.supervisor):
        assert scene.spawner.groups == set(), "each is a descriptor"


# --- time out ------------------------------------------------------------------------------------


def test_who_has_no_timeout_is_left_alone(scene: Scene) -> None:
    running = scene.start("job", LONG)
    assert scene.supervisor.next_signal() is None
    scene.pass_(1e5)
    assert (scene.told(running), running.stop_reason) == ([], None)


def test_who_is_over_its_time_gets_sigterm(scene: Scene) -> None:
    running = scene.start("job", LONG, timeout=30)
    assert scene.supervisor.next_signal() == 30
    assert scene.pass_(29.5) == []
    assert scene.supervisor.next_signal() == 0.5
    scene.pass_(0.5)
    assert scene.told(running) == [(30, TERM)]
    assert running.stop_reason == TimedOut()
    assert [ended.outcome for ended in scene.pass_(0)] == [Signalled(TERM)]
    assert len(scene.supervisor) == 0


def test_who_ignores_that_gets_sigkill_when_its_patience_is_over(scene: Scene) -> None:
    running = scene.start("job", STUBBORN, timeout=30, kill_after=5)
    scene.pass_(30)
    assert scene.supervisor.next_signal() == 5
    scene.pass_(5)
    assert scene.told(running) == [(30, TERM), (35, KILL)]
    assert scene.supervisor.next_signal() is None, "more can't be done"
    assert [ended.outcome for ended in scene.pass_(0)] == [Signalled(KILL)]


def test_a_patience_of_nothing_is_legal(scene: Scene) -> None:
    running = scene.start("job", STUBBORN, timeout=0, kill_after=0)
    assert scene.supervisor.next_signal() == 0
    scene.pass_(0)
    scene.pass_(0)
    assert scene.told(running) == [(0, TERM), (0, KILL)]


def test_no_setting_of_the_clock_ends_a_job_early_or_late(scene: Scene) -> None:
    running = scene.start("job", LONG, timeout=30)
    scene.clock.set(NOON + timedelta(days=1))
    scene.supervisor.enforce()
    assert (scene.supervisor.next_signal(), scene.told(running)) == (30, [])
    scene.clock.set(NOON - timedelta(days=1))
    assert scene.supervisor.next_signal() == 30


def test_a_missed_signal_is_due_now_and_not_in_the_past(scene: Scene) -> None:
    scene.start("job", LONG, timeout=30)
    scene.clock.advance(100)
    assert scene.supervisor.next_signal() == 0


def test_the_soonest_signal_of_all_is_next(scene: Scene) -> None:
    scene.start("a", LONG, timeout=30)
    scene.start("b", LONG, timeout=20)
    assert scene.supervisor.next_signal() == 20


@pytest.mark.parametrize(
    ("stop_reason", "expected", "why"),
    [
        (None, Exited(3), "it ended by itself"),
        (TimedOut(), TimedOut(), "whatever it made of SIGTERM"),
        (Reason.REPLACED, Exited(3), "the reason is the run's, the ending its own"),
        (Reason.STOPPED, Exited(3), "and here"),
    ],
)
def test_only_a_timeout_stands_for_the_ending(
    scene: Scene, stop_reason: TimedOut | Reason | None, expected: object, why: str
) -> None:
    running = scene.start("job", LONG)
    running.stop_reason = stop_reason
    assert running.outcome_of(Exited(3)) == expected, why


# --- what is left behind -------------------------------------------------------------------------


def test_what_a_timed_out_job_left_behind_is_killed_in_its_time(scene: Scene) -> None:
    running = scene.start("job", LEAVER, timeout=30)
    scene.pass_(30)
    assert [ended.outcome for ended in scene.pass_(0)] == [Signalled(TERM)]
    assert (len(scene.supervisor), scene.supervisor.find(running.attempt.run.number)) == (1, None)
    assert scene.supervisor.next_signal() == _LOOK_BEHIND
    scene.pass_(9.75)
    assert scene.supervisor.next_signal() == 0.25
    scene.pass_(0.25)
    assert scene.told(running) == [(30, TERM), (40, KILL)]
    assert (len(scene.supervisor), scene.supervisor.next_signal()) == (0, None)


def test_what_ends_at_sigterm_is_waited_for_no_longer(scene: Scene) -> None:
    running = scene.start("job", LEAVER, timeout=30)
    scene.pass_(31)
    assert len(scene.supervisor) == 1
    scene.spawner.signal(running.pid, KILL)  # it went by itself, as far as the supervisor knows
    scene.supervisor.enforce()
    assert len(scene.supervisor) == 0


def test_what_a_job_leaves_that_ends_by_itself_is_its_own_affair(scene: Scene) -> None:
    running = scene.start("job", Act(lasts=5, leaves=True), timeout=30)
    scene.pass_(100)
    assert (scene.told(running), len(scene.supervisor)) == ([], 0)
    assert scene.spawner._groups[running.pid].grandchild, "it runs on, as under any cron"


def test_what_outlives_its_sigkilled_leader_is_killed_at_once(scene: Scene) -> None:
    running = scene.start("job", STUBBORN, timeout=30)
    scene.pass_(45)
    assert scene.told(running) == [(30, TERM), (40, KILL)]
    other = scene.start("other", LEAVER)
    other.stop_reason, other.signal_at = TimedOut(), None
    scene.spawner.signal(other.pid, TERM)
    scene.pass_(0)
    assert scene.told(other)[-1] == (45, KILL)


# --- making room, and the end --------------------------------------------------------------------


def test_a_terminated_attempt_hears_sigterm_and_then_sigkill_and_nobody_else_does(
    scene: Scene,
) -> None:
    running = scene.start("job", STUBBORN)
    other = scene.start("other", LONG)
    assert scene.supervisor.find(running.attempt.run.number) is running
    assert scene.supervisor.find(4711) is None
    scene.supervisor.terminate(running, Reason.REPLACED)
    assert (running.stop_reason, scene.told(running)) == (Reason.REPLACED, [(0, TERM)])
    assert (other.stop_reason, scene.told(other)) == (None, [])
    scene.pass_(10)
    assert scene.told(running) == [(0, TERM), (10, KILL)]


def test_terminated_again_it_is_ended_at_once(scene: Scene) -> None:
    running = scene.start("job", STUBBORN)
    scene.supervisor.terminate(running, Reason.KILLED)
    scene.pass_(3)
    scene.supervisor.terminate(running, Reason.KILLED)
    assert scene.told(running) == [(0, TERM), (3, KILL)]


def test_an_end_of_all_is_sigterm_first_and_sigkill_when_asked_again(scene: Scene) -> None:
    one, other = scene.start("one", STUBBORN), scene.start("other", STUBBORN, timeout=60)
    scene.supervisor.end_all()
    assert (one.stop_reason, other.stop_reason) == (Reason.STOPPED, Reason.STOPPED)
    scene.supervisor.end_all()
    for running in (one, other):
        assert scene.told(running) == [(0, TERM), (0, KILL)]


def test_an_end_of_all_keeps_the_first_reason(scene: Scene) -> None:
    running = scene.start("job", STUBBORN, timeout=30)
    scene.pass_(30)
    scene.supervisor.end_all()
    assert (running.stop_reason, scene.told(running)[-1]) == (TimedOut(), (30, KILL))


def test_an_end_of_all_is_the_end_of_what_was_left_behind_too(scene: Scene) -> None:
    running = scene.start("job", LEAVER, timeout=30)
    scene.pass_(31)
    scene.supervisor.end_all()
    assert (scene.told(running)[-1], len(scene.supervisor)) == ((31, KILL), 0)


# --- by job, and not our children ----------------------------------------------------------------


def test_an_attempt_is_known_until_it_is_gone(scene: Scene) -> None:
    first = scene.start("job", LONG)
    second = scene.start("job", LONG)
    assert len(scene.supervisor) == 2
    scene.supervisor.remove(first.pid)
    assert scene.supervisor.find(first.attempt.run.number) is None
    assert scene.supervisor.remove(second.pid) is second
    assert len(scene.supervisor) == 0


def test_an_adopted_process_has_to_be_looked_for(scene: Scene) -> None:
    running = scene.start("job", Act(lasts=100), is_adopted=True)
    assert scene.supervisor.next_signal() == _LOOK_AT_ADOPTED
    scene.pass_(99)
    assert list(scene.supervisor.vanished()) == []
    scene.pass_(1)
    assert list(scene.supervisor.vanished()) == [running]
    assert (len(scene.supervisor), scene.supervisor.next_signal()) == (0, None)


def test_a_pid_that_is_another_process_now_is_no_adopted_one(scene: Scene) -> None:
    running = scene.start("job", LONG, is_adopted=True)
    scene.spawner._groups[running.pid].started += 1
    assert list(scene.supervisor.vanished()) == [running]


def test_an_adopted_process_has_its_timeout_too(scene: Scene) -> None:
    running = scene.start("job", LONG, timeout=10, is_adopted=True)
    assert scene.supervisor.next_signal() == 10
    scene.pass_(10)
    assert scene.told(running) == [(10, TERM)]
    assert scene.pass_(0) == [], "nobody tells of its end"
    assert list(scene.supervisor.vanished()) == [running]


@pytest.mark.parametrize(
    ("age", "is_adopted", "expected", "why"),
    [
        (4, True, 6, "what it ran before counts"),
        (10, True, 0, "its time is just over"),
        (86400, True, 0, "long over"),
        (0, True, 10, "it began just now"),
        (4, False, 10, "a child's time counts from here"),
    ],
)
def test_a_timeout_counts_from_the_start_whatever_the_clock_says(
    scene: Scene, age: float, is_adopted: bool, expected: float, why: str
) -> None:
    scene.start("job", LONG, timeout=10, age=age, is_adopted=is_adopted)
    assert scene.supervisor.next_signal() == expected, why


@pytest.mark.parametrize("act", [LONG, LEAVER])
def test_no_signal_reaches_another_process_of_that_number(scene: Scene, act: Act) -> None:
    running = scene.start("job", act, timeout=10, is_adopted=True)
    scene.spawner._groups[running.pid].started += 1
    scene.supervisor.terminate(running, Reason.REPLACED)
    scene.pass_(30)
    scene.supervisor.end_all()
    assert list(scene.supervisor.vanished()) == [running]
    scene.supervisor.end_all()
    assert (scene.told(running), len(scene.supervisor)) == ([], 0)


def test_what_an_adopted_process_left_behind_is_ended_with_it(scene: Scene) -> None:
    """No number goes round while a part of its group lives."""
    running = scene.start("job", LEAVER, timeout=30, is_adopted=True)
    scene.pass_(31)
    assert list(scene.supervisor.vanished()) == [running]
    assert len(scene.supervisor) == 1
    scene.pass_(10)
    assert scene.told(running) == [(30, TERM), (40, KILL)]


def hide(scene: Scene, running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system not tell who has its number."""

    def hidden(*_: object) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(FakeSpawner, "started_at", hidden)
    running.output = Path("output")
    scene.spawner.held = {Path("output")}


def test_where_its_number_is_hidden_whoever_has_its_output_open_stands_for_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process with that number does not: else it would count as the job for ever."""
    running = scene.start("job", LONG, is_adopted=True)
    hide(scene, running, monkeypatch)
    assert list(scene.supervisor.vanished()) == []
    scene.pass_(1)
    scene.spawner.held.clear()
    assert list(scene.supervisor.vanished()) == [running]
    scene.supervisor.end_all()
    assert scene.told(running) == []


def test_a_process_that_is_hidden_is_watched_by_its_output_alone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = scene.start("other", LONG, timeout=10)
    entry, attempt = other.entry, Attempt(Run(9, "job", NOON), 1)
    running = Running(entry, attempt, 0, NOON, NOON, adopted=0)
    hide(scene, running, monkeypatch)
    scene.supervisor.add(running)
    assert (scene.supervisor.find(9), list(scene.supervisor.vanished())) == (running, [])
    scene.supervisor.terminate(running, Reason.KILLED)
    scene.pass_(30)
    assert [pid for _, pid, _ in scene.spawner.signals] == [other.pid], "nobody else is signalled"
    scene.spawner.held.clear()
    assert list(scene.supervisor.vanished()) == [running]
    assert len(scene.supervisor) == 0


def test_a_stop_does_not_wait_for_who_is_hidden(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can end it, and the next daemon finds it by its output."""
    other = scene.start("other", LONG)
    running = Running(other.entry, Attempt(Run(9, "job", NOON), 1), 0, NOON, NOON, adopted=0)
    hide(scene, running, monkeypatch)
    scene.supervisor.add(running)
    assert len(scene.supervisor) == 2
    scene.supervisor.end_all()
    assert list(scene.supervisor.all()) == [other]
    assert scene.supervisor.find(9) is None


# --- what can't be told ---------------------------------------------------------------------------


def test_an_adopted_process_lives_until_the_system_tells_otherwise(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else its job would be started beside it."""

    def untold(*_: object) -> int:
        raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))

    running = scene.start("job", LONG, timeout=30, is_adopted=True)
    with monkeypatch.context() as accident:
        accident.setattr(FakeSpawner, "started_at", untold)
        assert list(scene.supervisor.vanished()) == []
        scene.pass_(30)
        assert scene.told(running) == [(30, TERM)]
        assert list(scene.supervisor.vanished()) == []
        assert scene.supervisor.knows(running.pid)
    scene.pass_(1)
    assert list(scene.supervisor.vanished()) == [running]
