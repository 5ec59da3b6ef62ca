"""Attempts that have a process: which signal they get when, and what they leave behind."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fakes import Act
from supervised import KILL, LEAVER, LONG, NOON, STUBBORN, TERM, Scene, ended

from scheduler.run import Exited, Reason, Signalled, TimedOut
from scheduler.runs.supervisor import _LOOK_BEHIND

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    ended(scene)


def test_an_attempt_is_known_until_it_is_gone(scene: Scene) -> None:
    first = scene.start("job", LONG)
    second = scene.start("job", LONG)
    assert len(scene.supervisor) == 2
    scene.supervisor.remove(first.pid)
    assert scene.supervisor.find(first.attempt.run.number) is None
    assert scene.supervisor.remove(second.pid) is second
    assert len(scene.supervisor) == 0


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


def test_who_ignores_that_gets_sigkill_when_its_time_for_that_is_over(scene: Scene) -> None:
    running = scene.start("job", STUBBORN, timeout=30, kill_after=5)
    scene.pass_(30)
    assert scene.supervisor.next_signal() == 5
    scene.pass_(5)
    assert scene.told(running) == [(30, TERM), (35, KILL)]
    assert scene.supervisor.next_signal() is None, "more can't be done"
    assert [ended.outcome for ended in scene.pass_(0)] == [Signalled(KILL)]


def test_no_time_for_that_is_legal(scene: Scene) -> None:
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
