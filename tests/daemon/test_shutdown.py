"""A daemon that ends, by request or by kill -9, and the next one, which goes on from the journal."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from fakes import Act, FakeSpawner
from world import World, line, when

from scheduler.daemon import signals
from scheduler.errors import MeridianError
from scheduler.run import Exited, NotStarted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

FAILS = Act(outcome=Exited(1))
EVERY_MINUTE = "* * * * *"
NOON = "0 12 * * *"
TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)


# --- a stop -------------------------------------------------------------------------------------


def test_a_daemon_with_nothing_to_do_ends_at_once() -> None:
    world = World(line("job", EVERY_MINUTE)).runs_until("12:00:30")
    assert world.clock.now() == when("12:00:30")
    assert [len(world.said(message)) for message in ("stopping", "stopped")] == [1, 1]


@pytest.fixture
def handlers() -> Iterator[None]:
    """Give the signals that a daemon listens to back to the tests."""
    listened = (TERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    before = {each: signal.getsignal(each) for each in listened}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("handlers")
def test_a_stop_is_heard_among_the_ends_of_a_thousand_jobs(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """They fill the pipe by which a signal wakes the loop."""
    world = World(line("job", NOON), "11:00")

    async def crowded() -> None:
        signals.listen(asyncio.get_running_loop(), world.daemon)
        for number in [signal.SIGCHLD] * 1000 + [signal.SIGTERM]:
            os.kill(os.getpid(), number)
        await world.daemon.run()

    asyncio.run(crowded())
    assert (world.starts("job"), len(world.said("stopping"))) == ([], 1)
    os.kill(os.getpid(), signal.SIGTERM)  # too late to mean anything
    assert capfd.readouterr().err == ""


def test_a_stop_starts_no_new_runs_and_waits_for_those_that_run() -> None:
    text = line("job", EVERY_MINUTE, overlap="allow")
    world = World(text, "12:00", {"job": [Act(lasts=70)]}, grace=100)
    world.runs_until("12:00:30")
    assert world.starts("job") == ["12:00:00"]
    assert world.history("job") == ["12:00 succeeded: exit 0"]
    assert world.clock.now() == when("12:01:10")


@pytest.mark.parametrize(
    ("act", "stops", "signals", "end"),
    [
        # one signal: the grace time of 10 s, then SIGTERM, then SIGKILL after CRON_KILL_AFTER
        (Act(lasts=35), ["12:00:30"], [], "12:00:35"),
        (Act(lasts=999), ["12:00:30"], [("12:00:40", TERM)], "12:00:40"),
        (Act(lasts=999, on_term=None), ["12:00:30"], [("12:00:40", TERM), ("12:00:45", KILL)], "12:00:45"),
        (Act(lasts=999, on_term=Exited(0), term_takes=3), ["12:00:30"], [("12:00:40", TERM)], "12:00:43"),
        # a second one skips the grace time, a third the patience with who ignores SIGTERM
        (Act(lasts=999), ["12:00:30", "12:00:31"], [("12:00:31", TERM)], "12:00:31"),
        (Act(lasts=999, on_term=None), ["12:00:30", "12:00:31"], [("12:00:31", TERM), ("12:00:36", KILL)], "12:00:36"),
        (Act(lasts=999, on_term=None), ["12:00:30", "12:00:31", "12:00:32"], [("12:00:31", TERM), ("12:00:32", KILL)], "12:00:32"),
        # two at one moment are still two
        (Act(lasts=999), ["12:00:30", "12:00:30"], [("12:00:30", TERM)], "12:00:30"),
        # the second comes when the first SIGTERM has gone out by itself
        (Act(lasts=999, on_term=None), ["12:00:30", "12:00:42"], [("12:00:40", TERM), ("12:00:42", KILL)], "12:00:42"),
    ],
)  # fmt: skip
def test_a_stop_in_steps(
    act: Act, stops: list[str], signals: list[tuple[str, int]], end: str
) -> None:
    world = World(line("job", NOON, kill_after="5s"), acts={"job": [act]})
    world.stop_at(*stops)
    world.run()
    assert world.signals() == signals
    assert world.clock.now() == when(end)


@pytest.mark.parametrize(
    ("crash", "stops", "signals"),
    [
        ("12:00:10", ["12:01:03"], 40),  # adopted ones: SIGTERM at the timeout, their rest SIGKILL
        (None, ["12:01:03"], 40),  # children, whose rest is looked for, too
        ("12:00:10", ["12:01:03"] * 3, 40),  # their rest is killed by the stop
        ("12:00:10", ["12:00:20"] * 2, 40),  # or they are ended by it
    ],
)
def test_no_signal_of_many_takes_a_look_of_its_own(
    crash: str | None, stops: list[str], signals: int
) -> None:
    """Which goes through all processes of the machine; a stop of 600 jobs took 23 s by that."""
    names = [f"job{number}" for number in range(20)]
    text = "".join(line(name, NOON, kill_after="5s", timeout="1m") for name in names)
    stubborn = [Act(lasts=62, on_term=None, leaves=True, is_stubborn=True)]
    world = World(text, acts=dict.fromkeys(names, stubborn))
    if crash is not None:
        world.crashes_at(crash)
    world.stop_at(*stops)
    world.run()
    assert (len(world.signals()), world.spawner.looks) == (signals, 0)


def test_those_that_an_earlier_daemon_began_to_end_take_no_look_of_their_own() -> None:
    names = [f"job{number}" for number in range(20)]
    text = "".join(line(name, "0,1 12 * * *", overlap="replace") for name in names)
    acts = [Act(lasts=99, on_term=None), Act()]
    world = World(text, acts=dict.fromkeys(names, acts))
    world.crashes_at("12:01:02").runs_until("12:01:03")
    numbers = [number for _, number in world.signals()]
    assert (numbers[:40], world.spawner.looks) == ([TERM] * 40, 0)


# --- a drain ------------------------------------------------------------------------------------


def test_a_drain_starts_no_new_runs_and_waits_for_those_that_run_for_ever() -> None:
    """What waits for an earlier run, or for its retry, is the next daemon's."""
    text = (
        line("job", EVERY_MINUTE, overlap="queue")
        + line("failing", NOON, retry_delay="10s")
        + line("late", "1 12 * * *")
    )
    acts = {"job": [Act(lasts=7000)], "failing": [Act(lasts=15, outcome=Exited(1)), Act()]}
    world = World(text, "12:00", acts)
    world.drain_at("12:00:10")
    world.edit_at("12:00:20", "")
    world.run()
    assert world.clock.now() == when("13:56:40")
    assert [world.starts(job) for job in ("job", "failing", "late")] == [
        ["12:00:00"],
        ["12:00:00"],
        [],
    ]
    assert world.signals() == []
    assert world.history("job") == ["12:00 succeeded: exit 0"]
    assert world.history("failing") == ["12:00 scheduled: exit 1 -> 12:00:25"]
    assert [len(world.said(told)) for told in ("draining", "stopping", "stopped")] == [1, 0, 1]


def test_what_commands_need_is_looked_at_each_minute_to_the_end_of_a_drain() -> None:
    """Or a daemon that drains for days could not be reached after a logout."""
    acts = {"long": [Act(lasts=300)]}
    world = World(line("long", NOON), "11:58:30", acts=acts)
    world.drain_at("12:00:10")
    looks: list[datetime] = []
    asyncio.run(world.daemon.run(lambda: looks.append(world.clock.now())))
    assert looks[-1] >= when("12:04")
    assert max(next_ - look for look, next_ in pairwise(looks)) <= timedelta(seconds=75)


def test_a_drain_with_nothing_to_wait_for_ends_at_once() -> None:
    world = World(line("job", NOON), "12:00:30")
    world.drain_at("12:01:10")
    world.run()
    assert world.clock.now() == when("12:01:10")


@pytest.mark.parametrize(
    ("stops", "signals"),
    [
        (["12:05"], [("12:05:10", TERM), ("12:05:15", KILL)]),  # it begins with the grace time
        (["12:05", "12:05:02"], [("12:05:02", TERM), ("12:05:07", KILL)]),
        (["12:00:30"], [("12:00:40", TERM), ("12:00:45", KILL)]),  # at the same moment
    ],
)
def test_a_stop_while_it_drains_begins_anew(
    stops: list[str], signals: list[tuple[str, int]]
) -> None:
    act = Act(lasts=999, on_term=None)
    world = World(line("job", NOON, kill_after="5s"), acts={"job": [act]})
    world.drain_at("12:00:30")
    world.drain_at("12:00:31")  # asked again, it means no more
    world.stop_at(*stops)
    world.run()
    assert world.signals() == signals


def test_a_drain_while_it_stops_changes_nothing() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=999)]})
    world.drain_at("12:00:31")
    world.runs_until("12:00:30")
    assert world.signals() == [("12:00:40", TERM)]


# --- what runs on -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stubborn", "signals"),
    [(False, [("12:00:40", TERM)]), (True, [("12:00:40", TERM), ("12:00:45", KILL)])],
)
def test_what_a_job_leaves_behind_when_it_is_ended_is_ended_too(
    stubborn: bool, signals: list[tuple[str, int]]
) -> None:
    """The daemon does not go before it: nobody else would send the last signal."""
    act = Act(lasts=999, leaves=True, is_stubborn=stubborn)
    world = World(line("job", NOON, kill_after="5s"), acts={"job": [act]})
    world.runs_until("12:00:30")
    assert world.signals() == signals


def test_nothing_is_waited_for_that_is_gone() -> None:
    """A grandchild that takes a second to die costs a moment, not all of CRON_KILL_AFTER."""
    act = Act(lasts=999, leaves=True, is_stubborn=True)
    world = World(line("job", NOON, kill_after="60s"), acts={"job": [act]})
    world.at("12:00:41", world.spawner.leave)
    world.runs_until("12:00:30")
    assert world.signals() == [("12:00:40", TERM)]
    assert when("12:00:41") <= world.clock.now() <= when("12:00:42")


def test_a_failure_while_stopping_keeps_nobody_awake() -> None:
    """Its retry is due on disk, and is the next daemon's."""
    text = line("job", NOON, retry_delay="1s") + line("long", NOON)
    acts = {"job": [Act(lasts=31, outcome=Exited(1)), Act()], "long": [Act(lasts=39)]}
    world = World(text, acts=acts).runs_until("12:00:30")
    assert world.history("job") == ["12:00 scheduled: exit 1 -> 12:00:32"]
    world.runs_until("12:01")
    assert world.history("job") == ["12:00 succeeded: exit 1, exit 0"]
    assert world.starts("job") == ["12:00:00", "12:00:39"]


def test_a_job_that_the_stop_ended_is_retried_by_the_next_daemon() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=999), Act()]})
    world.runs_until("12:00:30")
    assert world.history("job") == ["12:00 scheduled: signal 15 -> 12:01:10"]
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 succeeded: signal 15, exit 0"]
    assert world.starts("job") == ["12:00:00", "12:01:10"]


def test_pending_retries_are_resumed_when_they_are_due() -> None:
    world = World(line("job", NOON, retry_delay="60"), acts={"job": [FAILS]})
    world.runs_until("12:00:30").runs_until("12:30")
    assert world.starts("job") == ["12:00:00", "12:01:00", "12:03:00", "12:07:00"]


def test_what_waits_for_its_turn_is_started_by_the_next_daemon() -> None:
    world = World(line("job", "0-1 12 * * *", overlap="queue"), acts={"job": [Act(lasts=95)]})
    assert world.runs_until("12:01:30").history("job") == [
        "12:00 succeeded: exit 0",
        "12:01 scheduled (overlap): - -> 12:01:00",
    ]
    assert world.runs_until("12:05").history("job")[1] == "12:01 succeeded: exit 0"


def test_it_is_not_started_when_that_comes_too_late() -> None:
    text = line("job", "0-1 12 * * *", overlap="queue", within="10m")
    world = World(text, acts={"job": [Act(lasts=95)]}).runs_until("12:01:30")
    world.clock.advance(600)
    assert world.runs_until("12:15").history("job")[1] == "12:01 skipped (too late): -"


def test_what_was_planned_is_owed_by_the_next_daemon() -> None:
    """The minute has not come; whoever is there when it comes runs it, and once."""
    world = World(line("job", NOON))
    world.runs_until("11:59:59.9")
    assert world.history("job") == []
    assert world.runs_until("12:00:30").starts("job") == ["12:00:00"]


def test_a_burst_that_is_stopped_is_accounted_for() -> None:
    jobs = [f"job{n}" for n in range(50)]
    world = World("".join(line(job, NOON) for job in jobs))
    world.spawner.start_takes = 0.1
    world.runs_until("12:00:01")
    outcomes = {outcome for job in jobs for outcome in world.history(job)}
    assert outcomes == {"12:00 succeeded: exit 0", "12:00 scheduled: - -> 12:00:04"}
    world.runs_until("12:00:30")
    assert {tuple(world.history(job)) for job in jobs} == {("12:00 succeeded: exit 0",)}


def test_a_retry_that_is_still_queued_at_a_stop_stays_due() -> None:
    """It failed before, and that is how it goes on, not as a run that was never begun."""
    jobs = [f"job{n}" for n in range(50)]
    text = "".join(line(job, NOON, retry_delay="10s", retry_jitter="0") for job in jobs)
    world = World(text, acts={job: [Act(outcome=Exited(1)), Act()] for job in jobs})
    world.at("12:00:05", lambda: setattr(world.spawner, "start_takes", 0.5))
    world.runs_until("12:00:11")
    tried = sum(len(world.starts(job)) for job in jobs)
    assert 50 < tried < 100, "some have been tried again, some are queued"
    world.spawner.start_takes = 0
    world.runs_until("12:01:30")
    assert {outcome for job in jobs for outcome in world.history(job)} == {
        "12:00 succeeded: exit 1, exit 0"
    }


def test_a_stop_that_the_journal_refuses_at_first_is_made_good() -> None:
    """A full disk that is full no more two seconds later: nothing is lost, nothing is doubled."""
    world = World(line("job", NOON) + line("long", "59 11 * * *"), acts={"long": [Act(lasts=40)]})
    world.at("11:59:59.85", lambda: setattr(world.journal, "is_full", True))
    world.at("12:00:02", lambda: setattr(world.journal, "is_full", False))
    world.runs_until("11:59:59.9")
    assert world.history("job") == []
    assert world.runs_until("12:00:30").history("job") == ["12:00 succeeded: exit 0"]


def test_a_daemon_that_has_lost_its_state_folder_ends_before_the_next_minute() -> None:
    """Another daemon may own a folder of that name by now, and run what is due."""
    world = World(line("job", EVERY_MINUTE), acts={"job": [Act(lasts=35)]})
    daemon = world.daemon
    world.at("11:59:40", lambda: setattr(world, "holds_state", False))
    world.run()
    assert daemon.has_lost_state
    assert world.starts("job") == ["11:59:30"]
    assert world.history("job") == ["11:59 succeeded: exit 0"]
    assert len(world.said("state")) == 1


def test_a_reload_is_not_done_any_more() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=38)]})
    world.reload_at("12:00:35")
    world.runs_until("12:00:30")
    assert world.library.loads == 1


# --- kill -9, and the next daemon ---------------------------------------------------------------


def test_an_attempt_that_ended_unseen_is_lost_and_retried() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=20), Act()]})
    world.crashes_at("12:00:10")
    world.clock.advance(60)
    world.clock.at(when("12:01:10"), lambda: None)
    world.spawner.crash()
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 succeeded: lost, exit 0"]
    assert world.starts("job") == ["12:00:00", "12:01:40"]


def test_an_attempt_that_still_runs_is_watched_until_it_ends() -> None:
    """Nobody can ask how it ended, so it counts as lost; until then nothing runs beside it."""
    world = World(line("job", "0-9 12 * * *"), acts={"job": [Act(lasts=130), Act()]})
    world.crashes_at("12:00:10").runs_until("12:02:55")
    assert world.said("adopted")
    assert world.history("job") == [
        "12:00 succeeded: lost, exit 0",
        "12:01 skipped (overlap): -",
        "12:02 skipped (overlap): -",
    ]
    assert "12:02:40" <= world.starts("job")[1] <= "12:02:55"


@pytest.mark.parametrize(
    ("act", "signals"),
    [
        (Act(lasts=999), [("12:01:00", TERM)]),
        (Act(lasts=999, on_term=None), [("12:01:00", TERM), ("12:01:10", KILL)]),
    ],
)
def test_an_adopted_attempt_has_its_time_limit(act: Act, signals: list[tuple[str, int]]) -> None:
    """Counted from its start, not from when it was adopted."""
    text = line("job", NOON, timeout="60s", no_retry_on="timeout")
    world = World(text, acts={"job": [act]}).crashes_at("12:00:10").runs_until("12:30")
    assert world.signals() == signals
    assert world.history("job") == ["12:00 failed (this ending is not retried): timed out"]


def test_an_adopted_attempt_is_ended_by_a_stop() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=999)]})
    world.crashes_at("12:00:10").runs_until("12:00:30")
    assert world.signals() == [("12:00:40", TERM)]


def test_an_adopted_attempt_of_no_entry_is_watched_all_the_same() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=100)]})
    world.crashes_at("12:00:10").edit(line("other", NOON))
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 failed (no longer in a crontab): lost"]
    assert world.signals() == []


def test_another_process_with_the_same_number_is_nobody_of_ours() -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=999), Act()]})
    world.crashes_at("12:00:10")
    world.spawner.renumber()
    world.runs_until("12:30")
    assert world.said("adopted") == []
    assert world.history("job") == ["12:00 succeeded: lost, exit 0"]


@pytest.mark.parametrize(
    ("schedule", "settings", "down_until", "outcome"),
    [
        (NOON, {}, "12:00:20", "succeeded: exit 1, exit 0"),  # in time
        (NOON, {}, "13:00", "succeeded: exit 1, exit 0"),  # late, but nothing has come since
        (NOON, {"retry_within": "2m"}, "12:01", "succeeded: exit 1, exit 0"),
        (NOON, {"retry_within": "2m"}, "12:03", "failed (retry window over): exit 1"),
        ("*/10 * * * *", {}, "12:11", "succeeded: exit 1, exit 0"),  # 12:10 was missed, not run
        ("*/10 * * * *", {}, "12:10:05", "failed (superseded): exit 1"),  # and here it runs
    ],
)
def test_a_retry_that_was_pending_when_the_daemon_died(
    schedule: str, settings: dict[str, object], down_until: str, outcome: str
) -> None:
    world = World(line("job", schedule, **settings), acts={"job": [FAILS, Act()]})
    world.crashes_at("12:00:10")
    world.clock.set(when(down_until))
    world.runs_until("18:00")
    assert world.history("job")[0] == f"12:00 {outcome}"


def test_a_retry_after_a_long_run_is_resumed_too() -> None:
    """What it ran past was skipped, which takes nobody's place."""
    acts = {"job": [Act(lasts=90, outcome=Exited(1)), Act()]}
    world = World(line("job", "0,1,5 12 * * *"), acts=acts)
    world.crashes_at("12:01:35").runs_until("12:03")
    assert world.history("job")[0] == "12:00 succeeded: exit 1, exit 0"


def test_a_retry_of_no_entry_is_given_up() -> None:
    world = World(line("job", NOON), acts={"job": [FAILS]})
    world.crashes_at("12:00:10").edit(line("other", NOON))
    world.runs_until("12:30")
    assert world.history("job") == ["12:00 failed (no longer in a crontab): exit 1"]


def test_what_waited_when_the_daemon_died_goes_on_waiting() -> None:
    world = World(line("job", "0-1 12 * * *", overlap="queue"), acts={"job": [Act(lasts=100)]})
    world.crashes_at("12:01:30").runs_until("12:05")
    assert world.history("job")[1] == "12:01 succeeded: exit 0"
    assert "12:01:40" <= world.starts("job")[1] <= "12:02:00"


@pytest.mark.parametrize("stop", ["12:00:40", "12:03"])
def test_a_full_disk_keeps_nobody_from_stopping_an_idle_daemon(stop: str) -> None:
    world = World(line("job", "0 18 * * *"))
    world.at("12:00:30", lambda: setattr(world.journal, "is_full", True))
    world.at("12:20", world.kill)
    world.runs_until(stop)
    assert world.clock.now() < when("12:05")


def test_what_was_claimed_before_its_minute_when_the_daemon_died_runs_in_its_minute() -> None:
    """No process can have come of it, so it is not lost: it is owed."""
    world = World(line("job", NOON))
    world.crashes_at("11:59:59.9")
    assert world.runs_until("12:00:30").starts("job") == ["12:00:00"]
    assert world.history("job") == ["12:00 succeeded: exit 0"]


def test_who_has_the_number_of_an_adopted_attempt_is_never_signalled() -> None:
    text = line("job", NOON, timeout="15s", kill_after="10s")
    world = World(text, acts={"job": [Act(lasts=999, on_term=None), Act()]})
    world.crashes_at("12:00:10")
    world.at("12:00:16", world.spawner.renumber)
    world.runs_until("12:00:40")
    assert world.signals() == [("12:00:15", TERM)]


@pytest.fixture
def after_a_kill() -> World:
    """The daemon died between the start of a long attempt and its record."""
    world = World(line("job", "0-9 12 * * *", timeout="20m"), acts={"job": [Act(lasts=130), Act()]})
    world.spawner.then = world.kill
    world.crashes()
    world.spawner.then = lambda: None
    return world


def test_a_start_that_nobody_could_journal_is_found_and_watched(after_a_kill: World) -> None:
    world = after_a_kill.runs_until("12:02:55")
    assert [said["job"] for said in world.said("adopted")] == ["job"]
    assert world.history("job")[0] == "12:00 succeeded: lost, exit 0"
    first, second = world.starts("job")
    assert first == "12:00:00"
    assert "12:02:10" <= second <= "12:02:55"


def test_one_whose_process_is_hidden_is_watched_by_its_output(
    after_a_kill: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = after_a_kill
    monkeypatch.setattr(FakeSpawner, "orphans", lambda _, outputs: dict.fromkeys(outputs, 0))
    monkeypatch.setattr(FakeSpawner, "is_held", lambda *_: world.clock.now() < when("12:02:10"))
    world.crashes_at("12:01")
    world.runs_until("12:02:55")
    assert ["pid" in said for said in world.said("adopted")] == [False, False]
    assert world.history("job")[0] == "12:00 succeeded: lost, exit 0"
    first, second = world.starts("job")
    assert first == "12:00:00"
    assert "12:02:10" <= second <= "12:02:55"


def test_what_was_found_is_journalled_for_the_daemon_after_that(after_a_kill: World) -> None:
    world = after_a_kill.crashes_at("12:00:30")
    (row,) = world.journal.queries.history("job")
    (attempt,) = row.attempts
    assert (attempt.started, attempt.pid) == (when("12:00"), world.spawner.launched[0].pid)
    assert world.spawner.started_at(attempt.pid or 0) == attempt.pid_started
    world.runs_until("12:00:50")
    assert len(world.said("adopted")) == 2


def test_a_start_that_nobody_could_journal_is_lost_if_it_ended(after_a_kill: World) -> None:
    world = after_a_kill
    world.clock.set(when("12:00:05"))
    world.at("12:00:05", lambda: None)
    for launched in world.spawner.launched:
        assert launched.pid is not None
        world.spawner.keep(launched.pid, world.spawner.started_at(launched.pid) or 0)
        world.spawner.signal(launched.pid, KILL)
        asyncio.run(world.clock.wait(when("12:00:05"), asyncio.Event()))
    world.runs_until("12:00:55")
    assert world.said("adopted") == []
    assert world.history("job") == ["12:00 succeeded: lost, exit 0"]


@pytest.mark.parametrize("number", [1, 20, 49])
def test_a_burst_in_which_the_daemon_is_killed_starts_nobody_beside_itself(number: int) -> None:
    """Who lives is watched; who was claimed and not started is lost, and tried again."""
    jobs = [f"job{n}" for n in range(50)]
    text = "".join(line(job, NOON, retry_delay="1s") for job in jobs)
    world = World(text, acts={job: [Act(lasts=60)] for job in jobs})
    world.spawner.then = lambda: world.kill() if len(world.spawner.launched) == number else None
    world.crashes()
    assert world.spawner.living().keys() == {each.attempt for each in world.spawner.launched}
    world.crashes_at("12:00:30")
    assert len(world.said("adopted")) == number
    assert sorted(each.entry.job for each in world.spawner.launched) == sorted(jobs)


def test_a_run_that_was_claimed_and_never_began_is_lost_where_nothing_is_retried() -> None:
    """It may have begun: it is claimed before its start, so that it is never started twice."""
    jobs = [f"job{n}" for n in range(4)]
    text = "".join(line(job, NOON, retries=0) for job in jobs)
    world = World(text, acts={job: [Act(lasts=60)] for job in jobs})
    world.spawner.then = lambda: world.kill() if len(world.spawner.launched) == 1 else None
    world.crashes()
    world.runs_until("12:03")
    (began,) = {each.entry.job for each in world.spawner.launched}
    for job in jobs:
        assert world.starts(job) == (["12:00:00"] if job == began else [])
        assert world.history(job) == ["12:00 failed (no attempts left): lost"]
    assert len(world.said("adopted")) == 1


def test_nobody_looks_for_processes_when_all_of_them_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=300)]})
    world.crashes_at("12:00:10")
    monkeypatch.setattr(type(world.spawner), "orphans", lambda _: pytest.fail("it did"))
    world.runs_until("12:00:30")
    assert world.said("adopted")


def test_a_start_that_never_was_is_lost() -> None:
    """The daemon died between an attempt that got no process and its record."""
    world = World(line("job", NOON), acts={"job": [Act(outcome=NotStarted("unseen")), Act()]})
    world.spawner.then = world.kill
    world.crashes()
    world.spawner.then = lambda: None
    world.runs_until("13:00")
    assert world.history("job") == ["12:00 succeeded: lost, exit 0"]


@pytest.mark.parametrize(
    ("settings", "outcome", "why"),
    [
        ({}, "12:00 scheduled: signal 15 -> 12:00:50", "the next daemon tries it again"),
        ({"retry_delay": "10m"}, "12:00 failed (daemon stopped): signal 15", "its next run comes first"),
        ({"retries": 0}, "12:00 failed (daemon stopped): signal 15", "that is why it ended"),
    ],
)  # fmt: skip
def test_a_run_that_a_stop_ended_says_so_unless_it_is_retried(
    settings: dict[str, object], outcome: str, why: str
) -> None:
    text = line("job", "* 12 * * *", **settings)
    world = World(text, acts={"job": [Act(lasts=999)]}).runs_until("12:00:10")
    assert world.history("job") == [outcome], why


# --- what the system does not tell ----------------------------------------------------------------


def untold(*_: object) -> int:
    raise OSError(errno.ENFILE, os.strerror(errno.ENFILE))


def test_an_attempt_that_the_system_does_not_tell_of_lives_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing says that it is gone, so nothing is started beside it."""
    world = World(line("job", "0-9 12 * * *"), acts={"job": [Act(lasts=130), Act()]})
    world.crashes_at("12:00:10")
    monkeypatch.setattr(FakeSpawner, "started_at", untold)
    world.at("12:03:30", monkeypatch.undo)
    world.runs_until("12:04:30")
    first, second, *_ = world.starts("job")
    assert first == "12:00:00"
    assert second >= "12:03:30"
    assert world.history("job")[0] == "12:00 failed (superseded): lost"


def test_one_whose_start_could_not_be_told_is_found_by_its_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(line("job", NOON), acts={"job": [Act(lasts=130), Act()]})
    with monkeypatch.context() as accident:
        accident.setattr(FakeSpawner, "started_at", lambda *_: None)
        world.crashes_at("12:00:10")
    ((attempt,),) = [row.attempts for row in world.journal.queries.history("job")]
    assert (attempt.pid, attempt.pid_started) == (world.spawner.launched[0].pid, None)
    world.runs_until("12:01:00")
    assert [said["pid"] for said in world.said("adopted")] == [attempt.pid]
    assert world.starts("job") == ["12:00:00"]


@pytest.mark.parametrize("what", ["orphans", "started_at"])
def test_a_daemon_that_can_not_know_what_runs_does_not_start(
    after_a_kill: World, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    world = after_a_kill
    with monkeypatch.context() as accident:
        accident.setattr(FakeSpawner, what, untold)
        with pytest.raises(MeridianError, match="does not tell which jobs of an earlier daemon"):
            world.runs_until("12:00:30")
    assert world.starts("job") == ["12:00:00"]
    world.runs_until("12:00:40")
    assert world.starts("job") == ["12:00:00"]
    assert world.said("adopted")
